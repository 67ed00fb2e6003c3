"""Demucs as the article's: an encoder and a decoder of strided and transposed convolutions, two LSTMs between."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from dspref.arrays import as_integer, complaint
from torchparity.models.unet import LENGTH, STRIDE, odd, rescale_convolutions


class Demucs(nn.Module):
    """Source separation in the waveform domain: (batch, audio, time) ↦ (batch, sources, audio, time).

    Layer i of the encoder is a strided convolution (length 8, stride 4), ReLU, a convolution to twice the channels
    and GLU; of the decoder a convolution of length 3 to twice the channels, GLU, a transposed convolution (length 8,
    stride 4) and, but for the last, ReLU. The output of each layer of the encoder is added to the input of its
    counterpart. Between them stand a bidirectional LSTM of two layers and a linear map. `time` must be one that
    `valid_length` gives.

    Parameters
    ----------
    channels : int
        Of the first layer; each layer has twice as many as the one before.
    depth : int
        Layers of the encoder, and of the decoder.
    encoder_context : int
        Length of the encoder's second convolution, odd: 1 in the original, 3 in the article's Demucs-like network.
    sources, audio : int
        Sources to separate, and channels of each.
    rescale : float
        Reference of its rescaling of new weights (`torchparity.models.unet.rescale_convolutions`); 0 for none.

    Source: A. Défossez et al., *Music source separation in the waveform domain*, arXiv 1911.13254, with the sizes of
    J. Pons et al., arXiv 2010.14356, section 6.

    Examples
    --------
    >>> import torch
    >>> with torch.device("meta"):
    ...     sizes = [Demucs(encoder_context=n) for n in (1, 3)]
    >>> [sum(p.numel() for p in net.parameters()) for net in sizes]
    [648548208, 703148208]
    """

    def __init__(
        self,
        *,
        channels: int = 100,
        depth: int = 6,
        encoder_context: int = 1,
        sources: int = 4,
        audio: int = 2,
        rescale: float = 0.0,
    ) -> None:
        super().__init__()
        odd("encoder_context", encoder_context)
        self.depth, self.sources, self.audio = as_integer("depth", depth, 1), sources, audio
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        wide = [audio, *(channels * 2**i for i in range(depth))]
        for i, (before, own) in enumerate(pairwise(wide)):
            context = nn.Conv1d(own, 2 * own, encoder_context, padding=encoder_context // 2)
            self.encoder.append(
                nn.Sequential(nn.Conv1d(before, own, LENGTH, STRIDE), nn.ReLU(), context, nn.GLU(dim=1))
            )
            up = nn.ConvTranspose1d(own, before if i else sources * audio, LENGTH, STRIDE)
            last: list[nn.Module] = [nn.ReLU()] if i else []
            self.decoder.insert(0, nn.Sequential(nn.Conv1d(own, 2 * own, 3, padding=1), nn.GLU(dim=1), up, *last))
        self.lstm = nn.LSTM(wide[-1], wide[-1], num_layers=2, bidirectional=True)
        self.linear = nn.Linear(2 * wide[-1], wide[-1])
        if rescale:
            rescale_convolutions(self, rescale)

    def valid_length(self, time: int) -> int:
        """Return the least length from `time` on of which every layer gets whole frames.

        Examples
        --------
        >>> Demucs(channels=2, depth=2).valid_length(1000)
        1012
        """
        for _ in range(self.depth):
            time = max(1, -(-(time - LENGTH) // STRIDE) + 1)
        for _ in range(self.depth):
            time = (time - 1) * STRIDE + LENGTH
        return time

    def forward(self, x: Tensor) -> Tensor:
        """Return the sources."""
        if x.shape[-1] != self.valid_length(x.shape[-1]):
            allowed = f"a valid length, as {self.valid_length(x.shape[-1])}"
            raise ValueError(complaint("input length", x.shape[-1], allowed, "pad it with zeros"))
        skips = []
        for layer in self.encoder:
            x = layer(x)
            skips.append(x)
        x = self.linear(self.lstm(x.permute(2, 0, 1))[0]).permute(1, 2, 0)
        for layer in self.decoder:
            x = layer(x + skips.pop())
        return x.reshape(x.shape[0], self.sources, self.audio, x.shape[-1])
