"""What programs get that ask with `--json`: how it is printed, and the shape of each answer."""
