"""What a ledger may say, whoever wrote it."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from upreel.inference.ledger import Done, Ledger, Seconds, read_ledger
from upreel.inference.pins import Pins
from upreel.video.place import Place, Read

PINS = Pins(device="cpu", precision="fp32", threads=1, encoder_threads=1)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    ledger = Ledger(job={"the input": "a"}, pins=PINS)
    ledger.write(tmp_path)
    assert read_ledger(tmp_path) == ledger


def test_ctrl_c_while_it_is_written_stays_what_it_is(tmp_path: Path) -> None:
    class Interrupted(Fraction):
        def __str__(self) -> str:
            raise KeyboardInterrupt

    segment = done(1).model_copy(update={"end": Interrupted(1)})
    with pytest.raises(KeyboardInterrupt):
        Ledger(job={}, pins=PINS, segments=(segment,)).write(tmp_path)


@pytest.mark.parametrize("number", [-1, 0, 1025, 2**31, 10**30])
@pytest.mark.parametrize("name", ["threads", "encoder_threads"])
def test_a_number_of_threads_that_no_machine_has(tmp_path: Path, name: str, number: int) -> None:
    Ledger(job={}, pins=PINS).write(tmp_path)
    path = tmp_path / "ledger.json"
    said = json.loads(path.read_text())
    said["pins"][name] = number
    path.write_text(json.dumps(said))
    assert read_ledger(tmp_path) is None


@pytest.mark.parametrize("text", ["1", "-1/25", str(Fraction(2**90, 3**40))])
def test_fractions(text: str) -> None:
    assert TypeAdapter[Fraction](Seconds).validate_python(text) == Fraction(text)


@pytest.mark.parametrize(
    "text", ["1e9", "1e9999999999", "1/0", "0.1", "9" * 41, "1/", "", "\u0661/\u0662"]
)
def test_texts_that_are_no_fractions_or_endless_ones(text: str) -> None:
    with pytest.raises(ValidationError, match="a fraction as text, such as '1/25'"):
        TypeAdapter[Fraction](Seconds).validate_python(text)


def done(next_frame: int, place: Place | None = None) -> Done:
    return Done(
        number=0, frames=1, first=0, time_base=Fraction(1, 25), duration=1, end=Fraction(1),
        next_frame=next_frame, next_scene=False, next_place=place, checksum=1, damage=None,
    )  # fmt: skip


def test_a_segment_behind_the_first_begins_behind_the_first_frame() -> None:
    assert done(1, Place(1, (0, 1), 2, Read())).next_frame == 1
    for number in (0, -1):
        with pytest.raises(ValidationError, match="where no segment can"):
            done(number)


@pytest.mark.parametrize(
    ("frame", "pts"), [(-1, (0, 1)), (0, (0, 1)), (8, (0, 1)), (3, (0, 2**63)), (3, (-(10**30), 1))]
)
def test_a_place_is_not_behind_its_segment(frame: int, pts: tuple[int, int]) -> None:
    with pytest.raises(ValidationError, match="where no segment can"):
        done(7, Place(frame, pts, 2, Read()))
