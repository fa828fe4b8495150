from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.golden_case import Case
from tests.models.promises import assert_all_learn
from upreel.inference.loop import enlarge
from upreel.models.foreign import read_foreign
from upreel.models.msitf import MSITF, Base
from upreel.models.pyramid import AlignSource, BoundedDeformConv, PyramidAlignment
from upreel.models.swin import SwinTrunk
from upreel.models.tiled import Tiled
from upreel.models.upscaler import Upscaler, Window

MADE_BY_THE_NETWORK = ("relative_coords_table", "relative_position_index", "attn_mask")
REPAIRED: tuple[AlignSource, Base] = ("both", "aligned")


def small(
    align_source: AlignSource = "first", base: Base = "trilinear", *, frames: int = 4
) -> MSITF:
    """With offsets that are not zero, unlike those that training begins with."""
    torch.manual_seed(0)
    network = MSITF(variant="tiny", align_source=align_source, base=base, frames=frames).eval()
    for name, tensor in network.named_parameters():
        if "conv_offset" in name:
            nn.init.normal_(tensor, std=0.1)
    return network


def in_steps(network: Upscaler, clip: Tensor) -> Tensor:
    """Through the loop that users run."""
    return torch.stack([high for _, high in enlarge(network, enumerate(clip[0]))])[None]


@torch.no_grad()
def test_a_deformable_convolution_equals_the_authors() -> None:
    case, layer = Case.read("msitf_dcn_sep"), BoundedDeformConv(64)
    case.fill(layer)
    case.compare("conv_offset", layer.conv_offset(case.inputs["feat"]))
    case.compare("y", layer(case.inputs["x"], case.inputs["feat"]))


@torch.no_grad()
def test_the_alignment_equals_the_authors() -> None:
    case, layer = Case.read("msitf_pcd"), PyramidAlignment(64)
    case.fill(layer)
    first, second = (
        tuple(case.inputs[f"fea{number}_l{level}"] for level in (1, 2, 3)) for number in (1, 2)
    )
    case.compare("aligned", layer(first, second))


@torch.no_grad()
def test_the_trunk_equals_the_authors() -> None:
    case, trunk = Case.read("msitf_swin2sr"), SwinTrunk(32, 2, 4).eval()
    case.fill(trunk, kept=MADE_BY_THE_NETWORK)
    case.compare("y", trunk(case.inputs["x"]))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["msitf_2to3", "msitf_4to7"])
@torch.no_grad()
def test_equals_the_authors(name: str) -> None:
    case, network = Case.read(name), MSITF().eval()
    case.fill(network, kept=MADE_BY_THE_NETWORK)
    case.compare("sr", network(case.inputs["frames"]))


def test_the_published_size_and_names() -> None:
    network, case = MSITF(), Case.read("msitf_4to7")
    assert sum(weight.numel() for weight in network.parameters()) == 5_585_611
    state = network.state_dict()
    assert len(state) == 432
    ours = {name for name in state if not name.endswith(MADE_BY_THE_NETWORK)}
    assert ours == case.state.keys()
    assert all(state[name].shape == case.state[name].shape for name in ours)
    kept = {name.split(".attn.")[-1]: tuple(state[name].shape) for name in state.keys() - ours}
    masks = {f"recon_trunk.layers.{n}.residual_group.blocks.1.attn_mask" for n in range(6)}
    assert kept == {
        "relative_coords_table": (1, 15, 15, 2), "relative_position_index": (64, 64),
        **dict.fromkeys(masks, (16, 64, 64)),
    }  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "module."])
def test_published_names_are_read(tmp_path: Path, prefix: str) -> None:
    state = MSITF(variant="tiny").state_dict()
    torch.save({prefix + key: value for key, value in state.items()}, tmp_path / "a.pth")
    name, arguments, tensors = read_foreign(tmp_path / "a.pth")
    assert (name, arguments) == ("msitf", {"scale": 4, "variant": "tiny"})
    assert tensors.keys() == state.keys()
    assert MSITF.arguments_of(Case.read("msitf_4to7").state) == {"variant": "paper"}


@pytest.mark.parametrize("frames", [1, 2, 5])
@torch.no_grad()
def test_a_window_as_long_as_the_clip_is_the_whole_clip(frames: int) -> None:
    network, clip = small(frames=max(frames, 2)), torch.rand(1, frames, 3, 8, 8)
    whole = network(clip)
    held = torch.cat((whole, whole[:, -1:]), 1)
    torch.testing.assert_close(in_steps(network, clip), held, atol=1e-6, rtol=0)


