import itertools
import math
import sys
from types import ModuleType

import pytest
import torch
from torch import Tensor

from tests.golden_case import Case
from upreel.ops import deform
from upreel.ops.deform import deform_conv2d


def brute_force(
    x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor | None
) -> Tensor:
    """The definition, one value at a time."""
    batch, channels, height, width = x.shape
    outputs, _, side, _ = weight.shape
    groups = mask.shape[1] // side**2

    def sample(b: int, c: int, y: Tensor, x_: Tensor) -> Tensor:
        value = torch.zeros((), dtype=x.dtype)
        for row, column in itertools.product((0, 1), (0, 1)):
            i, j = math.floor(y.item()) + row, math.floor(x_.item()) + column
            if 0 <= i < height and 0 <= j < width:
                value = value + (1 - (y - i).abs()) * (1 - (x_ - j).abs()) * x[b, c, i, j]
        return value

    rows = []
    for b, d, i, j in itertools.product(*map(range, (batch, outputs, height, width))):
        total = torch.zeros((), dtype=x.dtype) if bias is None else bias[d]
        for c, tap in itertools.product(range(channels), range(side**2)):
            slot = c // (channels // groups) * side**2 + tap
            y = i + tap // side - side // 2 + offset[b, 2 * slot, i, j]
            x_ = j + tap % side - side // 2 + offset[b, 2 * slot + 1, i, j]
            counts = weight[d, c, tap // side, tap % side] * mask[b, slot, i, j]
            total = total + counts * sample(b, c, y, x_)
        rows.append(total)
    return torch.stack(rows).view(batch, outputs, height, width)


def arguments(*, size: tuple[int, int] = (3, 4), side: int = 3) -> list[Tensor]:
    made = torch.Generator().manual_seed(1)
    groups, taps = 2, side**2
    shapes = [
        (1, 4, *size), (1, 2 * groups * taps, *size), (1, groups * taps, *size),
        (2, 4, side, side), (2,),
    ]  # fmt: skip
    return [torch.randn(*shape, generator=made).requires_grad_() for shape in shapes]


@pytest.mark.parametrize(("size", "side"), [((3, 4), 3), ((1, 5), 3), ((1, 1), 3), ((2, 3), 1)])
def test_equals_the_definition_with_all_its_gradients(size: tuple[int, int], side: int) -> None:
    given = arguments(size=size, side=side)
    x, offset, mask, weight, bias = given
    fast = deform_conv2d(x, offset * 2, mask=mask, weight=weight, bias=bias)
    exact = brute_force(x, offset * 2, mask, weight, bias)
    torch.testing.assert_close(fast, exact, atol=1e-5, rtol=0)
    slopes = [torch.autograd.grad(out.sin().sum(), given) for out in (fast, exact)]
    for found, expected in zip(*slopes, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_equals_the_authors() -> None:
    case = Case.read("msitf_dcn_sep")
    out = case.outputs["conv_offset"]
    found = deform_conv2d(
        case.inputs["x"], 10 * out[:, :144].tanh(), mask=out[:, 144:].sigmoid(),
        weight=case.state["weight"], bias=case.state["bias"],
    )  # fmt: skip
    case.compare("y", found)


def test_without_offsets_it_is_a_convolution() -> None:
    x, offset, mask, weight, bias = arguments(size=(9, 11))
    still = deform_conv2d(
        x, torch.zeros_like(offset), mask=torch.ones_like(mask), weight=weight, bias=bias
    )
    expected = torch.nn.functional.conv2d(x, weight, bias, padding=1)
    torch.testing.assert_close(still, expected, atol=1e-5, rtol=0)


def test_offsets_and_masks_may_be_parts_of_one_tensor() -> None:
    x, offset, mask, weight, bias = arguments()
    both = torch.cat((offset, mask), 1).expand(3, -1, -1, -1) * 1
    found = deform_conv2d(
        x.expand(3, -1, -1, -1), both[:, :36], mask=both[:, 36:], weight=weight, bias=bias
    )
    expected = deform_conv2d(x, offset, mask=mask, weight=weight, bias=bias)
    torch.testing.assert_close(found, expected.expand_as(found), atol=1e-6, rtol=0)


def test_a_wide_image_is_as_exact() -> None:
    """Places are known to a fraction of a pixel far from the left border too."""
    x = torch.rand(1, 1, 1, 2000)
    offset = torch.full((1, 2, 1, 2000), 0.0)
    offset[:, 1] = 0.25
    found = deform_conv2d(x, offset, mask=torch.ones(1, 1, 1, 2000), weight=torch.ones(1, 1, 1, 1))
    ahead = torch.cat((x[..., 1:], torch.zeros(1, 1, 1, 1)), -1)
    torch.testing.assert_close(found, 0.75 * x + 0.25 * ahead, atol=1e-3, rtol=0)


def test_bf16_is_close() -> None:
    x, offset, mask, weight, bias = arguments(size=(8, 8))
    exact = deform_conv2d(x, offset, mask=mask, weight=weight, bias=bias)
    low = deform_conv2d(
        x.bfloat16(), offset, mask=mask, weight=weight.bfloat16(), bias=bias.bfloat16()
    )
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), exact, atol=0.3, rtol=0.03)


@pytest.mark.parametrize("error", [ImportError, RuntimeError])
def test_a_torchvision_that_does_not_fit_is_left_alone(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> ModuleType:
        raise error("operator torchvision::nms does not exist")

    deform._compiled.cache_clear()
    monkeypatch.setattr(deform, "import_module", refuse)
    assert deform._compiled() is None
    deform._compiled.cache_clear()


def test_one_that_fits_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("torchvision.ops")
    module.deform_conv2d = torch.add  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.ops", module)
    deform._compiled.cache_clear()
    assert deform._compiled() is torch.add
    deform._compiled.cache_clear()
