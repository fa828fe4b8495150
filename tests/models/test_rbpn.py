from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.golden_case import Case
from upreel.errors import UsageError
from upreel.inference.loop import enlarge
from upreel.models.rbpn import RBPN, Border, fill_borders
from upreel.models.tiled import Tiled
from upreel.models.upscaler import Color, State, Window
from upreel.ops.resize import resize

PARAMETERS = {
    2: {3: 10_127_207, 5: 10_130_663, 7: 10_134_119, 11: 10_141_031},
    4: {3: 12_765_031, 5: 12_768_487, 7: 12_771_943, 11: 12_778_855},
    8: {3: 20_301_671, 5: 20_305_127, 7: 20_308_583, 11: 20_315_495},
}


def make(
    scale: int = 2,
    *,
    frames: int = 5,
    future: bool = True,
    color: Color = "rgb",
    border: Border = "replicate",
    residual: bool = False,
    trunk: int | None = None,
) -> RBPN:
    torch.manual_seed(0)
    network = RBPN(
        scale, frames=frames, future=future, color=color, border=border, residual=residual,
        trunk=trunk, features=6, channels=4, blocks=1,
    )  # fmt: skip
    return network.eval()


def draw(frames: int, *, planes: int = 3, size: tuple[int, int] = (9, 7)) -> Tensor:
    return torch.rand(1, frames, planes, *size, generator=torch.Generator().manual_seed(1))


def stream(network: RBPN, clip: Tensor, flows: Tensor, *, forget: bool = False) -> Tensor:
    """All frames of a scene, one step after the other; `flows` is from all frames to all."""
    spec, state, made = network.spec, State(), list[Tensor]()
    count = clip.shape[1]
    for time in range(count):
        past, future = min(spec.past, time), min(spec.future, count - 1 - time)
        flow = torch.zeros(1, 1, spec.past + spec.future, 2, *clip.shape[-2:])
        for offset in range(-past, future + 1):
            if offset:
                flow[:, 0, spec.past + offset - (offset > 0)] = flows[time, time + offset]
        window = Window(clip[:, time - past : time + future + 1], past, future, {"flow": flow})
        with torch.inference_mode():
            image, state = network.step(window, {} if forget else state)
        made.append(image)
    return torch.cat(made, 1)


def feed(network: RBPN, frames: Sequence[Tensor], flows: Sequence[Tensor]) -> Tensor:
    """A frame, then its neighbours in the order of the published code, each with its flow."""
    target, *others = frames
    past = network.past
    if network.future:
        clip, flow = [*others[:past], target, *others[past:]], list(flows)
    else:
        clip, flow = [*others[::-1], target], list(flows[::-1])
    window = Window(
        torch.stack(clip, 1), past, network.future, {"flow": torch.stack(flow, 1)[:, None]}
    )
    with torch.inference_mode():
        return network.step(window, {})[0][:, 0]


@pytest.mark.parametrize("scale", PARAMETERS)
def test_parameters_are_as_many_as_published(scale: int) -> None:
    for frames, expected in PARAMETERS[scale].items():
        with torch.device("meta"):
            network = RBPN(scale, frames=frames)
        assert sum(p.numel() for p in network.parameters()) == expected


def test_large_features_can_be_folded_back_to_the_size_of_the_frame() -> None:
    """The network of a fork that denoises: twice as large inside, and as large outside."""
    with torch.device("meta"):
        network = RBPN(1, trunk=2)
        plain = RBPN(1)
    assert sum(p.numel() for p in network.parameters()) == 10_165_223
    assert network.output.conv.weight.shape == (3, 384, 6, 6)
    assert plain.DBPN.up1.up_conv1.deconv.weight.shape[-1] == 3
    for trunk in (None, 2):
        assert stream(make(1, trunk=trunk), draw(2), torch.zeros(2, 2, 2, 9, 7)).shape == (
            (1, 2, 3, 9, 7)
        )


def test_names_and_shapes_are_those_published() -> None:
    published = Case.read("rbpn_x4_full").state
    with torch.device("meta"):
        own = RBPN(4).state_dict()
    assert len(own) == 142
    assert {key: value.shape for key, value in own.items()} == {
        key: value.shape for key, value in published.items()
    }


