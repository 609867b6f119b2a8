"""Labellers: models that propose boxes for pictures, and the passes they make over a project."""
