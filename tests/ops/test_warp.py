from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from upreel.ops.warp import bilinear_taps, gather_blocks, sum_rows, warp

GOLDEN = Path(__file__).parents[1] / "golden"


Warp = Callable[[Tensor, Tensor], Tensor]


def warp_rows(image: Tensor, flow: Tensor) -> Tensor:
    """The same as `warp`, by sums of rows."""
    batch, channels, height, width = image.shape
    rows = image.permute(0, 2, 3, 1).reshape(-1, channels)
    warped = sum_rows(rows, bilinear_taps(flow))
    return warped.view(batch, height, width, channels).permute(0, 3, 1, 2)


both = pytest.mark.parametrize("move", [warp, warp_rows])


@both
def test_equals_the_authors_flow_warp(move: Warp) -> None:
    with np.load(GOLDEN / "flow_warp.npz") as file:
        image = torch.from_numpy(file["in_x"])
        flow = torch.from_numpy(file["in_flow"]).permute(0, 3, 1, 2)
        expected = torch.from_numpy(file["out_bilinear_border_corners"])
    torch.testing.assert_close(move(image, flow), expected, atol=1e-4, rtol=0)


@both
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 1), (9, 7)])
def test_no_motion_changes_nothing(move: Warp, size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    torch.testing.assert_close(move(image, torch.zeros(2, 2, *size)), image)


@both
def test_whole_pixels_are_copied_and_the_border_repeats(move: Warp) -> None:
    image = torch.arange(12.0).view(1, 1, 3, 4)
    flow = torch.zeros(1, 2, 3, 4)
    flow[:, 0] = 2
    expected = torch.tensor([[2.0, 3, 3, 3], [6, 7, 7, 7], [10, 11, 11, 11]])
    torch.testing.assert_close(move(image, flow)[0, 0], expected)


def test_rows_in_bf16_are_close() -> None:
    image, flow = torch.rand(1, 8, 16, 16), torch.randn(1, 2, 16, 16) * 3
    low = warp_rows(image.bfloat16(), flow)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), warp(image, flow), atol=0.02, rtol=0)


def test_gradient_of_the_rows() -> None:
    rows = torch.rand(20, 3, dtype=torch.float64, requires_grad=True)
    taps = bilinear_taps(torch.randn(1, 2, 4, 5) * 2)
    weight = taps.weights.double()
    sum_rows(rows, taps._replace(weights=weight)).square().sum().backward()  # type: ignore[no-untyped-call]
    dense = torch.zeros(20, 20, dtype=torch.float64).scatter_add_(1, taps.rows, weight)
    again = rows.detach().clone().requires_grad_()
    (dense @ again).square().sum().backward()  # type: ignore[no-untyped-call]
    assert rows.grad is not None
    assert again.grad is not None
    torch.testing.assert_close(rows.grad, again.grad, atol=1e-5, rtol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_rows_and_their_gradient_on_a_gpu(dtype: torch.dtype) -> None:
    """In half precision the CPU, too, computes in the type of the rows."""
    flow, found = torch.rand(1, 2, 9, 11) * 4 - 2, []
    table = torch.rand(99, 5)
    for device in ("cpu", "cuda"):
        rows = table.to(device, dtype).requires_grad_()
        made = sum_rows(rows, bilinear_taps(flow.to(device)))
        made.float().square().sum().backward()  # type: ignore[no-untyped-call]
        assert rows.grad is not None and made.dtype == rows.grad.dtype == dtype
        found.append((made.detach().float().cpu(), rows.grad.float().cpu()))
    close = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(found[1], found[0], atol=close, rtol=close)


def test_blocks_without_motion_are_pixel_unshuffle() -> None:
    image = torch.rand(2, 1, 12, 20)
    blocks = gather_blocks(image, torch.zeros(2, 2, 3, 5), 4)
    assert torch.equal(blocks, F.pixel_unshuffle(image, 4))


def test_blocks_move_by_whole_large_pixels() -> None:
    image = torch.rand(1, 1, 16, 24)
    flow = torch.zeros(1, 2, 4, 6)
    flow[:, 0] = 0.52  # 2.08 large pixels
    moved = torch.cat((image[..., 2:], image[..., -2:]), -1)
    expected = F.pixel_unshuffle(moved, 4)
    blocks = gather_blocks(image, flow, 4)
    assert torch.equal(blocks[..., :5], expected[..., :5])
    # The last block would reach outside: it stops at the border.
    assert torch.equal(blocks[..., 5], F.pixel_unshuffle(image, 4)[..., 5])


def test_blocks_pass_the_gradient_back() -> None:
    image = torch.rand(1, 1, 8, 8, requires_grad=True)
    flow = torch.full((1, 2, 4, 4), 0.5)
    (gather_blocks(image, flow, 2) * 3).sum().backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
    assert image.grad.sum() == 3 * 64
    assert image.grad[0, 0, 0, 0] == 0
