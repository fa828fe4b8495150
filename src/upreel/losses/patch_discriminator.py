"""A discriminator that judges patches of a clip, in space and time."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from upreel.losses.discriminator import Count, Need, Scores, Shown


class PatchDiscriminator(nn.Module):
    """Scores for overlapping patches of a clip: each looks at a part of space and some frames.

    Convolutions over time and space that halve space; what they do to the length of a vector is
    bounded by spectral normalisation.

    Sources: patches after Isola et al. 2017, "Image-to-image translation with conditional
    adversarial networks"; the normalisation after Miyato et al. 2018, "Spectral normalization for
    generative adversarial networks"; time beside space after Chu et al. 2020, "Learning temporal
    coherence via self-supervision for GAN-based video generation".
    """

    needs: frozenset[Need] = frozenset()

    def __init__(self, planes: int, *, channels: Count = 32, layers: Count = 3) -> None:
        """Build it with random weights.

        Args:
            planes: channels of the clips.
            channels: of the first convolution; each further one has twice as many, up to 8 times.
            layers: convolutions that halve space.
        """
        super().__init__()
        stack: list[nn.Module] = []
        for index in range(layers):
            wide = channels * min(2**index, 8)
            convolution = nn.Conv3d(planes, wide, (3, 4, 4), (1, 2, 2), padding=1)
            stack += [spectral_norm(convolution), nn.LeakyReLU(0.2)]
            planes = wide
        self.body = nn.Sequential(*stack)
        self.out = spectral_norm(nn.Conv3d(planes, 1, 3, padding=1))

    def forward(self, shown: Shown) -> Scores:
        """Score the frames as a clip.

        Args:
            shown: frames of at least `2**layers` pixels in height and width.

        Returns:
            `(B, K, H / 2**layers, W / 2**layers)`.
        """
        scores: Tensor = self.out(self.body(2 * shown.frames.transpose(1, 2) - 1))
        return (scores[:, 0],)
