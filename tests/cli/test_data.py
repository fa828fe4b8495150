"""`upreel data degrade`, against the same chain on arrays."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.video.media import decoded, write_video
from upreel.cli import main
from upreel.data.degradations import degrade, parse_chain
from upreel.video.reader import Reader


def write_images(folder: Path, size: tuple[int, int] = (32, 48)) -> NDArray[np.uint8]:
    clip = np.random.default_rng(3).integers(0, 256, (3, 3, *size), dtype=np.uint8)
    folder.mkdir()
    for index, frame in enumerate(clip):
        cv2.imwrite(str(folder / f"{index}.png"), frame[::-1].transpose(1, 2, 0))
    return clip


def read_images(folder: Path) -> NDArray[np.uint8]:
    frames = [cv2.imread(str(path)) for path in sorted(folder.iterdir())]
    stack = np.stack([frame for frame in frames if frame is not None])
    return stack[..., ::-1].transpose(0, 3, 1, 2).astype(np.uint8)


def test_the_source_is_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_images(tmp_path / "high")
    folder = str(tmp_path / "high")
    assert main(["data", "degrade", folder, folder, "--overwrite"]) == 2
    assert "upreel: " in capsys.readouterr().err
    assert np.array_equal(read_images(tmp_path / "high"), clip)


def test_images_of_a_longer_run_do_not_stay(tmp_path: Path) -> None:
    write_images(tmp_path / "high")
    low = tmp_path / "low"
    assert main(["data", "degrade", str(tmp_path / "high"), str(low)]) == 0
    (tmp_path / "high" / "2.png").unlink()
    assert main(["data", "degrade", str(tmp_path / "high"), str(low), "--overwrite"]) == 0
    assert len(list(low.iterdir())) == 2


@pytest.mark.parametrize("chain", ["BD-DUF", "blur(sigma=1.2)+BI+noise+codec(crf=20)"])
def test_a_folder_becomes_a_folder(
    tmp_path: Path, chain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_images(tmp_path / "high", (34, 51))[..., :32, :48]
    low = tmp_path / "low"
    assert main(["data", "degrade", str(tmp_path / "high"), str(low), "--with", chain]) == 0
    assert capsys.readouterr().out == f"3 frames in {low}\n"
    expected = degrade(clip, parse_chain(chain), scale=4, key="0")
    assert np.array_equal(read_images(low), expected)
    again = ["data", "degrade", str(tmp_path / "high"), str(low), "--with", "area"]
    assert main(again) == 2
    assert "holds images such as 0.png already" in capsys.readouterr().err
    assert main([*again, "--overwrite"]) == 0


def test_images_keep_their_names(tmp_path: Path) -> None:
    clip = write_images(tmp_path / "high")
    names = ["00000009.png", "00000010.jpg", "b.png"]
    for old, name in zip(sorted((tmp_path / "high").iterdir()), names, strict=True):
        old.rename(tmp_path / "high" / name)  # FFmpeg looks into files for what they are
    low = tmp_path / "low"
    assert main(["data", "degrade", str(tmp_path / "high"), str(low)]) == 0
    assert sorted(path.name for path in low.iterdir()) == ["00000009.png", "00000010.png", "b.png"]
    assert np.array_equal(read_images(low), degrade(clip, parse_chain("BI"), scale=4))


def test_images_that_would_get_one_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(tmp_path / "high")
    (tmp_path / "high/1.png").rename(tmp_path / "high/0.jpg")
    assert main(["data", "degrade", str(tmp_path / "high"), str(tmp_path / "low")]) == 2
    assert "expected images of different names, found 0.jpg and 0.png" in capsys.readouterr().err
    assert not (tmp_path / "low").exists()
    assert main(["data", "degrade", str(tmp_path / "high"), str(tmp_path / "low.mkv")]) == 0


def test_other_files_of_the_target_stay(tmp_path: Path) -> None:
    write_images(tmp_path / "high")
    low = tmp_path / "low"
    low.mkdir()
    for name in ("7.png", "7.txt", "a7.png"):
        (low / name).touch()
    command = ["data", "degrade", str(tmp_path / "high"), str(low)]
    assert main(command) == 2
    assert main([*command, "--overwrite"]) == 0
    found = sorted(path.name for path in low.iterdir())
    assert found == ["0.png", "1.png", "2.png", "7.txt", "a7.png"]


def test_images_of_a_video_are_numbered(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", 2, size=(48, 32))
    command = ["data", "degrade", str(source), str(tmp_path / "low")]
    assert main([*command, "--scale", "2"]) == 0
    names = sorted(path.name for path in (tmp_path / "low").iterdir())
    assert names == ["000001.png", "000002.png"]
    assert main(command) == 2


def test_a_folder_becomes_a_lossless_video(tmp_path: Path) -> None:
    clip = write_images(tmp_path / "high")
    low = tmp_path / "low.mkv"
    command = ["data", "degrade", str(tmp_path / "high"), str(low), "--with", "area"]
    assert main([*command, "--scale", "2"]) == 0
    assert len(decoded(low)) == 3
    assert main(["data", "degrade", str(low), str(tmp_path / "b"), "--scale", "1"]) == 0
    expected = degrade(clip, parse_chain("area"), scale=2)
    assert np.array_equal(read_images(tmp_path / "b"), expected)


def test_a_video_is_read(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", 4, size=(48, 32))
    assert main(["data", "degrade", str(source), str(tmp_path / "low"), "--scale", "2"]) == 0
    assert read_images(tmp_path / "low").shape == (4, 3, 16, 24)


def test_frames_keep_their_instants(tmp_path: Path) -> None:
    pts = [0, 512, 2048, 2560]
    source, low = write_video(tmp_path / "a.mp4", 4, pts=pts), tmp_path / "low.mkv"
    assert main(["data", "degrade", str(source), str(low), "--scale", "2"]) == 0
    with Reader(low) as reader:
        assert [frame.pts for frame in reader] == [pts * 1000 // 12800 for pts in pts]


def test_what_cannot_be_gets_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(tmp_path / "high")
    command = ["data", "degrade", str(tmp_path / "high")]
    assert main([*command, str(tmp_path / "low"), "--with", "BX"]) == 2
    assert "expected steps out of BI, BD-DUF, BD-BasicVSR, area" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "low.mp4")]) == 2
    assert "expected a folder or a .mkv file" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "low"), "--with", "BI+codec(preset=fastest)"]) == 2
    assert "expected settings that h264 takes" in capsys.readouterr().err
    assert not (tmp_path / "low").exists()
