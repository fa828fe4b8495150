"""Work that breaks off and goes on: what comes out is what one run makes; nothing is lost."""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.video.media import picture, write_video
from upreel.core.instants import Times
from upreel.errors import UsageError
from upreel.inference import ledger
from upreel.inference.ledger import read_ledger
from upreel.inference.pipeline import Options, Progress, upscale
from upreel.inference.plan import WARM_UP
from upreel.inference.work import Work, folder_of
from upreel.models.weights import shipped
from upreel.video.decoder import Decoder
from upreel.video.encoding import Encoding

FRAMES = 25
OPTIONS = Options(scale=2, precision="fp32", segment=8)


@dataclass(frozen=True)
class Everything:
    """Decoded frames with their pts, the packets of all streams, and what is said of these."""

    frames: list[tuple[int | None, str]] = field(default_factory=list)
    packets: list[tuple[int, int | None, int | None, str]] = field(default_factory=list)
    streams: list[tuple[str, object, int | None, dict[str, str]]] = field(default_factory=list)


class Stopped(BaseException):
    """What a test stops a run with."""


def everything(path: Path) -> Everything:
    """Look at a file."""
    found = Everything()
    with av.open(str(path)) as container:
        for stream in container.streams:
            said = (stream.type, stream.time_base, stream.duration, stream.metadata)
            found.streams.append(said)
        for frame in container.decode(video=0):
            planes = b"".join(bytes(plane) for plane in frame.planes)
            found.frames.append((frame.pts, hashlib.md5(planes).hexdigest()))
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size:
                data = hashlib.md5(bytes(packet)).hexdigest()
                found.packets.append((packet.stream.index, packet.pts, packet.duration, data))
    return found


def stop_at(frame: int) -> Callable[[Progress], None]:
    """For `progress`: stops when a frame is written."""

    def look(progress: Progress) -> None:
        if progress.frames == frame:
            raise Stopped

    return look


