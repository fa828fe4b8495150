"""Gwyddion's format: as gwyfile writes it, and as nobody should."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from fuzz.targets import CORPUS
from upreel.errors import MediaError
from upreel.scans.components import read_components
from upreel.scans.readers import read_scan


def an_object(body: bytes, name: bytes = b"GwyContainer") -> bytes:
    return name + b"\0" + struct.pack("<I", len(body)) + body


def test_all_kinds_of_components_are_what_gwyfile_wrote(tmp_path: Path) -> None:
    objects = pytest.importorskip("gwyfile.objects")
    inner = objects.GwyObject("Größe", {"unitstr": "µm"}, {"unitstr": "s"})
    arrays = {"I": np.array([-1, 2**31 - 1], "<i4"), "Q": np.array([-(2**63)], "<i8"),
              "D": np.array([0.1, -2.5])}  # fmt: skip
    values = {"b": True, "c": "x", "i": -5, "q": 2**40, "d": 0.1, "s": "ü", "S": ["", "two"],
              "o": inner, "O": [inner, inner], **arrays}  # fmt: skip
    objects.GwyContainer(values, {kind: kind for kind in values}).tofile(str(tmp_path / "a.gwy"))
    read = read_components((tmp_path / "a.gwy").read_bytes())
    assert [*read.values] == [*values]
    assert [read.number(kind) for kind in "bciqd"] == [True, ord("x"), -5, 2**40, 0.1]
    assert read.text("s") == "ü"
    assert read.values["S"] == ["", "two"]
    assert read.part("o").text("unitstr") == "µm"
    assert read.values["O"] == [read.part("o")] * 2
    for kind, array in arrays.items():
        assert read.numbers(kind).tolist() == array.astype(np.float64).tolist()


def test_what_is_missing_or_of_another_kind() -> None:
    read = read_components(b"GWYP" + an_object(b"a\0sx\0"))
    assert (read.text("b"), read.part("a").values) == ("", {})
    with pytest.raises(ValueError, match="expected a number 'a', found 'x'"):
        read.number("a")
    with pytest.raises(ValueError, match="expected an array 'b', found none"):
        read.numbers("b")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\x03\x04", "expected 'GWYP' at its beginning"),
        (b"GWYPGwyContainer", "a text with an end at 4"),
        (b"GWYP" + an_object(b"")[:-1], "expected 4 bytes at 17, found 3"),
        (b"GWYP" + an_object(b"a\0d" + bytes(8))[:-1], "expected 11 bytes at 21, found 10"),
        (b"GWYP" + an_object(b"a\0sx"), "a text with an end at 24"),  # no end in the whole file
        (b"GWYP" + an_object(b"a\0o" + an_object(b"a\0sx") + b"b\0sx\0"), "a text with an end at"),
        (b"GWYP" + an_object(b"a\0o" + an_object(b"")[:-4] + b"\x01\0\0\0"), "expected 1 bytes"),
        (b"GWYP" + an_object(b"a\0d" + bytes(7)), "expected 8 bytes at 24, found 7"),
        (b"GWYP" + an_object(b"a\0"), "expected 1 bytes at 23, found 0"),
        (b"GWYP" + an_object(b"a\0z"), "the letter of a type at 23, found 'z'"),
        (b"GWYP" + an_object(b"a\0D\xff\xff\xff\xff" + bytes(8)), "34359738360 bytes at 28"),
        (b"GWYP" + an_object(b"a\0S\xff\xff\xff\xff" + bytes(8)), "a text with an end at 36"),
        (b"GWYP" + an_object(b"a\0O\xff\xff\xff\xff" + bytes(8)), "expected 4 bytes at 34"),
    ],
)
def test_what_reaches_beyond_its_object_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_components(content)


def test_objects_inside_one_another_without_an_end_are_refused() -> None:
    content = an_object(b"")
    for _ in range(2000):
        content = an_object(b"a\0o" + content)
    with pytest.raises(ValueError, match="at most 32 objects inside one another"):
        read_components(b"GWYP" + content)


def test_a_file_on_which_gwyfile_never_ends() -> None:
    with pytest.raises(MediaError, match=r"endless.gwy cannot be read as .gwy: .* a text with an"):
        read_scan(CORPUS / "scans" / "endless.gwy")


@pytest.mark.parametrize("sides", [(4, 4), (-1, 12), (0, 0)])
def test_an_image_whose_sides_do_not_fit(tmp_path: Path, sides: tuple[int, int]) -> None:
    columns, rows = (struct.pack("<i", side) for side in sides)
    heights = struct.pack("<I12d", 12, *range(12))
    field = an_object(b"xres\0i" + columns + b"yres\0i" + rows + b"data\0D" + heights)
    (tmp_path / "a.gwy").write_bytes(b"GWYP" + an_object(b"/0/data\0o" + field))
    with pytest.raises(MediaError, match=f"expected {sides[0]}x{sides[1]} heights .* found 12"):
        read_scan(tmp_path / "a.gwy")
