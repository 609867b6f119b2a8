"""Labelling from the command line."""
