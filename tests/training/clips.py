"""Clips for training that tests make: sharp shapes on soft ground, each moving its own way."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = (96, 128)


def draw_clip(seed: int, frames: int = 8, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """`(T, H, W)`: discs, bars and letters; drawn four times too large, then averaged."""
    random = np.random.default_rng(seed)
    height, width = size
    shapes = [
        (
            random.uniform(0, 1, 2) * (width, height),
            random.uniform(-2, 2, 2),
            float(random.uniform(4, 14)),
            int(random.integers(0, 256)),
            index % 3,
        )
        for index in range(24)
    ]
    ground = cv2.resize(random.uniform(60, 190, (4, 5)), (4 * width, 4 * height))
    clip = []
    for time in range(frames):
        image = np.clip(ground, 0, 255).astype(np.uint8)
        for place, velocity, side, grey, kind in shapes:
            x, y = (int(4 * at) for at in place + time * velocity)
            reach = int(4 * side)
            if kind == 0:
                cv2.circle(image, (x, y), reach, grey, -1)
            elif kind == 1:
                cv2.line(image, (x - reach, y), (x + reach, y + reach // 2), grey, 8)
            else:
                cv2.putText(image, "Rk", (x, y), cv2.FONT_HERSHEY_DUPLEX, side / 5, grey, 8)
        clip.append(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
    return np.stack(clip).astype(np.uint8)


def write_clips(folder: Path, clips: dict[str, NDArray[np.uint8]]) -> Path:
    """A folder of images for each clip."""
    for name, clip in clips.items():
        (folder / name).mkdir(parents=True)
        for index, frame in enumerate(clip):
            cv2.imwrite(str(folder / name / f"{index}.png"), np.repeat(frame[..., None], 3, -1))
    return folder
