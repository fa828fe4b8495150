from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from upreel.data.procedural import make_clip
from upreel.inference import motion
from upreel.inference.loop import observe
from upreel.models.upscaler import Input, Spec, Window
from upreel.ops.flow import FlowProvider, find_flow

BOTH: frozenset[Input] = frozenset({"flow", "flow_back"})
ALONG: frozenset[Input] = frozenset({"flow_along"})


def make_frames(count: int) -> list[Tensor]:
    return list(torch.from_numpy(make_clip((32, 40), count).frames).float() / 255)


def see(spec: Spec, frames: list[Tensor], cut: int = -1) -> Iterator[Window]:
    for seen in observe(spec, enumerate(frames), begins_scene=lambda at: at == cut):
        yield seen.window


def solve(start: Tensor, end: Tensor) -> Tensor:
    return find_flow(start[None], end[None])[0]


def test_both_directions_of_every_neighbour() -> None:
    frames = make_frames(5)
    spec = Spec(1, "rgb", past=1, future=2, inputs=BOTH)
    for at, window in enumerate(see(spec, frames)):
        for slot, other in enumerate((at - 1, at + 1, at + 2)):
            there, back = (window.inputs[name][0, 0, slot] for name in ("flow", "flow_back"))
            if 0 <= other < len(frames):
                assert torch.equal(there, solve(frames[at], frames[other]))
                assert torch.equal(back, solve(frames[other], frames[at]))
                assert not torch.equal(there, -back)
            else:
                assert not there.any()
                assert not back.any()


def test_several_frames_in_the_middle() -> None:
    frames = make_frames(4)
    (window,) = see(Spec(1, "rgb", past=1, step=4, inputs=BOTH), frames)
    assert window.inputs["flow"].shape == (1, 4, 1, 2, 32, 40)
    for at in range(1, 4):
        assert torch.equal(window.inputs["flow"][0, at, 0], solve(frames[at], frames[at - 1]))
        assert torch.equal(window.inputs["flow_back"][0, at, 0], solve(frames[at - 1], frames[at]))


def test_flow_along_a_window() -> None:
    frames = make_frames(4)
    spec = Spec(1, "rgb", past=1, future=2, inputs=ALONG)
    lengths = []
    for at, window in enumerate(see(spec, frames)):
        along = window.inputs["flow_along"]
        lengths.append(along.shape[1])
        for step, (there, back) in enumerate(along[0]):
            one, two = (frames[at - window.past + step + side] for side in (0, 1))
            assert torch.equal(there, solve(one, two))
            assert torch.equal(back, solve(two, one))
    assert lengths == [2, 3, 2, 1]


def test_a_frame_alone_has_no_flow_along_it() -> None:
    spec = Spec(1, "rgb", past=1, future=2, inputs=ALONG)
    (window,) = see(spec, make_frames(2)[:1])
    assert window.inputs["flow_along"].shape == (1, 0, 2, 2, 32, 40)


def test_a_cut_parts_frames() -> None:
    frames = make_frames(4)
    spec = Spec(1, "rgb", past=1, future=1, inputs=BOTH)
    flows = [window.inputs["flow"][0, 0] for window in see(spec, frames, cut=2)]
    assert [[bool(flow.any()) for flow in each] for each in flows] == [
        [False, True], [True, False], [False, True], [True, False]
    ]  # fmt: skip


@pytest.mark.parametrize(
    "spec",
    [Spec(1, "rgb", past=1, future=1, inputs=BOTH), Spec(1, "rgb", past=1, future=2, inputs=ALONG)],
)
def test_no_flow_is_found_twice(monkeypatch: pytest.MonkeyPatch, spec: Spec) -> None:
    found = []

    def count(frames: Tensor, neighbours: Tensor, *, provider: FlowProvider) -> Tensor:
        found.append(len(frames))
        return find_flow(frames, neighbours, provider=provider)

    monkeypatch.setattr(motion, "find_flow", count)
    list(see(spec, make_frames(5)))
    assert sum(found) == 2 * 4  # there and back between each two neighbours
