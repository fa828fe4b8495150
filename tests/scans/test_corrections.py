"""Each correction undoes the error it is made for, to the closed form."""

from __future__ import annotations

import numpy as np
import pytest

from upreel.errors import UsageError
from upreel.scans.corrections import CORRECTIONS, correct
from upreel.scans.scan import Heights

ROWS, COLUMNS = 24, 40


def terrace() -> Heights:
    """A flat floor with a block on it that covers less than half of any row."""
    heights = np.zeros((1, ROWS, COLUMNS), np.float32)
    heights[:, 6:14, 10:24] = 5
    return heights


def offsets(sigma: float = 2.0) -> Heights:
    return np.random.default_rng(0).normal(0, sigma, (1, ROWS, 1)).astype(np.float32)


def across() -> Heights:
    return np.linspace(-1, 1, COLUMNS, dtype=np.float32)[None, None]


def relief(heights: Heights) -> Heights:
    """Heights above their mean: aligning rows leaves that as it was."""
    return np.asarray(heights - heights.mean(), np.float32)


@pytest.mark.parametrize("name", ["rows-median", "rows-modus", "rows-median-of-differences"])
def test_offsets_of_rows_go_and_a_terrace_stays(name: str) -> None:
    damaged = terrace() + offsets()
    corrected = correct(damaged, name)
    assert relief(corrected) == pytest.approx(relief(terrace()), abs=1e-5)
    assert corrected.mean() == pytest.approx(damaged.mean(), abs=1e-5)


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_polynomials_of_rows_go(degree: int) -> None:
    random = np.random.default_rng(1)
    factors = random.normal(0, 3, (degree + 1, 1, ROWS, 1)).astype(np.float32)
    damaged = np.asarray(sum(f * across() ** k for k, f in enumerate(factors)), np.float32)
    corrected = correct(damaged, f"rows-polynomial-{degree}")
    assert corrected == pytest.approx(np.full_like(damaged, damaged.mean()), abs=1e-5)


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_what_a_polynomial_of_rows_leaves_is_what_numpy_leaves(degree: int) -> None:
    heights = np.random.default_rng(2).normal(0, 1, (1, ROWS, COLUMNS)).astype(np.float32)
    x = np.arange(COLUMNS)
    rest = [row - np.polyval(np.polyfit(x, row, degree), x) for row in heights[0].astype(float)]
    corrected = correct(heights, f"rows-polynomial-{degree}")
    assert relief(corrected)[0] == pytest.approx(np.stack(rest), abs=1e-5)


def test_a_bogus_row_spoils_differences_less_than_half_and_the_median_not_at_all() -> None:
    bogus = terrace()
    bogus[0, 18, :] += np.linspace(-50, 60, COLUMNS, dtype=np.float32)
    good = np.delete(relief(correct(bogus, "rows-median")), 18, axis=1)
    wanted = np.delete(terrace(), 18, axis=1)
    assert good - good.mean() == pytest.approx(wanted - wanted.mean(), abs=1e-5)


def test_large_features_survive_differences_better_than_medians() -> None:
    wide = np.zeros((1, ROWS, COLUMNS), np.float32)
    wide[:, 8:16, 4:36] = 5  # most of the row: the median takes it for the floor
    by_median = relief(correct(wide, "rows-median"))
    assert abs(by_median - relief(wide)).max() > 2
    narrow = np.zeros((1, ROWS, COLUMNS), np.float32)
    for row in range(ROWS):
        narrow[:, row, row // 2 : row // 2 + 26] = 5  # a slanted ridge that is more than half
    by_differences = correct(narrow + offsets(), "rows-median-of-differences")
    assert relief(by_differences) == pytest.approx(relief(narrow), abs=1e-5)


def test_facets_become_level_where_a_straight_line_is_misled() -> None:
    tilts = np.random.default_rng(4).normal(0, 1, (1, ROWS, 1)).astype(np.float32)
    stairs = np.zeros((1, ROWS, COLUMNS), np.float32)
    stairs[..., COLUMNS // 2 :] = 5
    tilted = stairs + tilts * across()
    assert relief(correct(tilted, "rows-facet")) == pytest.approx(relief(stairs), abs=1e-4)
    assert abs(relief(correct(tilted, "rows-polynomial-1")) - relief(stairs)).max() > 1


@pytest.mark.parametrize(
    ("name", "degree"), [("plane", 1), ("background-2", 2), ("background-3", 3)]
)
def test_a_background_goes_and_what_is_orthogonal_to_it_stays(name: str, degree: int) -> None:
    y, x = np.mgrid[-1 : 1 : ROWS * 1j, -1 : 1 : COLUMNS * 1j]
    random = np.random.default_rng(5)
    terms = [x**i * y**j for i in range(4) for j in range(4) if i + j <= degree]
    detail = (-1.0) ** np.arange(COLUMNS) * (-1.0) ** np.arange(ROWS)[:, None]
    background = sum(random.normal(0, 3) * term for term in terms)
    heights = np.asarray(background + detail, np.float32)[None]
    assert correct(heights, name)[0] == pytest.approx(detail, abs=2e-2)
    assert correct(np.asarray(background, np.float32)[None], name) == pytest.approx(0, abs=1e-5)
    higher = (x ** (degree + 1)).astype(np.float32)[None]
    assert abs(correct(higher, name)).max() > 0.05


def test_corrections_follow_one_another() -> None:
    y = np.linspace(0, 3, ROWS, dtype=np.float32)[None, :, None]
    damaged = terrace() + offsets()
    chained = correct(damaged + y, "rows-median+background-2")
    assert chained == pytest.approx(
        correct(correct(damaged, "rows-median"), "background-2"), abs=1e-5
    )


@pytest.mark.parametrize("name", CORRECTIONS)
def test_frames_are_treated_by_themselves(name: str) -> None:
    movie = np.random.default_rng(6).normal(0, 1, (3, ROWS, COLUMNS)).astype(np.float32)
    whole = correct(movie, name)
    assert whole.dtype == np.float32
    assert np.array_equal(whole[1:2], correct(movie[1:2], name))


@pytest.mark.parametrize("name", CORRECTIONS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 3), (2, 5, 1)])
def test_nothing_is_too_small(name: str, shape: tuple[int, int, int]) -> None:
    assert np.isfinite(correct(np.ones(shape, np.float32), name)).all()


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"rows-median, .* found 'flatten'"):
        correct(terrace(), "plane+flatten")
