"""Lines in gradients: what strided convolutions and pooling leave in the gradient by their input.

The gradient of a convolution of stride s is the transposed convolution of the same weight: a stretch and a filter.
So a chain that lowers the rate, run backwards, is a chain of upsamplers, and all that `dspref.lines` says of those
holds for gradients, with input and output changed over. An upstream gradient μ makes at the input of such a layer

    ∂L/∂x[n] = Σ_t Σ_o μ_o w[o, i, n + p − ts],    with lines at k·r_{i−1}/s of amplitude  μ W(k/s)/s,

r_{i−1} the rate at the layer's input; layer i of strides s₁, s₂, … makes lines at multiples of sr/(s₁⋯s_i), and
layers before it repeat them.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, as_complex, as_fractions, as_integer, as_numbers, complaint, value
from dspref.chain import Chain
from dspref.gradients.adjointchain import adjoint_chain, lowering
from dspref.gradients.decimators import PhaseShuffle, phase_shuffle_attenuation
from dspref.nulls import nulls, provable


@value
class GradientLine:
    """One line in the gradient by the input.

    Attributes
    ----------
    freq : Fraction
        Cycles per input sample, 0 … 1/2.
    owner : int or None
        The rate-lowering layer at which it is new on the way back, counted from 1 at the input: the first that can
        make it. 0 is the reshape by a period. None if no layer lowers the rate.
    stage : int or None
        Its place in ``chain.stages``; None for the reshape.
    origins : tuple of int
        Every one whose incoming gradient can put a line here.
    amplitude : complex array (in,), or None
        c in ``Σ c e^{j2πfn}``, n the index of the input sample; None where it is not known.
    null : bool
        Whether it is proved that nothing is there.
    """

    freq: Fraction
    owner: int | None
    stage: int | None
    origins: tuple[int, ...]
    amplitude: Array | None = None
    null: bool = False

    def hz(self, sr: Fraction | float) -> Fraction:
        """Return the frequency in Hz at the input rate `sr`, exactly."""
        return self.freq * Fraction(sr)


def gradient_lines(chain: Chain, *, upstream: ArrayLike = 1, period: int = 1) -> tuple[GradientLine, ...]:
    """Return every line that a chain can put into the gradient by its input: k/D, k = 0 … ⌊D/2⌋.

    D is the product of the strides, times the period. Of a chain of linear layers with known weights, and an upstream
    gradient that is constant in time, the amplitudes are exact in the steady state, which ends with the reach of
    the kernels: ``c_k = 1/D Σ_n g[n] e^{−j2πkn/D}``.

    Of other chains they are not known, and the positions mean this: if the input is stationary, each feature map
    is so at its rate, and the *mean* of the gradient (over inputs) is periodic with period D, whatever the
    nonlinearities; so is its variance. With one map φ of single samples, the mean is that of the chain that has the
    gain E φ'(z_c) of each channel in its place. With more, products of derivatives that depend on one another are
    averaged, and no level follows from the weights alone.

    Parameters
    ----------
    chain : Chain
        Of layers that keep or lower the rate. `PhaseShuffle` makes it the mean gradient over all draws.
    upstream : number, array (out,), or (out, period)
        ∂L/∂y, the same at every time: 1 for L = Σ y. With one column for each column of the reshape.
    period : int
        p of a multi-period discriminator, which cuts the input into p columns ``x_r[n] = x[np + r]`` and runs the
        chain on each. Columns whose gradients differ make lines at k·sr/p; alike, they make none there.

    Returns
    -------
    tuple of GradientLine, by frequency; the first is the mean of the gradient, at 0.

    Raises
    ------
    NotAnalysable
        If a stage raises the rate, or its positions have no fixed grid.

    References
    ----------
    A. Odena, V. Dumoulin, C. Olah, "Deconvolution and checkerboard artifacts", Distill 2016: gradients of strided
    convolutions are transposed convolutions.

    Examples
    --------
    >>> from dspref import parse
    >>> lines = gradient_lines(parse("conv k41 s4 p20 | leaky 0.2 | conv k41 s4 p20"))
    >>> [(str(line.hz(16000)), line.owner) for line in lines[1:5]]
    [('1000', 2), ('2000', 2), ('3000', 2), ('4000', 1)]
    """
    p, back = as_integer("period", period, 1), adjoint_chain(chain)
    D, means = back.factor * p, _means(back, upstream, p)
    period_of = _one_period(back, means)
    amplitudes = None if period_of is None else np.fft.fft(as_complex("amplitudes", period_of), axis=-1) / D
    null = nulls(_exact_period(back, means))
    sources = tuple(_sources(chain, p))
    lines = []
    for k in range(D // 2 + 1):
        freq = Fraction(k, D)
        able = [(number, place) for number, place, spacing in sources if freq % spacing == 0]
        owner, stage = able[0] if able else (None, None)
        amplitude = None if amplitudes is None else amplitudes[:, k]
        origins = tuple(number for number, _ in able)
        lines.append(GradientLine(freq, owner, stage, origins, amplitude, null(freq)))
    return tuple(lines)


def _sources(chain: Chain, p: int) -> Iterator[tuple[int, int | None, Fraction]]:
    """Yield number, place and line spacing 1/(p s₁⋯s_i) of all that lowers the rate, first to last."""
    if p > 1:
        yield 0, None, Fraction(1, p)
    rates = accumulate((Fraction(stage.factor) for stage in chain.stages), lambda a, b: a * b, initial=Fraction(1, p))
    next(rates)
    lowering = (
        (place, rate) for place, (stage, rate) in enumerate(zip(chain.stages, rates, strict=True)) if stage.factor < 1
    )
    for number, (place, rate) in enumerate(lowering, 1):
        yield number, place, rate


def _means(back: Chain, upstream: ArrayLike, p: int) -> Array:
    """Return the upstream gradient as (p,) or (out, p), one column for each of the reshape."""
    mean = as_numbers("upstream", upstream)
    if mean.ndim == 2 and mean.shape[1] != p:
        raise ValueError(complaint("upstream", f"{mean.shape[1]} columns", f"{p}, as the period"))
    if mean.ndim > 2:
        raise ValueError(complaint("upstream", f"shape {mean.shape}", "a number, (out,) or (out, period)"))
    back.checked_offset(mean[:, 0] if mean.ndim == 2 else mean)
    return mean if mean.ndim == 2 else np.repeat(mean[..., None], p, axis=-1)


def _one_period(back: Chain, means: Array) -> Array | None:
    """Return one period of the steady gradient, (in, D): that of each column, and these interleaved."""
    if not back.affine:
        return None
    columns = [back.offset_response(mean) for mean in np.moveaxis(means, -1, 0)]
    return np.stack(columns, axis=-1).reshape(columns[0].shape[0], -1)


def _exact_period(back: Chain, means: Array) -> Array | None:
    """Return the same with every number as the Fraction it is; None where that is not to be had."""
    proof = provable(back)
    if proof is None:
        return None
    try:
        return _one_period(proof, as_fractions(means))
    except TypeError:
        return None


def shuffle_attenuation(chain: Chain, freq: Fraction) -> float:
    """Return how much of a component of the input is left, in the mean over all phase shuffles of a chain.

    ``Π_i A(n_i, f s₁⋯s_i)``, the product over the shuffles, s₁⋯s_i the strides before each: a component f of the input
    stands at f s₁⋯s_i, up to whole cycles, in the feature map that is shifted; on the way back the gradient's line at f
    passes the same shuffles. So lines at multiples of sr/s₁, s₁ the first stride, are not attenuated by any shuffle
    after it: there they stand at 0.

    Parameters
    ----------
    chain : Chain
        Linear, for the components of feature maps; positions hold for any.
    freq : Fraction
        Cycles per input sample.

    Returns
    -------
    float

    Examples
    --------
    >>> from dspref import Outline
    >>> wavegan = Chain([Outline("conv", 25, stride=4), PhaseShuffle(2), Outline("conv", 25, stride=4)])
    >>> [round(shuffle_attenuation(wavegan, Fraction(k, 16)), 12) for k in (1, 2, 4)]
    [-0.2, 0.2, 1.0]
    """
    down, left = 1, 1.0
    for stage in lowering(chain).stages:
        down *= Fraction(stage.factor).denominator
        if isinstance(stage, PhaseShuffle):
            left *= phase_shuffle_attenuation(stage.n, freq * down)
    return left
