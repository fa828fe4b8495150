"""Make the bundled sample: `python scripts/make_sample.py [OUT.mp4]` (needs the `test` extra).

Three shots: a camera moves, by fractions of a pixel, over photographs of scikit-image's own sample
data (all in the public domain or CC0: see src/upreel/sample/LICENCE.md) with lines of text lying on
them. Everything is drawn at six times the size of the clip and then averaged down, so that the clip
holds what a camera of that resolution would have seen. Sound, subtitles and chapters are made here
too, so that they can be seen to survive. The same versions of the packages give the same file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import skimage.data
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import SubtitleSet
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    VideoReformatter,
)
from av.video.stream import VideoStream
from numpy.typing import NDArray

WIDTH, HEIGHT, FPS = 320, 180, 24
OVERSAMPLE = 6  # the clip is averaged down from pictures this many times larger
ENLARGE = 4  # text is drawn on photographs enlarged by this, so that its edges stay crisp
AUDIO_RATE = 48000
SMPTE170M = 6  # FFmpeg's number of the matrix; PyAV's Colorspace holds those of libswscale
MILLISECOND = Fraction(1, 1000)
ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, \
Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, \
Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""  # what FFmpeg's encoders of text subtitles want to know of styles

Image = NDArray[np.uint8]
View = tuple[float, float, float]
"""Where the camera looks, in pixels of the photograph: centre x, centre y, width of the view."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text on a photograph: where its baseline begins and how high it is, in pixels."""

    text: str
    x: float
    y: float
    size: float
    weight: int = 500


@dataclass(frozen=True, slots=True)
class Shot:
    """One camera move over one photograph, from one view to another."""

    title: str
    photograph: str
    frames: int
    start: View
    end: View
    lines: tuple[Line, ...]
    subtitle: str


SHOTS = (
    Shot(
        title="Coffee",
        photograph="coffee",
        frames=64,
        start=(270, 172, 440),
        end=(322, 196, 545),
        lines=(
            Line("UPREEL", 78, 122, 58, 800),
            Line("this clip is 320 pixels wide", 82, 148, 18),
            Line("The quick brown fox jumps over the lazy dog", 246, 312, 12),
            Line("0123456789 +-*/=%&@#  no rights reserved: CC0", 246, 328, 10),
        ),
        subtitle="A camera moves over three photographs.",
    ),
    Shot(
        title="Chelsea",
        photograph="chelsea",
        frames=64,
        start=(214, 144, 330),
        end=(236, 166, 425),
        lines=(
            Line("whiskers, fur and small type", 60, 238, 14, 700),
            Line("public domain, CC0", 60, 252, 9.5),
        ),
        subtitle="Each frame shows a little of what the others miss.",
    ),
    Shot(
        title="Eileen Collins",
        photograph="astronaut",
        frames=64,
        start=(226, 166, 330),
        end=(258, 196, 500),
        lines=(
            Line("Eileen Collins", 150, 292, 26, 700),
            Line("photograph: NASA", 150, 312, 15),
        ),
        subtitle="Sound, subtitles and chapters come along.",
    ),
)


