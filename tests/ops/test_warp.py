from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from upreel.ops.warp import bilinear_taps, gather_blocks, sum_rows, warp

GOLDEN = Path(__file__).parents[1] / "golden"


def test_equals_the_authors_flow_warp() -> None:
    with np.load(GOLDEN / "flow_warp.npz") as file:
        image = torch.from_numpy(file["in_x"])
        flow = torch.from_numpy(file["in_flow"]).permute(0, 3, 1, 2)
        expected = torch.from_numpy(file["out_bilinear_border_corners"])
    torch.testing.assert_close(warp(image, flow), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 1), (9, 7)])
def test_no_motion_changes_nothing(size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    torch.testing.assert_close(warp(image, torch.zeros(2, 2, *size)), image)


def test_whole_pixels_are_copied_and_the_border_repeats() -> None:
    image = torch.arange(12.0).view(1, 1, 3, 4)
    flow = torch.zeros(1, 2, 3, 4)
    flow[:, 0] = 2
    assert warp(image, flow)[0, 0].tolist() == [[2, 3, 3, 3], [6, 7, 7, 7], [10, 11, 11, 11]]


def test_bf16_is_close() -> None:
    image, flow = torch.rand(1, 8, 16, 16), torch.randn(1, 2, 16, 16) * 3
    low = warp(image.bfloat16(), flow)
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
