"""`--fps` and `--slowmo`, from file to file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import upreel
from tests.video.media import decoded, pictures, write_video
from upreel.core.instants import FrameRate, Times
from upreel.errors import DamagedError, UsageError
from upreel.inference.pipeline import Options, Progress, upscale
from upreel.models.upscaler import Color, Spec, State, Window
from upreel.video.encoding import Encoding

LOSSLESS = Encoding(codec="ffv1")


def timing(path: Path) -> tuple[list[Fraction], Fraction]:
    """The instants of all frames, and where the last one ends."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        base = stream.time_base
        assert base is not None
        frames = [(frame.pts or 0, frame.duration) for frame in container.decode(stream)]
    return [pts * base for pts, _ in frames], (frames[-1][0] + frames[-1][1]) * base


def near(found: Iterable[Fraction], wanted: Iterable[Fraction], *, within: Fraction) -> bool:
    return all(abs(a - b) <= within for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_twice_as_many_frames_of_a_variable_frame_rate(tmp_path: Path, extension: str) -> None:
    pts = [0, 512, 700, 1900, 1951, 5000]
    source = write_video(tmp_path / "in.mp4", 6, pts=pts, audio=True)
    target = tmp_path / f"out.{extension}"
    result = upscale(source, target, Options(fps=Times(2), interpolator="average"))
    found, end = timing(target)
    assert (result.frames, result.size) == (12, (64, 48))
    rounding = Fraction(0) if extension == "mp4" else Fraction(1, 2000)
    assert near(found[::2], [Fraction(at, 12800) for at in pts], within=rounding)
    middles = [Fraction(a + b, 25600) for a, b in pairwise(pts)]
    assert near(found[1:-1:2], middles, within=rounding)
    assert abs(end - Fraction(5512, 12800)) <= rounding


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.webm", "out.mov"])
def test_a_rate_in_every_container(tmp_path: Path, name: str) -> None:
    source = write_video(tmp_path / "in.mkv", 12, rate=Fraction(24000, 1001), audio=True)
    options = Options(fps=Fraction(60), interpolator="average")
    result = upscale(source, tmp_path / name, options)
    found, _ = timing(tmp_path / name)
    assert result.frames == len(found) == 30  # 12 * 1001 / 24000 s are 30.03 / 60 s
    exact = name.endswith(("mp4", "mov"))
    rounding = Fraction(1, 10**9) if exact else Fraction(1, 2000)
    assert near(found, [found[0] + Fraction(k, 60) for k in range(30)], within=rounding)
    with av.open(str(tmp_path / name)) as container:
        assert abs(float(container.streams.video[0].average_rate or 0) - 60) < 0.5
        assert len(container.streams.audio) == 1


def test_frames_of_the_source_are_as_they_were(tmp_path: Path) -> None:
    source = write_video(
        tmp_path / "in.mkv", 4, pixel_format="yuv420p10le", codec="ffv1", audio=True
    )
    options = Options(fps=Times(2), interpolator="average", encoding=LOSSLESS)
    upscale(source, tmp_path / "out.mkv", options)
    given, made = decoded(source), decoded(tmp_path / "out.mkv")
    for (_, one), (_, other) in zip(given, made[::2], strict=True):
        for a, b in zip(one, other, strict=True):
            assert (a == b).all()


def test_in_space_and_in_time(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 5)
    reports: list[Progress] = []
    result = upscale(
        source,
        tmp_path / "out.mp4",
        Options(model="bicubic", scale=2, fps=Times(3), interpolator="average"),
        progress=reports.append,
    )
    assert (result.frames, result.size) == (15, (128, 96))
    assert [(report.frames, report.total) for report in reports] == [(k, 15) for k in range(1, 16)]
    assert result.tally is not None
    assert (result.tally.given, result.tally.made) == (5, 8)


def test_images_and_gif(tmp_path: Path) -> None:
    source = write_video(
        tmp_path / "in.gif", 4, codec="gif", pixel_format="gray", time_base=Fraction(1, 100)
    )
    options = Options(fps=Times(2), interpolator="average")
    assert upscale(source, tmp_path / "frames", options).frames == 8
    assert len(list((tmp_path / "frames").iterdir())) == 8
    assert upscale(tmp_path / "frames", tmp_path / "out.mp4", options).frames == 16
    assert timing(tmp_path / "out.mp4")[0] == [Fraction(k, 50) for k in range(16)]


def test_a_part_of_a_video(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 25, audio=True)
    options = Options(
        fps=Times(2), start=Fraction(2, 5), end=Fraction(3, 5), interpolator="average"
    )
    assert upscale(source, tmp_path / "out.mp4", options).frames == 10
    found, end = timing(tmp_path / "out.mp4")
    assert found == [Fraction(k, 50) for k in range(10)]
    assert end == Fraction(1, 5)


def test_slow_motion_stretches_all(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mkv", 10, audio=True, subtitles=True, chapters=True)
    result = upscale(source, tmp_path / "out.mkv", Options(slowmo=2, interpolator="average"))
    assert result.frames == 20
    assert near(
        timing(tmp_path / "out.mkv")[0],
        [Fraction(k, 25) for k in range(20)],
        within=Fraction(1, 2000),
    )
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.video[0].average_rate == 25
        ends = [each["end"] * (each["time_base"] or 0) for each in container.chapters()]
        assert ends == [Fraction(2, 5), Fraction(4, 5)]
        sound, text = container.streams.audio[0], container.streams.subtitles[0]
        texts, last = [], 0
        for packet in container.demux(sound, text):
            if packet.size and packet.stream.type == "subtitle":
                texts.append((packet.pts, packet.duration))
            elif packet.size:
                last = packet.pts or 0
    assert texts == [(80, 320), (480, 320)]
    assert 650 < last < 900


def test_slow_motion_at_a_rate(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 5)
    options = Options(slowmo=4, fps=Fraction(50), interpolator="average")
    upscale(source, tmp_path / "out.mp4", options)
    found, end = timing(tmp_path / "out.mp4")
    assert found == [Fraction(k, 50) for k in range(40)]
    assert end == Fraction(4, 5)


def test_frames_as_a_stream_have_the_time_of_the_result(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 3)
    frames = list(upreel.stream(source, slowmo=2, interpolator="average"))
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(k, 25) for k in range(6)]


@pytest.mark.parametrize("seconds", [8, pytest.param(600, marks=pytest.mark.slow)])
def test_sound_stays_in_sync_for_ten_minutes(tmp_path: Path, seconds: int) -> None:
    size = (16, 16)
    source = write_video(
        tmp_path / "in.mp4", pictures(seconds, *size), size=size, rate=Fraction(1), audio=True
    )
    upscale(source, tmp_path / "out.mp4", Options(fps=Times(2), interpolator="average"))
    found, end = timing(tmp_path / "out.mp4")
    assert found == [Fraction(k, 2) for k in range(2 * seconds)]
    assert end == seconds

    def sound(path: Path) -> list[tuple[int | None, bytes]]:
        with av.open(str(path)) as container:
            packets = container.demux(container.streams.audio[0])
            return [(packet.pts, bytes(packet)) for packet in packets if packet.size]

    assert sound(source) == sound(tmp_path / "out.mp4")  # not a sample is moved


def test_a_damaged_input(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mkv", 30, options={"g": "5"})
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(DamagedError, match=r"frames that could be made are in .*out\.partial\.mp4"):
        upscale(source, tmp_path / "out.mp4", Options(fps=Times(2), interpolator="average"))
    assert len(decoded(tmp_path / "out.partial.mp4")) % 2 == 0


class Doubling:
    """A network that makes two frames of one, at twice the size."""

    def __init__(self, color: Color = "rgb") -> None:
        self.spec = Spec(scale=2, color=color, rate=2, future=1)

    def step(self, window: Window, state: State) -> tuple[torch.Tensor, State]:
        after = window.clip[:, -1:] if window.future else window.middle
        both = torch.cat((window.middle, (window.middle + after) / 2), 1)[0]
        return both.repeat_interleave(2, -2).repeat_interleave(2, -1)[None], state


@pytest.mark.parametrize(("fps", "count"), [(Times(2), 10), (Fraction(60), 12)])
def test_a_network_that_doubles(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, fps: FrameRate, count: int
) -> None:
    source = write_video(tmp_path / "in.mp4", 5)
    result = upscale(source, tmp_path / "out.mp4", Options(fps=fps), upscaler=Doubling())
    assert (result.frames, result.size) == (count, (128, 96))
    assert timing(tmp_path / "out.mp4")[0] == [Fraction(k, 5 * count) for k in range(count)]
    assert ("the nearest of them are shown" in caplog.text) == (fps != Times(2))


@pytest.mark.parametrize(
    ("upscaler", "options", "message"),
    [
        (Doubling(), Options(), r"expected --fps for a model that makes 2 frames .* --fps 2x"),
        (Doubling("luma"), Options(fps=Times(2)), r"makes 2 of one in luma; pass it as --interp"),
        (None, Options(fps=Times(1)), r"expected 2 to 16 times as many frames .*found 1 times"),
        (None, Options(fps=Times(4), slowmo=8), r"found 32 times; choose another"),
        (None, Options(slowmo=1), r"expected a whole number from 2x to 16x for --slowmo"),
        (None, Options(fps=Fraction(0)), r"expected a frame rate above 0 and up to 1000"),
        (None, Options(fps=Fraction(600), slowmo=2), r"up to 1000 .*found 1200; pass one such"),
        (None, Options(fps=Times(2), interpolator="bicubic"), r"expected a model that makes fr"),
    ],
)
def test_nonsense_is_refused(
    tmp_path: Path, upscaler: Doubling | None, options: Options, message: str
) -> None:
    source = write_video(tmp_path / "in.mp4", 2)
    with pytest.raises(UsageError, match=message):
        upscale(source, tmp_path / "out.mp4", options, upscaler=upscaler)
    assert not (tmp_path / "out.mp4").exists()


def test_one_image_has_no_frames_between(tmp_path: Path) -> None:
    upscale(write_video(tmp_path / "in.mp4", 1), tmp_path / "one.png", Options(model="bicubic"))
    with pytest.raises(UsageError, match=re.escape("expected a video for --fps and --slowmo")):
        upscale(tmp_path / "one.png", tmp_path / "out.png", Options(fps=Times(2)))


def test_motion_is_followed(tmp_path: Path) -> None:
    y, x = np.mgrid[:96, :128].astype(float)

    def scene(moment: float) -> NDArray[np.uint8]:
        at = x - 6 * moment
        wave = np.sin(at / 5) * np.cos(y / 6) + 0.5 * np.sin(at / 13 + y / 9)
        made: NDArray[np.uint8] = (128 + 60 * wave).round().astype(np.uint8)
        return made

    gray = np.full((48, 64), 128, np.uint8)
    source = write_video(
        tmp_path / "in.mkv",
        [(scene(index), gray, gray) for index in range(4)],
        size=(128, 96),
        codec="ffv1",
    )
    errors = {}
    for name in ("warp", "average"):
        target = tmp_path / f"{name}.mkv"
        upscale(source, target, Options(fps=Times(2), interpolator=name, encoding=LOSSLESS))
        made = decoded(target)[1][1][0]
        errors[name] = np.abs(made - scene(0.5).astype(float))[16:-16, 16:-16].mean()
    assert errors["warp"] < errors["average"] / 3
