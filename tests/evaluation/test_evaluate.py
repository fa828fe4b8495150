from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor

import upreel.evaluation.evaluate
import upreel.metrics.motion
from upreel.data.clips import Clip, find_clips
from upreel.data.datasets.index import Entry, Index, Part, write_index
from upreel.data.datasets.layouts import REDS4
from upreel.errors import UsageError
from upreel.evaluation.evaluate import (
    check_fit,
    evaluate,
    find_metrics,
    find_scored,
    score,
    score_clip,
)
from upreel.evaluation.pairs import Pair, read_pair
from upreel.evaluation.protocols import Protocol, find_protocol
from upreel.evaluation.report import ClipScore
from upreel.evaluation.results import Results
from upreel.metrics import Listed, farneback, tof
from upreel.metrics.motion import visible
from upreel.models.bicubic import Bicubic, Lanczos
from upreel.models.compact import Compact
from upreel.models.upscaler import Spec, State, Upscaler, Window
from upreel.ops.warp import warp

GOLDEN = Path(__file__).parent.parent / "golden"
PROTOCOL = find_protocol("val-bi-y8", 2)


class Replay:
    """An upscaler that returns prepared frames, one after the other, and counts its steps."""

    spec = Spec(scale=2, color="luma")

    def __init__(self, frames: list[Tensor]) -> None:
        self.frames = frames
        self.steps = 0

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        self.steps += 1
        return self.frames[self.steps - 1][None, None], {}


def moving_clip() -> list[Tensor]:
    noise = gaussian_filter(np.random.default_rng(1).random((64, 80)), 1.5)
    codes = np.round((noise - noise.min()) / (noise.max() - noise.min()) * 219 + 16)
    field = torch.from_numpy(codes / 255).float()
    return [field[None, :, 2 * t : 2 * t + 64] for t in range(3)]


HIGH = moving_clip()
PAIR = Pair("clip", [frame[:, ::2, ::2] for frame in HIGH], HIGH)


def scored(upscalers: Sequence[Upscaler], pair: Pair, protocol: Protocol) -> list[ClipScore]:
    metrics, unavailable = find_metrics(protocol)
    assert not unavailable
    return list(score_clip(upscalers, pair, protocol, metrics))


def test_the_truth_itself_scores_best() -> None:
    (score,) = scored([Replay(HIGH)], PAIR, PROTOCOL)
    assert score.mean("psnr") == float("inf")
    assert score.mean("ssim") == pytest.approx(1)
    assert score.mean("tof") == 0


def test_scores_are_means_over_frames_not_of_pooled_errors() -> None:
    outputs = [(high + e / 255).clamp(0, 1) for high, e in zip(HIGH, (40, 5, 1), strict=True)]
    (score,) = scored([Replay(outputs)], PAIR, PROTOCOL)
    expected = [
        peak_signal_noise_ratio(  # type: ignore[no-untyped-call]
            high[:, 8:-8, 8:-8].numpy(), output[:, 8:-8, 8:-8].numpy(), data_range=1
        )
        for high, output in zip(HIGH, outputs, strict=True)
    ]
    assert score.mean("psnr") == pytest.approx(np.mean(expected), abs=1e-3)


def test_outputs_are_rounded_and_clipped_to_8_bits() -> None:
    white = torch.ones(1, 40, 40)
    outputs = [white + 0.3, white - 0.4 / 255]
    pair = Pair("white", [white[:, ::2, ::2]] * 2, [white] * 2)
    (score,) = scored([Replay(outputs)], pair, PROTOCOL)
    assert score.mean("psnr") == float("inf")


def test_things_that_move_elsewhere_show_in_tof_alone() -> None:
    still = [HIGH[0]] * 3
    (moved,) = scored([Replay(still)], PAIR, PROTOCOL)
    assert moved.mean("tof") == pytest.approx(2, abs=0.3)


