"""How the public data sets lie on the disk once they are unpacked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from upreel.data.datasets.index import Entry, Part
from upreel.data.datasets.splits import split
from upreel.errors import MediaError

REDS4 = ("000", "011", "015", "020")
"""Clips of REDS's training part that papers test on (EDVR, section 4.1)."""
VID4 = {"calendar": 41, "city": 34, "foliage": 49, "walk": 47}
IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
VIDEOS = {".avi", ".mp4", ".mkv", ".mov", ".webm", ".y4m"}

Layout = Callable[[Path, int, Sequence[int]], list[Entry]]
"""From the folder, a seed, and shares of train, val and test (where authors name none)."""


def find_vimeo90k(root: Path, seed: int, shares: Sequence[int]) -> list[Entry]:
    """Septuplets `sequences/00001/0001/im1.png` to `im7.png`, and their lists.

    Raises:
        MediaError: as every layout, where something is missing.
    """
    groups = {
        name: group
        for group in ("fast", "medium", "slow")
        if (root / f"{group}_testset.txt").is_file()
        for name in _lines(root, f"{group}_testset.txt")
    }
    entries = []
    lists: tuple[tuple[Part, str], ...] = (
        ("train", "sep_trainlist.txt"),
        ("test", "sep_testlist.txt"),
    )
    for part, file in lists:
        for name in _lines(root, file):
            folder = root / "sequences" / name
            missing = [n for n in range(1, 8) if not (folder / f"im{n}.png").is_file()]
            if missing:
                raise _incomplete(root, f"sequences/{name}/im{missing[0]}.png")
            entries.append(Entry(name, f"sequences/{name}", part, groups.get(name, "")))
    return entries


def find_reds(root: Path, seed: int, shares: Sequence[int]) -> list[Entry]:
    """`train_sharp/000` to `239` (REDS4 is for tests) and `val_sharp/000` to `029`, 100 frames."""
    entries = []
    for part, folder, count in (("train", "train_sharp", 240), ("val", "val_sharp", 30)):
        below = f"{part}/{folder}" if (root / part / folder).is_dir() else folder
        for name in (f"{number:03}" for number in range(count)):
            _count_images(root, f"{below}/{name}", 100)
            test = part == "train" and name in REDS4
            split: Part = "test" if test else "train" if part == "train" else "val"
            group = "reds4" if test else ""
            entries.append(Entry(f"{part}-{name}", f"{below}/{name}", split, group))
    return entries


def find_vid4(root: Path, seed: int, shares: Sequence[int]) -> list[Entry]:
    """`GT/calendar/00000001.png`, and so on for its four clips."""
    for name, frames in VID4.items():
        _count_images(root, f"GT/{name}", frames)
    return [Entry(name, f"GT/{name}", "test") for name in VID4]


def find_udm10(root: Path, seed: int, shares: Sequence[int]) -> list[Entry]:
    """`GT/NAME/*.png` or `NAME/truth/*.png`: 10 clips."""
    return _find_truth(root, 10)


def find_spmcs(root: Path, seed: int, shares: Sequence[int]) -> list[Entry]:
    """`NAME/truth/*.png` or `GT/NAME/*.png`: 30 clips."""
    return _find_truth(root, 30)


def _find_truth(root: Path, count: int) -> list[Entry]:
    folders = sorted({*root.glob("GT/*/"), *root.glob("*/truth/")})
    if len(folders) != count:
        raise MediaError(
            f"expected {count} folders GT/NAME or NAME/truth in {root}, found {len(folders)}; "
            "unpack the whole data set there"
        )
    paths = [folder.relative_to(root).as_posix() for folder in folders]
    for path in paths:
        _count_images(root, path, 1)
    names = [path.removeprefix("GT/").removesuffix("/truth") for path in paths]
    return [Entry(name, path, "test") for name, path in zip(names, paths, strict=True)]


