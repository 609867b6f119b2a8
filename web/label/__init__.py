"""The labelling page's server: JSON below `label/api/`, over the same functions as the app."""
