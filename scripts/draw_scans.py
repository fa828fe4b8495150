"""Draw simulated AFM movies before and after `upreel denoise`, with their truth: docs/afm.png.

python scripts/draw_scans.py OUT.png [--method NAME]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from upreel.evaluation.scans import simulated_movies
from upreel.inference.scans import USUAL, apply_method
from upreel.scans.preview import Picture, draw_beside
from upreel.scans.scan import Scan

MOVIES = (1, 2, 4)
"""Particles, fibres and a crystal, of those that methods are compared on."""


def main() -> None:
    """Draw the middle scan of each movie."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--method", default=USUAL)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    picture = np.concatenate([draw(number, arguments.method) for number in MOVIES])
    arguments.target.write_bytes(
        cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
    )


def draw(number: int, method: str) -> Picture:
    """One scan before and after, and what it would have been without noise."""
    movie = simulated_movies(number + 1)[number]
    middle = len(movie.heights) // 2
    found = apply_method(movie.heights, method)
    scans = {"before": movie.heights, "after": found, "truth": movie.truth}
    frames = slice(middle, middle + 1)
    return next(
        draw_beside({n: Scan(h, (movie.pixel, movie.pixel)) for n, h in scans.items()}, frames)
    )


if __name__ == "__main__":
    main()