def find_ucf101(root: Path, seed: int, shares: Sequence[int]) -> list[Entry]:
    """`UCF-101/CLASS/v_X.avi`, and split 1 in `ucfTrainTestlist`."""
    entries = []
    lists: tuple[tuple[Part, str], ...] = (("train", "trainlist01.txt"), ("test", "testlist01.txt"))
    for part, file in lists:
        for line in _lines(root, f"ucfTrainTestlist/{file}"):
            name = line.split()[0]
            if not (root / "UCF-101" / name).is_file():
                raise _incomplete(root, f"UCF-101/{name}")
            entries.append(Entry(name, f"UCF-101/{name}", part, name.split("/")[0]))
    return entries


def find_hmdb51(root: Path, seed: int, shares: Sequence[int]) -> list[Entry]:
    """`CLASS/X.avi`, and split 1 in `testTrainMulti_7030_splits/CLASS_test_split1.txt`."""
    entries = []
    end = "_test_split1.txt"
    lists = sorted((root / "testTrainMulti_7030_splits").glob(f"*{end}"))
    if not lists:
        raise _incomplete(root, f"testTrainMulti_7030_splits/CLASS{end}")
    parts: dict[str, Part] = {"1": "train", "2": "test"}
    for file in lists:
        group = file.name.removesuffix(end)
        for line in _lines(root, f"{file.parent.name}/{file.name}"):
            name, _, mark = line.strip().rpartition(" ")
            if not name:
                raise MediaError(f"expected 'NAME 1' in {file}, found {line!r}; unpack it again")
            if mark not in parts:
                continue  # 0: in neither part of this split
            if not (root / group / name).is_file():
                raise _incomplete(root, f"{group}/{name}")
            entries.append(Entry(f"{group}/{name}", f"{group}/{name}", parts[mark], group))
    return entries


def find_folder(root: Path, seed: int, shares: Sequence[int]) -> list[Entry]:
    """Any videos and folders of images, at any depth, divided at random by clip."""
    paths = sorted(path.relative_to(root).as_posix() for path in _clips_below(root, set()))
    if not paths:
        raise MediaError(f"expected videos or folders of images in {root}, found none")
    names: tuple[Part, ...] = ("train", "val", "test")
    divided = split(paths, seed, parts=dict(zip(names, shares, strict=True)))
    return [Entry(path, path, part) for part, chosen in divided.items() for path in chosen]


def _clips_below(folder: Path, seen: set[Path]) -> Iterator[Path]:
    if (real := folder.resolve()) in seen:
        return  # a link that leads back would be followed for ever
    seen.add(real)
    entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    for path in entries:
        if path.is_dir():
            if _images(path):
                yield path
            else:
                yield from _clips_below(path, seen)
        elif path.suffix.lower() in VIDEOS:
            yield path


LAYOUTS: dict[str, Layout] = {
    "vimeo90k": find_vimeo90k,
    "reds": find_reds,
    "vid4": find_vid4,
    "spmcs": find_spmcs,
    "udm10": find_udm10,
    "ucf101": find_ucf101,
    "hmdb51": find_hmdb51,
    "folder": find_folder,
}


def _lines(root: Path, name: str) -> list[str]:
    if not (root / name).is_file():
        raise _incomplete(root, name)
    try:
        text = (root / name).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise MediaError(f"expected text in {root / name}, found {error.reason}") from error
    return [line for line in text.split("\n") if line.strip()]


def _count_images(root: Path, path: str, least: int) -> None:
    folder = root / path
    found = _images(folder) if folder.is_dir() else 0
    if found < least:
        raise MediaError(
            f"expected {least} images in {folder}, found {found}; unpack the whole data set there"
        )


def _images(folder: Path) -> int:
    """How many there are; hidden files, such as `._1.png`, are none."""
    names = (file.name for file in folder.iterdir() if file.suffix.lower() in IMAGES)
    return sum(not name.startswith(".") for name in names)


def _incomplete(root: Path, name: str) -> MediaError:
    return MediaError(f"expected {name} in {root}, found none; unpack the whole data set there")
