"""The ways out to programs to label with."""
