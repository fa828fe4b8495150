from __future__ import annotations

import pytest
import torch

from tests.golden_case import Case
from tests.models.promises import assert_declared
from tests.models.test_basicvsr import in_steps
from upreel.core.windows import windows
from upreel.evaluation.pairs import select
from upreel.evaluation.protocols import find_protocol
from upreel.models.ristn import RISTN, VARIANTS, Chain, DenseLstm, SpatialNetwork, rename
from upreel.models.upscaler import State, Window


@pytest.fixture(scope="module")
def published() -> RISTN:
    """The published size under the weights of the golden files."""
    network = RISTN().eval().requires_grad_(False)
    Case.read("ristn_full").fill(network, rename)
    return network


def make_tiny(*, carry: bool = False, residual: bool = False) -> RISTN:
    torch.manual_seed(0)
    return RISTN(variant="tiny", carry=carry, residual=residual).eval().requires_grad_(False)


def test_its_size_is_that_of_the_published_network(published: RISTN) -> None:
    assert sum(p.numel() for p in published.parameters()) == 3_803_120


def test_its_keys_are_the_published_ones(published: RISTN) -> None:
    tensors = rename(Case.read("ristn_full").state)
    assert len(tensors) == 1183
    assert tensors.keys() == published.state_dict().keys()


def test_published_weights_are_known_by_their_tensors(published: RISTN) -> None:
    arguments = RISTN.arguments_of(published.state_dict())
    assert arguments == {"scale": 4, "variant": "paper"}
    assert RISTN.arguments_of(make_tiny().state_dict()) is None
    assert RISTN.arguments_of({}) is None


@pytest.mark.parametrize(("frames", "kept"), [(37, 33), (30, 27), (45, 42), (43, 39)])
def test_the_protocol_of_the_script_scores_what_comes_from_full_windows(
    frames: int, kept: int
) -> None:
    # The four clips of Vid4 as the authors cut them, and how many pictures they published of each.
    scored = select(frames, find_protocol("ristn-script"))
    assert scored == tuple(range(kept))
    spec = make_tiny().spec
    spans = windows(range(frames), past=spec.past, future=spec.future, step=spec.step)
    full = [span.middle for span in spans if len(span.items) == 5]
    assert {*scored} <= {frame for middle in full for frame in middle}


def test_a_window_equals_the_authors(published: RISTN) -> None:
    case = Case.read("ristn_full")
    case.compare("sr", published(case.inputs["frames"]))


def test_a_window_that_goes_on_equals_the_authors(published: RISTN) -> None:
    case = Case.read("ristn_carry")
    _, state = published.enlarge(case.inputs["frames"], {}, keep=3)
    for name, key in (("h", "hidden"), ("c", "cell")):
        case.compare(name, state[key].view(1, 10, 16, 12, 14))
    del state["spatial"]  # these frames are others
    second, _ = published.enlarge(case.inputs["frames2"], state, keep=5)
    case.compare("sr2", second)


def test_the_lstm_alone_equals_the_authors() -> None:
    case = Case.read("ristn_rdclstm")
    network = DenseLstm(320, 10, 16).requires_grad_(False)
    case.fill(network)
    features, state = network(case.inputs["x"], {}, keep=3)
    case.compare("y", features)
    for name, key in (("state_h", "hidden"), ("state_c", "cell")):
        case.compare(name, torch.stack(state[key].split(16, 1)))


def test_the_spatial_network_alone_equals_the_authors() -> None:
    case = Case.read("ristn_spatial")
    network = SpatialNetwork(VARIANTS["paper"]).eval().requires_grad_(False)
    case.fill(network, rename)
    features = network(case.inputs["image"])
    case.compare("features", features)
    case.compare("sr", network.enlarge(features))


