"""The picture of one frame before and after."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.video.media import Arrays, write_video
from upreel.errors import OutputError
from upreel.inference.pipeline import Options, upscale
from upreel.inference.preview import LABEL_HEIGHT, ZOOM


def corner(size: tuple[int, int]) -> Arrays:
    """Grey, with a white quarter at the top left."""
    luma = np.full(size[::-1], 60, np.uint8)
    luma[: size[1] // 2, : size[0] // 2] = 235
    chroma = np.full((size[1] // 2, size[0] // 2), 128, np.uint8)
    return luma, chroma, chroma


def halves(path: Path) -> list[np.ndarray]:
    """Both pictures at their own size, gray, the label blackened."""
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    width = (picture.shape[1] - 4) // 2
    return [part[::ZOOM, ::ZOOM] for part in (picture[:, :width], picture[:, width + 4 :])]


@pytest.mark.parametrize(
    ("rotation", "ratio", "size", "row", "column"),
    [
        (0, None, (192, 128), 0, 0),
        (90, None, (128, 192), 1, 0),  # counterclockwise: what was left is now below
        (180, None, (192, 128), 1, 1),
        (0, Fraction(4, 3), (256, 128), 0, 0),
        (-90, Fraction(4, 3), (128, 256), 0, 1),
    ],
)
def test_it_is_seen_as_players_show_the_video(
    tmp_path: Path,
    rotation: int,
    ratio: Fraction | None,
    size: tuple[int, int],
    row: int,
    column: int,
) -> None:
    source = write_video(
        tmp_path / "in.mp4", [corner((96, 64))], size=(96, 64),
        rotation=rotation, sample_aspect_ratio=ratio,
    )  # fmt: skip
    options = Options(model="bicubic", scale=2, preview=tmp_path / "picture.png")
    result = upscale(source, tmp_path / "out.mp4", options)
    assert result.size == ((128, 192) if rotation % 180 else (192, 128))
    for half in halves(tmp_path / "picture.png"):
        assert half.shape == size[::-1]
        shown = half[LABEL_HEIGHT // ZOOM :]
        quarters = [
            part for rows in np.array_split(shown, 2) for part in np.array_split(rows, 2, 1)
        ]
        brightest = int(np.argmax([part.mean() for part in quarters]))
        assert divmod(brightest, 2) == (row, column)


def test_a_picture_that_cannot_be_finished_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    source = write_video(tmp_path / "in.mp4", 1)
    monkeypatch.setattr(Path, "write_bytes", full)
    options = Options(model="bicubic", scale=2, preview=tmp_path / "picture.png")
    with pytest.raises(OutputError, match=r"Cannot write .*picture\.png: no space left on device"):
        upscale(source, tmp_path / "out.mp4", options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]
