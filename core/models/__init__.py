"""Trained detectors, ready to look at images: RF-DETR checkpoints and exported models.

`detector` says what one is, `find` where they lie, `load` opens them. Nothing is imported here: the
sizes of models are asked by every command, and `detector` brings NumPy.
"""
