"""What readers of formats share: pictures by name, lines and tables of text, JSON, shapes."""
