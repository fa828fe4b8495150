"""Procedural clips against closed forms: textures are known at every real point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, map_coordinates

from upreel.data.procedural import Layer, Procedural, make_clip, render

SIZE = (48, 64)


def wave_layer(velocity: tuple[float, float]) -> Layer:
    """A background with one wave."""
    return Layer(
        np.array([[0.3, 0.2]]), np.zeros((1, 3)), np.array([50.0]), np.full(3, 120.0),
        np.array(velocity), np.zeros(2), np.full(2, np.inf), 2.0, 0.0,
    )  # fmt: skip


def disc(x: float, y: float, radius: float, velocity: tuple[float, float]) -> Layer:
    return Layer(
        np.array([[0.5, -0.1]]), np.zeros((1, 3)), np.array([30.0]), np.full(3, 60.0),
        np.array(velocity), np.array([x, y]), np.full(2, radius), 2.0, 5.0,
    )  # fmt: skip


def test_a_shift_by_parts_of_a_pixel_is_exact() -> None:
    clip = render((wave_layer((0.37, -1.21)),), SIZE, 4)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for t in range(4):
        expected = 120 + 50 * np.cos(0.3 * (x - 0.37 * t) + 0.2 * (y + 1.21 * t))
        assert np.abs(clip.frames[t] - expected).max() <= 0.501
    assert np.allclose(clip.forward, np.array([0.37, -1.21])[:, None, None])
    assert np.allclose(clip.backward, -clip.forward)


def test_flow_and_occlusion_of_a_disc_are_where_it_is() -> None:
    clip = render((wave_layer((0, 0)), disc(30, 24, 10, (4, 0))), SIZE, 2)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    now, then = (np.hypot(x - 30 - 4 * t, y - 24) <= 10 for t in range(2))
    assert np.array_equal(clip.forward[0, 0] == 4, now)
    assert np.array_equal(clip.backward[0, 0] == -4, then)
    assert np.array_equal(clip.hidden_next[0], then & ~now)
    assert np.array_equal(clip.hidden_before[0], now & ~then)
    assert np.array_equal(clip.disparity[0] == 5, now)


def difference_of(clip: Procedural, t: int) -> NDArray[np.float64]:
    """How far frame `t` is from the next, warped by the flow."""
    y, x = np.mgrid[: clip.frames.shape[-2], : clip.frames.shape[-1]].astype(float)
    at = (y + clip.forward[t, 1], x + clip.forward[t, 0])
    later = clip.frames[t + 1].astype(float)
    found = np.stack([map_coordinates(channel, at, order=3, mode="mirror") for channel in later])
    difference: NDArray[np.float64] = np.abs(found - clip.frames[t])
    return difference


def test_flow_leads_to_what_is_seen_and_not_to_what_is_hidden() -> None:
    for index in range(3):
        clip = make_clip((96, 96), 3, seed=1, index=index)
        difference = difference_of(clip, 0)
        edges = np.abs(np.diff(clip.disparity[0], axis=0, prepend=clip.disparity[0][:1])) + np.abs(
            np.diff(clip.disparity[0], axis=1, prepend=clip.disparity[0][:, :1])
        )
        # Edges are blends of two layers and splines reach over them: look beyond.
        visible = binary_erosion(~clip.hidden_next[0] & (edges == 0), iterations=4)
        assert visible.mean() > 0.2
        assert np.median(difference[:, visible]) < 2
        assert difference[:, visible].mean() < 0.3 * difference[:, clip.hidden_next[0]].mean()


def test_the_right_view_of_one_layer_is_shifted_by_its_disparity() -> None:
    layer = replace(wave_layer((0.37, -1.21)), disparity=2.6)
    clip = render((layer,), SIZE, 2, stereo=True)
    assert clip.right is not None
    assert clip.hidden_right is not None
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for t in range(2):
        expected = 120 + 50 * np.cos(0.3 * (x + 2.6 - 0.37 * t) + 0.2 * (y + 1.21 * t))
        assert np.abs(clip.right[t] - expected).max() <= 0.501
    assert np.array_equal(clip.hidden_right[0], x < 2.6)


def test_a_disc_covers_more_to_its_left_in_the_right_view() -> None:
    background, front = wave_layer((0, 0)), disc(30, 24, 10, (4, 0))  # with disparities 0 and 5
    clip = render((background, front), SIZE, 2, stereo=True)
    alone = render((background,), SIZE, 2)
    assert clip.right is not None
    assert clip.hidden_right is not None
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for t in range(2):
        left, right = (np.hypot(x - 30 - 4 * t + shift, y - 24) for shift in (0, 5))
        assert np.array_equal(clip.hidden_right[t], (right <= 10) & (left > 10))
        assert np.array_equal(clip.right[t][:, right > 11], alone.frames[t][:, right > 11])
        # A disparity in whole pixels needs no resampling: the same values, moved.
        inside = left[:, 5:] < 9
        moved, seen = clip.right[t][..., :-5], clip.frames[t][..., 5:]
        assert np.array_equal(moved[:, inside], seen[:, inside])


def test_disparity_leads_to_what_is_seen_and_not_to_what_is_hidden() -> None:
    for index in range(3):
        clip = make_clip((96, 96), 2, seed=1, index=index, stereo=True)
        assert clip.right is not None
        assert clip.hidden_right is not None
        y, x = np.mgrid[:96, :96].astype(float)
        at = (y, x - clip.disparity[0])
        right = [map_coordinates(plane.astype(float), at, order=3) for plane in clip.right[0]]
        difference = np.abs(np.stack(right) - clip.frames[0])
        steps = np.abs(np.gradient(clip.disparity[0])).sum(0)
        visible = binary_erosion(~clip.hidden_right[0] & (steps == 0), iterations=4)
        assert visible.mean() > 0.2
        assert np.median(difference[:, visible]) < 2
        assert difference[:, visible].mean() < 0.3 * difference[:, clip.hidden_right[0]].mean()


def test_the_left_view_does_not_depend_on_the_right_one() -> None:
    one, both = make_clip(SIZE, 2), make_clip(SIZE, 2, stereo=True)
    assert one.right is None
    assert np.array_equal(one.frames, both.frames)


def test_a_number_gives_the_same_clip_each_time() -> None:
    one, same = (make_clip(SIZE, 2, seed=3, index=8) for _ in range(2))
    assert np.array_equal(one.frames, same.frames)
    assert np.array_equal(one.forward, same.forward)
    others = {
        make_clip(SIZE, 2, seed=seed, index=index).frames.tobytes()
        for seed, index in ((3, 8), (3, 9), (4, 8))
    }
    assert len(others) == 3


def test_shapes_and_ranges() -> None:
    clip = make_clip(SIZE, 4)
    assert clip.frames.shape == (4, 3, *SIZE)
    assert clip.forward.shape == clip.backward.shape == (3, 2, *SIZE)
    assert clip.hidden_next.shape == clip.hidden_before.shape == (3, *SIZE)
    assert clip.disparity.shape == (4, *SIZE)
    assert clip.frames.std() > 15
    assert ((clip.frames == 0) | (clip.frames == 255)).mean() < 0.05
