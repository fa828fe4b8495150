"""How large the result gets, and through which scale of the model."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from upreel.errors import UsageError
from upreel.video.geometry import MAX_SIDE


@dataclass(frozen=True, slots=True)
class Geometry:
    """The way from one size to another.

    Attributes:
        scale: of the model.
        size: (width, height) of the result; other than `scale` times the input where an
            antialiased resize follows.
    """

    scale: int
    size: tuple[int, int]


def plan_size(
    source: tuple[int, int],
    scales: tuple[int, ...],
    *,
    scale: int | None = None,
    size: tuple[int, int] | None = None,
    height: int | None = None,
) -> Geometry:
    """Choose the scale of the model and the size of the result.

    Args:
        source: (width, height) of the input.
        scales: what the model can do.
        scale: how many times larger; the default, 4 (or the largest of the model), where none of
            the three is given.
        size: (width, height) wanted.
        height: height wanted; the width follows.

    Raises:
        UsageError: more than one is given, or the model cannot reach the size.
    """
    if sum(wish is not None for wish in (scale, size, height)) > 1:
        raise UsageError("expected one of --scale, --size and --height, found several; keep one")
    if height is not None:
        size = (max(1, round(source[0] * Fraction(height, source[1]))), height)
    if size is None:
        scale = max(scales) if scale is None else scale
        size = (source[0] * scale, source[1] * scale)
    factor = max(Fraction(size[0], source[0]), Fraction(size[1], source[1]))
    if min(size) < 1 or max(size) > MAX_SIDE:
        raise UsageError(
            f"expected a result of 1 to {MAX_SIDE} pixels in width and height, "
            f"found {size[0]}x{size[1]}; choose a smaller --scale or --size"
        )
    if min(Fraction(size[0], source[0]), Fraction(size[1], source[1])) < 1:
        raise UsageError(
            f"expected a size of at least the input's {source[0]}x{source[1]}, "
            f"found {size[0]}x{size[1]}; upreel only enlarges"
        )
    if factor > max(scales):
        raise UsageError(
            f"expected at most {max(scales)} times the input's {source[0]}x{source[1]} for this "
            f"model, found {size[0]}x{size[1]} ({float(factor):.2f} times); "
            "choose a smaller size, or enlarge the result once more"
        )
    return Geometry(min(known for known in scales if known >= factor), size)
