from collections.abc import Callable
from importlib.resources import as_file, files
from itertools import islice

import av
import pytest
import torch

from tests.ops.raster_flow import raster_flow
from upreel.data.procedural import make_clip
from upreel.ops.resize import imresize
from upreel.ops.variational import count_levels, variational_flow


def procedural_pair(height: int, width: int) -> torch.Tensor:
    return torch.from_numpy(make_clip((height, width), 2).frames).float() / 255


def real_pair(height: int, width: int) -> torch.Tensor:
    """A part of two small frames of the bundled sample that has motion."""
    with as_file(files("upreel") / "sample" / "sample.mp4") as path, av.open(str(path)) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in islice(video.decode(video=0), 3)]
    clip = torch.stack([torch.from_numpy(frame) for frame in frames[::2]]).permute(0, 3, 1, 2)
    return imresize(clip.float() / 255, 1 / 2)[..., 30 : 30 + height, 60 : 60 + width]


@pytest.mark.parametrize(
    ("make", "size", "color"),
    [
        (procedural_pair, (32, 48), "rgb"),
        (procedural_pair, (52, 40), "luma"),
        (real_pair, (32, 48), "rgb"),
        (real_pair, (24, 40), "luma"),
    ],
)
def test_is_close_to_the_flow_of_the_raster_order(
    make: Callable[[int, int], torch.Tensor], size: tuple[int, int], color: str
) -> None:
    pair = make(*size)
    if color == "luma":
        pair = pair.mean(1, keepdim=True)
    expected = torch.from_numpy(raster_flow(*pair.permute(0, 2, 3, 1).double().numpy()))
    assert expected.norm(dim=-1).mean() > 0.2
    found = variational_flow(pair[:1], pair[1:])[0].permute(1, 2, 0)
    assert (found - expected).norm(dim=-1).mean() < 0.05


def test_true_flow_is_found() -> None:
    clip = make_clip((64, 96), 2, index=1)
    frames = torch.from_numpy(clip.frames).float() / 255
    error = (variational_flow(frames[:1], frames[1:])[0] - torch.from_numpy(clip.forward[0])).norm(
        dim=0
    )
    seen = ~torch.from_numpy(clip.hidden_next[0])
    assert error[seen].median() < 0.1
    assert error[seen].mean() < 0.3


@pytest.mark.parametrize("size", [(1, 1), (2, 50), (33, 7), (16, 26), (6, 120), (60, 20)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_and_equal_images(size: tuple[int, int], channels: int) -> None:
    frame = torch.rand(1, channels, *size, generator=torch.manual_seed(0))
    flow = variational_flow(torch.cat((frame, frame)), torch.cat((frame, frame.flip(-1))))
    assert flow.shape == (2, 2, *size)
    assert not flow[0].any()
    assert flow.isfinite().all()
    assert flow[1].any() == (size[1] > 1)


def test_flat_images_do_not_move() -> None:
    flat = torch.full((1, 3, 20, 30), 0.5)
    assert variational_flow(flat, flat + 0.1).abs().max() < 1e-3


def test_images_of_a_batch_do_not_see_each_other() -> None:
    pairs = [procedural_pair(24, 30), procedural_pair(24, 30).flip(0)]
    one, two = (torch.stack(images) for images in zip(*pairs, strict=True))
    together = variational_flow(one, two)
    for place, pair in enumerate(pairs):
        alone = variational_flow(pair[:1], pair[1:])
        torch.testing.assert_close(together[place : place + 1], alone, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("size", "levels"),
    [((64, 64), 4), ((64, 112), 5), ((144, 176), 7), ((256, 256), 8), ((20, 20), 1), ((6, 256), 1)],
)
def test_levels_are_those_of_the_width_but_for_low_frames(
    size: tuple[int, int], levels: int
) -> None:
    assert count_levels(*size) == levels


@pytest.mark.gpu
def test_cuda_finds_what_the_cpu_finds() -> None:
    pair = procedural_pair(48, 64)
    expected = variational_flow(pair[:1], pair[1:])
    found = variational_flow(pair[:1].cuda(), pair[1:].cuda())
    assert found.is_cuda
    assert (found.cpu() - expected).norm(dim=1).mean() < 0.01
    assert not variational_flow(pair.cuda(), pair.cuda()).any()
