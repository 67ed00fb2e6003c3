"""Stages that discriminators have beside strided convolutions: pooling, and WaveGAN's phase shuffle.

Both stand in a `Chain` like any layer; `dspref.gradients.lines` says what they do to a gradient.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, as_choice, as_integer, as_signal, complaint, did_you_mean
from dspref.multirate import extend, window
from dspref.stretchfilter import StretchFilter

WORDS = {"average": "avgpool", "max": "maxpool", "lp": "lppool"}
"""Kinds of pooling and their words; only the first is linear."""


@dataclass(frozen=True)
class Pool:
    """Pooling of K samples at every s-th: their mean, their maximum, or their p-norm.

    ``y[t] = 1/K Σ_k x̃[ts + k − pad]``, ``max_k x̃[ts + k − pad]`` or ``(Σ_k abs(x[ts + k])^p)^{1/p}``, 0 ≤ k < K.

    Parameters
    ----------
    kind : {'average', 'max', 'lp'}
        As ``torch.nn.AvgPool1d`` (with ``count_include_pad``), ``MaxPool1d`` and, for even p, ``LPPool1d``.
    length : int
        K.
    stride : int, optional
        s, K if not given.
    padding : int
        At most K/2, as in Torch; zeros for the mean, nothing for the maximum; 0 for the p-norm.
    power : int
        p.

    Raises
    ------
    ValueError
        If the kind is unknown, a count is not in range, or padding is more than Torch takes.
    NotAnalysable
        By ``normal``, for what is not an average of stride 1.

    Examples
    --------
    >>> Pool("average", 2)([[1, 3, 5, 9]]), Pool("max", 3, stride=2)([[1, 3, 2, 9, 5]])
    (array([[2., 7.]]), array([[3, 9]]))
    """

    kind: str
    length: int
    _: KW_ONLY
    stride: int | None = None
    padding: int = 0
    power: int = 2
    op: ClassVar[str] = "pool"
    bias: ClassVar[None] = None
    bias_phases: ClassVar[None] = None
    in_channels: ClassVar[None] = None
    out_channels: ClassVar[None] = None

    def __post_init__(self) -> None:
        as_choice("kind of pooling", self.kind, WORDS)
        as_integer("length of pooling", self.length, 1)
        object.__setattr__(self, "stride", as_integer("stride", self.length if self.stride is None else self.stride, 1))
        as_integer("power", self.power, 1)
        most = 0 if self.kind == "lp" else self.length // 2
        if as_integer("padding", self.padding, 0) > most:
            raise ValueError(complaint("padding of pooling", self.padding, f"0 … {most}, as Torch"))

    @property
    def step(self) -> int:
        """The stride, as an int."""
        return int(self.stride or self.length)

    @property
    def factor(self) -> int | Fraction:
        """1/stride."""
        return 1 if self.step == 1 else Fraction(1, self.step)

    @property
    def linear(self) -> bool:
        """Whether it is a filter: the mean is, the others are not."""
        return self.kind == "average"

    @property
    def words(self) -> str:
        """The words that `dspref.gradients.discriminators.read_discriminator` reads."""
        power = f" n{self.power}" if self.kind == "lp" else ""
        pad = f" p{self.padding}" if self.padding else ""
        return f"{WORDS[self.kind]} k{self.length} s{self.step}{pad}{power}"

    @property
    def taps(self) -> Array:
        """The K taps 1/K of the mean, exact."""
        return np.array([Fraction(1, self.length)] * self.length, object)

    @property
    def normal(self) -> StretchFilter:
        """The box of length K over K, for the mean at stride 1; other pooling is no stretch and filter."""
        if not self.linear or self.step > 1:
            allowed = "averages of stride 1"
            hint = "dspref.gradients.lines answers for its gradient"
            raise NotAnalysable(complaint("normal form", f"{self.words}", allowed, hint))
        reach = self.length - 1
        return StretchFilter(1, self.taps, offset=reach - self.padding, excess=2 * self.padding - reach)

    def __call__(self, x: ArrayLike) -> Array:
        """Return the pooled signal (..., channel, (time + 2·padding − K)//s + 1)."""
        x, pad = as_signal(x), self.padding
        least = self.length - 2 * pad
        if x.shape[-1] < max(least, 1):
            raise ValueError(complaint(f"time samples for {self.words}", x.shape[-1], f"at least {max(least, 1)}"))
        # a window that reaches the border has the sample at the border too: repeating it adds no maximum
        wide = extend(x, pad, pad, border="replicate" if self.kind == "max" else "zeros")
        K = np.lib.stride_tricks.sliding_window_view(wide, self.length, axis=-1)[..., :: self.step, :]
        if self.kind == "max":
            return np.asarray(K.max(axis=-1))
        if self.kind == "lp":
            return np.asarray((np.abs(K) ** self.power).sum(axis=-1) ** (1 / self.power))
        total = K.sum(axis=-1)
        return _over(total, self.length)


def _over(total: Array, n: int) -> Array:
    """Return a sum over the count of its terms: exact numbers as Fractions."""
    return np.asarray(total * Fraction(1, n) if total.dtype == object else total / n)


@dataclass(frozen=True)
class PhaseShuffle:
    """WaveGAN's phase shuffle: a shift by d samples, drawn evenly from −n … n; as a stage, its mean over the draws.

    One draw is ``y[t] = x̃[t − d]``, x̃ = x reflected at its ends. The mean over the 2n + 1 draws is a moving average,
    ``E y[t] = 1/(2n+1) Σ_d x̃[t − d]``, and that is all of it which is a filter.

    Parameters
    ----------
    n : int
        Largest shift; 0 for none.

    Raises
    ------
    ValueError
        If n is below 0; by ``shifted``, if a shift is beyond it.

    References
    ----------
    C. Donahue, J. McAuley, M. Puckette, "Adversarial audio synthesis", ICLR 2019; ``phaseshuffle`` in wavegan.py of
    github.com/chrisdonahue/wavegan.

    Examples
    --------
    >>> PhaseShuffle(1).shifted([[1, 2, 3]], 1), PhaseShuffle(1)([[1, 2, 6]])
    (array([[2, 1, 2]]), array([[1.66666667, 3.        , 3.33333333]]))
    """

    n: int
    op: ClassVar[str] = "phaseshuffle"
    bias: ClassVar[None] = None
    bias_phases: ClassVar[None] = None
    in_channels: ClassVar[None] = None
    out_channels: ClassVar[None] = None

    def __post_init__(self) -> None:
        as_integer("largest shift n", self.n, 0)

    @property
    def factor(self) -> int:
        """1."""
        return 1

    @property
    def length(self) -> int:
        """Number of draws, 2n + 1."""
        return 2 * self.n + 1

    @property
    def words(self) -> str:
        """The words that `dspref.gradients.discriminators.read_discriminator` reads."""
        return f"{self.op} n{self.n}"

    @property
    def draws(self) -> range:
        """The shifts, all as likely."""
        return range(-self.n, self.n + 1)

    def shifted(self, x: ArrayLike, d: int) -> Array:
        """Return one draw: the signal d samples later, reflected at its ends."""
        if d not in self.draws:
            raise ValueError(complaint("shift", d, f"{-self.n} … {self.n}"))
        x = as_signal(x)
        return window(extend(x, max(d, 0), max(-d, 0), border="reflect"), max(-d, 0), x.shape[-1])

    def __call__(self, x: ArrayLike) -> Array:
        """Return the mean over all draws, by drawing each once."""
        total = np.sum([self.shifted(x, d) for d in self.draws], axis=0)
        return _over(total, self.length)

    @property
    def normal(self) -> StretchFilter:
        """The moving average of length 2n + 1 around each sample, exact; reflected border."""
        taps = np.array([Fraction(1, self.length)] * self.length, object)
        return StretchFilter(1, taps, offset=self.n, border="reflect")


def phase_shuffle_attenuation(n: int, freq: Fraction) -> float:
    """Return the factor by which the mean over a phase shuffle's draws has less of a component.

    ``A = E e^{−j2πfd} = 1/(2n+1) Σ_{d=−n}^{n} cos 2πfd = sin(π(2n+1)f) / ((2n+1) sin πf)``

    the Dirichlet kernel: real, 1 at whole f, 0 where (2n+1)f is whole and f is not. It may be negative.
    Attenuated is the *mean over draws* of the complex amplitude: what gradients add up to in training, and what a
    discriminator can know of a phase. In each single draw the component keeps its level, and its phase turns by 2πfd;
    so its mean power is what it was, and a part 1 − A² of it has a random phase.

    Parameters
    ----------
    n : int
        Largest shift, in samples of the feature map that is shifted.
    freq : Fraction
        f in cycles per sample of that feature map; whole cycles do not matter.

    Returns
    -------
    float
        −1 … 1.

    Raises
    ------
    ValueError
        If n is below 0.

    Examples
    --------
    >>> [round(phase_shuffle_attenuation(2, Fraction(k, 4)), 12) for k in (1, 2, 4)]
    [-0.2, 0.2, 1.0]
    >>> phase_shuffle_attenuation(2, Fraction(2, 5))
    0.0
    """
    D, f = 2 * as_integer("largest shift n", n, 0) + 1, Fraction(freq) % 1
    if f == 0:
        return 1.0
    if (D * f).denominator == 1:
        return 0.0
    return float(np.sin(np.pi * float(D * f % 2)) / (D * np.sin(np.pi * float(f))))


def stage_words(op: str, numbers: dict[str, int]) -> Pool | PhaseShuffle:
    """Return the stage that a word and its numbers say: k, s, p and n.

    Examples
    --------
    >>> stage_words("avgpool", {"k": 4, "s": 2, "p": 1})
    Pool(kind='average', length=4, stride=2, padding=1, power=2)
    """
    allowed = LETTERS[as_choice("layer", op, LETTERS)]
    for letter in numbers:
        if letter not in allowed:
            hint = did_you_mean(letter, allowed)
            raise ValueError(complaint(f"parameter of {op}", repr(letter), ", ".join(allowed), hint))
    needed = "n" if op == "phaseshuffle" else "k"
    if needed not in numbers:
        raise ValueError(complaint(f"{op} without {needed}", op, f"{MEANING[needed]}, as {op} {needed}2"))
    if op == "phaseshuffle":
        return PhaseShuffle(numbers["n"])
    kind = next(kind for kind, word in WORDS.items() if word == op)
    given = {"s": "stride", "p": "padding", "n": "power"}
    return Pool(kind, numbers["k"], **{name: numbers[letter] for letter, name in given.items() if letter in numbers})


LETTERS = {"avgpool": ("k", "s", "p"), "maxpool": ("k", "s", "p"), "lppool": ("k", "s", "n"), "phaseshuffle": ("n",)}
"""The parameters of each stage, by their letters."""

MEANING = {"k": "the number of samples pooled", "n": "the largest shift"}
