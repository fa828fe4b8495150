"""A segment that is made alone is the same file as one that is made after all others."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.inference.test_resume import OPTIONS, everything
from tests.video.media import picture, write_video
from upreel.core.instants import Times
from upreel.inference.interpolation import Tally
from upreel.inference.job import find_geometry, first_frame, open_source, plan_job, unlearned
from upreel.inference.join import first_of, open_assembly
from upreel.inference.ledger import read_ledger
from upreel.inference.pipeline import Options, Progress, upscale
from upreel.inference.plan import Plan, find_starts
from upreel.inference.segment import make_segment
from upreel.inference.work import Work, folder_of
from upreel.video.encoding import Encoding

WISHES = {
    "4x": replace(OPTIONS, model="swift:real"),
    "2x frames": replace(OPTIONS, scale=None, fps=Times(2)),
    "40 slowed": replace(OPTIONS, scale=None, fps=Fraction(40), slowmo=2),
    "fewer": replace(OPTIONS, model="bicubic", fps=Fraction(4), segment=3),
    "hevc": replace(OPTIONS, model="bicubic", encoding=Encoding(codec="hevc")),
}


class Stopped(BaseException):
    """What a test stops a run with."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two scenes, 25 frames."""
    pictures = [picture(index, 48, 32) for index in range(25)]
    noise = np.random.default_rng(0).integers(16, 235, (4, 6), dtype=np.uint8)
    for index in range(13, 25):
        luma = np.roll(noise.repeat(8, 0).repeat(8, 1), index, 1)
        pictures[index] = (luma, *pictures[index][1:])
    return write_video(tmp_path / "in.mkv", pictures, size=(48, 32), audio=True)


def keep_work(source: Path, target: Path, options: Options) -> None:
    """Make all segments, one after the other, and break off before they are joined."""
    total = upscale(source, target, options).frames
    target.unlink()

    def stop(progress: Progress) -> None:
        if progress.frames == total:
            raise Stopped

    with pytest.raises(Stopped):
        upscale(source, target, options, progress=stop)


@pytest.mark.parametrize("wish", WISHES)
def test_a_segment_made_alone_is_the_same_file(source: Path, tmp_path: Path, wish: str) -> None:
    options, target = WISHES[wish], tmp_path / "out.mp4"
    keep_work(source, target, options)
    ledger = read_ledger(folder_of(target))
    assert ledger is not None
    assert len(ledger.segments) >= 2
    with open_source(source, options) as reader:
        upscaler = unlearned(options)
        geometry = find_geometry(reader, options, upscaler)
        job = plan_job(reader, geometry, options, upscaler, ledger.pins)
        assembly = open_assembly(
            target,
            source=reader,
            size=geometry.size,
            encoding=replace(options.encoding, threads=ledger.pins.encoder_threads),
            audio=True,
            overwrite=False,
            pace=job.retiming.pace(reader) if job.retiming else None,
        )
        first = first_frame(reader, job)
        known = first_of(ledger, assembly.layout)
        assert first is not None
        assert known is not None
        assert (first.pts, first.time_base, first.duration) == (
            known.pts, known.time_base, known.duration
        )  # fmt: skip
        plan = Plan.of(*job.specs, most=options.segment)
        starts = list(find_starts(reader, plan))
        assert len(starts) > len(ledger.segments)  # the last one was not finished
        made = tmp_path / "made.packets"
        for start, done in reversed(list(zip(starts, ledger.segments, strict=False))):
            found = make_segment(
                reader, job, assembly, plan, start, first=first, path=made, tally=Tally()
            )
            assert found == done
            assert (
                made.read_bytes()
                == (folder_of(target) / f"{start.number:06d}.packets").read_bytes()
            )


@pytest.mark.parametrize("wish", ["2x frames", "4x"])
@pytest.mark.parametrize("missing", [0, 1])
def test_segments_that_are_missing_between_others_are_made(
    source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, wish: str, missing: int
) -> None:
    options, target = WISHES[wish], tmp_path / "out.mp4"
    whole = upscale(source, tmp_path / "whole.mp4", options)
    keep_work(source, target, options)
    (folder_of(target) / f"{missing:06d}.packets").unlink()
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        result = upscale(source, target, options)
    assert f"Segment {missing + 1} of {target} is damaged; it is made again" in caplog.text
    assert 0 < result.before < result.frames == whole.frames
    assert everything(target) == everything(tmp_path / "whole.mp4")


def test_frames_that_fall_together_at_a_border_stay_apart(tmp_path: Path) -> None:
    """In Matroska, which counts milliseconds; the encoder of a segment knows no other segment."""
    pts = [0, 400, 800, 1200, 1202, 1204, 1206, 2000, 2400, 2402]
    source = write_video(tmp_path / "in.mp4", 10, pts=pts, time_base=Fraction(1, 10000))
    options = replace(OPTIONS, model="bicubic", segment=5)
    upscale(source, tmp_path / "segments.mkv", options)
    upscale(source, tmp_path / "unbroken.mkv", replace(options, resume=False))
    found, expected = (
        [pts for pts, _ in everything(tmp_path / f"{name}.mkv").frames]
        for name in ("segments", "unbroken")
    )
    assert found == expected
    assert expected[3:8] == [120, 121, 122, 123, 200]


def test_a_ledger_with_a_segment_twice_is_refused(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    keep_work(source, target, WISHES["hevc"])
    ledger = read_ledger(folder_of(target))
    assert ledger is not None
    double = ledger.model_copy(update={"segments": (*ledger.segments, ledger.segments[0])})
    double.write(folder_of(target))
    assert read_ledger(folder_of(target)) is None
    with Work(target) as work:
        work.remove()
    shutil.rmtree(folder_of(target), ignore_errors=True)