def begin(source: Path, target: Path, options: Options = OPTIONS, *, frame: int = 20) -> None:
    """A run that does not come to its end."""
    with pytest.raises(Stopped):
        upscale(source, target, options, progress=stop_at(frame))
    assert not target.exists()


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `in.mkv` and what one run makes of it, `whole.mp4`."""
    folder = tmp_path_factory.mktemp("media")
    write_video(folder / "in.mkv", FRAMES, audio=True, subtitles=True, chapters=True, size=(48, 32))
    upscale(folder / "in.mkv", folder / "whole.mp4", OPTIONS)
    return folder


@pytest.fixture
def source(media: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "in.mkv"
    shutil.copy2(media / "in.mkv", copy)
    return copy


def test_a_run_that_goes_on_makes_what_one_run_makes(
    source: Path, media: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.mp4"
    for frame in (20, 17, 25):  # in the third segment; nothing more; with the first of the last
        begin(source, target, frame=frame)
        assert folder_of(target).is_dir()
    seen: list[Progress] = []
    result = upscale(source, target, OPTIONS, progress=seen.append)
    assert (result.frames, result.before) == (FRAMES, 24)
    assert [progress.frames for progress in seen] == [25]
    assert everything(target) == everything(media / "whole.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "out.mp4"]


@pytest.mark.parametrize("extension", [".mkv", ".mov"])
@pytest.mark.parametrize("codec", ["h264", "hevc", "ffv1"])
def test_so_it_does_with_other_codecs_and_containers(
    source: Path, tmp_path: Path, codec: str, extension: str
) -> None:
    if (codec, extension) == ("ffv1", ".mov"):
        codec = "prores"
    wished = Encoding(codec=codec, pixel_format=None if codec == "prores" else "yuv420p")
    options = replace(OPTIONS, model="bicubic", encoding=wished)
    whole, target = tmp_path / f"whole{extension}", tmp_path / f"out{extension}"
    upscale(source, whole, options)
    begin(source, target, options)
    assert upscale(source, target, options).before == 16
    assert everything(target) == everything(whole)


@pytest.mark.parametrize(
    ("wishes", "scenes"),
    [
        (Options(fps=Times(2)), False),
        (Options(fps=Fraction(40), slowmo=2), True),
        (Options(fps=Fraction(17), scale=2, model="bicubic"), True),
    ],
    ids=["2x", "40 slowed", "17 larger"],
)
def test_so_it_does_with_other_frame_rates(tmp_path: Path, wishes: Options, scenes: bool) -> None:
    pictures = [picture(index, 48, 32) for index in range(25)]
    if scenes:
        noise = np.random.default_rng(0).integers(16, 235, (4, 6), dtype=np.uint8)
        for index in range(13, 25):
            luma = np.roll(noise.repeat(8, 0).repeat(8, 1), index, 1)
            pictures[index] = (luma, *pictures[index][1:])
    source = write_video(tmp_path / "in.mkv", pictures, size=(48, 32), audio=True)
    whole, target = tmp_path / "whole.mp4", tmp_path / "out.mp4"
    options = replace(wishes, precision="fp32", segment=8)
    total = upscale(source, whole, options).frames
    begin(source, target, options, frame=total * 3 // 4)
    done = read_ledger(folder_of(target))
    assert done is not None
    assert [each.next_scene for each in done.segments] == (
        [False, True] if scenes else [False, False]
    )
    result = upscale(source, target, options)
    assert 0 < result.before < result.frames == total
    assert everything(target) == everything(whole)
    unbroken = upscale(source, tmp_path / "unbroken.mp4", replace(options, resume=False))
    assert unbroken.frames == total
    found, expected = everything(target), everything(tmp_path / "unbroken.mp4")
    assert [pts for pts, _ in found.frames] == [pts for pts, _ in expected.frames]
    assert found.streams == expected.streams


def test_one_segment_is_the_unbroken_run(source: Path, tmp_path: Path) -> None:
    for extension in (".mp4", ".mkv"):
        one, other = tmp_path / f"one{extension}", tmp_path / f"other{extension}"
        upscale(source, one, replace(OPTIONS, segment=100))
        upscale(source, other, replace(OPTIONS, resume=False))
        assert everything(one) == everything(other)


def test_times_that_vary_stay_as_they_are(tmp_path: Path) -> None:
    """B-frames of a segment that begins among long frames are decoded before the last one ended."""
    pts = [0, 40, 80, 81, 82, 83, 84, 85, 86, 1000, 3000, 6000, 6001, 6003, 9000, 9040, 9041, 9100]
    source = write_video(tmp_path / "in.mp4", 18, pts=pts, time_base=Fraction(1, 1000))
    target = tmp_path / "out.mp4"
    options = replace(OPTIONS, model="bicubic", segment=5, encoding=Encoding(preset="medium"))
    upscale(source, target, options)
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        found = [frame.pts * stream.time_base for frame in container.decode(stream)]  # type: ignore[operator]
    assert found == [Fraction(each, 1000) for each in pts]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("input", "the input"),
        ("options", "the option codec|the option encoding"),
        ("weights", "the weights"),
        ("version", "the version of upreel"),
    ],
)
def test_another_job_starts_over_and_says_why(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    change: str,
    named: str,
) -> None:
    target, weights = tmp_path / "out.mp4", tmp_path / "mine.safetensors"
    shutil.copy(shipped("swift:clean", 2), weights)
    options = replace(OPTIONS, model=str(weights))
    begin(source, target, options)
    if change == "input":
        data = bytearray(source.read_bytes())
        source.write_bytes(bytes(data))
    elif change == "options":
        options = replace(options, encoding=Encoding(crf=30))
    elif change == "weights":
        shutil.copy(shipped("swift:real", 2), weights)
    else:
        monkeypatch.setattr(ledger, "version", lambda name: "9.9.9")
    with caplog.at_level(logging.WARNING):
        assert upscale(source, target, options).before == 0
    assert re.search(f"Starting over: ({named}) changed since 16 frames of .* were", caplog.text)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "in.mkv", "mine.safetensors", "out.mp4"
    ]  # fmt: skip


def test_options_that_do_not_touch_the_frames_may_change(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    begin(source, target)
    more = replace(OPTIONS, overwrite=True, preview=tmp_path / "out.png")
    assert upscale(source, target, more).before == 16


def test_no_resume_is_one_unbroken_run_and_cleans_up(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    begin(source, target)
    with pytest.raises(Stopped):
        upscale(source, target, replace(OPTIONS, resume=False), progress=stop_at(20))
    assert list(tmp_path.iterdir()) == [source]


def test_nothing_stays_where_nothing_is_finished(source: Path, tmp_path: Path) -> None:
    begin(source, tmp_path / "out.mp4", frame=8)
    assert list(tmp_path.iterdir()) == [source]


def test_a_damaged_segment_is_made_again(
    source: Path, media: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = tmp_path / "out.mp4"
    begin(source, target, frame=25)
    segment = folder_of(target) / "000001.packets"
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(bytes(data))
    assert upscale(source, target, OPTIONS).before == 8
    assert "Segment 2 of" in caplog.text
    assert everything(target) == everything(media / "whole.mp4")


def test_what_a_later_segment_does_not_need_is_not_decoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_video(tmp_path / "in.mkv", 64, size=(32, 32), options={"g": "4"})
    whole, target = tmp_path / "whole.mp4", tmp_path / "out.mp4"
    upscale(source, whole, OPTIONS)
    begin(source, target, frame=62)
    decoded: list[int] = []
    frames_of = Decoder._frames_of

    def counted(
        self: Decoder, decoder: av.VideoCodecContext, packet: av.Packet[av.stream.Stream]
    ) -> list[av.VideoFrame]:
        frames = frames_of(self, decoder, packet)
        decoded.append(len(frames))
        return frames

    monkeypatch.setattr(Decoder, "_frames_of", counted)
    assert upscale(source, target, OPTIONS).before == 56
    assert everything(target) == everything(whole)
    assert sum(decoded) < 64 - (56 - WARM_UP - 3 * 4) + 1


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "old", "\0" * 100])
def test_a_ledger_that_cannot_be_read_starts_over(
    source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    target = tmp_path / "out.mp4"
    begin(source, target, replace(OPTIONS, model="bicubic"), frame=10)
    path = folder_of(target) / "ledger.json"
    old = path.read_text().replace('"format": 2', '"format": 1')
    path.write_text(old if text == "old" else text)
    assert upscale(source, target, replace(OPTIONS, model="bicubic")).before == 0
    assert "cannot be read" in caplog.text


def test_killed_between_the_last_two_steps(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result has its name, but its work is still there."""
    target, options = tmp_path / "out.mp4", replace(OPTIONS, model="bicubic")

    def killed(self: Work) -> None:
        raise Stopped

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(Work, "remove", killed)
        upscale(source, target, options)
    found = everything(target)
    with pytest.raises(UsageError, match="exists already"):  # another job does not replace it
        upscale(source, target, replace(options, scale=3))
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(Work, "remove", killed)
        upscale(source, target, replace(options, overwrite=True))
    result = upscale(source, target, options)
    assert (result.frames, result.before) == (FRAMES, FRAMES)
    assert everything(target) == found
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "out.mp4"]


