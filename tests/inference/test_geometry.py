"""Sizes and the scale of the model that leads to them."""

from __future__ import annotations

import pytest

from upreel.errors import UsageError
from upreel.inference.geometry import Geometry, plan_size

LOW = (320, 180)


def test_nothing_said_means_the_largest_scale() -> None:
    assert plan_size(LOW, (2, 4)) == Geometry(4, (1280, 720))


@pytest.mark.parametrize(("scale", "through"), [(2, 2), (3, 4), (4, 4)])
def test_a_scale_goes_through_the_next_larger_model(scale: int, through: int) -> None:
    assert plan_size(LOW, (2, 4), scale=scale) == Geometry(through, (320 * scale, 180 * scale))


@pytest.mark.parametrize(
    ("height", "size", "through"),
    [(180, (320, 180), 2), (270, (480, 270), 2), (361, (642, 361), 4), (720, (1280, 720), 4)],
)
def test_a_height_keeps_the_shape(height: int, size: tuple[int, int], through: int) -> None:
    assert plan_size(LOW, (2, 4), height=height) == Geometry(through, size)


def test_a_size_is_met_exactly() -> None:
    assert plan_size((640, 480), (2, 4), size=(1920, 1080)) == Geometry(4, (1920, 1080))


@pytest.mark.parametrize(
    ("scale", "size", "height", "message"),
    [
        (2, None, 720, "one of --scale, --size and --height"),
        (5, None, None, "at most 4 times"),
        (None, (160, 90), None, "only enlarges"),
        (0, None, None, "1 to 16384"),
        (None, None, 100_000, "1 to 16384"),
    ],
)
def test_what_cannot_be(
    scale: int | None, size: tuple[int, int] | None, height: int | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        plan_size(LOW, (2, 4), scale=scale, size=size, height=height)
