from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from tests.video.media import write_video
from upreel.inference.cores import cores_for, encoder_threads
from upreel.inference.pipeline import Options, upscale
from upreel.models.bicubic import Bicubic
from upreel.models.clear import Clear
from upreel.models.swift import Swift
from upreel.video.encoding import Encoding
from upreel.video.track import VideoTrack


@pytest.mark.parametrize(
    ("cores", "light", "encoder"), [(1, 1, 1), (2, 1, 1), (8, 7, 12), (64, 63, 16)]
)
def test_cores_are_shared(
    monkeypatch: pytest.MonkeyPatch, cores: int, light: int, encoder: int
) -> None:
    threads = [cores]
    monkeypatch.setattr(os, "cpu_count", lambda: cores * 3 // 2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[-1])
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    assert encoder_threads() == encoder
    for network, given in ((Swift(), light), (Bicubic(4), light), (Clear(), cores)):
        with cores_for(network):
            assert threads[-1] == given
        assert threads[-1] == cores


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (3, 3)])
def test_the_encoder_gets_what_the_network_leaves_unless_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: int, given: int
) -> None:
    source, seen = write_video(tmp_path / "in.mp4", 2), []
    init = VideoTrack.__init__

    def spy(self: VideoTrack, *args: object, **kwargs: object) -> None:
        seen.append(kwargs["encoding"])
        init(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(VideoTrack, "__init__", spy)
    options = Options(scale=2, model="bicubic", encoding=Encoding(threads=asked))
    upscale(source, tmp_path / "out.mp4", options)
    assert seen == [Encoding(threads=given)]
