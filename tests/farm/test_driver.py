"""What a farm makes is what `upscale` makes, whoever makes which segment and when."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.farm.pools import Here, MemoryStore
from tests.inference.test_resume import everything
from tests.video.media import picture, write_video
from upreel.farm.driver import Farm
from upreel.farm.items import find_items
from upreel.farm.orders import Answer, Event, Made, Order, Outcome
from upreel.inference.ledger import Done, read_ledger
from upreel.inference.pipeline import Options, upscale
from upreel.inference.work import folder_of
from upreel.models.weights import shipped
from upreel.video.encoding import Encoding

OPTIONS = Options(scale=2, precision="fp32", segment=8)
RATE = replace(OPTIONS, scale=None, fps=Fraction(40), slowmo=2)


class Stopped(BaseException):
    """What a test stops a farm with."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # as the workers do, so that both make the same bits


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `a.mkv`, 25 frames in two scenes and all that a file can have, and `b.mp4`."""
    folder = tmp_path_factory.mktemp("videos")
    pictures = [picture(index, 48, 32) for index in range(25)]
    noise = np.random.default_rng(0).integers(16, 235, (4, 6), dtype=np.uint8)
    for index in range(13, 25):
        luma = np.roll(noise.repeat(8, 0).repeat(8, 1), index, 1)
        pictures[index] = (luma, *pictures[index][1:])
    write_video(
        folder / "a.mkv", pictures, size=(48, 32), audio=True, subtitles=True, chapters=True
    )
    write_video(folder / "b.mp4", 18, size=(48, 32))
    return folder


def make(
    sources: list[Path],
    out: Path,
    options: Options = OPTIONS,
    *,
    dies: Callable[[Order], bool] = lambda order: False,
    tell: Callable[[Event], None] = lambda event: None,
    pool: type[Here] = Here,
) -> tuple[Outcome, Here]:
    """Run a farm in this process."""
    store, cache = MemoryStore(), out.parent / "cache"
    workers = pool(store, cache, dies=dies)
    out.mkdir(exist_ok=True)
    farm = Farm(
        workers,
        store,
        items=find_items([str(source) for source in sources], str(out)),
        out=out,
        options=options,
        pins=workers.choose_pins("cpu", options.precision),
        cache=cache,
        tell=tell,
    )
    return farm.run(), workers


@pytest.mark.parametrize("options", [OPTIONS, RATE], ids=["larger", "more frames"])
def test_results_are_those_of_one_process(videos: Path, tmp_path: Path, options: Options) -> None:
    out = tmp_path / "out"
    outcome, pool = make([videos], out, options)
    assert sorted(path.name for path in outcome.done) == ["a.mkv", "b.mp4"]
    assert not outcome.failed
    numbers = [order.start.number for order in pool.made if order.source.endswith("a.mkv")]
    assert len(numbers) >= 3
    assert numbers != sorted(numbers)
    for name in ("a.mkv", "b.mp4"):
        alone = upscale(videos / name, tmp_path / name, options)
        assert everything(out / name) == everything(tmp_path / name)
        assert alone.frames == len(everything(out / name).frames)
    assert sorted(path.name for path in out.iterdir()) == ["a.mkv", "b.mp4"]


def test_a_farm_that_was_stopped_goes_on(
    videos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    shutil.copy2(videos / "a.mkv", tmp_path / "a.mkv")

    def stop(event: Event) -> None:
        if event.event == "segment" and event.segment != 0:
            raise Stopped

    with pytest.raises(Stopped):
        make([tmp_path / "a.mkv"], out, tell=stop)
    assert not (out / "a.mkv").exists()
    before = read_ledger(folder_of(out / "a.mkv"))
    assert before is not None
    assert before.numbers == {0, 2}  # one is missing between them
    with caplog.at_level(logging.WARNING):
        outcome, pool = make([tmp_path / "a.mkv"], out)
    assert "Going on with" in caplog.text
    assert before.numbers.isdisjoint(order.start.number for order in pool.made)
    assert outcome.frames == 25 - before.frames
    upscale(videos / "a.mkv", tmp_path / "alone.mkv", OPTIONS)
    assert everything(out / "a.mkv") == everything(tmp_path / "alone.mkv")


def test_upscale_goes_on_with_what_a_farm_has_left(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def stop(event: Event) -> None:
        if event.event == "segment":
            raise Stopped

    with pytest.raises(Stopped):
        make([videos / "b.mp4"], out, tell=stop)
    result = upscale(videos / "b.mp4", out / "b.mp4", OPTIONS)
    assert result.before == 8
    upscale(videos / "b.mp4", tmp_path / "alone.mp4", OPTIONS)
    assert everything(out / "b.mp4") == everything(tmp_path / "alone.mp4")


def test_a_worker_that_dies_costs_its_segment_only(videos: Path, tmp_path: Path) -> None:
    died: list[int] = []

    def dies(order: Order) -> bool:
        if order.start.number == 1 and len(died) < 2:
            died.append(1)
            return True
        return False

    events: list[Event] = []
    outcome, pool = make([videos / "b.mp4"], tmp_path / "out", dies=dies, tell=events.append)
    assert len(outcome.done) == 1
    assert sorted(order.start.number for order in pool.made) == [0, 1, 2]
    assert [event.message for event in events if event.event == "lost"] == ["killed", "killed"]
    upscale(videos / "b.mp4", tmp_path / "alone.mp4", OPTIONS)
    assert everything(tmp_path / "out" / "b.mp4") == everything(tmp_path / "alone.mp4")


def test_a_segment_that_kills_its_workers_ends_its_file_only(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome, _ = make(
        [videos], out, dies=lambda order: order.source.endswith("b.mp4") and order.start.number == 1
    )
    assert [path.name for path in outcome.done] == ["a.mkv"]
    ((source, message),) = outcome.failed
    assert source.endswith("b.mp4")
    assert "segment 2, frames 8 to 15" in message
    assert "could not be made in 3 tries" in message
    assert folder_of(out / "b.mp4").is_dir()  # the others are kept
    again, pool = make([videos], out)
    assert [path.name for path in again.skipped] == ["a.mkv"]
    assert [path.name for path in again.done] == ["b.mp4"]
    assert 0 not in [order.start.number for order in pool.made]


def test_a_worker_that_finds_more_frames_than_the_farm_ends_the_file(
    videos: Path, tmp_path: Path
) -> None:
    class Odd(Here):
        def wait(self, seconds: float) -> Sequence[Answer]:
            return [
                replace(answer, outcome=replace(made, done=_with_more(made.done)))
                if isinstance(made := answer.outcome, Made)
                else answer
                for answer in super().wait(seconds)
            ]

    outcome, _ = make([videos / "b.mp4"], tmp_path / "out", pool=Odd)
    ((_, message),) = outcome.failed
    assert "not decoded the same way everywhere: it ends with segment 3 here" in message


def _with_more(done: Done) -> Done:
    return done if done.next_frame else done.model_copy(update={"next_frame": 18})


def test_files_that_fail_are_not_expected_any_more(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "c.mp4").write_text("no video")
    events: list[Event] = []
    make([tmp_path / "c.mp4", videos / "b.mp4"], tmp_path / "out", tell=events.append)
    assert (events[-1].event, events[-1].frames, events[-1].total) == ("end", 18, 18)


def test_a_file_that_is_none_does_not_end_the_others(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "c.mp4").write_text("no video")
    outcome, _ = make([tmp_path / "c.mp4", videos / "b.mp4"], tmp_path / "out")
    assert [path.name for path in outcome.done] == ["b.mp4"]
    assert "c.mp4" in outcome.failed[0][1]


def test_a_damaged_file_is_made_as_far_as_it_goes(videos: Path, tmp_path: Path) -> None:
    whole = (videos / "a.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    outcome, _ = make([tmp_path / "cut.mkv"], tmp_path / "out")
    ((_, message),) = outcome.failed
    assert "is damaged" in message
    assert (tmp_path / "out" / "cut.partial.mkv").is_file()
    outcome, _ = make([tmp_path / "cut.mkv"], tmp_path / "out", replace(OPTIONS, keep_going=True))
    assert [path.name for path in outcome.done] == ["cut.mkv"]
    found = everything(tmp_path / "out" / "cut.mkv")
    upscale(tmp_path / "cut.mkv", tmp_path / "alone.mkv", replace(OPTIONS, keep_going=True))
    assert found == everything(tmp_path / "alone.mkv")


def test_results_that_are_there_are_skipped_or_replaced(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "b.mp4").write_text("mine")
    outcome, _ = make([videos / "b.mp4"], out)
    assert [path.name for path in outcome.skipped] == ["b.mp4"]
    assert (out / "b.mp4").read_text() == "mine"
    outcome, _ = make([videos / "b.mp4"], out, replace(OPTIONS, overwrite=True))
    assert [path.name for path in outcome.done] == ["b.mp4"]
    assert len(everything(out / "b.mp4").frames) == 18


def test_a_file_of_weights_is_sent(videos: Path, tmp_path: Path) -> None:
    """The workers read what they were sent, not the path that was named."""
    weights = tmp_path / "mine.safetensors"
    shutil.copy2(shipped("swift:clean", 2), weights)
    options = replace(OPTIONS, model=str(weights))
    _, pool = make([videos / "b.mp4"], tmp_path / "out", options)
    assert {order.weights["model"].name for order in pool.made} == {"mine.safetensors"}
    assert list((tmp_path / "cache").glob("weights/*/mine.safetensors"))
    upscale(videos / "b.mp4", tmp_path / "alone.mp4", replace(OPTIONS, model="swift:clean"))
    found, expected = everything(tmp_path / "out" / "b.mp4"), everything(tmp_path / "alone.mp4")
    assert found.frames == expected.frames


def test_vp9_with_transparency_is_not_for_a_farm(tmp_path: Path) -> None:
    source = write_video(
        tmp_path / "a.mkv", 4, size=(32, 32), codec="ffv1", pixel_format="yuva420p"
    )
    options = replace(OPTIONS, encoding=Encoding(codec="vp9"))
    (tmp_path / "in").mkdir()
    shutil.move(source, tmp_path / "in" / "a.webm")
    outcome, _ = make([tmp_path / "in"], tmp_path / "out", options)
    assert "use 'upreel upscale' for it" in outcome.failed[0][1]