def test_flow_is_of_whole_frames_and_cropped_afterwards() -> None:
    still = [HIGH[0]] * 3
    metrics = ("psnr", "tof", "warp", "warp-difference")
    (found,) = scored([Replay(still)], PAIR, replace(PROTOCOL, metrics=metrics))
    inside = (slice(None), slice(8, -8), slice(8, -8))
    for t in (1, 2):
        values = [found.scores[name][t - 1] for name in metrics[1:]]
        motion = farneback(HIGH[t - 1], HIGH[t])
        back = farneback(HIGH[t], HIGH[t - 1])
        shown = visible(back, motion)[8:-8, 8:-8]
        assert values[0] == pytest.approx(tof(torch.zeros_like(motion), motion, border=8), rel=1e-6)
        for value, old, new in zip(
            values[1:], (HIGH[0], HIGH[0] - HIGH[t - 1]), (HIGH[0], HIGH[0] - HIGH[t]), strict=True
        ):
            error = (new - warp(old[None], back[None])[0])[inside][0][shown]
            assert value == pytest.approx(1000 * float((error**2).mean()), rel=1e-5)


def test_the_flow_of_the_truth_is_found_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []

    def count(previous: Tensor, frame: Tensor) -> Tensor:
        found.append((previous, frame))
        return farneback(previous, frame)

    monkeypatch.setattr(upreel.metrics.motion, "farneback", count)
    protocol = replace(PROTOCOL, metrics=("tof", "warp", "warp-difference"))
    scored([Replay(HIGH), Replay([HIGH[0]] * 3)], PAIR, protocol)
    assert len(found) == 2 * 2  # there and back, for two pairs of frames


def test_the_border_does_not_count() -> None:
    outputs = [high.clone() for high in HIGH]
    for output in outputs:
        output[:, :8] = 0
        output[:, :, -8:] = 1
    (score,) = scored([Replay(outputs)], PAIR, PROTOCOL)
    assert score.mean("psnr") == float("inf")


def test_an_upscaler_that_is_given_twice_runs_once() -> None:
    replay = Replay(HIGH)
    first, second = scored([replay, replay], PAIR, PROTOCOL)
    assert first == second
    assert replay.steps == 3


@pytest.mark.parametrize("spec", [Spec(4, "luma"), Spec(2, "rgb", 2), Spec(2, "rgb", views=2)])
def test_an_upscaler_that_does_not_fit_is_refused(spec: Spec) -> None:
    other = Replay([])
    other.spec = spec
    with pytest.raises(UsageError, match=r"val-bi-y8 scores x2 with 1 frame.* but it gives"):
        check_fit("it", other, PROTOCOL)


class Count:
    """An RGB upscaler that makes two frames of each: the grey levels 0, 1, 2, ... of 255."""

    spec = Spec(4, "rgb", rate=2)

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        seen = int(state["seen"]) if state else 0
        shape = (1, 1, 3, *(side * 4 for side in window.clip.shape[-2:]))
        frames = [torch.full(shape, level / 255) for level in (seen, seen + 1)]
        return torch.cat(frames, 1), {"seen": torch.tensor(seen + 2)}


def test_frames_that_were_left_out_are_compared_with_what_was_made_for_them() -> None:
    high = [torch.full((3, 16, 16), level / 255) for level in range(5)]
    pair = Pair("steps", [frame[:, ::4, ::4] for frame in high[::2]], high)
    (score,) = scored([Count()], pair, find_protocol("stvsr-vid4"))
    assert score.frames == (0, 1, 2, 3, 4)
    assert set(score.scores["psnr"]) == {float("inf")}


def test_only_the_frames_that_count_are_scored_and_all_are_seen() -> None:
    frames = [*HIGH, *HIGH]
    bad = [torch.zeros_like(frame) for frame in frames]
    pair = Pair("clip", [frame[:, ::2, ::2] for frame in frames], HIGH, (1,))
    replay = Replay([bad[0], frames[1], *bad[2:]])
    (score,) = scored([replay], pair, PROTOCOL)
    assert (score.frames, replay.steps, score.steps) == ((1,), 6, 6)
    assert score.scores["psnr"] == (float("inf"),)
    assert score.scores["tof"] == ()


