"""Arrays, pictures, stacks and folders; refusals say what was expected."""

from __future__ import annotations

import io
import struct
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from upreel.errors import MediaError, UsageError
from upreel.scans.readers import READERS, read_scan

RAMP = np.arange(12).reshape(3, 4)


def save_png(path: Path, codes: NDArray[np.integer]) -> None:
    path.write_bytes(cv2.imencode(".png", codes)[1].tobytes())


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "uint8", "bool"])
def test_an_array_becomes_one_frame(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "a.npy", RAMP.astype(dtype))
    scan = read_scan(tmp_path / "a.npy")
    assert np.array_equal(scan.heights, RAMP.astype(dtype).astype(np.float32)[None])
    assert (scan.pixel_size, scan.unit, scan.source) == (None, "", "a.npy")


def test_an_array_of_frames_stays_so(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.stack([RAMP, RAMP + 1]))
    assert read_scan(tmp_path / "a.npy").heights[1, 0, 0] == 1


def test_arrays_of_an_npz_from_elsewhere_are_found(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", z=RAMP)
    np.savez(tmp_path / "two.npz", heights=RAMP, phase=RAMP + 5)
    np.savez(tmp_path / "none.npz", phase=RAMP, error=RAMP)
    assert read_scan(tmp_path / "one.npz").heights[0, 0, 1] == 1
    assert read_scan(tmp_path / "two.npz").heights[0, 0, 1] == 1
    assert read_scan(tmp_path / "two.npz", "phase").heights[0, 0, 1] == 6
    with pytest.raises(MediaError, match="an array 'heights', found phase, error"):
        read_scan(tmp_path / "none.npz")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pictures_give_their_codes(tmp_path: Path, dtype: type[np.integer]) -> None:
    codes = (RAMP * (1 if dtype is np.uint8 else 5000)).astype(dtype)
    save_png(tmp_path / "a.png", codes)
    save_png(tmp_path / "grey.png", np.repeat(codes[..., None], 3, axis=2))
    assert np.array_equal(read_scan(tmp_path / "a.png").heights[0], codes)
    assert np.array_equal(read_scan(tmp_path / "grey.png").heights[0], codes)


def test_colours_are_no_heights(tmp_path: Path) -> None:
    save_png(tmp_path / "a.png", np.stack([RAMP, RAMP, RAMP + 1], -1).astype(np.uint8))
    with pytest.raises(MediaError, match="expected grey, found colours"):
        read_scan(tmp_path / "a.png")


def test_a_folder_is_a_movie_in_the_order_people_count_in(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        save_png(tmp_path / f"scan{number}.png", np.full((2, 2), number, np.uint8))
    (tmp_path / "notes.txt").write_text("no scan")
    scan = read_scan(tmp_path)
    assert scan.heights[:, 0, 0].tolist() == [1, 2, 10]
    assert scan.source == tmp_path.name


@pytest.mark.parametrize(("factor", "unit"), [(1e3, "um"), (1e3, "\\u00B5m"), (1, "nm")])
def test_a_stack_of_imagej_keeps_its_scale(tmp_path: Path, factor: float, unit: str) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.stack([RAMP, RAMP]).astype(np.uint16),
        imagej=True,
        resolution=(4, 8),
        metadata={"axes": "TYX", "unit": unit, "finterval": 0.25},
    )
    scan = read_scan(tmp_path / "a.tif")
    assert scan.pixel_size == pytest.approx((factor / 4, factor / 8))
    assert scan.frame_time == 0.25
    assert scan.heights.shape == (2, 3, 4)


def test_a_bare_tiff_has_no_scale(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", RAMP.astype(np.float64))
    scan = read_scan(tmp_path / "a.tif")
    assert (scan.pixel_size, scan.frame_time) == (None, None)
    assert np.array_equal(scan.heights[0], RAMP)
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((2, 4, 4, 3), np.uint8), photometric="rgb")
    with pytest.raises(MediaError, match="numbers of one channel"):
        read_scan(tmp_path / "c.tif")


@pytest.mark.parametrize("suffix", READERS)
def test_what_is_no_scan_is_refused_with_its_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"this is no scan" * 20)
    with pytest.raises(MediaError, match=f"broken{suffix}"):
        read_scan(path)