@pytest.mark.parametrize("frames", [4, 6])
@torch.no_grad()
def test_windows_of_four_share_a_frame_and_the_last_one_is_filled(frames: int) -> None:
    network, clip = small(), torch.rand(1, frames, 3, 8, 8)
    expected = list[Tensor]()
    for begin in range(0, frames - 3, 3):
        expected += network(clip[:, begin : begin + 4])[:, :6].unbind(1)
    missing = 2 * frames - 1 - len(expected)
    expected += network(clip[:, -4:])[:, -missing:].unbind(1)
    expected.append(expected[-1])
    made = in_steps(network, clip)
    torch.testing.assert_close(made, torch.stack(expected, 1), atol=1e-6, rtol=0)


@torch.no_grad()
def test_windows_are_almost_the_whole_clip_where_the_base_is_aligned() -> None:
    """The first weights: 87 dB with windows of two frames, 96 with four."""
    clip = torch.rand(1, 6, 3, 8, 8)
    whole = small("first", "aligned")(clip)
    two, four = (
        (in_steps(small("first", "aligned", frames=frames), clip)[:, :-1] - whole).square().mean()
        for frames in (2, 4)
    )
    assert 10**-9.5 < two < 10**-8
    assert four < 10**-9


@torch.no_grad()
def test_nothing_is_made_across_a_cut() -> None:
    network, clip = small(), torch.rand(5, 3, 8, 8)
    made = enlarge(network, enumerate(clip), begins_scene=lambda number: number == 2)
    labels, high = zip(*made, strict=True)
    assert labels == (0, 0, 1, 1, 2, 2, 3, 3, 4, 4)
    torch.testing.assert_close(high[2], high[3])
    alone = in_steps(network, clip[None, 2:])
    torch.testing.assert_close(torch.stack(high[4:]), alone[0], atol=1e-6, rtol=0)


@torch.no_grad()
def test_the_base_as_published_and_aligned() -> None:
    clip = torch.rand(1, 4, 3, 5, 6)
    published = small()._bases(clip)
    # Places of 4 frames stretched to 7, half a sample from both ends.
    for number, place in enumerate((0, 0.3571, 0.9286, 1.5, 2.0714, 2.6429, 3)):
        before = int(place)
        mixed = torch.lerp(clip[:, before], clip[:, min(before + 1, 3)], place - before)
        torch.testing.assert_close(published[:, number], mixed, atol=1e-4, rtol=0)
    aligned = small(*REPAIRED)._bases(clip)
    assert torch.equal(aligned[:, ::2], clip)
    torch.testing.assert_close(aligned[:, 1::2], (clip[:, 1:] + clip[:, :-1]) / 2)


@torch.no_grad()
def test_both_sources_make_time_run_either_way() -> None:
    clip = torch.rand(1, 3, 3, 8, 8)
    for source, same in (("both", True), ("first", False)):
        network = small("both" if source == "both" else "first", "aligned")
        features = network._extract(clip)
        there, back = network._between(features)[1], network._between(features.flip(1))[3]
        assert torch.allclose(there, back, atol=1e-6) == same


@pytest.mark.parametrize("size", [(1, 1), (5, 11), (16, 8)])
@torch.no_grad()
def test_any_size(size: tuple[int, int]) -> None:
    high = small(*REPAIRED)(torch.rand(2, 2, 3, *size))
    assert high.shape == (2, 3, 3, size[0] * 4, size[1] * 4)
    assert high.dtype == torch.float32
    assert high.isfinite().all()


@torch.no_grad()
def test_tiles_are_close_to_the_whole_frame() -> None:
    network, clip = small(), torch.rand(1, 2, 3, 8, 152)
    whole = network.step(Window(clip), {})[0]
    tiled = Tiled(network, 80).step(Window(clip), {})[0]
    assert tiled.shape == whole.shape == (1, 4, 3, 32, 608)
    assert (tiled - whole).square().mean() < 1e-7  # 70 dB


@pytest.mark.parametrize(("source", "base"), [("first", "trilinear"), REPAIRED])
def test_gradients_reach_every_parameter(source: AlignSource, base: Base) -> None:
    network = small(source, base).train()
    assert_all_learn(network, network(torch.rand(1, 2, 3, 8, 8)).square().mean())


def test_branches_are_left_out_while_training_only() -> None:
    trunk, x = SwinTrunk(16, 2, 2), torch.rand(64, 16, 8, 8)
    with torch.no_grad():
        torch.manual_seed(0)
        one, other = trunk(x), trunk(x)
        differs = ((one - other).abs().amax((1, 2, 3)) > 0).float().mean()
        assert 0.2 < differs < 0.7  # six branches that are left out at a thirtieth to a tenth
        trunk.eval()
        assert torch.equal(trunk(x), trunk(x))


@torch.no_grad()
def test_bf16_is_close_to_float32() -> None:
    clip = torch.rand(1, 3, 3, 16, 16)
    exact = small()(clip)
    close = small().bfloat16()(clip)
    assert close.dtype == torch.float32
    assert (exact - close).abs().max() < 0.03


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a scale of 4, found 2"):
        MSITF(2)
    with pytest.raises(ValueError, match="expected windows of 2 frames or more, found 1"):
        MSITF(frames=1)
