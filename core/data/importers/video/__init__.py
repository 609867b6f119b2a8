"""Frames of videos as pictures of a project, and reading them where damage can do no harm."""
