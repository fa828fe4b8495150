"""Files a little wrong: what the loop does that has no coverage to go by."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from random import Random

_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_FIELDS = ("<H", ">H", "<I", ">I", "<Q", ">Q")
_DIGITS = re.compile(rb"\d+")
_MOST = 8
"""Changes of one file."""
_LARGEST = 1 << 20


def mutate(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Change a file in one to eight places.

    Args:
        data: of the file.
        random: decides; the same state makes the same file.
        others: files that pieces may come from.
    """
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 3, _MOST))):
        _change(changed, random, others)
    return bytes(changed[:_LARGEST])


def _change(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    """Make one change in place."""
    at = random.randrange(len(data) + 1)
    length = min(random.choice((1, 2, 4, 16, 64, 1024)), len(data) - at)
    kind = random.randrange(9)
    if kind == 0 and at < len(data):
        data[at] ^= 1 << random.randrange(8)
    elif kind == 1:
        data[at : at + length] = random.randbytes(length)
    elif kind in (2, 3):  # a size, a count, an offset
        field = random.choice(_FIELDS)
        number = random.choice((*_NUMBERS, len(data), random.getrandbits(32)))
        piece = struct.pack(field, number & (256 ** struct.calcsize(field) - 1))
        data[at : at + len(piece)] = piece
    elif kind == 4:
        del data[at : at + length]
    elif kind == 5:
        data[at:at] = data[at : at + length] * random.choice((1, 2, 50))
    elif kind == 6:
        del data[at:]
    elif kind == 7:
        other = random.choice(others)
        begin = random.randrange(len(other) + 1)
        data[at : at + length] = other[begin : begin + length]
    elif numbers := [match.span() for match in _DIGITS.finditer(data)]:
        begin, end = random.choice(numbers)
        data[begin:end] = str(random.choice((*_NUMBERS, 10**18))).encode()
