"""Windows against a definition by slices."""

from __future__ import annotations

import pytest

from upreel.core.windows import Span, windows


def expected(
    scenes: list[list[int]], past: int, future: int, step: int
) -> list[tuple[tuple[int, ...], tuple[int, ...], bool]]:
    """(items, middle, first) of every span, with all the items at hand."""
    spans = []
    for scene in scenes:
        for at in range(0, len(scene), step):
            stop = min(at + step, len(scene))
            items = scene[max(0, at - past) : stop + future]
            spans.append((tuple(items), tuple(scene[at:stop]), at == 0))
    return spans


@pytest.mark.parametrize("past", [0, 1, 3])
@pytest.mark.parametrize("future", [0, 1, 2])
@pytest.mark.parametrize("step", [1, 2, 4])
@pytest.mark.parametrize("lengths", [[], [1], [7], [1, 1, 5], [3, 4, 2]])
def test_spans_equal_slices(past: int, future: int, step: int, lengths: list[int]) -> None:
    scenes, number = [], 0
    for length in lengths:
        scenes.append(list(range(number, number + length)))
        number += length
    starts = {scene[0] for scene in scenes}
    spans = windows(
        range(number), past=past, future=future, step=step, begins_scene=starts.__contains__
    )
    found = [(span.items, span.middle, span.first) for span in spans]
    assert found == expected(scenes, past, future, step)


def test_no_more_is_read_than_a_span_needs() -> None:
    read = 0

    def items() -> list[int]:
        nonlocal read
        read += 1
        return [read]

    stream = windows(iter(items, []), past=5, future=2, step=3)
    span = next(stream)
    assert isinstance(span, Span)
    assert read == 3 + 2
    next(stream)
    assert read == 2 * 3 + 2