@pytest.mark.parametrize("future", [True, False])
@pytest.mark.parametrize("name", ["rbpn_x4_narrow", "rbpn_x4_full", "rbpn_x2_full", "rbpn_x8_full"])
def test_it_gives_the_published_numbers(name: str, future: bool) -> None:
    """The list of neighbours is the same for both ways of choosing them."""
    if not future and name != "rbpn_x4_narrow":
        return
    case = Case.read(name)
    arguments = RBPN.arguments_of(case.state)
    assert arguments is not None
    network = RBPN(**{**arguments, "future": future}).eval()  # type: ignore[arg-type]
    case.fill(network)
    target, others, flows = (case.inputs[n] for n in ("target", "neighbor", "flow"))
    case.compare("sr", feed(network, [target, *others.unbind(1)], flows.unbind(1)))
    if name == "rbpn_x4_narrow" and future:  # as it is trained
        past, count = network.past, others.shape[1] + 1
        clip = torch.cat((others[:, :past], target[:, None], others[:, past:]), 1)
        flow = torch.full((len(clip), count, count - 1, 2, *clip.shape[-2:]), torch.nan)
        flow[:, past] = flows
        made = network(clip, flow)
        assert made.shape[1] == 1
        case.compare("sr", made[:, 0])


def test_what_nothing_follows_is_not_computed() -> None:
    network, calls = make(frames=5), list[int]()
    network.res_feat3.register_forward_hook(lambda *_: calls.append(1))
    feed(network, draw(5).unbind(1), [torch.zeros(1, 2, 9, 7)] * 4)
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("frames", "future", "past_and_future"),
    [
        (7, True, (3, 3)),
        (7, False, (6, 0)),
        (4, True, (2, 1)),
        (2, True, (1, 0)),
        (11, True, (5, 5)),
    ],
)
def test_neighbours(frames: int, future: bool, past_and_future: tuple[int, int]) -> None:
    spec = make(frames=frames, future=future).spec
    assert (spec.past, spec.future) == past_and_future
    assert spec.inputs == {"flow"}
    assert spec.flow == "variational"
    assert not spec.recurrent
    assert make(frames=frames, border="shift").spec.past == frames - 1


PF, P = (-2, -1, 1, 2), (-1, -2, -3)


@pytest.mark.parametrize(
    ("wanted", "before", "after", "border", "expected"),
    [
        (PF, 2, 2, "replicate", [-2, -1, 1, 2]),
        (PF, 0, 2, "replicate", [0, 0, 1, 2]),
        (PF, 2, 1, "replicate", [-2, -1, 1, 0]),
        (PF, 0, 2, "reflect", [2, 1, 1, 2]),
        (PF, 1, 2, "reflect", [0, -1, 1, 2]),
        (PF, 2, 0, "reflect", [-2, -1, -1, -2]),
        (PF, 0, 1, "reflect", [0, 1, 1, 0]),
        (PF, 0, 4, "shift", [1, 2, 3, 4]),
        (PF, 1, 4, "shift", [-1, 1, 2, 3]),
        (PF, 4, 4, "shift", [-2, -1, 1, 2]),
        (PF, 4, 0, "shift", [-4, -3, -2, -1]),
        (PF, 1, 1, "shift", [-1, 1, 0, 0]),
        (P, 1, 0, "replicate", [-1, 0, 0]),
        (P, 2, 0, "reflect", [-1, -2, -1]),
        (P, 1, 3, "shift", [-1, 1, 2]),
        (P, 3, 3, "shift", [-1, -2, -3]),
        (P, 0, 0, "shift", [0, 0, 0]),
    ],
)
def test_what_takes_the_place_of_missing_neighbours(
    wanted: Sequence[int], before: int, after: int, border: Border, expected: list[int]
) -> None:
    assert fill_borders(wanted, before=before, after=after, border=border) == expected


@pytest.mark.parametrize("border", ["replicate", "reflect", "shift"])
def test_borders_of_a_scene(border: Border) -> None:
    """The first of five frames, against what comes of the neighbours that it is due."""
    network = make(frames=5, border=border)
    clip = draw(5)
    flows = torch.randn(5, 5, 2, 9, 7, generator=torch.Generator().manual_seed(2))
    due = {"replicate": [0, 0, 1, 2], "reflect": [2, 1, 1, 2], "shift": [1, 2, 3, 4]}[border]
    still = torch.zeros(1, 2, 9, 7)
    expected = feed(
        make(frames=5),
        [clip[:, 0], *(clip[:, n] for n in due)],
        [flows[0, n][None] if n else still for n in due],
    )
    torch.testing.assert_close(stream(network, clip, flows)[:, 0], expected)


