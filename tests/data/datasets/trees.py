"""Tiny copies of public data sets: the names of their files, with a byte in each."""

from __future__ import annotations

from pathlib import Path

from upreel.data.datasets.layouts import VID4


def touch(root: Path, *names: str) -> None:
    for name in names:
        write(root, name, "x")


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def frames(folder: str, count: int) -> list[str]:
    return [f"{folder}/{number + 1:08}.png" for number in range(count)]


def make_vimeo(root: Path) -> None:
    for name in ("00001/0001", "00001/0002", "00002/0001"):
        touch(root, *(f"sequences/{name}/im{number}.png" for number in range(1, 8)))
    write(root, "sep_trainlist.txt", "00001/0001\n\n")
    write(root, "sep_testlist.txt", "00001/0002\n00002/0001\n")
    write(root, "fast_testset.txt", "00002/0001\n")


def make_reds(root: Path, folder: str, names: range, count: int = 1) -> None:
    for name in names:
        touch(root, *frames(f"{folder}/{name:03}", count))


def make_vid4(root: Path, layout: str = "GT/{}") -> None:
    for name, count in VID4.items():
        touch(root, *frames(layout.format(name), count))


def make_udm10(root: Path) -> None:
    for number in range(10):
        touch(root, *frames(f"GT/clip{number}", 32))


def make_spmcs(root: Path) -> None:
    for number in range(30):
        touch(root, *frames(f"clip{number:02}/truth", 31), f"clip{number:02}/input4/0001.png")


def make_ucf101(root: Path) -> None:
    touch(root, "UCF-101/Archery/v_a.avi", "UCF-101/Archery/v_b.avi")
    write(root, "ucfTrainTestlist/trainlist01.txt", "Archery/v_a.avi 1\n")
    write(root, "ucfTrainTestlist/testlist01.txt", "Archery/v_b.avi\n")


def make_hmdb51(root: Path) -> None:
    touch(root, "wave/a.avi", "wave/b.avi", "wave/c.avi")
    lines = "a.avi 1 \nb.avi 2 \nc.avi 0 \n"
    write(root, "testTrainMulti_7030_splits/wave_test_split1.txt", lines)


def make_folder(root: Path) -> None:
    touch(root, *(f"{number:02}.mp4" for number in range(18)), "deep/x/1.png", "deep/y/1.png")
