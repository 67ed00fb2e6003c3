"""Interpolation and convolution in one layer, computed at the low rate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from torchparity.nn import fusing
from torchparity.nn.geometry import Geometry, geometry, linear, nearest, stretched

__all__ = ["FilterConv1d", "LinearConv1d", "NearestConv1d"]


class NearestConv1d(nn.Module):
    """Nearest-neighbour interpolation by L and the convolution behind it: ``y[m] = Σ_k w[k] ũ[m + kd − p] + b``.

    ``u[m] = x[⌊m/L⌋]`` is never computed: in polyphase form, at the rate of x,

        y[tL + r] = Σ_q W_r[q] x̂[t + q] + b,    W_r[q] = Σ w[k] over all k with ⌊(r + kd − p)/L⌋ = q

    Or, where that is faster (on a CPU, with many channels), as a transposed convolution of the same weights and a
    running sum of L, which takes K products for each sample of x in place of LK:

        y[n] = Σ_{j<L} v[n − j] + b,    v[n] = Σ_k w[k] x̂[(n + kd − p)/L] over all k with L | n + kd − p

    or, on a GPU, as one transposed convolution whose kernel is composed of both.

    Equal to ``nn.Sequential(nn.Upsample(scale_factor=L), nn.Conv1d(…))``, borders included, to rounding: terms are
    added in another order, so that both differ from the exact sum by at most ``n·u·Σ abs(w) abs(u)``, n the number of
    terms. Where sums are exact, bit by bit. But Torch finds ⌊m/L⌋ in floating point, by some factors (41, 47, 55, 61,
    …) a sample too early; this layer does not, in any form. What is not finite in x may reach (L − 1)d outputs further
    than two layers let it, where taps that are zero meet it. An exported program takes signals of all lengths that two
    layers take; where outputs near the borders are computed apart, 'auto' exports two layers for that.

    Parameters
    ----------
    in_channels, out_channels, kernel_size : int
    scale_factor : int
        L.
    padding : int, (int, int), 'same' or 'valid'
        As for `torch.nn.Conv1d`, in samples of u. A pair is (left, right); negative numbers crop.
    dilation, groups : int
    bias : bool
    padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}
    device, dtype
        As for `torch.nn.Conv1d`, whose initialisation and whose `state_dict` this layer has.
    form : {'auto', 'polyphase', 'running sum', 'transposed', 'two layers'}
        How it is computed, see `torchparity.nn.choice.faster`. An attribute, too.

    Raises
    ------
    ValueError
        If a size is not allowed; when called, if the two layers refuse so short a signal.
    TypeError
        If dtypes do not fit.

    References
    ----------
    P. P. Vaidyanathan, *Multirate Systems and Filter Banks*, Prentice Hall 1993, 4.2 and 4.3: noble identities and
    polyphase form.

    Examples
    --------
    >>> layer = NearestConv1d(1, 1, 3, scale_factor=2, padding=1, bias=False)
    >>> _ = nn.init.ones_(layer.weight)
    >>> layer(torch.tensor([[[1.0, 2.0, 3.0]]])).detach()
    tensor([[[2., 4., 5., 7., 8., 6.]]])
    >>> layer.two_layers()(torch.tensor([[[1.0, 2.0, 3.0]]])).detach()
    tensor([[[2., 4., 5., 7., 8., 6.]]])
    """

    weight: nn.Parameter
    bias: nn.Parameter | None
    phases: Tensor
    geometry: Geometry
    in_channels: int
    out_channels: int
    groups: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        scale_factor: int,
        padding: int | str | tuple[int, int] = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        form: str = "auto",
    ) -> None:
        super().__init__()
        shape = geometry(nearest(scale_factor), kernel_size, padding, dilation, padding_mode)
        fusing.equip(self, shape, (in_channels, out_channels, groups), bias, form, device=device, dtype=dtype)

    @classmethod
    def from_two_layers(cls, interpolation: nn.Module, conv: nn.Conv1d, *, share: bool = False) -> NearestConv1d:
        """Return the layer that does what two do, with a copy of their weights, or with these themselves."""
        found = fusing.read(interpolation, ("nearest", "nearest-exact"))
        made: NearestConv1d = fusing.of_two(partial(cls, scale_factor=found.factor), conv, share=share)
        return made

    form = fusing.form
    forward = fusing.forward
    two_layers = fusing.two_layers
    reset_parameters = fusing.reset_parameters
    extra_repr = fusing.extra_repr
    _apply = fusing.apply


class LinearConv1d(nn.Module):
    """Linear interpolation by L and the convolution behind it, on Torch's half-sample grid: `NearestConv1d` says how.

    Equal to ``nn.Sequential(nn.Upsample(scale_factor=L, mode="linear"), nn.Conv1d(…))``. Interpolation holds its
    ends, while the convolution sees zeros, or what `padding_mode` says, beyond them: the outputs whose taps
    reach there are computed by the two layers, on the few samples that they depend on.

    Torch computes positions in floating point, which are off by more than rounding for factors that are no powers of
    two. The polyphase form is exact to rounding at any length, and always chosen for these by 'auto': of a long
    signal it differs from the two layers by what Torch's positions are off. Exported, it wants signals as long as
    its borders: declare the least length of time so, or export ``form="two layers"``.

    Parameters
    ----------
    in_channels, out_channels, kernel_size : int
    scale_factor : int
        L.
    padding : int, (int, int), 'same' or 'valid'
    dilation, groups : int
    bias : bool
    padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}
    device, dtype
    form : {'auto', 'polyphase', 'transposed', 'two layers'}
        All as for `NearestConv1d`.

    Raises
    ------
    ValueError, TypeError
        As `NearestConv1d`.

    References
    ----------
    P. P. Vaidyanathan, *Multirate Systems and Filter Banks*, Prentice Hall 1993, 4.2 and 4.3.

    Examples
    --------
    >>> layer = LinearConv1d(1, 1, 3, scale_factor=2, padding=1, bias=False)
    >>> _ = nn.init.ones_(layer.weight)
    >>> layer(torch.tensor([[[0.0, 4.0]]])).detach()
    tensor([[[1., 4., 8., 7.]]])
    """

    weight: nn.Parameter
    bias: nn.Parameter | None
    phases: Tensor
    geometry: Geometry
    in_channels: int
    out_channels: int
    groups: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        scale_factor: int,
        padding: int | str | tuple[int, int] = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        form: str = "auto",
    ) -> None:
        super().__init__()
        shape = geometry(linear(scale_factor), kernel_size, padding, dilation, padding_mode)
        fusing.equip(self, shape, (in_channels, out_channels, groups), bias, form, device=device, dtype=dtype)

    @classmethod
    def from_two_layers(cls, interpolation: nn.Module, conv: nn.Conv1d, *, share: bool = False) -> LinearConv1d:
        """Return the layer that does what two do, with a copy of their weights, or with these themselves."""
        found = fusing.read(interpolation, ("linear",))
        made: LinearConv1d = fusing.of_two(partial(cls, scale_factor=found.factor), conv, share=share)
        return made

    form = fusing.form
    forward = fusing.forward
    two_layers = fusing.two_layers
    reset_parameters = fusing.reset_parameters
    extra_repr = fusing.extra_repr
    _apply = fusing.apply


class FilterConv1d(nn.Module):
    """Stretch + filter interpolation by any taps and the convolution behind it: `NearestConv1d` says how.

    ``u[m] = Σ_n h[m + offset − nL] x[n]``, 0 ≤ m < L·time + excess: equal to
    ``nn.Sequential(FilterInterp1d(L, h, offset=…), nn.Conv1d(…))``. Beyond its ends u is what `padding_mode` says,
    and not the tail of the filter: outputs whose taps reach there are computed by the two layers.

    Parameters
    ----------
    in_channels, out_channels, kernel_size : int
    scale_factor : int
        L.
    taps : sequence of float (taps,)
        h, which filters every channel alike: fixed, and not in the `state_dict`.
    offset : int
        Delay taken away, in output samples; ``(taps − 1)//2`` centres a symmetric filter.
    padding : int, (int, int), 'same' or 'valid'
    dilation, groups : int
    bias : bool
    padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}
    device, dtype
    form : {'auto', 'polyphase', 'transposed', 'two layers'}
        As for `NearestConv1d`.
    excess : int
        Length of u less L·time.

    Raises
    ------
    ValueError, TypeError
        As `NearestConv1d`; if taps are not one row of finite numbers.

    References
    ----------
    P. P. Vaidyanathan, *Multirate Systems and Filter Banks*, Prentice Hall 1993, 4.2 and 4.3.

    Examples
    --------
    >>> layer = FilterConv1d(1, 1, 1, 2, [0.5, 1.0, 0.5], offset=1, bias=False)
    >>> _ = nn.init.ones_(layer.weight)
    >>> layer(torch.tensor([[[2.0, 4.0]]])).detach()
    tensor([[[2., 3., 4., 2.]]])
    """

    weight: nn.Parameter
    bias: nn.Parameter | None
    phases: Tensor
    geometry: Geometry
    in_channels: int
    out_channels: int
    groups: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        scale_factor: int,
        taps: Sequence[float] | Tensor,
        offset: int = 0,
        padding: int | str | tuple[int, int] = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        form: str = "auto",
        excess: int = 0,
    ) -> None:
        super().__init__()
        shape = geometry(stretched(scale_factor, taps, offset, excess), kernel_size, padding, dilation, padding_mode)
        fusing.equip(self, shape, (in_channels, out_channels, groups), bias, form, device=device, dtype=dtype)

    @classmethod
    def from_two_layers(cls, interpolation: nn.Module, conv: nn.Conv1d, *, share: bool = False) -> FilterConv1d:
        """Return the layer that does what two do, with a copy of their weights, or with these themselves."""
        found = fusing.read(interpolation, ("filter",))
        make = partial(cls, scale_factor=found.factor, taps=found.taps, offset=found.offset, excess=found.excess)
        made: FilterConv1d = fusing.of_two(make, conv, share=share)
        return made

    form = fusing.form
    forward = fusing.forward
    two_layers = fusing.two_layers
    reset_parameters = fusing.reset_parameters
    extra_repr = fusing.extra_repr
    _apply = fusing.apply
