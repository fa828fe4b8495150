"""What a file of Gwyddion consists of: objects of named components, some of which are objects.

Read here and not by gwyfile, which believes every size that a file states: it looks for the end of
a text without one for ever, and copies the rest of an object for each of its components.

Source: the format's description in Gwyddion's user guide, "Gwyddion File Format".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"GWYP"
_DEEPEST = 32
"""Objects inside one another; Gwyddion's own files have four."""
_NUMBERS = {"b": "<?", "c": "<B", "i": "<i", "q": "<q", "d": "<d"}
_ARRAYS = {"C": "<u1", "I": "<i4", "Q": "<i8", "D": "<f8"}


@dataclass(frozen=True, slots=True)
class Components:
    """Of one object: numbers, texts, arrays, objects, and lists of the latter three.

    Attributes:
        values: by name.
    """

    values: dict[str, object] = field(default_factory=dict)

    def number(self, name: str) -> float:
        """A number.

        Raises:
            ValueError: there is none of this name.
        """
        value = self.values.get(name)
        if not isinstance(value, int | float):
            raise ValueError(f"expected a number '{name}', found {_said(value)}")
        return value

    def text(self, name: str) -> str:
        """A text, empty where there is none."""
        value = self.values.get(name)
        return value if isinstance(value, str) else ""

    def part(self, name: str) -> Components:
        """The components of an object, none where there is no such object."""
        value = self.values.get(name)
        return value if isinstance(value, Components) else Components()

    def numbers(self, name: str) -> NDArray[np.float64]:
        """An array of numbers.

        Raises:
            ValueError: there is none of this name.
        """
        value = self.values.get(name)
        if not isinstance(value, np.ndarray):
            raise ValueError(f"expected an array '{name}', found {_said(value)}")
        return value.astype(np.float64, copy=False)


def read_components(data: bytes) -> Components:
    """Read a file.

    Args:
        data: all of it.

    Raises:
        ValueError: it is something else, is cut off, or has parts that reach beyond their object.
    """
    if not data.startswith(_SIGNATURE):
        raise ValueError(f"expected '{_SIGNATURE.decode()}' at its beginning, found something else")
    return _Bytes(data, len(_SIGNATURE), len(data)).components(_DEEPEST)


@dataclass(slots=True)
class _Bytes:
    """Those of an object, taken one after the other and none beyond its end."""

    data: bytes
    at: int
    end: int

    def take(self, count: int) -> int:
        """Go on by some bytes, and return where they begin."""
        begin = self.at
        if count > self.end - begin:
            raise ValueError(
                f"expected {count} bytes at {begin}, found {self.end - begin}: it is cut off, or "
                "damaged"
            )
        self.at += count
        return begin

    def number(self, layout: str) -> int | float:
        value: int | float = struct.unpack_from(
            layout, self.data, self.take(struct.calcsize(layout))
        )[0]
        return value

    def count(self) -> int:
        return int(self.number("<I"))

    def text(self) -> str:
        end = self.data.find(b"\0", self.at, self.end)
        if end < 0:
            raise ValueError(f"expected a text with an end at {self.at}, found none")
        begin = self.take(end + 1 - self.at)
        return self.data[begin:end].decode()

    def array(self, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
        count = self.count()
        return np.frombuffer(self.data, dtype, count, self.take(count * dtype.itemsize))

    def components(self, depth: int) -> Components:
        if depth == 0:
            raise ValueError(f"expected at most {_DEEPEST} objects inside one another, found more")
        self.text()  # what kind of object it is
        size = self.count()
        begin = self.take(size)
        inner, values = _Bytes(self.data, begin, begin + size), dict[str, object]()
        while inner.at < inner.end:
            name = inner.text()
            values[name] = inner.value(depth)
        return Components(values)

    def value(self, depth: int) -> object:
        """The value of a component, from the letter of its type on."""
        at = self.take(1)
        kind = chr(self.data[at])
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        if kind in _ARRAYS:
            return self.array(np.dtype(_ARRAYS[kind]))
        if kind == "s":
            return self.text()
        if kind == "o":
            return self.components(depth - 1)
        if kind == "S":
            return [self.text() for _ in range(self.count())]
        if kind == "O":
            return [self.components(depth - 1) for _ in range(self.count())]
        raise ValueError(f"expected the letter of a type at {at}, found {kind!r}")


def _said(value: object) -> str:
    """What was found, in few words."""
    return "none" if value is None else f"{value!r:.40}"
