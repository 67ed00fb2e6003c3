"""Torch modules for the heads of `dspref`: squeezing, the inverse STFT and PQMF synthesis; wavelets are layers."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspref.arrays import Array, as_choice, as_integer, complaint
from dspref.heads.istft import NOLA, PADDINGS, crop, inverse_basis
from dspref.heads.pqmf import kaiser_prototype
from dspref.multirate import ORDERS
from dspref.outline import Outline
from torchparity.nn import PixelShuffle1d, WaveletUpsample1d
from torchparity.nn.basic import check_channels


class Squeeze1d(nn.Module):
    """Groups of g samples become g channels, as `dspref.heads.Squeeze`: what `Unsqueeze1d` undoes.

    Parameters
    ----------
    channels : int
        Of the input.
    factor : int
        g, a divisor of the input's length.
    order : {'crd', 'dcr'}

    Examples
    --------
    >>> Squeeze1d(1, 2)(torch.tensor([[[0, 1, 2, 3]]]))
    tensor([[[0, 2],
             [1, 3]]])
    """

    def __init__(self, channels: int, factor: int, *, order: str = "crd") -> None:
        super().__init__()
        self.channels, self.factor = as_integer("channels", channels, 1), as_integer("factor", factor, 1)
        self.order, self.in_channels = as_choice("order", order, ORDERS), self.channels

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, C·g, time/g) for a signal (batch, C, time)."""
        check_channels(x, self.channels)
        if x.shape[-1] % self.factor:
            raise ValueError(complaint("time", x.shape[-1], f"a multiple of {self.factor}", "groups are whole"))
        *lead, C, time = x.shape
        groups = x.reshape(*lead, C, time // self.factor, self.factor)
        phases = groups.movedim(-1, -2 if self.order == "crd" else -3)
        return phases.reshape(*lead, C * self.factor, time // self.factor)

    def extra_repr(self) -> str:
        """Return the parameters."""
        return f"{self.channels}, {self.factor}" + (f", order='{self.order}'" if self.order != "crd" else "")


class Unsqueeze1d(nn.Module):
    """Groups of g channels become g samples, as `dspref.heads.squeeze.Unsqueeze`: what `PixelShuffle1d` does, alone.

    Parameters
    ----------
    channels : int
        Of the output.
    factor : int
        g.
    order : {'crd', 'dcr'}

    Examples
    --------
    >>> Unsqueeze1d(1, 2)(torch.tensor([[[0, 2], [1, 3]]]))
    tensor([[[0, 1, 2, 3]]])
    """

    def __init__(self, channels: int, factor: int, *, order: str = "crd") -> None:
        super().__init__()
        self.channels, self.factor = as_integer("channels", channels, 1), as_integer("factor", factor, 1)
        self.order, self.in_channels = as_choice("order", order, ORDERS), channels * factor

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, C, time·g) for a signal (batch, C·g, time)."""
        check_channels(x, self.in_channels)
        y: Tensor = PixelShuffle1d(self.factor, order=self.order)(x)
        return y

    def extra_repr(self) -> str:
        """Return the parameters."""
        return f"{self.channels}, {self.factor}" + (f", order='{self.order}'" if self.order != "crd" else "")


class ISTFTHead(nn.Module):
    """Inverse STFT, as `dspref.heads.ISTFT`: a transposed convolution by windowed waves, over the window's envelope.

    What ``torch.istft`` gives, up to rounding, without complex numbers; and what Vocos calls "same".

    Parameters
    ----------
    window : Tensor (n,)
        A buffer.
    hop : int
    padding : {'center', 'same', 'none'}

    Examples
    --------
    >>> head = ISTFTHead(torch.hann_window(16), 4)
    >>> head(torch.ones(1, 18, 5)).shape
    torch.Size([1, 1, 16])
    """

    window: Tensor

    def __init__(self, window: Tensor, hop: int, *, padding: str = "center") -> None:
        super().__init__()
        self.hop, self.padding = as_integer("hop", hop, 1), as_choice("padding", padding, PADDINGS)
        self.in_channels = 2 * (len(window) // 2 + 1)
        self.register_buffer("window", window.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, 1, time) for frames (batch, 2·bins, frames): real parts, then imaginary parts."""
        check_channels(x, self.in_channels)
        n = len(self.window)
        waves = torch.from_numpy(_basis(n)).to(x.device)
        taps = (self.window.double() * waves).to(x.dtype)[:, None]
        square = (self.window**2).to(x.dtype)[None, None]
        frames = x.new_ones(1, 1, x.shape[-1])
        cut = crop(n, self.hop, self.padding)
        length = n + self.hop * (x.shape[-1] - 1) - 2 * cut
        if length < 1:
            raise ValueError(complaint("output length", length, "at least 1", "feed more frames"))
        y = F.conv_transpose1d(x, taps, stride=self.hop)[..., cut : cut + length]
        envelope = F.conv_transpose1d(frames, square, stride=self.hop)[..., cut : cut + length]
        if not bool((envelope > NOLA).all()):
            raise ValueError(complaint("window envelope", "0 at an end", "a window > 0 at its ends"))
        return y / envelope


class PQMFSynthesis1d(nn.Module):
    """Synthesis of M bands by cosine modulation, as `dspref.heads.pqmf.PQMFSynthesis`.

    Parameters
    ----------
    prototype : Tensor (N + 1,)
        A buffer; see `dspref.heads.pqmf.kaiser_prototype`.
    bands : int
        M.

    Examples
    --------
    >>> from dspref.heads.pqmf import kaiser_prototype
    >>> PQMFSynthesis1d(torch.from_numpy(kaiser_prototype()).float(), 4)(torch.ones(1, 4, 5)).shape
    torch.Size([1, 1, 20])
    """

    prototype: Tensor

    def __init__(self, prototype: Tensor, bands: int) -> None:
        super().__init__()
        self.bands = self.in_channels = as_integer("bands", bands, 1)
        self.register_buffer("prototype", prototype.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, 1, M·time) for bands (batch, M, time)."""
        check_channels(x, self.bands)
        M, N = self.bands, len(self.prototype) - 1
        i = torch.arange(N + 1, device=x.device, dtype=torch.float64) - N // 2
        k = torch.arange(M, device=x.device, dtype=torch.float64)[:, None]
        sign = 1 - 2 * (k % 2)
        f = 2 * self.prototype.double() * torch.cos((2 * k + 1) * (torch.pi / (2 * M)) * i - sign * (torch.pi / 4))
        taps = (M * f.flip(-1)).to(x.dtype)[:, None]
        y = F.conv_transpose1d(x, taps, stride=M)
        return F.pad(y, (0, max(0, M - 1 - N // 2)))[..., N // 2 : N // 2 + M * x.shape[-1]]


@lru_cache(maxsize=4)
def _basis(n: int) -> Array:
    return inverse_basis(n)


def head_channels(outline: Outline, *, out: int = 1) -> int:
    """Return how many channels the head of an outline takes to give `out`.

    Examples
    --------
    >>> head_channels(Outline("istft", 16, stride=4)), head_channels(Outline("pqmf", 63, stride=4))
    (18, 4)
    """
    return 2 * (outline.length // 2 + 1) if outline.op == "istft" else out * int(outline.factor)


def head_module(outline: Outline, *, out: int = 1) -> nn.Module:
    """Return the head of an outline with so many channels out: windows of Hann, filters of Kaiser, random lifting.

    Raises
    ------
    ValueError
        Where there is none: of a number of taps or channels that no such head has, or of frames cut otherwise.
    """
    x, k = outline.stride, outline.length
    if out > 1 and outline.op in ("istft", "pqmf"):
        raise ValueError(complaint(f"channels behind {outline.op}", out, "1"))
    if outline.op == "unsqueeze":
        return Unsqueeze1d(out, x)
    if outline.op == "istft":
        return _istft_of(outline)
    if outline.op == "pqmf":
        return PQMFSynthesis1d(torch.from_numpy(kaiser_prototype(taps=k - 1, cutoff=0.568 / x)).float(), x)
    if outline.op == "lifting":
        if k % 2 or k < 4:
            raise ValueError(complaint("taps of a lifting wavelet", k, "an even number, at least 4"))
        return _drawn_lifting(out, (k // 4, k // 2 - k // 4))
    return WaveletUpsample1d(out, "lazy" if outline.op == "lazy" else "haar")


def _drawn_lifting(out: int, taps: tuple[int, int]) -> WaveletUpsample1d:
    made = WaveletUpsample1d(out, "learnable", begin="lazy", taps=taps)
    for h in (made.predict, made.update):
        nn.init.normal_(h)
    return made


def _istft_of(outline: Outline) -> ISTFTHead:
    x, k = outline.stride, outline.length
    cuts = {crop(k, x, padding): padding for padding in PADDINGS}
    if outline.padding not in cuts:
        raise ValueError(complaint("samples cut by an inverse STFT", outline.padding, ", ".join(map(str, cuts))))
    shift = 0.0 if outline.padding else 0.5  # where nothing is cut, no sample of the window may be 0
    window = torch.sin(torch.pi * (torch.arange(k, dtype=torch.float64) + shift) / k) ** 2
    return ISTFTHead(window.float(), x, padding=cuts[outline.padding])
