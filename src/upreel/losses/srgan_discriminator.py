"""The discriminator of SRGAN in the form that iSeeBetter plays against.

Ledig et al. 2017, "Photo-realistic single image super-resolution using a generative adversarial
network"; Chadha, Britto and Roja 2020, "iSeeBetter: spatio-temporal video super-resolution using
recurrent generative back-projection networks". Parameters are named and shaped as in the latter
authors' files.
"""

from __future__ import annotations

from torch import Tensor, nn

from upreel.losses.discriminator import Count, Need, Scores, Shown


class SrganDiscriminator(nn.Module):
    """One score for each frame, whatever its size; it sees neither neighbours nor motion.

    3x3 convolutions in pairs, the second of each halves the sides; a mean over space, and two 1x1
    convolutions. The published one takes a sigmoid at the end, which is left to the loss here: what
    is then a logarithm of it cannot lose its gradient to rounding.
    """

    needs: frozenset[Need] = frozenset()

    def __init__(self, planes: int, *, channels: Count = 64) -> None:
        """Build it with random weights.

        Args:
            planes: channels of the frames.
            channels: of the first convolution, 64 as published; the widest has 16 times as many.
        """
        super().__init__()
        widths = [channels * factor for factor in (1, 1, 2, 2, 4, 4, 8, 8)]
        stack: list[nn.Module] = [nn.Conv2d(planes, channels, 3, padding=1), nn.LeakyReLU(0.2)]
        for index in range(1, 8):
            convolution = nn.Conv2d(widths[index - 1], widths[index], 3, 1 + index % 2, padding=1)
            stack += [convolution, nn.BatchNorm2d(widths[index]), nn.LeakyReLU(0.2)]
        stack += [nn.AdaptiveAvgPool2d(1), nn.Conv2d(8 * channels, 16 * channels, 1)]
        stack += [nn.LeakyReLU(0.2), nn.Conv2d(16 * channels, 1, 1)]
        self.net = nn.Sequential(*stack)

    def forward(self, shown: Shown) -> Scores:
        """Score each frame on its own: `(B, K)`."""
        scores: Tensor = self.net(shown.frames.flatten(0, 1))
        return (scores.view(shown.frames.shape[:2]),)
