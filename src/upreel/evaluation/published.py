"""What papers state, to stand beside our scores under the same protocol."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from functools import cache
from importlib import resources

from pydantic import TypeAdapter

from upreel.evaluation.protocols import PROTOCOLS
from upreel.evaluation.report import Published

_ADAPTER = TypeAdapter(tuple[Published, ...])


@cache
def read_published() -> tuple[Published, ...]:
    """All numbers of `published.toml`."""
    text = (resources.files("upreel.evaluation") / "published.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    return _ADAPTER.validate_python(tables["scores"])


def find_published(protocol: str) -> tuple[Published, ...]:
    """Numbers under one protocol, by its name, in the order of the file."""
    return tuple(
        replace(entry, data=PROTOCOLS[protocol].data)
        for entry in read_published()
        if entry.protocol == protocol
    )
