from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from upreel.data.codec import PARAMETERS, Codec, CodecSettings, through_codec
from upreel.data.procedural import make_clip
from upreel.errors import UsageError


def moving_ramp(frames: int, height: int, width: int) -> NDArray[np.uint8]:
    """Frames that differ in brightness, so that a wrong order shows."""
    x = np.linspace(40, 120, width)[None, None, :]
    clip = x + 12 * np.arange(frames)[:, None, None] + np.zeros((1, height, 1))
    return clip.astype(np.uint8)[:, None]


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("size", [(48, 64), (37, 51), (16, 20)])
def test_all_frames_come_back_in_order_and_close(codec: Codec, size: tuple[int, int]) -> None:
    clip = moving_ramp(9, *size)
    decoded = through_codec(clip, CodecSettings(codec, 18, "veryfast"))
    assert decoded.shape == clip.shape
    assert np.abs(decoded.astype(int) - clip).mean() < 1.5


def test_it_is_lossy_more_so_at_a_higher_crf_and_the_same_each_time() -> None:
    clip = np.random.default_rng(1).integers(16, 236, (3, 1, 48, 64), dtype=np.uint8)
    errors = []
    for crf in (0, 20, 32):
        decoded = through_codec(clip, CodecSettings(crf=crf))
        assert np.array_equal(decoded, through_codec(clip, CodecSettings(crf=crf)))
        errors.append(float(np.abs(decoded.astype(int) - clip).mean()))
    assert errors == sorted(errors)
    assert errors[0] == 0  # x264 at CRF 0 of 8 bits is lossless
    assert errors[1] > 0.5


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_the_same_clip_gives_the_same_bits_each_time(codec: Codec) -> None:
    # With x264's mbtree and AVX-512, it is the first result of each clip that differs.
    settings = CodecSettings(codec, preset="veryfast")
    for seed in range(3):
        clip = make_clip((60, 107), 10, seed=seed).frames[:, 1:2]
        results = {through_codec(clip, settings).tobytes() for _ in range(3)}
        assert len(results) == 1


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_bits_do_not_depend_on_instructions(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_clip((96, 128), 10, seed=1).frames[:, 1:2]
    expected = through_codec(clip, CodecSettings(codec))
    ((key, said),) = PARAMETERS[codec].items()
    monkeypatch.setitem(PARAMETERS, codec, {key: f"{said}:asm=0"})
    assert np.array_equal(through_codec(clip, CodecSettings(codec)), expected)


def test_small_frames_do_not_crash_the_encoder() -> None:
    code = (
        "import numpy as np; from upreel.data.codec import *; r = np.random.default_rng(0)\n"
        "for k in range(12):\n"
        "    size = (40, 40) if k < 6 else (48, 96)\n"
        "    noise = r.integers(0, 255, (16, 1, *size), dtype=np.uint8)\n"
        "    through_codec(noise, CodecSettings('h265', 18 + k, 'veryfast'))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # a crash would end these tests


def test_colours_come_back() -> None:
    clip = np.empty((2, 3, 33, 47), np.uint8)
    clip[:] = np.array([200, 90, 30], np.uint8)[:, None, None]
    decoded = through_codec(clip, CodecSettings(crf=10))
    assert decoded.shape == clip.shape
    assert np.abs(decoded.astype(int) - clip).max() <= 3


def test_an_encoder_says_what_it_does_not_take() -> None:
    with pytest.raises(UsageError, match=r"expected settings that h264 takes, found .*'fastest'"):
        through_codec(np.zeros((1, 1, 32, 32), np.uint8), CodecSettings(preset="fastest"))
