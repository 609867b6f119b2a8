"""What Batman shows in a browser: the door that all of it is behind, and the app's page."""