def test_every_chain_can_be_undone(published: RISTN) -> None:
    chains = {n: m for n, m in published.sptioCNN.named_modules() if isinstance(m, Chain)}
    assert len(chains) == 8
    for name, chain in chains.items():
        channels = 16 * 2 ** (int(name[len("resblock")]) - 1)
        x = torch.rand(1, channels, 6, 7)
        coupled = chain.couple(x)
        assert (coupled - x).abs().max() > 0.1
        assert (chain.uncouple(coupled) - x).abs().max() < 1e-5


def test_windows_are_those_of_the_authors_script() -> None:
    network = make_tiny()
    assert (network.spec.past, network.spec.step, network.spec.future) == (0, 3, 2)
    clip = torch.rand(1, 5, 3, 6, 7)
    high, state = network.step(Window(clip, future=2), {})
    assert torch.equal(high, network(clip)[:, :3])
    assert {*state} == {*network.spec.state} == {"spatial"}


@torch.no_grad()
def test_features_of_shared_frames_are_made_once() -> None:
    network, clip = make_tiny(), torch.rand(1, 10, 3, 6, 7)
    alone = [
        network.enlarge(clip[:, first : first + 5], {}, keep=min(3, 10 - first))[0]
        for first in range(0, 10, 3)
    ]
    seen: list[int] = []
    network.sptioCNN.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    together = in_steps(network, clip)
    torch.testing.assert_close(together, torch.cat(alone, 1), atol=1e-5, rtol=0)
    assert sum(seen) == 10


def test_a_carried_state_changes_the_next_window_and_an_empty_one_does_not() -> None:
    network = make_tiny(carry=True)
    first = torch.rand(1, 5, 3, 6, 7)
    second = torch.cat((first[:, 3:], torch.rand(1, 3, 3, 6, 7)), 1)
    assert {*network.spec.state} == {"spatial", "hidden", "cell"}
    _, state = network.step(Window(first, future=2), {})
    assert_declared(state, network.spec, batch=1, height=6, width=7)
    fresh, _ = network.step(Window(second, future=2), {})
    carried, _ = network.step(Window(second, future=2), state)
    zeros = {name: torch.zeros_like(state[name]) for name in ("hidden", "cell")}
    assert not torch.allclose(fresh, carried, atol=1e-6)
    assert torch.equal(fresh, network.step(Window(second, future=2), zeros)[0])
    _, middle = network.enlarge(first[:, :4], {}, keep=3)
    # The state runs forward in time; only layers above the first see, backward, what comes after.
    growth = VARIANTS["tiny"].growth
    assert torch.allclose(state["hidden"][:, :growth], middle["hidden"][:, :growth], atol=1e-6)


def test_strips_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network, clip = make_tiny(), torch.rand(1, 1, 3, 9, 7)
    whole = network(clip)
    monkeypatch.setattr("upreel.models.ristn._STRIP", 15)
    assert torch.allclose(network(clip), whole, atol=1e-6)


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_any_number_of_frames(frames: int) -> None:
    assert make_tiny()(torch.rand(2, frames, 3, 5, 9)).shape == (2, frames, 3, 20, 36)


def test_bf16_is_close_and_gives_float() -> None:
    network, clip = make_tiny(residual=True), torch.rand(1, 3, 3, 8, 8)
    exact = network(clip)
    rounded = network.bfloat16()(clip)
    assert rounded.dtype == torch.float32
    assert float((rounded - exact).abs().max()) < 0.02


def test_gradients_reach_what_is_called() -> None:
    network = make_tiny().train().requires_grad_(True)
    network(torch.rand(1, 2, 3, 6, 6)).square().mean().backward()
    idle = {name.split(".")[1] for name, p in network.named_parameters() if p.grad is None}
    assert idle == {"resblock1_1"}


def test_another_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a scale of 4, found 2"):
        RISTN(2)


def test_an_empty_state_is_all_zeros() -> None:
    network = DenseLstm(12, 2, 3).requires_grad_(False)
    clip = torch.rand(3, 1, 12, 4, 5)
    zeros: State = {name: torch.zeros(1, 6, 4, 5) for name in ("hidden", "cell")}
    assert torch.equal(network(clip, {}, keep=1)[0], network(clip, zeros, keep=1)[0])
