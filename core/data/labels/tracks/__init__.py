"""Tracks: one object through the pictures of a video, and what may be wrong with one."""
