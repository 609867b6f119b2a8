"""Labelling: what a person does to the boxes of a picture, and what models propose for it."""
