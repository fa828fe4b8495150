"""What is known about a scan beside its heights, as text that other files can carry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from types import ModuleType

import numpy as np

from upreel.errors import MediaError, UsageError
from upreel.scans.scan import Fact, Heights, Scan


def describe(scan: Scan) -> str:
    """All of a scan but its heights, as one line of JSON."""
    return json.dumps(
        {
            "pixel_size": scan.pixel_size,
            "unit": scan.unit,
            "frame_time": scan.frame_time,
            "channel": scan.channel,
            "direction": scan.direction,
            "metadata": dict(scan.metadata),
            "source": scan.source,
        }
    )


def described(heights: Heights, text: str) -> Scan:
    """The scan that `describe` described.

    Raises:
        MediaError: the text is something else.
    """
    try:
        facts = json.loads(text)
        size = facts["pixel_size"]
        scan = Scan(heights, None if size is None else (float(size[0]), float(size[1])))
        return replace(scan, **{key: facts[key] for key in facts if key != "pixel_size"})
    except (ValueError, KeyError, TypeError) as error:
        raise MediaError(f"expected what is known of a scan, found {text[:60]!r}") from error


def to_text(fact: Fact) -> str:
    """A fact as text, from which `to_fact` makes the same fact: quoted if it looks like another."""
    if isinstance(fact, str):
        return fact if from_text(fact) == fact else json.dumps(fact)
    return json.dumps(fact)


def from_text(text: str) -> Fact:
    """The number, the truth value or else the text that a text stands for."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str | int | float) else text


def facts_of(header: Mapping[str, object]) -> dict[str, Fact]:
    """What of a header can be kept: texts, numbers and truth values, as Python has them."""
    plain = {key: _plain(value) for key, value in header.items()}
    return {key: value for key, value in plain.items() if isinstance(value, str | int | float)}


def require(module: str, suffix: str) -> ModuleType:
    """Import a reader that not everybody has installed.

    Args:
        module: its name.
        suffix: of the files that it is for.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise UsageError(
            f"{suffix} files need {module.partition('.')[0]}: pip install 'upreel[afm]'"
        ) from error


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return value
