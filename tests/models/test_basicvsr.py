import pytest
import torch

from tests.golden_case import Case
from tests.models.promises import assert_all_learn, assert_declared
from upreel.core.windows import windows
from upreel.models.basicvsr import BasicVSR, rename
from upreel.models.upscaler import State, Upscaler, Window


def small(**arguments: int) -> BasicVSR:
    torch.manual_seed(0)
    return BasicVSR(variant="tiny", **arguments).eval()


def test_equals_the_authors() -> None:
    case, network = Case.read("basicvsr_narrow"), BasicVSR(features=16, blocks=2)
    case.fill(network, kept=("mean", "std"))
    clip = case.inputs["frames"]
    with torch.no_grad():
        case.compare("sr", network(clip))
        earlier, later = clip[:, :-1].flatten(0, 1), clip[:, 1:].flatten(0, 1)
        case.compare("flow_backward", network.spynet(earlier, later).unflatten(0, (1, -1)))
        case.compare("flow_forward", network.spynet(later, earlier).unflatten(0, (1, -1)))


def test_the_published_size() -> None:
    network = BasicVSR()
    assert sum(weight.numel() for weight in network.parameters()) == 6_291_311


def test_arguments_are_read_off_published_weights() -> None:
    state = Case.read("basicvsr_narrow").state
    assert BasicVSR.arguments_of(state) == {"features": 16, "blocks": 2}
    assert BasicVSR.arguments_of({}) is None


def test_names_of_mmagic_are_understood() -> None:
    network = small()
    theirs = {}
    for key, value in network.state_dict().items():
        name = key
        for ours, other in (
            ("backward_trunk", "backward_resblocks"), ("forward_trunk", "forward_resblocks"),
            ("upconv1", "upsample1.upsample_conv"), ("upconv2", "upsample2.upsample_conv"),
        ):  # fmt: skip
            name = name.replace(ours, other)
        if "basic_module" in name:
            before, layer, last = name.rsplit(".", 2)
            name = f"{before}.{int(layer) // 2}.conv.{last}"
        theirs[f"generator.{name}"] = value
    theirs["step_counter"] = torch.zeros(1)
    assert rename(theirs).keys() == network.state_dict().keys()


def in_steps(network: Upscaler, clip: torch.Tensor) -> torch.Tensor:
    """The clip, window by window."""
    spec, state, high = network.spec, State(), []
    for span in windows(range(clip.shape[1]), past=spec.past, future=spec.future, step=spec.step):
        frames = clip[:, span.items[0] : span.items[-1] + 1]
        out, state = network.step(Window(frames, span.past, span.future), state)
        high.append(out)
    return torch.cat(high, 1)


@torch.no_grad()
def test_windows_that_see_the_end_are_the_whole_clip() -> None:
    clip = torch.rand(1, 7, 3, 9, 12)
    network = small(chunk=2, future=7)
    torch.testing.assert_close(in_steps(network, clip), network(clip), atol=1e-6, rtol=0)


@torch.no_grad()
def test_large_frames_are_finished_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    clip, network = torch.rand(1, 2, 3, 23, 8), small()
    whole = network(clip)
    monkeypatch.setattr("upreel.models.basicvsr._STRIP", 40)
    torch.testing.assert_close(network(clip), whole, atol=1e-6, rtol=0)


@torch.no_grad()
def test_windows_that_see_two_frames_ahead_are_almost_the_whole_clip() -> None:
    """The first weights: 70 dB for the last frame of a window that sees none, 90 with two."""
    network, clip = small(), torch.rand(1, 6, 3, 9, 12)
    whole = network(clip)
    none, two = (
        (in_steps(small(chunk=3, future=future), clip) - whole)[:, 2].square().mean()
        for future in (0, 2)
    )
    assert 10**-8.5 < none < 10**-6
    assert two < 10**-8.5


@pytest.mark.parametrize("size", [(1, 1), (5, 33), (40, 8)])
@torch.no_grad()
def test_any_size_and_any_length(size: tuple[int, int]) -> None:
    for frames in (1, 3):
        high = small()(torch.rand(2, frames, 3, *size))
        assert high.shape == (2, frames, 3, size[0] * 4, size[1] * 4)
        assert high.dtype == torch.float32
        assert high.isfinite().all()


@torch.no_grad()
def test_the_state_is_what_the_spec_says() -> None:
    network = small()
    _, state = network.step(Window(torch.rand(2, 3, 3, 8, 6), 0, 1), {})
    assert_declared(state, network.spec, batch=2, height=8, width=6)


def test_gradients_reach_every_parameter() -> None:
    network = small()
    assert_all_learn(network, network(torch.rand(1, 3, 3, 8, 8)).square().mean())


@torch.no_grad()
def test_bf16_is_close_to_float32() -> None:
    clip = torch.rand(1, 3, 3, 16, 16)
    exact = small()(clip)
    close = small().bfloat16()(clip)
    assert close.dtype == torch.float32
    assert (exact - close).abs().max() < 0.02


def test_another_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a scale of 4, found 2"):
        BasicVSR(2)


@pytest.mark.slow
def test_equals_the_authors_at_the_published_size() -> None:
    case, network = Case.read("basicvsr_full"), BasicVSR()
    case.fill(network, kept=("mean", "std"))
    with torch.no_grad():
        case.compare("sr", network(case.inputs["frames"]))
