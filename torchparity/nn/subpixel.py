"""Sub-pixel convolution."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspref.arrays import BORDERS, as_choice, as_integer, complaint
from dspref.kernels import pads_of
from dspref.multirate import ORDERS
from torchparity.nn.basic import PixelShuffle1d, check_floating, check_signal, shuffled_channels, single
from torchparity.nn.handover import check_plain, hand_over

__all__ = ["SubpixelConv1d"]


class SubpixelConv1d(nn.Module):
    """Sub-pixel convolution: a convolution to L times the channels, then a periodic shuffle.

    ``y[c, tL + r] = Σ_i Σ_k w[cL + r, i, k] x̃[i, t + kd − p] + b[cL + r]``, which is
    ``PixelShuffle1d(L)(conv(x))``. Weight and bias are those of the convolution, by name, shape and first values, so
    that what ``state_dict`` saved of an `nn.Conv1d` can be loaded.

    Parameters
    ----------
    in_channels, out_channels : int
        Of the layer: the convolution in it makes ``out_channels * upscale_factor``.
    kernel_size, upscale_factor : int
        K and L.
    padding : int, 'same' or 'valid'
        At the low rate.
    dilation, groups, bias, padding_mode, device, dtype
        As for `torch.nn.Conv1d`.
    order : {'crd', 'dcr'}
        Of the channels of the convolution, as for `PixelShuffle1d`.

    Attributes
    ----------
    weight : Parameter (out·L, in/groups, K)
    bias : Parameter (out·L,) or None

    Raises
    ------
    ValueError
        If a count is no whole number, groups do not divide the channels, or a word is unknown.
    TypeError
        If the dtype is not of floating-point numbers, or the input no tensor.

    Examples
    --------
    >>> SubpixelConv1d(2, 3, 3, 4, padding=1)(torch.zeros(1, 2, 10)).shape
    torch.Size([1, 3, 40])
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        upscale_factor: int,
        padding: int | str | tuple[int, ...] = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        order: str = "crd",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = as_integer("in_channels", in_channels, 1)
        self.out_channels = as_integer("out_channels", out_channels, 1)
        self.kernel_size = as_integer("kernel_size", single(kernel_size), 1)
        self.upscale_factor = as_integer("upscale_factor", upscale_factor, 1)
        self.dilation, self.groups = as_integer("dilation", single(dilation), 1), as_integer("groups", groups, 1)
        self.padding = _as_padding(single(padding))
        self.padding_mode = as_choice("padding_mode", padding_mode, BORDERS)
        self.order = as_choice("order", order, ORDERS)
        rows = self.out_channels * self.upscale_factor
        if in_channels % groups or rows % groups:
            allowed = f"a common divisor of {in_channels} and {rows}"
            raise ValueError(complaint("groups", groups, allowed, "the convolution makes out_channels · L channels"))
        check_floating(dtype)
        made = {"device": device, "dtype": dtype}
        self.weight = nn.Parameter(torch.empty(rows, in_channels // groups, self.kernel_size, **made))
        self.register_parameter("bias", nn.Parameter(torch.empty(rows, **made)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, as `torch.nn.Conv1d` does."""
        nn.Conv1d.reset_parameters(self)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, out, time·L) for a signal (batch, in, time)."""
        check_signal(x)
        padding = self.padding
        if self.padding_mode != "zeros":
            pads = pads_of(padding, self.dilation * (self.kernel_size - 1))
            x, padding = F.pad(x, pads, mode=self.padding_mode), 0
        y = F.conv1d(x, self.weight, self.bias, 1, padding, self.dilation, self.groups)
        return shuffled_channels(y, self.upscale_factor, self.order)

    @classmethod
    def from_two_layers(cls, conv: nn.Conv1d, shuffle: PixelShuffle1d | int) -> SubpixelConv1d:
        """Return the layer that a convolution and a shuffle are, with the convolution's own Parameters.

        Weight norm by either interface, and all other parametrizations, come along: they are shared too, so that an
        optimiser that holds the Parameters goes on. The convolution is left as it is.

        Parameters
        ----------
        conv : nn.Conv1d
            Of stride 1.
        shuffle : PixelShuffle1d, or its factor L

        Raises
        ------
        TypeError
            For modules of other types, and for a convolution with a forward of its own.
        ValueError
            For a stride, channels that L does not divide, a lazy convolution, and hooks other than weight norm's
            (pruning, the older spectral norm), which the new module would not have.

        Examples
        --------
        >>> conv = nn.Conv1d(2, 12, 3, padding=1)
        >>> layer = SubpixelConv1d.from_two_layers(conv, PixelShuffle1d(4))
        >>> layer.weight is conv.weight, bool((layer(x := torch.randn(1, 2, 9)) == PixelShuffle1d(4)(conv(x))).all())
        (True, True)
        """
        check_plain(conv, nn.Conv1d)
        if isinstance(shuffle, PixelShuffle1d):
            check_plain(shuffle, PixelShuffle1d)
        L, order = (shuffle.upscale_factor, shuffle.order) if isinstance(shuffle, PixelShuffle1d) else (shuffle, "crd")
        if not isinstance(L, int):
            raise TypeError(complaint("shuffle", type(shuffle).__name__, "a PixelShuffle1d, or its factor"))
        if conv.stride[0] != 1:
            raise ValueError(complaint("convolution", f"stride {conv.stride[0]}", "stride 1"))
        if conv.out_channels % as_integer("upscale_factor", L, 1):
            allowed = f"a multiple of the factor {L}"
            raise ValueError(complaint("output channels", conv.out_channels, allowed, "the shuffle takes groups"))
        padding = conv.padding if isinstance(conv.padding, str) else conv.padding[0]
        made = cls(
            conv.in_channels,
            conv.out_channels // L,
            conv.kernel_size[0],
            L,
            padding,
            conv.dilation[0],
            conv.groups,
            conv.bias is not None,
            conv.padding_mode,
            order,
            device="meta",
        )
        return hand_over(conv, made)

    def two_layers(self) -> nn.Sequential:
        """Return the convolution and the shuffle that it equals, with its own Parameters, and what makes them.

        Examples
        --------
        >>> SubpixelConv1d(2, 3, 5, 4).two_layers()
        Sequential(
          (0): Conv1d(2, 12, kernel_size=(5,), stride=(1,))
          (1): PixelShuffle1d(upscale_factor=4)
        )
        """
        border: Any = self.padding_mode
        conv = nn.Conv1d(
            self.in_channels,
            self.out_channels * self.upscale_factor,
            self.kernel_size,
            1,
            self.padding,
            self.dilation,
            self.groups,
            self.bias is not None,
            border,
            device="meta",
        )
        return nn.Sequential(hand_over(self, conv), PixelShuffle1d(self.upscale_factor, order=self.order))

    def extra_repr(self) -> str:
        """Return the parameters that are not at their defaults."""
        usual = {"padding": 0, "dilation": 1, "groups": 1, "padding_mode": "zeros", "order": "crd"}
        given = [f"{name}={value!r}" for name, default in usual.items() if (value := getattr(self, name)) != default]
        given += [] if self.bias is not None else ["bias=False"]
        sizes = f"kernel_size={self.kernel_size}, upscale_factor={self.upscale_factor}"
        return ", ".join([f"{self.in_channels}, {self.out_channels}, {sizes}", *given])


def _as_padding(padding: int | str) -> int | str:
    if isinstance(padding, str):
        return as_choice("padding", padding, ("same", "valid"))
    return as_integer("padding", padding, 0, "crop the output to cut more")
