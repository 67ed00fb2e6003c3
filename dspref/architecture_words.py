"""What a known architecture is: its words, rate and source; and words that families of architectures share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dspref.chain import Chain
from dspref.spec import parse

ARTICLE = "Pons et al., ICASSP 2021, arXiv 2010.14356"


@dataclass(frozen=True)
class Preset:
    """A known architecture.

    Attributes
    ----------
    name : str
    spec : str
        In words, see `dspref.spec`.
    sr : int
        Output rate in Hz at which it is known to be used.
    source : str
        Where kernels, strides and rate were read.
    note : str
        What the words leave out.
    """

    name: str
    spec: str
    sr: int
    source: str
    note: str

    @property
    def chain(self) -> Chain:
        """The layers."""
        return parse(self.spec)


def vocoder(rates: Sequence[int], kernels: Sequence[int]) -> str:
    """Return the words for a generator of the HiFi-GAN family.

    Padding is ``(k − s)//2`` as in its code. An odd k − s takes one sample of padding more and an
    output_padding of 1 (where s > 1 allows it), so that output length is s times input length.

    Examples
    --------
    >>> vocoder([8, 2], [16, 5])
    'conv k7 p3 | leaky 0.1 | convt k16 s8 p4 | leaky 0.1 | convt k5 s2 p2 op1 | leaky | conv k7 p3 | tanh'
    """
    ups = (f"leaky 0.1 | {exact(k, s)}" for s, k in zip(rates, kernels, strict=True))
    return " | ".join(["conv k7 p3", *ups, "leaky | conv k7 p3 | tanh"])


def snake_vocoder(rates: Sequence[int], kernels: Sequence[int]) -> str:
    """Return the words for a generator like BigVGAN: snake, of the blocks behind each layer; no map before the first.

    Its parameters begin as 1, of SnakeBeta both of them, which then is snake.

    Examples
    --------
    >>> snake_vocoder([4, 2], [8, 4])
    'conv k7 p3 | convt k8 s4 p2 | snake | convt k4 s2 p1 | snake | conv k7 p3 | tanh'
    """
    ups = (f"{exact(k, s)} | snake" for s, k in zip(rates, kernels, strict=True))
    return " | ".join(["conv k7 p3", *ups, "conv k7 p3 | tanh"])


def exact(k: int, s: int) -> str:
    """Return a transposed convolution whose output is s times as long as its input, where Torch has one.

    Examples
    --------
    >>> exact(16, 8), exact(25, 4)
    ('convt k16 s8 p4', 'convt k25 s4 p11 op1')
    """
    odd = min((k - s) % 2, s - 1)
    return f"convt k{k} s{s} p{(k - s + odd) // 2}" + (f" op{odd}" if odd else "")


def double(before: str, rates: Iterable[int]) -> str:
    """Return transposed convolutions of length 2s, each after `before`.

    Examples
    --------
    >>> double("elu", (8, 2))
    'elu | convt k16 s8 p4 | elu | convt k4 s2 p1'
    """
    return " | ".join(f"{before} | {exact(2 * s, s)}" for s in rates)


def repeated(stages: str, times: int) -> str:
    """Return stages so many times over.

    Examples
    --------
    >>> repeated("linear x2", 3)
    'linear x2 | linear x2 | linear x2'
    """
    return " | ".join([stages] * times)


RATES_KEPT = "residual stacks are not written: they keep the rate"