def test_unknown_endings_missing_files_and_mixed_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a scan \(\.asd .* found 'a\.mp4'"):
        read_scan(tmp_path / "a.mp4")
    with pytest.raises(MediaError, match=r"a\.npy cannot be read as \.npy: no such file"):
        read_scan(tmp_path / "a.npy")
    with pytest.raises(MediaError, match="of one kind in this folder, found none"):
        read_scan(tmp_path)
    np.save(tmp_path / "a.npy", RAMP)
    save_png(tmp_path / "b.png", RAMP.astype(np.uint8))
    with pytest.raises(MediaError, match=r"found \.npy, \.png"):
        read_scan(tmp_path)
    (tmp_path / "b.png").unlink()
    np.save(tmp_path / "c.npy", RAMP[:2])
    with pytest.raises(MediaError, match=r"a\.npy of 4x3 and c\.npy of 4x2"):
        read_scan(tmp_path)


@pytest.mark.parametrize(
    ("suffix", "module"),
    [
        (".asd", "AFMReader"),
        (".ibw", "igor2"),
        (".spm", "pySPM"),
        (".tif", "tifffile"),
    ],
)
def test_a_reader_that_is_not_installed_is_named(
    tmp_path: Path, suffix: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / f"a{suffix}").touch()
    with pytest.raises(UsageError, match=rf"need {module}: pip install 'upreel\[afm\]'"):
        read_scan(tmp_path / f"a{suffix}")


def claiming(path: Path) -> Path:
    """A file of a few bytes that says it has 100000x100000 pixels."""
    side = 100_000
    made = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        made, {"descr": "<f4", "fortran_order": False, "shape": (side, side)}
    )
    array = made.getvalue() + bytes(99)
    if path.suffix == ".npy":
        path.write_bytes(array)
    elif path.suffix == ".npz":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("heights.npy", array)
    elif path.suffix == ".png":
        save_png(path, RAMP.astype(np.uint8))
        content = bytearray(path.read_bytes())
        content[16:24] = struct.pack(">II", side, side)
        path.write_bytes(content)
    elif path.suffix == ".tif":
        pytest.importorskip("tifffile").imwrite(path, RAMP.astype(np.uint8))
        content = bytearray(path.read_bytes())
        for tag in (256, 257):  # width and height
            at = content.index(struct.pack("<HHI", tag, 4, 1))
            content[at : at + 12] = struct.pack("<HHII", tag, 4, 1, side)
        path.write_bytes(content)
    else:
        with pytest.importorskip("h5py").File(path, "w") as file:
            file.create_dataset("Measurement_000/Channel_001/Height", (side, side), "<f4")
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".png", ".tif", ".h5-jpk"])
def test_claims_are_refused_unless_they_are_allowed(tmp_path: Path, suffix: str) -> None:
    path = claiming(tmp_path / f"a{suffix}")
    with pytest.raises(
        MediaError, match=r"says it has 10000000000 pixels in all; at most 268435456 are read"
    ):
        read_scan(path)
    np.save(tmp_path / "b.npy", RAMP)
    with pytest.raises(MediaError, match=r"12 pixels in all; .* --max-pixels 12 if you trust it"):
        read_scan(tmp_path / "b.npy", max_pixels=11)
    assert read_scan(tmp_path / "b.npy", max_pixels=12).size == (4, 3)


def test_pickles_in_arrays_are_never_read(tmp_path: Path) -> None:
    hidden = np.array([Path("x")], dtype=object)
    np.save(tmp_path / "a.npy", hidden, allow_pickle=True)
    np.savez(tmp_path / "b.npz", heights=hidden)
    for name in ("a.npy", "b.npz"):
        with pytest.raises(MediaError, match=r"cannot be read as .*[Oo]bject arrays"):
            read_scan(tmp_path / name)
