"""Upsampling layers that take their input in chunks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspref.arrays import complaint
from torchparity.nn.basic import check_signal
from torchparity.nn.extents import Extent, extent_of
from torchparity.nn.handover import check_plain

__all__ = ["StreamingConvTranspose1d", "StreamingUpsample1d"]


class StreamingConvTranspose1d(nn.Module):
    """A transposed convolution in chunks, by overlap-add: the tail of the chunks before is added, the new one kept.

    All that is given, and last `flush`, in a row is ``conv`` of the whole signal. The first `padding` samples are
    dropped once, the last ones never given; the bias is added to what is given, and so only once; of T input samples
    the outputs given are those that are there however the signal ends: ``Ts − max(padding, s + 2·padding − N −
    output_padding)``, N = d(taps − 1) + 1.

    Parameters
    ----------
    conv : nn.ConvTranspose1d
        It is used, not copied.

    Raises
    ------
    TypeError
        For other layers, and classes with a forward of their own: it is not run.
    ValueError
        For hooks but those of weight norm, as none is called; if a chunk has another batch than the one before; by
        ``flush``, if the whole signal was too short for the layer.

    Examples
    --------
    >>> conv = nn.ConvTranspose1d(1, 1, 3, stride=2, bias=False)
    >>> _ = nn.init.ones_(conv.weight)
    >>> stream = StreamingConvTranspose1d(conv).requires_grad_(False)
    >>> stream(torch.ones(1, 1, 1)), stream(torch.ones(1, 1, 2)), stream.flush()
    (tensor([[[1., 1.]]]), tensor([[[2., 1., 2., 1.]]]), tensor([[[1.]]]))
    """

    def __init__(self, conv: nn.ConvTranspose1d) -> None:
        super().__init__()
        _check_transposed(conv)
        self.conv, self.in_channels = conv, conv.in_channels
        self.reset()

    def reset(self) -> None:
        """Forget the signal: the next chunk begins a new one."""
        self._tail: Tensor | None = None
        self._time = self._given = 0

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, out, time') that a chunk (batch, in, time), which may be empty, makes final."""
        check_signal(x)
        if self._tail is not None:
            _check_alike(x, self._tail)
        s, p, taps, more = self._shape()
        tail = x.new_zeros(*x.shape[:-2], self.conv.out_channels, 0) if self._tail is None else self._tail
        start, before = p + self._given, self._time * s
        self._time += x.shape[-1]
        length = max(0, self._time * s + max(0, taps - s) - start)
        y = _window(tail, 0, length)
        if x.shape[-1]:
            y = y + _window(self._stamps(x), start - before, length)
        ready = max(0, self._time * s - max(p, s + 2 * p - taps - more) - self._given)
        self._given, self._tail = self._given + ready, y[..., ready:]
        return self._biased(y[..., :ready])

    def flush(self) -> Tensor:
        """Return the rest, and forget the signal."""
        s, p, taps, more = self._shape()
        length = (self._time - 1) * s - 2 * p + taps + more
        if self._tail is None or length < 1:
            raise ValueError(complaint(f"output length for {self._time} input samples", length, "at least 1"))
        rest = _window(self._tail, 0, length - self._given)
        self.reset()
        return self._biased(rest)

    def _shape(self) -> tuple[int, int, int, int]:
        """Return stride, padding, taps with the zeros of dilation between them, and output padding."""
        c = self.conv
        return c.stride[0], int(c.padding[0]), c.dilation[0] * (c.kernel_size[0] - 1) + 1, c.output_padding[0]

    def _stamps(self, x: Tensor) -> Tensor:
        c = self.conv
        return F.conv_transpose1d(x, c.weight, None, c.stride, 0, 0, c.groups, c.dilation)

    def _biased(self, y: Tensor) -> Tensor:
        return y if self.conv.bias is None else y + self.conv.bias[:, None]


def _check_transposed(conv: object) -> None:
    """Refuse what is not computed as a transposed convolution is, of its weight and sizes alone."""
    if isinstance(conv, nn.Module) and type(conv) in extent_of.registry:
        hint = "StreamingUpsample1d takes it"
        raise TypeError(complaint("layer", type(conv).__name__, "an nn.ConvTranspose1d", hint))
    check_plain(conv, nn.ConvTranspose1d)