def paint(shot: Shot) -> Image:
    """The photograph, `ENLARGE` times larger, with the shot's text and its soft shadow on it."""
    photograph: Image = getattr(skimage.data, shot.photograph)()
    size = (photograph.shape[1] * ENLARGE, photograph.shape[0] * ENLARGE)
    canvas = np.asarray(cv2.resize(photograph, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    shadow = np.zeros_like(canvas)
    write_lines(shadow, shot.lines, (255, 255, 255))
    soft = cv2.GaussianBlur(cv2.dilate(shadow, np.ones((9, 9))), (0, 0), 1.5 * ENLARGE)
    canvas = np.asarray(np.rint(canvas * (1 - 0.75 * (soft / 255))), np.uint8)
    write_lines(canvas, shot.lines, (255, 250, 235))
    return canvas


def write_lines(canvas: Image, lines: tuple[Line, ...], color: tuple[int, int, int]) -> None:
    """Draw text into a picture, at `ENLARGE` times its coordinates."""
    font = cv2.FontFace("sans")
    for line in lines:
        at = (round(line.x * ENLARGE), round(line.y * ENLARGE))
        cv2.putText(canvas, line.text, at, color, font, round(line.size * ENLARGE), line.weight)


def move(shot: Shot) -> Iterator[Image]:
    """The frames of a shot, `(HEIGHT, WIDTH, 3)`: it starts and ends without a jerk."""
    canvas = paint(shot)
    width, height = WIDTH * OVERSAMPLE, HEIGHT * OVERSAMPLE
    for index in range(shot.frames):
        t = index / (shot.frames - 1)
        t = 0.7 * t + 0.3 * t * t * (3 - 2 * t)
        x, y, extent = ((1 - t) * a + t * b for a, b in zip(shot.start, shot.end, strict=True))
        step = extent * ENLARGE / width  # pixels of the canvas for one of the large picture
        corner = (x * ENLARGE - step * width / 2, y * ENLARGE - step * height / 2)
        to_canvas = np.array([[step, 0, corner[0]], [0, step, corner[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        large = cv2.warpAffine(
            canvas, to_canvas, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101
        )
        small = cv2.resize(large, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        yield np.asarray(small, np.uint8)


def compose(seconds: float) -> NDArray[np.float32]:
    """A quiet plucked melody, `(2, samples)`, its notes wandering from left to right."""
    notes = (57, 64, 69, 71, 72, 71, 69, 64, 53, 60, 69, 72, 76, 72, 69, 60, 55, 62, 67, 71, 74, 71)
    beat = 0.36
    time = np.arange(round(seconds * AUDIO_RATE)) / AUDIO_RATE
    sound = np.zeros((2, time.size))
    for index, note in enumerate(notes):
        since = time - index * beat
        heard = since >= 0
        frequency = 440 * 2 ** ((note - 69) / 12)
        wave = sum(
            np.sin(2 * np.pi * frequency * k * since[heard])
            * np.exp(-since[heard] * 2.2 * k)
            / k**2
            for k in (1, 2, 3)
        )
        wave = wave * np.minimum(1, since[heard] / 0.004) * 0.16
        pan = 0.5 + 0.4 * np.sin(index)
        sound[0, heard] += wave * np.cos(pan * np.pi / 2)
        sound[1, heard] += wave * np.sin(pan * np.pi / 2)
    fade = np.clip((seconds - time) / 0.8, 0, 1)
    return (sound * fade).astype(np.float32)


def write(path: Path) -> None:
    """Encode picture, sound, subtitles, chapters and title into one mp4."""
    starts = [sum(shot.frames for shot in SHOTS[:index]) for index in range(len(SHOTS) + 1)]
    with av.open(str(path), "w", options={"movflags": "+faststart", "fflags": "+bitexact"}) as out:
        out.metadata["title"] = "Upreel sample"
        out.metadata["comment"] = "Camera moves over photographs in the public domain"
        out.set_chapters(
            [
                {
                    "id": index,
                    "start": starts[index] * 1000 // FPS,
                    "end": starts[index + 1] * 1000 // FPS,
                    "time_base": MILLISECOND,
                    "metadata": {"title": shot.title},
                }
                for index, shot in enumerate(SHOTS)
            ]
        )
        video, audio, captions = add_video(out), add_audio(out), add_captions(out)
        packets: list[av.Packet[Any]] = [
            *encode_video(video),
            *encode_audio(audio, seconds=starts[-1] / FPS),
            *encode_captions(captions, starts),
        ]
        for packet in sorted(packets, key=lambda packet: (packet.dts or 0) * packet.time_base):
            out.mux(packet)


def add_video(out: OutputContainer) -> VideoStream:
    """H.264 at CRF 23, tagged as standard definition."""
    # x264's macroblock tree gives other bits from run to run on processors with AVX-512.
    options = {"crf": "23", "preset": "slow", "x264-params": "mbtree=0"}
    stream = out.add_stream("libx264", rate=FPS, options=options)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context = stream.codec_context
    context.thread_count = 1  # x264 gives other frames with other numbers of threads
    context.sample_aspect_ratio = Fraction(1)
    context.color_range = ColorRange.MPEG
    context.colorspace = SMPTE170M
    context.color_primaries = ColorPrimaries.SMPTE170M
    context.color_trc = ColorTrc.SMPTE170M
    return stream


def add_audio(out: OutputContainer) -> AudioStream:
    """AAC, stereo, 80 kbit/s."""
    stream = out.add_stream("aac", rate=AUDIO_RATE, layout="stereo")
    stream.bit_rate = 80_000
    stream.metadata["language"] = "eng"
    return stream


def add_captions(out: OutputContainer) -> SubtitleStream:
    """The subtitle track of mp4."""
    stream = out.add_stream("mov_text")
    stream.metadata["language"] = "eng"
    stream.time_base = MILLISECOND
    stream.codec_context.subtitle_header = ASS_HEADER
    return stream


def encode_video(stream: VideoStream) -> Iterator[av.Packet[VideoStream]]:
    """All shots, one after the other: a hard cut between them."""
    convert = VideoReformatter()
    for index, picture in enumerate(picture for shot in SHOTS for picture in move(shot)):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame = convert.reformat(frame, format="yuv420p", dst_colorspace=Colorspace.SMPTE170M)
        frame.pts, frame.time_base = index, Fraction(1, FPS)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def encode_audio(stream: AudioStream, *, seconds: float) -> Iterator[av.Packet[AudioStream]]:
    """The melody, from the first frame to the last."""
    sound = np.ascontiguousarray(compose(seconds))
    frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = AUDIO_RATE, 0, Fraction(1, AUDIO_RATE)
    yield from stream.encode(frame)
    yield from stream.encode(None)


def encode_captions(
    stream: SubtitleStream, starts: list[int]
) -> Iterator[av.Packet[SubtitleStream]]:
    """One line for each shot, shown two seconds from half a second after the cut."""
    for shot, start in zip(SHOTS, starts, strict=False):
        event = f"0,0,Default,,0,0,0,,{shot.subtitle}".encode()
        shown = SubtitleSet.create(text=event, start=0, end=1800)
        packet = stream.codec_context.encode_subtitle(shown)
        packet.stream, packet.time_base = stream, MILLISECOND
        packet.pts = packet.dts = start * 1000 // FPS + 400
        packet.duration = 1800
        yield packet


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "src/upreel/sample/sample.mp4"))
