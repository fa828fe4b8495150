import pytest
import torch

from upreel.errors import UsageError
from upreel.losses import make_loss
from upreel.losses.seen import Seen

WEIGHT = torch.tensor([0.25, 0.75])


def see(output: torch.Tensor, doubt: torch.Tensor | None) -> Seen:
    return Seen(output, torch.zeros(1, 2, 1, 8, 8), WEIGHT, doubt=doubt)


def test_it_is_how_far_the_expected_error_lies_from_the_true_one() -> None:
    output = torch.tensor([0.1, -0.3]).view(1, 2, 1, 1, 1).expand(1, 2, 1, 8, 8)
    doubt = torch.tensor([0.3, 0.2]).view(1, 2, 1, 1, 1).expand(1, 2, 1, 8, 8)
    loss = make_loss("doubt", {"block": 4})(see(output, doubt))
    torch.testing.assert_close(loss, torch.tensor(0.25 * 0.2 + 0.75 * 0.1))


def test_only_the_mean_of_a_block_counts() -> None:
    output = torch.zeros(1, 2, 1, 8, 8)
    output[..., ::2] = 0.4
    loss = make_loss("doubt")(see(output, torch.full((1, 2, 1, 8, 8), 0.2)))
    torch.testing.assert_close(loss, torch.tensor(0.0), atol=1e-6, rtol=0)


def test_what_is_made_does_not_move_by_it() -> None:
    output, doubt = (torch.full((1, 2, 1, 8, 8), value, requires_grad=True) for value in (0.1, 0.3))
    make_loss("doubt")(see(output, doubt)).backward()  # type: ignore[no-untyped-call]
    assert output.grad is None
    assert doubt.grad is not None and doubt.grad.abs().sum() > 0


def test_it_wants_a_network_that_doubts() -> None:
    with pytest.raises(UsageError, match="'doubt' expects a network that tells how wrong it is"):
        make_loss("doubt")(see(torch.zeros(1, 2, 1, 8, 8), None))
