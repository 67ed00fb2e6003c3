"""Upsampling by one step of a wavelet's synthesis bank: approximation and detail become even and odd samples."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspref.arrays import as_choice, as_integer, complaint
from torchparity.nn.basic import check_channels

__all__ = ["WaveletUpsample1d"]

KINDS = ("lazy", "haar", "learnable")

BEGINNINGS: dict[str, tuple[tuple[float, ...], tuple[float, ...], tuple[float, float]]] = {
    "lazy": ((), (), (1.0, 1.0)),
    "haar": ((1.0,), (0.5,), (math.sqrt(2), -math.sqrt(0.5))),
    "spline": ((0.5, 0.5), (0.25, 0.25), (1.0, 1.0)),
}
"""Wavelets that lifting can begin as: taps of P from e[n] on; taps of U up to d[n]; κ_a and κ_d."""


class WaveletUpsample1d(nn.Module):
    """Wavelet upsampling by 2: of 2C channels, C approximations a and C details d, even and odd samples are made.

    ===========  ======================================  ========================================
    kind         y[2n] = e[n]                            y[2n + 1]
    ===========  ======================================  ========================================
    "lazy"       a[n]                                    d[n]
    "haar"       s(a[n] + d[n])                          s(a[n] − d[n])
    "learnable"  a[n]/κ_a − Σ_j u[j] d′[n + j − ⌊I/2⌋]   d′[n] + Σ_j p[j] e[n + j − ⌊(J − 1)/2⌋]
    ===========  ======================================  ========================================

    with d′ = d/κ_d, and zeros beyond the ends. Learnable is lifting: whatever the J taps of p and the I taps of u
    become, `analyse` is undone, so that nothing of what a network has learned is lost. Channels are filtered alike.
    "haar" makes no line of an offset of a, whatever is learned elsewhere; nor does "learnable" while Σp = 1.

    Parameters
    ----------
    channels : int
        C, of the output.
    kind : {'haar', 'lazy', 'learnable'}
    scale : float, optional
        s of "haar", not 0; 1/√2, which keeps the power, by default.
    begin : {'haar', 'lazy', 'spline'}, optional
        What "learnable" begins as; "haar" by default. "spline" is the 5/3 wavelet: a linear interpolation of e, to
        which the detail is added.
    taps : (int, int), optional
        J and I of "learnable", 2 and 2 by default; those that the wavelet has not are zero at first.
    device, dtype
        Of the filters, as for `torch.nn.Conv1d`.

    Attributes
    ----------
    predict, update : Parameter (J,), (I,)
        p and u of "learnable".
    scales : Tensor (2,)
        κ_a and κ_d of "learnable": a buffer.

    Raises
    ------
    ValueError
        If there is no channel, a word is unknown, filters are too short for the wavelet to begin as, the scale is 0,
        or an option is of another kind; when called, if the channels are not 2C.

    References
    ----------
    J. Pons, J. Serrà, S. Pascual, G. Cengarle, D. Arteaga, D. Scaini, "Upsampling layers for music source separation",
    arXiv 2111.11773.

    Examples
    --------
    >>> x = torch.tensor([[[3.0, 5.0], [1.0, 0.0]]])
    >>> WaveletUpsample1d(1, "lazy")(x), WaveletUpsample1d(1, scale=1.0)(x)
    (tensor([[[3., 1., 5., 0.]]]), tensor([[[4., 2., 5., 5.]]]))
    >>> WaveletUpsample1d(1, "learnable", begin="spline")(x).detach()
    tensor([[[2.7500, 4.7500, 4.7500, 2.3750]]])
    """

    scales: Tensor

    def __init__(
        self,
        channels: int,
        kind: str = "haar",
        *,
        scale: float | None = None,
        begin: str | None = None,
        taps: tuple[int, int] | None = None,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.channels, self.kind = as_integer("channels", channels, 1), as_choice("kind", kind, KINDS)
        self.in_channels = 2 * self.channels
        _check_given(self.kind, {"haar": {"scale": scale}, "learnable": {"begin": begin, "taps": taps}})
        self.scale = math.sqrt(0.5) if scale is None else float(scale)
        if not self.scale:
            raise ValueError(complaint("scale", scale, "a number other than 0", "1/√2 keeps the power"))
        if self.kind == "learnable":
            self.begin = as_choice("begin", begin or "haar", BEGINNINGS)
            J, I = taps or (2, 2)
            p, u, _ = BEGINNINGS[self.begin]
            made: dict[str, Any] = {"device": device, "dtype": dtype}
            self.predict = nn.Parameter(torch.empty(as_integer("taps of p", J, max(1, len(p))), **made))
            self.update = nn.Parameter(torch.empty(as_integer("taps of u", I, max(1, len(u))), **made))
            self.register_buffer("scales", torch.empty(2, **made))
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Make a learnable one the wavelet again that it began as."""
        if self.kind != "learnable":
            return
        p, u, scales = BEGINNINGS[self.begin]
        first, last = (len(self.predict) - 1) // 2, len(self.update) // 2
        with torch.no_grad():
            for h, taps, start in ((self.predict, p, first), (self.update, u, last + 1 - len(u))):
                h.zero_()
                h[start : start + len(taps)] = torch.tensor(taps, dtype=torch.float64)
            self.scales.copy_(torch.tensor(scales, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, C, 2·time) for a signal (batch, 2C, time)."""
        check_channels(x, self.in_channels)
        a, d = x.chunk(2, dim=-2)
        if self.kind == "haar":
            a, d = self.scale * (a + d), self.scale * (a - d)
        elif self.kind == "learnable":
            d = d / self.scales[1]
            a = a / self.scales[0] - self._updated(d)
            d = d + self._predicted(a)
        return torch.stack([a, d], dim=-1).flatten(-2)

    def analyse(self, y: Tensor) -> Tensor:
        """Return (batch, 2C, time/2) for a signal (batch, C, time): what `forward` makes that signal of, to rounding.

        Raises
        ------
        ValueError
            If the channels are not C, or the time is odd.

        Examples
        --------
        >>> layer, y = WaveletUpsample1d(1, "learnable").double(), torch.tensor([[[4.0, 2.0, 5.0, 5.0]]]).double()
        >>> _ = nn.init.normal_(layer.predict), nn.init.normal_(layer.update)
        >>> torch.allclose(layer(layer.analyse(y)), y)
        True
        """
        check_channels(y, self.channels)
        if y.shape[-1] % 2:
            raise ValueError(complaint("time", y.shape[-1], "an even number", "even and odd samples make pairs"))
        even, odd = y[..., ::2], y[..., 1::2]
        if self.kind == "haar":
            even, odd = (even + odd) / (2 * self.scale), (even - odd) / (2 * self.scale)
        elif self.kind == "learnable":
            d = odd - self._predicted(even)
            even, odd = self.scales[0] * (even + self._updated(d)), self.scales[1] * d
        return torch.cat([even, odd], dim=-2)

    def _predicted(self, e: Tensor) -> Tensor:
        return self._filtered(e, self.predict, (len(self.predict) - 1) // 2)

    def _updated(self, d: Tensor) -> Tensor:
        return self._filtered(d, self.update, len(self.update) // 2)

    def _filtered(self, x: Tensor, h: Tensor, left: int) -> Tensor:
        """Correlate every channel alike, `left` taps looking back, zeros beyond the ends.

        As groups of one channel: folded into the batch they would be slower, and `torch.export` would tie their
        strides to the length of the signal.
        """
        each = h.expand(self.channels, 1, len(h))
        return F.conv1d(F.pad(x, (left, len(h) - 1 - left)), each, groups=self.channels)

    def extra_repr(self) -> str:
        """Return the channels, the kind, and what is not at its default."""
        if self.kind != "learnable":
            scale = "" if self.scale == math.sqrt(0.5) else f", scale={self.scale}"
            return f"{self.channels}, '{self.kind}'{scale}"
        return f"{self.channels}, 'learnable', begin='{self.begin}', taps=({len(self.predict)}, {len(self.update)})"


def _check_given(kind: str, options: dict[str, dict[str, Any]]) -> None:
    """Refuse options of another kind."""
    for owner, named in options.items():
        for name, given in named.items():
            if given is not None and owner != kind:
                raise ValueError(complaint(name, given, f"kind '{owner}' alone", f"leave it out for '{kind}'"))
