"""How lists are shown, by the command line and the app alike."""