def test_nothing_is_taken_from_another_scene() -> None:
    network, clip = make(frames=5), draw(7)

    def enlarged(first: int, last: int) -> list[Tensor]:
        frames = [(time, clip[0, time]) for time in range(first, last)]
        return [high for _, high in enlarge(network, frames, begins_scene=lambda time: time == 4)]

    both = enlarged(0, 7)
    for one, other in zip(both, enlarged(0, 4) + enlarged(4, 7), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("border", ["replicate", "shift"])
@pytest.mark.parametrize("future", [True, False])
def test_what_is_kept_of_a_neighbour_is_computed_once(
    border: Border, future: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make(frames=4, border=border, future=future)
    clip, flows = draw(7), torch.randn(7, 7, 2, 9, 7)
    glances, glance = list[Tensor](), network._glance

    def count(frame: Tensor) -> Tensor:
        glances.append(frame)
        return glance(frame)

    monkeypatch.setattr(network, "_glance", count)
    made = stream(network, clip, flows)
    assert len(glances) == 7
    assert torch.equal(made, stream(network, clip, flows, forget=True))


@pytest.mark.parametrize(
    ("scale", "kernel", "stride", "padding"),
    [(2, 6, 2, 2), (3, 7, 3, 2), (4, 8, 4, 2), (8, 12, 8, 2)],
)
def test_what_changes_the_size(scale: int, kernel: int, stride: int, padding: int) -> None:
    """A scale of 3 was not released; its kernels follow the rule of the others."""
    found = {
        (layer.kernel_size[0], layer.stride[0], layer.padding[0])
        for layer in make(scale).modules()
        if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d) and layer.stride[0] > 1
    }
    assert found == {(kernel, stride, padding)}


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("color", ["luma", "rgb"])
def test_any_size_of_frame(scale: int, color: Color) -> None:
    planes = 1 if color == "luma" else 3
    network = make(scale, frames=3, color=color)
    made = stream(network, draw(2, planes=planes), torch.zeros(2, 2, 2, 9, 7))
    assert made.shape == (1, 2, planes, 9 * scale, 7 * scale)


def test_gradients_reach_every_parameter() -> None:
    network = make(frames=3).train()
    network(draw(4), torch.randn(1, 4, 2, 2, 9, 7)).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_the_interpolated_frame_can_be_added() -> None:
    network, clip = make(4, frames=3, residual=True), draw(3)
    torch.nn.init.zeros_(network.output.conv.weight)
    torch.nn.init.zeros_(network.output.conv.bias)  # type: ignore[arg-type]
    with torch.inference_mode():
        made = network(clip, torch.zeros(1, 3, 2, 2, 9, 7))[0, 0]
    torch.testing.assert_close(made, resize(clip[0, 1], (36, 28)), atol=1e-6, rtol=0)


def test_detail_is_all_that_it_may_see() -> None:
    """Brightness then goes straight to the output, at the border of a frame too."""
    torch.manual_seed(0)
    network = RBPN(4, frames=3, residual=True, detail=True, features=6, channels=4, blocks=1)
    clip, flow = draw(3) / 2, torch.zeros(1, 3, 2, 2, 9, 7)
    with torch.inference_mode():
        torch.testing.assert_close(network(clip + 0.25, flow), network(clip, flow) + 0.25)
    with pytest.raises(ValueError, match="expected residual = true"):
        RBPN(4, detail=True)


def test_half_precision_is_close_and_keeps_flat_areas() -> None:
    network = make(4, frames=3, residual=True)
    clip, flow = draw(3, size=(24, 20)), torch.randn(1, 3, 2, 2, 24, 20)
    with torch.inference_mode():
        exact = network(clip, flow)
        rounded = network.to(torch.bfloat16)(clip, flow)
        torch.nn.init.zeros_(network.output.conv.weight)
        flat = network(torch.full_like(clip, 200 / 255), flow)
    assert rounded.dtype == torch.float32
    assert float((rounded - exact).abs().max()) < 0.03 * float(exact.std())
    torch.testing.assert_close(flat, torch.full_like(flat, 200 / 255), atol=1e-6, rtol=0)


def test_tiles_come_close_to_the_whole_without_a_seam() -> None:
    network = make(2, frames=3)
    clip, flow = draw(3, size=(40, 110)), torch.randn(1, 1, 2, 2, 40, 110)
    window = Window(clip, 1, 1, {"flow": flow})
    with torch.inference_mode():
        whole, state = network.step(window, {})
        parts, kept = Tiled(network, 32).step(window, {})
    assert state.keys() == {"neighbours"}
    assert kept == {}, "a cache of the whole frame would grow with the frame"
    error = float((parts - whole).square().mean())
    assert 10 * np.log10(float(whole.var()) / error) > 60


def test_a_clip_that_is_too_short_to_train_on() -> None:
    with pytest.raises(UsageError, match=r"at least 5 frames .* 2 before and 2 after, found 4"):
        make(frames=5)(draw(4), torch.zeros(1, 4, 4, 2, 9, 7))


def test_networks_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="expected a scale out of 1, 2, 3, 4, 8, found 5"):
        RBPN(5)
    with pytest.raises(ValueError, match="expected at least 2 frames, found 1"):
        RBPN(4, frames=1)
    with pytest.raises(ValueError, match="a trunk for a scale of 1 only, found 2 at 4"):
        RBPN(4, trunk=2)


def test_tiny_is_small() -> None:
    with torch.device("meta"):
        network = RBPN(4, variant="tiny", frames=3, color="luma", residual=True)
    assert 300_000 < sum(p.numel() for p in network.parameters()) < 600_000
