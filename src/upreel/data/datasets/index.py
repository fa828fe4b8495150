"""The index of a data set: which clips there are, in a file beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import TypeAdapter

from upreel.core.files import PendingFile
from upreel.errors import MediaError

NAME = "upreel-index.json"
FORMAT = 1

Part = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A clip.

    Attributes:
        name: unique in the index.
        path: of a video or a folder of images, relative to the index, with `/`.
        split: what it is for.
        group: a part of the split that is scored apart, such as `fast`; empty for none.
    """

    name: str
    path: str
    split: Part
    group: str = ""


@dataclass(frozen=True, slots=True)
class Index:
    """The clips of a data set.

    Attributes:
        dataset: its name.
        licence: as its authors put it.
        page: where it is described.
        clips: sorted by name.
    """

    dataset: str
    licence: str
    page: str
    clips: tuple[Entry, ...]


def write_index(root: Path, index: Index) -> Path:
    """Write an index into the folder of its data set.

    Raises:
        MediaError: a clip lies elsewhere.
        OutputError: the folder cannot be written.
    """
    _check_inside(root, index)
    text = json.dumps({"format": FORMAT, **asdict(index)}, indent=1)
    with PendingFile(root / NAME, overwrite=True) as pending:
        pending.path.write_text(text, encoding="utf-8")
        return pending.commit()


def read_index(root: Path) -> Index:
    """Read the index of a folder.

    Raises:
        MediaError: it is damaged, of another version, or leads out of the folder.
    """
    try:
        read = json.loads((root / NAME).read_text(encoding="utf-8"))
        if read.pop("format") != FORMAT:
            raise ValueError
        index = TypeAdapter(Index).validate_python(read)
        _check_inside(root, index)
        return index
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MediaError(
            f"expected an index of format {FORMAT} in {root / NAME}, found something else; "
            "make it again: upreel data prepare"
        ) from error


def _check_inside(root: Path, index: Index) -> None:
    """Refuse clips that are not below the index; names are those of files elsewhere."""
    for entry in index.clips:
        for text in (entry.name, entry.path):
            check_inside(root, text)


def check_inside(root: Path, name: str) -> None:
    """Refuse a name that leads out of a folder.

    Raises:
        MediaError: it does.
    """
    leads_out = PurePosixPath(name).is_absolute() or {"..", ""} & {*name.split("/")}
    if leads_out or "\0" in name:
        raise MediaError(f"expected a name inside {root}, found {name!r}")


def select(clips: Sequence[Entry], split: Part) -> list[Entry]:
    """The clips of a split; where nothing is for validation, the test clips are."""
    chosen = [entry for entry in clips if entry.split == split]
    return chosen if chosen or split != "val" else select(clips, "test")
