"""The scripts of the original Batman that have no counterpart, and the nearest of ours."""

from __future__ import annotations

from cli.exits import Exit
from cli.output import say_error

SCRIPTS = {
    "benchmark_latency": (
        "batman infer tells the images a second and the device. batman export model writes ONNX and"
        " other files, which batman infer --checkpoint FILE runs too."
    ),
    "compare_latency": (
        "Run batman infer --json once for each model: frames and seconds are in what it prints."
    ),
    "create_latency_video": (
        "batman infer --input VIDEO writes the video with its boxes to annotated/, and prints the"
        " images a second."
    ),
    "create_sidebyside_video": (
        "batman infer --input VIDEO writes one video for each model. Side by side:"
        " ffmpeg -i a.mp4 -i b.mp4 -filter_complex hstack both.mp4"
    ),
}


def answer(name: str) -> int:
    """Say what there is instead of the script `name` and return the exit code."""
    say_error(f"{name} of the original is not here.", SCRIPTS[name])
    return Exit.WRONG
