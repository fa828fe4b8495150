from __future__ import annotations

import json
from pathlib import Path

import av
import pytest
from rich.console import Console

from tests.video.media import write_video
from upreel.errors import MediaError, UpreelError
from upreel.evaluation.bench import Case, Timing, bench, run_apart, to_json, to_table
from upreel.evaluation.measure import peak_memory
from upreel.evaluation.media import make_clip


def frames_of(path: Path) -> list[tuple[int, int]]:
    with av.open(path) as container:
        return [(frame.width, frame.height) for frame in container.decode(video=0)]


def test_a_short_video_is_repeated_and_scaled(tmp_path: Path) -> None:
    write_video(tmp_path / "in.mp4", 5)
    make_clip(tmp_path / "in.mp4", tmp_path / "out.mp4", (32, 24), frames=12)
    assert frames_of(tmp_path / "out.mp4") == [(32, 24)] * 12


def test_files_without_frames_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in.mp4").write_bytes(b"no video")
    with pytest.raises(MediaError, match=r"in.mp4 is not a video that FFmpeg can read"):
        make_clip(tmp_path / "in.mp4", tmp_path / "out.mp4", (32, 24), frames=2)
    with av.open(tmp_path / "sound.wav", "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame(format="s16", layout="mono", samples=80)
        frame.sample_rate = 8000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(MediaError, match=r"expected a video in .*sound.wav, found no frame"):
        make_clip(tmp_path / "sound.wav", tmp_path / "out.mp4", (32, 24), frames=2)


def test_runs_take_turns_and_medians_are_shown(tmp_path: Path) -> None:
    write_video(tmp_path / "in.mp4", 3)
    seconds = {"a": [1.0, 9.0, 2.0], "compact": [8.0, 8.0, 8.0]}
    asked: list[tuple[str, tuple[int, int], int]] = []

    def run(case: Case, clip: Path) -> Timing:
        sizes = frames_of(clip)
        asked.append((case.model, sizes[0], len(sizes)))
        took = seconds[case.model].pop(0)
        return Timing(len(sizes), took, {"network": took}, int(took * 1e6), 2 * took)

    cases = [Case("a", (64, 48), 4), Case("compact", (64, 48), 2)]
    measured = bench(cases, tmp_path / "in.mp4", repetitions=3, run=run)
    assert asked == [("a", (64, 48), 4), ("compact", (64, 48), 2)] * 3
    timing = measured[0][1]
    assert (timing.seconds, timing.cpu, timing.fps) == (2.0, 4.0, 2.0)
    assert timing.stages == {"network": 2.0}
    assert timing.memory == 9_000_000
    rows = json.loads(to_json(measured))
    assert [row["fps"] for row in rows] == [2.0, 0.25]
    with (console := Console(width=80)).capture() as capture:
        console.print(to_table(measured))
    assert "8.00" in capture.get()  # the ratio to compact


def test_a_process_measures_itself_apart(tmp_path: Path) -> None:
    write_video(tmp_path / "in.mp4", 6)
    ballast = bytearray(b"1") * 300_000_000  # held here, and no part of what the process reports
    timing = run_apart(Case("lanczos", (64, 48), 6), tmp_path / "in.mp4")
    own = peak_memory()
    del ballast
    assert timing.frames == 6
    assert run_apart(Case("bicubic", (64, 48), 6, scale=3), tmp_path / "in.mp4").frames == 6
    assert timing.cpu > 0
    assert {"decode", "network", "encode"} <= set(timing.stages)
    if timing.memory is not None and own is not None:
        assert 50e6 < timing.memory < own - 100e6


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "in.mp4").write_bytes(b"no video")
    with pytest.raises(
        UpreelError, match=r"a measurement of bicubic, but its process says: .*in\.mp4"
    ):
        run_apart(Case("bicubic"), tmp_path / "in.mp4")