def _check_alike(x: Tensor, before: Tensor, last: int = -2) -> None:
    """Refuse a chunk of another batch, or of other channels, than what is kept: it might be broadcast."""
    if x.shape[:last] != before.shape[:last]:
        allowed = f"{tuple(before.shape[:last])} before {'time' if last == -1 else 'channel and time'}"
        raise ValueError(complaint("chunk", f"shape {tuple(x.shape)}", f"{allowed}, as the chunk before"))


def _window(x: Tensor, start: int, length: int) -> Tensor:
    """Return samples ``start … start + length − 1``, zero where `x` is not defined."""
    kept, left = x[..., max(start, 0) : max(start + length, 0)], min(max(-start, 0), length)
    return F.pad(kept, (left, length - left - kept.shape[-1]))


class StreamingUpsample1d(nn.Module):
    """An upsampling layer in chunks: it is run on the samples that outputs to come look at.

    All that is given, and last `flush`, in a row is ``layer`` of the whole signal, its borders where the signal begins
    and ends. Chunks may have any lengths; few samples of the low rate are kept from one to the next:

        output    │ ······ given ······ │ given now │ latency │
        input           │← lead →│     chunk        │

    With whole numbers it is the same bit for bit; else the order of sums may differ with the length of what the
    layer is run on.

    Parameters
    ----------
    layer : NearestConv1d, LinearConv1d, FilterConv1d, SubpixelConv1d or WaveletUpsample1d
        It is used, not copied. For transposed convolutions see `StreamingConvTranspose1d`.

    Attributes
    ----------
    latency : int
        Output samples that wait for later input: of T input samples the outputs given are ``L·T − latency``.

    Raises
    ------
    TypeError
        For other layers.
    NotAnalysable
        For a circular border: the signal's end makes its beginning.
    ValueError
        If a chunk has other channels, or another batch, than the one before; by ``flush``, if the whole signal was too
        short for the layer.

    Examples
    --------
    >>> from torchparity.nn import SubpixelConv1d
    >>> layer, x = SubpixelConv1d(1, 1, 3, 2, padding=1).requires_grad_(False), torch.randn(1, 1, 9)
    >>> stream = StreamingUpsample1d(layer)
    >>> parts = [*map(stream, x.split([4, 0, 5], dim=-1)), stream.flush()]
    >>> [part.shape[-1] for part in parts], torch.allclose(torch.cat(parts, -1), layer(x), atol=1e-6)
    ([6, 0, 10, 2], True)
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.extent: Extent = extent_of(layer)
        self.layer, self.in_channels = layer, self.extent.channels[0]
        self.latency = self.extent.late
        self.reset()

    def reset(self) -> None:
        """Forget the signal: the next chunk begins a new one."""
        self._past: Tensor | None = None
        self._first = self._time = self._given = 0

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, out, time') that a chunk (batch, in, time), which may be empty, makes final."""
        check_signal(x)
        e, past = self.extent, self._past
        if past is not None:
            _check_alike(x, past, last=-1)
        past = x if past is None else torch.cat([past, x], dim=-1)
        self._time += x.shape[-1]
        ready = e.L * self._time - e.late if self._time >= e.least else 0
        y = self._outputs(past, max(ready, self._given))
        kept = max(0, min((self._given - e.lead) // e.L, self._time - e.least))  # neither ever falls
        self._past, self._first = past[..., kept - self._first :].clone(), kept  # the chunk is the caller's
        return y

    def flush(self) -> Tensor:
        """Return the rest, and forget the signal."""
        total = self.extent.L * self._time + self.extent.excess
        if self._past is None or not self._time or total < 1:
            raise ValueError(complaint(f"output length for {self._time} input samples", total, "at least 1"))
        y = self._outputs(self._past, total)
        self.reset()
        return y

    def _outputs(self, x: Tensor, end: int) -> Tensor:
        """Return outputs up to `end` that were not yet given, by the layer run on what is kept."""
        if end == self._given:
            return x.new_zeros(*x.shape[:-2], self.extent.channels[1], 0)
        start = self._first * self.extent.L
        y: Tensor = self.layer(x)[..., self._given - start : end - start]
        self._given = end
        return y
