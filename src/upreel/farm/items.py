"""Which files are made of which: what is named on the command line, laid out in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from upreel.errors import UsageError
from upreel.farm.storage import checked_name, is_address, open_file_system
from upreel.video.encoding import CONTAINERS

VIDEOS = frozenset(CONTAINERS) | {
    ".264", ".265", ".3gp", ".avi", ".flv", ".gif", ".ivf", ".m2ts", ".m2v", ".mpeg", ".mpg",
    ".mts", ".mxf", ".ogv", ".ts", ".vob", ".wmv", ".y4m",
}  # fmt: skip
"""What is taken of a folder."""


@dataclass(frozen=True, slots=True)
class Item:
    """One video to make.

    Attributes:
        source: path or address.
        name: of the result, in the folder of results.
    """

    source: str
    name: PurePosixPath


def find_items(sources: Iterable[str], out: str, *, extension: str | None = None) -> list[Item]:
    """The videos that were named, and all in folders that were.

    Args:
        sources: paths or addresses.
        out: the folder of results; what lies there is no input, where it is inside one.
        extension: of the results; without it, that of the source where it can be written, else
            `.mkv`.

    Raises:
        UsageError: one is not there, a folder has no video, two results would have one name, or
            one that of its input.
    """
    items: dict[str, Item] = {}
    for source in dict.fromkeys(sources):
        for found, relative in _expanded(source, out):
            for part in relative.parts:
                checked_name(part)
            old = relative.suffix.lower()
            ending = extension or (old if old in CONTAINERS else ".mkv")
            item = Item(found, relative.with_suffix(ending))
            if _is_its_own(item, out):
                raise UsageError(
                    f"expected another folder for --out, found that of {found}, which the result "
                    "would replace"
                )
            other = items.setdefault(str(item.name).casefold(), item)
            if other.source != item.source:
                raise UsageError(
                    f"expected inputs with different names: {other.source} and {item.source} would "
                    f"both become {out.rstrip('/')}/{item.name}; rename one, or make them one by "
                    "one into different folders"
                )
    return list(items.values())


def _is_its_own(item: Item, out: str) -> bool:
    """Whether an input lies where its result would."""
    if is_address(item.source) or is_address(out):
        return item.source == f"{out.rstrip('/')}/{item.name}"
    return Path(item.source).resolve() == (Path(out) / item.name).resolve()


def _expanded(source: str, out: str) -> Iterator[tuple[str, PurePosixPath]]:
    """Files with their names relative to what was named."""
    if is_address(source):
        yield from _expanded_address(source)
        return
    path = Path(source)
    if not path.is_dir():
        if not path.is_file():
            raise UsageError(f"expected a video or a folder as IN, found nothing at {source}")
        yield source, PurePosixPath(path.name)
        return
    results = None if is_address(out) else Path(out).resolve()
    if results is not None and path.resolve() not in results.parents:
        results = None  # not inside
    count = 0
    for file in sorted(path.rglob("*")):
        relative = file.relative_to(path)
        if not _is_video(relative.parts) or not file.is_file():
            continue
        if results is not None and results in file.resolve().parents:
            continue
        count += 1
        yield str(file), PurePosixPath(relative.as_posix())
    if not count:
        raise UsageError(f"expected videos in the folder {source}, found none")


def _expanded_address(source: str) -> Iterator[tuple[str, PurePosixPath]]:
    file_system, path = open_file_system(source)
    name = PurePosixPath(path).name
    if PurePosixPath(name).suffix.lower() in VIDEOS:
        yield source, PurePosixPath(name)
        return
    scheme = source.partition("://")[0]
    count = 0
    for file in sorted(file_system.find(path)):
        if not PurePosixPath(file).is_relative_to(path):
            raise UsageError(f"expected files below {source}, found {file}")
        relative = PurePosixPath(file).relative_to(path)
        if _is_video(relative.parts):
            count += 1
            yield f"{scheme}://{file}", relative
    if not count:
        raise UsageError(f"expected a video, or a folder of videos, found none at {source}")


def _is_video(parts: tuple[str, ...]) -> bool:
    hidden = any(part.startswith(".") for part in parts)
    return not hidden and PurePosixPath(parts[-1]).suffix.lower() in VIDEOS