def images(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["out", "out/%03d.jpg"])
@pytest.mark.parametrize("there", [False, True], ids=["new folder", "folder with a file"])
def test_images_go_on_too(source: Path, tmp_path: Path, name: str, there: bool) -> None:
    options = replace(OPTIONS, model="bicubic")
    upscale(source, tmp_path / name, replace(options, resume=False))
    expected = images(tmp_path / "out")
    assert len(expected) == FRAMES
    shutil.rmtree(tmp_path / "out")
    if there:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "notes.txt").write_bytes(b"mine")
        expected["notes.txt"] = b"mine"
    with pytest.raises(Stopped):
        upscale(source, tmp_path / name, options, progress=stop_at(20))
    result = upscale(source, tmp_path / name, options)
    assert (result.frames, result.before) == (FRAMES, 16)
    assert images(tmp_path / "out") == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "out"]


@pytest.mark.parametrize("there", [False, True], ids=["new folder", "folder with a file"])
def test_images_killed_before_the_work_is_removed(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    options, out = replace(OPTIONS, model="bicubic"), tmp_path / "out"
    if there:
        out.mkdir()

    def killed(self: Work) -> None:
        raise Stopped

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(Work, "remove", killed)
        upscale(source, out, options)
    (out / "000007.png").unlink()  # as if it had not been moved yet
    assert upscale(source, out, options).before == FRAMES
    assert len(images(out)) == FRAMES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "out"]
