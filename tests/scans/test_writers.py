"""What is written is read again: values, scale and metadata; half a file never has its name."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from upreel.errors import MediaError, OutputError, UsageError
from upreel.scans import gwyddion, writers
from upreel.scans.readers import read_scan
from upreel.scans.scan import Scan
from upreel.scans.writers import check_scan_target, write_scan

FACTS = {
    "Scan Size": "500 nm",
    "Samps/line": 256,
    "gain": 0.1,
    "engaged": True,
    "a number as text": "1.5",
    "a truth as text": "true",
    "quoted": '"x"',
    "nothing": "",
    "letter": "q",
    "unit": "µm",
}


def movie(frames: int = 3, **changes: object) -> Scan:
    heights = np.random.default_rng(0).normal(7, 3, (frames, 6, 9)).astype(np.float32)
    everything = {
        "pixel_size": (1.953125, 2.7182818),
        "unit": "nm",
        "frame_time": 0.1,
        "channel": "Height Sensor",
        "direction": "retrace",
        "metadata": FACTS,
        "source": "cell.spm",
    }
    return Scan(heights, **(everything | changes))  # type: ignore[arg-type]


def assert_same(read: Scan, written: Scan) -> None:
    assert read.heights.dtype == np.float32
    assert np.array_equal(read.heights, written.heights)
    assert (read.pixel_size is None) == (written.pixel_size is None)
    if read.pixel_size and written.pixel_size:
        assert read.pixel_size == pytest.approx(written.pixel_size, rel=1e-14)
    assert dict(read.metadata) == dict(written.metadata)
    assert [type(v) for v in read.metadata.values()] == [
        type(written.metadata[key]) for key in read.metadata
    ]
    for name in ("unit", "frame_time", "channel", "direction", "source"):
        assert getattr(read, name) == getattr(written, name), name


@pytest.mark.parametrize("suffix", writers.WRITERS)
@pytest.mark.parametrize(
    "scan",
    [
        pytest.param(movie(), id="movie"),
        pytest.param(movie(1, frame_time=None), id="image"),
        pytest.param(movie(unit="V", direction="trace"), id="volts"),
        pytest.param(Scan(movie().heights), id="nothing but heights"),
        pytest.param(Scan(movie().heights * np.float32(1e-20)), id="tiny"),
    ],
)
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str, scan: Scan) -> None:
    path = write_scan(scan, tmp_path / f"scan{suffix}")
    assert_same(read_scan(path), scan)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_imagej_sees_the_scale(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffFile(write_scan(movie(), tmp_path / "scan.tif")) as file:
        facts, tags = file.imagej_metadata, file.pages[0].tags
        assert file.is_imagej
        assert file.series[0].axes == "TYX"
        assert (facts["unit"], facts["finterval"], facts["frames"]) == ("nm", 0.1, 3)
        density = [tags[name].value for name in ("XResolution", "YResolution")]
    assert [d / n for n, d in density] == pytest.approx(movie().pixel_size, rel=1e-6)


def test_gwyddion_sees_metres(tmp_path: Path) -> None:
    gwyfile = pytest.importorskip("gwyfile")
    box = gwyfile.load(str(write_scan(movie(), tmp_path / "scan.gwy")))
    for number, frame in enumerate(movie().heights):
        field = box[f"/{number}/data"]
        assert box[f"/{number}/data/title"] == "Height Sensor"
        assert (field.xreal, field.yreal) == pytest.approx((9 * 1.953125e-9, 6 * 2.7182818e-9))
        assert (field.si_unit_xy.unitstr, field.si_unit_z.unitstr) == ("m", "m")
        assert field.data == pytest.approx(frame * 1e-9, rel=1e-6)
    assert box["/0/meta"]["Scan Size"] == "500 nm"


@pytest.mark.parametrize("suffix", writers.WRITERS)
def test_half_a_file_never_has_its_name(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_half(scan: Scan, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(writers.WRITERS, suffix, write_half)
    with pytest.raises(OutputError, match="no space left on device"):
        write_scan(movie(), tmp_path / f"scan{suffix}")
    assert not list(tmp_path.iterdir())


def test_an_image_of_another_size_under_one_title_is_refused(tmp_path: Path) -> None:
    objects = pytest.importorskip("gwyfile.objects")
    box = objects.GwyContainer()
    for number, size in enumerate([(4, 4), (4, 5)]):
        box[f"/{number}/data"] = objects.GwyDataField(np.zeros(size))
        box[f"/{number}/data/title"] = "Height"
    box.tofile(str(tmp_path / "two.gwy"))
    with pytest.raises(MediaError, match="images named 'Height' of one size, found several"):
        gwyddion.read_gwy(tmp_path / "two.gwy", None)


def test_a_channel_of_gwyddion_is_chosen_by_its_title(tmp_path: Path) -> None:
    objects = pytest.importorskip("gwyfile.objects")
    box = objects.GwyContainer()
    for number, title in enumerate(["Height", "Phase", "Height"]):
        box[f"/{number}/data"] = objects.GwyDataField(np.full((2, 3), float(number)))
        box[f"/{number}/data/title"] = title
    box.tofile(str(tmp_path / "more.gwy"))
    assert read_scan(tmp_path / "more.gwy").heights[:, 0, 0].tolist() == [0, 2]
    assert read_scan(tmp_path / "more.gwy", "Phase").heights[:, 0, 0].tolist() == [1]
    with pytest.raises(MediaError, match="named Error, found Height, Phase"):
        read_scan(tmp_path / "more.gwy", "Error")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("out.png", r"expected OUT to end in \.gwy"), ("in.npz", "another file to write to")],
)
def test_a_target_that_cannot_be_is_refused_at_once(
    tmp_path: Path, name: str, sentence: str
) -> None:
    source = write_scan(movie(), tmp_path / "in.npz")
    with pytest.raises(UsageError, match=sentence):
        check_scan_target(tmp_path / name, source, overwrite=True)


def test_an_existing_target_wants_overwrite(tmp_path: Path) -> None:
    target = write_scan(movie(), tmp_path / "there.npz")
    with pytest.raises(UsageError, match="pass --overwrite"):
        check_scan_target(target, tmp_path / "in.spm")
    check_scan_target(target, tmp_path / "in.spm", overwrite=True)
    with pytest.raises(OutputError, match="Cannot write"):
        check_scan_target(tmp_path / "no" / "there.npz", target)


@pytest.mark.parametrize(("suffix", "module"), [(".gwy", "gwyfile"), (".tif", "tifffile")])
def test_a_writer_that_is_not_installed_is_named_before_any_work(
    tmp_path: Path, suffix: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=rf"need {module}: pip install 'upreel\[afm\]'"):
        check_scan_target(tmp_path / f"out{suffix}", tmp_path / "in.npy")


def test_what_is_known_of_a_scan_has_to_be_that(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", heights=np.zeros((2, 3)), scan=np.array('{"gain": 3}'))
    with pytest.raises(MediaError, match="what is known of a scan, found"):
        read_scan(tmp_path / "a.npz")


@pytest.mark.parametrize("suffix", writers.WRITERS)
@pytest.mark.parametrize("part", [0.3, 0.7])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, suffix: str, part: float) -> None:
    path = write_scan(movie(), tmp_path / f"scan{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(MediaError, match=r"scan\.\w+ cannot be read as \.\w+"):
        read_scan(path)
