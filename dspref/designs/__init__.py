"""Designs of interpolators: windowed sincs, learned linear interpolation, ICNR, the nearest tone-free taps.

Taps stand at the output rate, have L phases, and pass a constant with gain 1: their sum is L. Where a design is
published with another sum, its function says so.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from dspref import operators as op
from dspref.arrays import (
    BORDERS,
    Array,
    as_choice,
    as_factor,
    as_integer,
    as_numbers,
    as_signal,
    as_taps,
    complaint,
    frozen,
    set_field,
    value,
)
from dspref.designs.notch import NotchCost, notch_cost
from dspref.designs.projection import longest_order, projector, tone_free
from dspref.designs.windows import SCALES, kaiser_attenuation, kaiser_beta, windowed_sinc
from dspref.interpolate import Interpolate
from dspref.interpolators import FilterInterp
from dspref.multirate import ORDERS, extend
from dspref.stretchfilter import StretchFilter

__all__ = [
    "SCALES",
    "BorderInterp",
    "Cubic",
    "KaiserSinc",
    "LearnedLinear",
    "NotchCost",
    "WindowedSinc",
    "icnr",
    "kaiser_sinc",
    "longest_order",
    "notch_cost",
    "projector",
    "tone_free",
    "windowed_sinc",
]


@value
class BorderInterp:
    """Interpolation by any taps, with a border rule: extend, stretch, filter, crop to L·time samples.

    ``y[m] = Σ_n h[m + offset − nL] x̃[n]``, 0 ≤ m < L·time. With zeros beyond the border it is a `FilterInterp`.

    Parameters
    ----------
    factor : int
        L.
    taps : array (taps,) to filter every channel alike, or (out, in, taps)
    offset : int
        Delay taken away, in output samples.
    border : {'zeros', 'reflect', 'replicate', 'circular'}

    Raises
    ------
    ValueError
        If the factor is below 1, taps have another number of axes than one or three, or the border is unknown.

    Examples
    --------
    >>> BorderInterp(2, [1, 2, 1], offset=1)([[1, 1, 1]])
    array([[2, 2, 2, 2, 2, 2]])
    """

    factor: int
    taps: Array
    _: KW_ONLY
    offset: int = 0
    border: str = "replicate"
    op: ClassVar[str] = "border-filter"
    bias: ClassVar[None] = None
    bias_phases: ClassVar[None] = None

    def __post_init__(self) -> None:
        set_field(self, "factor", as_factor(self.factor))
        set_field(self, "taps", as_taps("taps", self.taps, 1, 3))
        set_field(self, "offset", as_integer("offset", self.offset, None))
        as_choice("border", self.border, BORDERS)

    def __call__(self, x: ArrayLike) -> Array:
        """Return the interpolation of a signal (..., in, time)."""
        x = as_signal(x, self.in_channels)
        L, time = self.factor, x.shape[-1]
        left = max(0, (self.length - 1 - self.offset) // L) if time else 0
        right = max(0, (L - 1 + self.offset) // L) if time else 0
        wide = extend(x, left, right, border=self.border)
        return op.filter_interp(wide, self.taps, L, offset=self.offset + left * L, excess=-(left + right) * L)

    @property
    def length(self) -> int:
        """Number of taps."""
        return int(self.taps.shape[-1])

    @property
    def in_channels(self) -> int | None:
        """Channels taken; None where every channel is filtered alike."""
        return int(self.taps.shape[1]) if self.taps.ndim == 3 else None

    @property
    def out_channels(self) -> int | None:
        """Channels given; None where every channel is filtered alike."""
        return int(self.taps.shape[0]) if self.taps.ndim == 3 else None

    @property
    def normal(self) -> StretchFilter:
        """L, h, offset and border as given, excess 0."""
        return StretchFilter(self.factor, self.taps, offset=self.offset, border=self.border)


def WindowedSinc(factor: int, **design: Any) -> FilterInterp:
    """Return sinc interpolation as a layer: the taps of `windowed_sinc`, centred.

    Parameters
    ----------
    factor : int
        L.
    **design
        zeros, rolloff, window, attenuation, half_width and scale, as for `windowed_sinc`.

    Examples
    --------
    >>> layer = WindowedSinc(2, zeros=8, window="kaiser", attenuation=60)
    >>> layer.length, layer.offset
    (33, 16)
    """
    taps = windowed_sinc(factor, **design)
    return FilterInterp(factor, taps, offset=taps.size // 2)


def kaiser_sinc(ratio: int, *, taps: int | None = None) -> Array:
    """Return the Kaiser-windowed sinc of alias-free activations: even length, symmetric, of sum 1.

    ``f[n] ∝ w[n] sinc(t/ratio)``, t = n − (K − 1)/2: the cutoff is 0.5/ratio, the transition 0.6/ratio on either side,
    and w Kaiser's window for half of the length, ``A = 2.285 (K/2 − 1) π · 4 · 0.6/ratio + 7.95``.

    The length is even and the taps are symmetric, so ``H(1/2) = 0`` exactly: no tone at ratio 2, nor at half the
    output rate for any even ratio. Dividing by the sum leaves the other lines as they are.

    Parameters
    ----------
    ratio : int
    taps : int, optional
        K, even, by default 6·ratio.

    Returns
    -------
    array (K,) of sum 1; the upsampler multiplies by `ratio`.

    Raises
    ------
    ValueError
        If the ratio is below 1, or the length odd.

    References
    ----------
    S. Lee et al., "BigVGAN", arXiv 2206.04658, and its code, after github.com/junjun3518/alias-free-torch; T. Karras
    et al., "Alias-free generative adversarial networks", arXiv 2106.12423.

    Examples
    --------
    >>> f = kaiser_sinc(2)
    >>> f.size, bool((f == f[::-1]).all())
    (12, True)
    """
    ratio = as_integer("ratio", ratio, 1)
    K = 6 * ratio if taps is None else as_integer("taps", taps, 2)
    if K % 2:
        raise ValueError(complaint("taps", K, "an even number", "its centre lies between two samples"))
    beta = kaiser_beta(kaiser_attenuation(K // 2, 4 * 0.6 / ratio))
    t = (np.arange(K) - K // 2) + 0.5
    f = np.kaiser(K, beta) * np.sinc(t / ratio) / ratio
    return frozen(f / f.sum())


def KaiserSinc(ratio: int, *, taps: int | None = None) -> BorderInterp:
    """Return the upsampler of alias-free activations as a layer: `kaiser_sinc` times `ratio`, border replicated.

    It equals padding by K/ratio − 1 samples, a transposed convolution, and cropping, as BigVGAN has it.

    Parameters
    ----------
    ratio : int
    taps : int, optional
        K, even and at least twice the ratio: with fewer, that padding does not reach as far as the taps.

    Returns
    -------
    BorderInterp

    Raises
    ------
    ValueError
        If the length is odd, or below twice the ratio.

    Examples
    --------
    >>> KaiserSinc(2)([[1.0, 1.0, 1.0]]).round(12)
    array([[1., 1., 1., 1., 1., 1.]])
    """
    f = kaiser_sinc(ratio, taps=taps)
    if f.size < 2 * ratio:
        raise ValueError(complaint("taps", f.size, f"an even number >= {2 * ratio}, twice the ratio"))
    return BorderInterp(ratio, ratio * f, offset=(f.size - ratio) // 2)


def Cubic(factor: int) -> Interpolate:
    """Return cubic interpolation by an integer as a layer: R. Keys' kernel at a = −¾, as Torch's "bicubic".

    Its normal form has 4L taps (4L − 1 for odd L), exact Fractions; the phase gains are all 1 for any a, since
    ``Σ_n k(t − n) = 1``.

    Parameters
    ----------
    factor : int
        L, at least 1.

    Returns
    -------
    Interpolate

    Raises
    ------
    ValueError
        If the factor is below 1.

    Examples
    --------
    >>> Cubic(2).normal.phase_gains
    array([Fraction(1, 1), Fraction(1, 1)], dtype=object)
    """
    return Interpolate("cubic", scale_factor=as_factor(factor))


def LearnedLinear(weight: ArrayLike | Fraction, *, excess: int = -1) -> FilterInterp:
    """Return learned linear interpolation by 2: ``y[2n] = x[n]``, ``y[2n + 1] = w x[n] + (1 − w) x[n + 1]``.

    h = (1 − w, 1, w), one w per channel. Both phase gains are 1, whatever w: it makes no tone, at initialisation and
    after training. At w = ½ it is the triangle.

    Parameters
    ----------
    weight : number, or array (channel,)
        w; of a trained layer the sigmoid of its parameter. Fractions and symbols stay what they are.
    excess : int
        −1: 2·time − 1 samples, all of them between two inputs. 0: one more, with zeros beyond the end.

    Returns
    -------
    FilterInterp

    Raises
    ------
    ValueError
        If weights are neither one number nor one for each channel.

    References
    ----------
    D. Stoller, S. Ewert, S. Dixon, "Wave-U-Net", arXiv 1806.03185, whose code has both lengths; J. Pons et al.,
    arXiv 2111.11773.

    Examples
    --------
    >>> LearnedLinear([Fraction(1, 4)])([[4, 8]])
    array([[Fraction(4, 1), Fraction(7, 1), Fraction(8, 1)]], dtype=object)
    """
    w = as_numbers("weight", np.asarray(weight))
    if w.ndim > 1 or w.size == 0:
        raise ValueError(complaint("weight", f"shape {w.shape}", "a number, or one number per channel"))
    alike = np.stack([1 - w, w - w + 1, w], axis=-1)
    taps = alike if w.ndim == 0 else np.eye(w.size, dtype=int).astype(alike.dtype)[:, :, None] * alike[:, None, :]
    return FilterInterp(2, taps, offset=1, excess=as_integer("excess", excess, None))


def icnr(kernel: ArrayLike, factor: int, *, order: str = "crd") -> Array:
    """Return weights of a sub-pixel convolution that is nearest-neighbour interpolation after a convolution.

    Every sub-kernel of a channel is the same, ``w[cL + r] = kernel[c]``. So all L polyphase components are the
    kernel, their sums are equal, and no offset makes a tone; and ``SubpixelConv(icnr(k, L), L)`` is ``Conv(k)``
    followed by ``Nearest(L)``, since both give sample t of the convolution L times.

    Eq. 3.4.

    Parameters
    ----------
    kernel : array (out, in/groups, taps)
        Of the convolution at the low rate.
    factor : int
        L.
    order : {'crd', 'dcr'}
        Of the channels, as for `SubpixelConv`.

    Returns
    -------
    array (out·L, in/groups, taps)

    Raises
    ------
    ValueError
        If the kernel has not three axes, the factor is below 1, or the order is unknown.

    References
    ----------
    A. Aitken et al., "Checkerboard artifact free sub-pixel convolution", arXiv 1707.02937.

    Examples
    --------
    >>> icnr([[[1, 2]]], 2).tolist()
    [[[1, 2]], [[1, 2]]]
    """
    k, L = as_taps("kernel", kernel, 3), as_factor(factor)
    if as_choice("order", order, ORDERS) == "crd":
        return frozen(np.repeat(k, L, axis=0))
    return frozen(np.tile(k, (L, 1, 1)))
