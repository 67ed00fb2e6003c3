"""Networks that take some lengths alone, for inputs of any length."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from torchparity.models.demucs import Demucs
from torchparity.models.unet import UNet
from torchparity.models.waveunet import WaveUNet


class Fitted(nn.Module):
    """A network behind zeros that make its input's length a valid one, and before a cut back to the input's.

    Zeros stand behind the input, so that what the network does at a sample does not depend on how many there are.
    Sources stand among the channels of the output: (batch, audio, time) ↦ (batch, sources · audio, time).

    Parameters
    ----------
    net : Demucs, UNet or WaveUNet
        With `valid_length`.

    Examples
    --------
    >>> import torch
    >>> [Fitted(net)(torch.zeros(1, 2, 999)).shape[1:] for net in (Demucs(channels=2, depth=2), UNet(channels=2))]
    [torch.Size([8, 999]), torch.Size([8, 999])]
    """

    def __init__(self, net: Demucs | UNet | WaveUNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Return the output, of the length of the input."""
        time = x.shape[-1]
        y: Tensor = self.net(F.pad(x, (0, self.net.valid_length(time) - time)))
        return (y.flatten(1, 2) if y.dim() == 4 else y)[..., :time]
