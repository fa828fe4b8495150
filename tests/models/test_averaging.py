from __future__ import annotations

import pytest
import torch

from upreel.inference.loop import enlarge
from upreel.models.averaging import Average, Repeat
from upreel.models.upscaler import Window
from upreel.models.weights import load, names, split_stages, to_labels

CLIP = torch.rand(4, 1, 5, 6)


@pytest.mark.parametrize(("name", "share"), [("average", 0.5), ("repeat", 0.0)])
def test_new_frames_lie_between_and_the_last_one_is_held(name: str, share: float) -> None:
    made = list(enlarge(load(name, 1), zip("abcd", CLIP, strict=True)))
    assert "".join(label for label, _ in made) == "aabbccdd"
    for place, (_, frame) in enumerate(made):
        before, after = CLIP[place // 2], CLIP[min(place // 2 + 1, 3)]
        expected = before + (place % 2) * share * (after - before)
        torch.testing.assert_close(frame, expected, atol=1e-6, rtol=0)


def test_nothing_is_mixed_across_a_cut() -> None:
    made = enlarge(Average(), enumerate(CLIP), begins_scene=lambda number: number == 2)
    frames = [frame for _, frame in made]
    assert torch.equal(frames[3], CLIP[1])
    assert torch.equal(frames[4], CLIP[2])


def test_any_instant_is_mixed_by_distance() -> None:
    window = Window(CLIP[None, :2], future=1)
    for instant, between in zip((0.25, 0.8), Average().between(window, (0.25, 0.8)), strict=True):
        expected = (1 - instant) * CLIP[0] + instant * CLIP[1]
        torch.testing.assert_close(between.frame[0], expected, atol=1e-6, rtol=0)
        torch.testing.assert_close(between.weight, torch.full((1, 1, 5, 6), 1 - instant))
        assert between.flow.shape == (1, 2, 2, 5, 6)
        assert not between.flow.any()
    held = Repeat().between(window, (0.25, 0.8))
    assert all(torch.equal(between.frame[0], CLIP[0]) for between in held)


def test_they_have_no_scale() -> None:
    assert names()["average"] == names()["repeat"] == names()["warp"] == (1,)


def test_two_models_have_a_plus_between_them(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    file = tmp_path_factory.mktemp("a+b") / "net+x4.safetensors"
    assert split_stages("average+swift:clean") == ["average", "swift:clean"]
    assert to_labels(["average+/runs/net.safetensors", "swift"]) == ["average+net", "swift"]
    file.touch()
    assert split_stages(str(file)) == [str(file)]
    assert to_labels([str(file)]) == ["net+x4"]
