"""Layers: what a network does, in Torch's words, and the normal form of each.

Every layer is a frozen value: called on an array it runs its own definition (`dspref.operators`); its
``normal`` is the same thing as stretch + filter (`dspref.stretchfilter`).
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from fractions import Fraction
from functools import cached_property
from typing import ClassVar, Protocol, runtime_checkable

from numpy.typing import ArrayLike

from dspref import operators as op
from dspref.arrays import (
    Array,
    NotAnalysable,
    as_choice,
    as_factor,
    as_signal,
    complaint,
    set_field,
    value,
)
from dspref.kernels import add_bias, check_kernel, check_output_padding, dense, pads_of
from dspref.multirate import ORDERS, interleave
from dspref.stretchfilter import StretchFilter


@runtime_checkable
class Layer(Protocol):
    """What every layer offers: its factor, its definition, its normal form, its periodic bias."""

    op: ClassVar[str]

    @property
    def factor(self) -> int | Fraction:
        """Output rate over input rate."""

    @property
    def length(self) -> int:
        """Number of taps of the kernel."""

    @property
    def in_channels(self) -> int | None:
        """Channels taken; None where every channel is treated alike."""

    @property
    def out_channels(self) -> int | None:
        """Channels given; None where every channel is treated alike."""

    @property
    def normal(self) -> StretchFilter:
        """The layer as stretch + filter, without its bias."""

    @property
    def bias_phases(self) -> Array | None:
        """The offset that the layer adds, (out, period) with a period of 1 or `factor`; None for none."""

    def __call__(self, x: ArrayLike) -> Array:
        """Return the layer's output for a signal (..., in, time).

        An empty signal is a signal: the output then has the length that the law gives. Torch 2.13 refuses it.
        """


@value
class Conv:
    """Convolution, as ``torch.nn.Conv1d``: ``y[o, t] = Σ_i Σ_k w[o, i, k] x̃[i, ts + kd − p] + b[o]``.

    Eq. 1.5.

    Parameters
    ----------
    weight : array (out, in/groups, taps)
    stride, dilation, groups : int
        With stride > 1 it is a decimator: it runs, but has no stretch + filter form.
    padding : int, 'same' or 'valid'
    bias : array (out,), optional
    padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}

    Raises
    ------
    ValueError
        If weights have not three axes, a count is not in range, groups do not divide the channels, the bias does not
        fit, or "same" meets a stride.
    NotAnalysable
        By ``normal``, for a stride above 1.

    Examples
    --------
    >>> Conv([[[1, 1, 1]]], padding=1)([[1, 2, 3]])
    array([[3, 6, 5]])
    """

    weight: Array
    _: KW_ONLY
    stride: int = 1
    padding: int | str = 0
    dilation: int = 1
    groups: int = 1
    bias: Array | None = None
    padding_mode: str = "zeros"
    op: ClassVar[str] = "conv"

    def __post_init__(self) -> None:
        check_kernel(self, self.weight, axis=0)
        if self.padding == "same" and self.stride > 1:
            raise ValueError(complaint("padding", "'same' with stride > 1", "'same' for stride 1 only, as Torch"))

    @property
    def factor(self) -> int | Fraction:
        """1, or 1/stride for a decimator."""
        return 1 if self.stride == 1 else Fraction(1, self.stride)

    @property
    def pads(self) -> tuple[int, int]:
        """Samples by which the input is extended on the left and on the right."""
        return pads_of(self.padding, self.dilation * (self.weight.shape[-1] - 1))

    def __call__(self, x: ArrayLike) -> Array:
        """Return the convolution of a signal (..., in, time)."""
        x = as_signal(x, self.in_channels)
        y = op.correlate(
            x,
            self.weight,
            stride=self.stride,
            pads=self.pads,
            dilation=self.dilation,
            groups=self.groups,
            border=self.padding_mode,
        )
        return add_bias(y, self.bias_phases)

    @property
    def length(self) -> int:
        """Number of taps, as the article counts them: dilation not included."""
        return int(self.weight.shape[-1])

    @property
    def in_channels(self) -> int:
        """Channels taken."""
        return int(self.weight.shape[1]) * self.groups

    @property
    def out_channels(self) -> int:
        """Channels given."""
        return int(self.weight.shape[0])

    @property
    def normal(self) -> StretchFilter:
        """L = 1, h = the kernel reversed, offset = taps − 1 − p."""
        if self.stride > 1:
            hint = "ask only for chains whose layers keep or raise the rate"
            raise NotAnalysable(complaint("normal form", f"a convolution of stride {self.stride}", "stride 1", hint))
        h = dense(op.zero_stuff(self.weight, self.dilation)[..., ::-1], self.groups)
        reach, (left, right) = h.shape[-1] - 1, self.pads
        return StretchFilter(1, h, offset=reach - left, excess=left + right - reach, border=self.padding_mode)

    @property
    def bias_phases(self) -> Array | None:
        """The bias, (out, 1)."""
        return None if self.bias is None else self.bias[:, None]


@value
class TransposedConv:
    """Transposed convolution, as ``torch.nn.ConvTranspose1d``: stamps that overlap and add.

    ``y[o, ns + kd − p] += w[i, o, k] x[i, n]``, plus the bias, over (time − 1)s − 2p + d(taps − 1) +
    output_padding + 1 samples.

    Eq. 1.4.

    Parameters
    ----------
    weight : array (in, out/groups, taps)
    stride, padding, output_padding, dilation, groups : int
        As in Torch; ``output_padding < max(stride, dilation)``.
    bias : array (out,), optional

    Raises
    ------
    ValueError
        If weights have not three axes, a count is not in range, groups do not divide the channels, the bias does not
        fit, or output padding is not below stride or dilation.

    Examples
    --------
    >>> TransposedConv([[[1, 1, 1]]], stride=2)([[1, 1, 1]])
    array([[1, 1, 2, 1, 2, 1, 1]])
    """

    weight: Array
    _: KW_ONLY
    stride: int = 1
    padding: int = 0
    output_padding: int = 0
    dilation: int = 1
    groups: int = 1
    bias: Array | None = None
    op: ClassVar[str] = "convt"

    def __post_init__(self) -> None:
        check_kernel(self, self.weight, axis=1)
        check_output_padding(self.output_padding, self.stride, self.dilation)

    @property
    def factor(self) -> int:
        """The stride."""
        return self.stride

    def __call__(self, x: ArrayLike) -> Array:
        """Return the transposed convolution of a signal (..., in, time)."""
        y = op.overlap_add(
            as_signal(x, self.in_channels),
            self.weight,
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation=self.dilation,
            groups=self.groups,
            E=self._phases,
        )
        return add_bias(y, self.bias_phases)

    @cached_property
    def _phases(self) -> Array:
        """The weight laid out by phase: kept, since for large kernels it costs more than to use it."""
        return op.phase_matrix(self.weight, self.stride, self.dilation, self.groups)

    @property
    def length(self) -> int:
        """Number of taps, as the article counts them: dilation not included."""
        return int(self.weight.shape[-1])

    @property
    def in_channels(self) -> int:
        """Channels taken."""
        return int(self.weight.shape[0])

    @property
    def out_channels(self) -> int:
        """Channels given."""
        return int(self.weight.shape[1]) * self.groups

    @property
    def normal(self) -> StretchFilter:
        """L = s, h = the kernel with d − 1 zeros between taps (N in all), offset = p, excess = N − s − 2p + op."""
        w = op.zero_stuff(self.weight, self.dilation)
        inner, fan_out, taps = w.shape
        grouped = w.reshape(self.groups, inner // self.groups, fan_out, taps).swapaxes(1, 2)
        h = dense(grouped.reshape(self.groups * fan_out, inner // self.groups, taps), self.groups)
        excess = taps - self.stride - 2 * self.padding + self.output_padding
        return StretchFilter(self.stride, h, offset=self.padding, excess=excess)

    @property
    def bias_phases(self) -> Array | None:
        """The bias, (out, 1)."""
        return None if self.bias is None else self.bias[:, None]


@value
class SubpixelConv:
    """Sub-pixel convolution: a convolution to L times the channels, then a periodic shuffle.

    ``y[c, tL + r] = Σ_i Σ_k w[cL + r, i, k] x̃[i, t + kd − p] + b[cL + r]``

    Eq. 3.1.

    Parameters
    ----------
    weight : array (out·L, in/groups, taps)
    factor : int
        L.
    padding, dilation, groups, bias, padding_mode
        Of the convolution, as for `Conv`; its bias is L-periodic in the output and so makes tones.
    order : {'crd', 'dcr'}
        Which channel of the convolution is phase r of channel c of C: cL + r, as ``torch.nn.PixelShuffle``, or
        r·C + c; see `dspref.interleave`.

    Raises
    ------
    ValueError
        If the factor does not divide the output channels, or the order is unknown; and as `Conv`.

    Examples
    --------
    >>> SubpixelConv([[[1]], [[2]]], 2)([[1, 10]])
    array([[ 1,  2, 10, 20]])
    """

    weight: Array
    factor: int
    _: KW_ONLY
    padding: int | str = 0
    dilation: int = 1
    groups: int = 1
    bias: Array | None = None
    padding_mode: str = "zeros"
    order: str = "crd"
    op: ClassVar[str] = "shuffle"

    def __post_init__(self) -> None:
        set_field(self, "factor", as_factor(self.factor))
        as_choice("order", self.order, ORDERS)
        check_kernel(self, self.weight, axis=0)
        if self.weight.shape[0] % self.factor:
            allowed = f"a multiple of the factor {self.factor}"
            raise ValueError(
                complaint("output channels", self.weight.shape[0], allowed, "the shuffle takes them in groups")
            )

    @property
    def pads(self) -> tuple[int, int]:
        """Samples by which the input is extended on the left and on the right."""
        return pads_of(self.padding, self.dilation * (self.weight.shape[-1] - 1))

    def __call__(self, x: ArrayLike) -> Array:
        """Return the sub-pixel convolution of a signal (..., in, time)."""
        x = as_signal(x, self.in_channels)
        y = op.subpixel(
            x,
            self.weight,
            self.factor,
            pads=self.pads,
            dilation=self.dilation,
            groups=self.groups,
            border=self.padding_mode,
            order=self.order,
        )
        return add_bias(y, self.bias_phases)

    @property
    def length(self) -> int:
        """Number of taps, as the article counts them: dilation not included."""
        return int(self.weight.shape[-1])

    @property
    def in_channels(self) -> int:
        """Channels taken."""
        return int(self.weight.shape[1]) * self.groups

    @property
    def out_channels(self) -> int:
        """Channels given."""
        return int(self.weight.shape[0]) // self.factor

    @property
    def normal(self) -> StretchFilter:
        """H = the L reversed phase filters interleaved, offset = (taps − 1 − p)L, excess = L(2p − taps + 1).

        Eq. 3.2.
        """
        L = self.factor
        low = dense(op.zero_stuff(self.weight, self.dilation)[..., ::-1], self.groups)
        h = interleave(low.swapaxes(0, 1), L, order=self.order).swapaxes(0, 1)
        reach, (left, right) = low.shape[-1] - 1, self.pads
        return StretchFilter(
            L, h, offset=(reach - left) * L, excess=(left + right - reach) * L, border=self.padding_mode
        )

    @property
    def bias_phases(self) -> Array | None:
        """The bias by phase, (out, L), whose spectrum is Eq. 3.3."""
        return None if self.bias is None else interleave(self.bias[:, None], self.factor, order=self.order)