def test_rows_and_columns_that_are_cropped_do_not_count() -> None:
    protocol = replace(PROTOCOL, crop=(5, 4, 3, 2), metrics=("psnr",))
    outputs = [high.clone() for high in HIGH]
    for output in outputs:
        output[:, :5], output[:, -3:], output[..., :4], output[..., -2:] = 0, 0, 0, 0
    (score,) = scored([Replay(outputs)], PAIR, protocol)
    assert score.mean("psnr") == float("inf")
    for output in outputs:
        output[:, 5] = 0
    (score,) = scored([Replay(outputs)], PAIR, protocol)
    assert score.mean("psnr") < 40


def write_clips(folder: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        image = np.random.default_rng(seed).integers(0, 256, (32, 40, 3), np.uint8)
        cv2.imwrite(str(folder / name / "0.png"), image)
    return folder


def test_a_run_that_broke_off_goes_on_with_its_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_clips(tmp_path / "data", "a", "b", "c")
    results, read = Results(tmp_path / "kept"), []

    def stop_at(last: str) -> Callable[[Clip, Protocol], Pair]:
        def read_once(clip: Clip, protocol: Protocol) -> Pair:
            read.append(clip.name)
            if clip.name == last:
                raise KeyboardInterrupt
            return read_pair(clip, protocol)

        return read_once

    protocol = replace(PROTOCOL, crop=(0, 0, 0, 0))
    upscalers = {"filter": Bicubic(2), "other": Lanczos(2)}
    monkeypatch.setattr(upreel.evaluation.evaluate, "read_pair", stop_at("b"))
    with pytest.raises(KeyboardInterrupt):
        score(upscalers, protocol, data, results=results)
    monkeypatch.setattr(upreel.evaluation.evaluate, "read_pair", stop_at("never"))
    resumed = score(upscalers, protocol, data, results=results)
    assert read == ["a", "b", "b", "c"]
    fresh = score(upscalers, protocol, data)
    assert [row.means for row in resumed.rows] == [row.means for row in fresh.rows]
    read.clear()
    again = score({"renamed": Bicubic(2)}, protocol, data, results=results)
    assert not read
    assert again["renamed"].clips == resumed["filter"].clips


@pytest.mark.parametrize("protocol", ["vid4-bi-y", "reds4-bi-rgb"])
def test_luma_and_rgb_networks_stand_in_one_table(tmp_path: Path, protocol: str) -> None:
    data = write_clips(tmp_path, "a")
    compact = Compact(4, color="rgb", channels=4, layers=1)
    report = evaluate({"compact": compact}, find_protocol(protocol), data, clips=find_clips(data))
    assert report.rows[0].name == "bicubic"
    assert 0 < report["compact"].psnr < 40
    assert "BasicVSR++" in [entry.method for entry in report.published]


def test_reds4_is_scored_and_nothing_else(tmp_path: Path) -> None:
    names = ("000", "001", "011", "015", "020", "val")
    data = write_clips(tmp_path, *names)
    protocol = find_protocol("reds4-bi-rgb")
    with pytest.raises(UsageError, match="expected the clips 000, 011, 015, 020 for reds4-bi-rgb"):
        find_scored(data, protocol)
    parts: dict[str, Part] = dict.fromkeys(REDS4, "test")
    parts |= {"001": "train", "val": "val"}
    entries = [Entry(f"train-{name}", name, parts[name], "") for name in names]
    write_index(data, Index("reds", "CC BY 4.0", "its page", tuple(entries)))
    assert [clip.path.name for clip in find_scored(data, protocol)] == list(REDS4)
    assert [clip.path.name for clip in find_scored(data, PROTOCOL)] == ["val"]


def test_groups_of_clips_are_scored_apart(tmp_path: Path) -> None:
    data = write_clips(tmp_path, "a", "b", "c")
    groups = {"a": "fast", "b": "slow", "c": "fast"}
    entries = tuple(Entry(name, name, "test", group) for name, group in groups.items())
    write_index(data, Index("vimeo90k", "none", "its page", entries))
    report = score({"filter": Bicubic(4)}, find_protocol("vid4-bi-y"), data)
    assert report.groups == ("fast", "slow")
    a, b, c = (clip.mean("psnr") for clip in report["filter"].clips)
    assert report["filter"].mean("psnr", "fast") == pytest.approx((a + c) / 2)
    assert report["filter"].mean("psnr", "slow") == b


def test_a_metric_without_weights_is_left_out_and_the_reason_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPREEL_CACHE", str(tmp_path / "nothing"))
    protocol = replace(PROTOCOL, crop=(0, 0, 0, 0), metrics=("psnr", "lpips"))
    kept = Results(tmp_path / "kept")
    data = write_clips(tmp_path / "data", "a")
    report = score({"filter": Bicubic(2)}, protocol, data, results=kept)
    assert report.metrics == ("psnr",)
    assert report.unavailable["lpips"].startswith("not available: ")
    assert "upreel models get alexnet" in report.unavailable["lpips"]
    # Once it can be had, what was kept without it does not stand in its way.
    listed = Listed(False, lambda: lambda seen: 0.25)
    monkeypatch.setitem(upreel.metrics.METRICS, "lpips", listed)
    report = score({"filter": Bicubic(2)}, protocol, data, results=kept)
    assert (report.metrics, report.unavailable) == (("psnr", "lpips"), {})
    assert report["filter"].means["lpips"] == 0.25


def test_a_metric_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a metric out of psnr, .* found 'best'"):
        score({}, replace(PROTOCOL, metrics=("best",)), tmp_path)


def test_clips_that_are_drawn_and_those_of_an_index_are_data(tmp_path: Path) -> None:
    protocol = replace(PROTOCOL, frames=2, metrics=("psnr",))
    drawn = score({"filter": Bicubic(2)}, protocol, Path("procedural"))
    assert {clip.clip for clip in drawn.rows[0].clips} == {
        clip.name for clip in find_clips(Path("procedural"), "val")
    }
    assert 15 < drawn["filter"].psnr < 60
    data = write_clips(tmp_path, "a", "b", "c")
    parts: tuple[Part, ...] = ("train", "val", "val")
    entries = (Entry(*both) for both in zip("abc", "abc", parts, strict=True))
    write_index(data, Index("set", "CC0", "its page", tuple(entries)))
    indexed = score({"filter": Bicubic(2)}, replace(protocol, crop=(0, 0, 0, 0)), data)
    assert [clip.clip for clip in indexed.rows[0].clips] == ["b", "c"]


class Given(Replay):
    """The same for RGB at x4."""

    spec = Spec(4, "rgb")


@pytest.mark.parametrize(("name", "key"), [("vid4-bi-y", "y"), ("reds4-bi-rgb", "rgb")])
@pytest.mark.parametrize("crop", [0, 4])
@pytest.mark.parametrize("kind", ["noise", "blur", "shift"])
def test_scores_are_those_of_basicsr(kind: str, crop: int, name: str, key: str) -> None:
    with np.load(GOLDEN / "psnr_ssim.npz") as golden:
        truth, output = (
            torch.from_numpy(golden[f"in_{image}"]).permute(2, 0, 1).float() / 255
            for image in ("gt", kind)
        )
        expected = [
            float(golden[f"out_{metric}_{kind}_crop{crop}_{key}"]) for metric in ("psnr", "ssim")
        ]
    protocol = replace(find_protocol(name), crop=(crop,) * 4)
    (found,) = scored([Given([output])], Pair("a", [truth[:, ::4, ::4]], [truth]), protocol)
    assert [found.mean("psnr"), found.mean("ssim")] == pytest.approx(expected, abs=1e-4)
