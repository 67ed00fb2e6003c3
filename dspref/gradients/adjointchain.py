"""The way back through layers that lower the rate, as a chain of upsamplers.

The adjoint of ``y[o, t] = Σ_i Σ_k w[o, i, k] x[i, ts + k − p]`` is ``g[i, n] = Σ_o Σ_t w[o, i, n + p − ts] ḡ[o, t]``:
a stretch by s and a filter, the transposed convolution of the same weight. `dspref.adjoints` has the gradients
themselves, of every layer and border; this module has their steady state in the words of `dspref.chain`.
"""

from __future__ import annotations

from fractions import Fraction
from functools import singledispatch
from typing import Any

import numpy as np

from dspref.arrays import NotAnalysable, complaint
from dspref.chain import Chain, Pointwise, Stage
from dspref.gradients.decimators import Pool
from dspref.interpolate import Interpolate
from dspref.interpolators import FilterInterp
from dspref.layers import Conv, TransposedConv
from dspref.outline import Outline
from dspref.spec import token


def adjoint_chain(chain: Chain) -> Chain:
    """Return the chain that takes the gradient by the output to the gradient by the input.

    Last stage first, each by its adjoint: a convolution of stride s becomes the transposed convolution of the same
    weight; the mean of K, stretch by s and the box of K over K; a phase shuffle, its mean over draws, mirrored.
    What is not linear becomes an `Outline` as long as what it looks at, a gain that changes in time: of it nothing
    is known but its rate.

    Equal to the adjoint on every sample where the output's length is the shortest that the input's can make
    (Torch's output_padding would add what is cut) and borders are of zeros; elsewhere in the steady state.

    Parameters
    ----------
    chain : Chain

    Returns
    -------
    Chain
        Of factor 1 over that of the chain.

    Raises
    ------
    NotAnalysable
        If a stage raises the rate: its adjoint is a decimation, not an upsampler.

    Examples
    --------
    >>> from dspref import Conv
    >>> back = adjoint_chain(Chain([Conv([[[1, 2, 3]]], stride=2)]))
    >>> back([[1, 1]])
    array([[1, 2, 4, 2, 3]])
    """
    return Chain(adjoint_stage(stage) for stage in reversed(lowering(chain).stages))


def lowering(chain: Chain) -> Chain:
    """Return the chain, if every stage keeps the rate or divides it by an integer."""
    if not isinstance(chain, Chain):
        raise TypeError(complaint("discriminator", repr(chain), "a Chain", "write Chain([layer]), or parse() words"))
    for place, stage in enumerate(chain.stages):
        factor = Fraction(stage.factor)
        if factor.numerator != 1:
            got = f"{stage.op} at {factor} (stage {place})"
            hint = "lines in what an upsampler gives, not in its gradient, are what dspref predict lists"
            raise NotAnalysable(complaint("gradient of a chain", got, "stages that keep the rate or divide it", hint))
    return chain


@singledispatch
def adjoint_stage(stage: Any) -> Stage:
    """Return the adjoint of one stage as a stage; a layer elsewhere registers its own.

    Any stage that has a normal form without stretch is transposed by it: ``h[i, o, −k]``.

    Parameters
    ----------
    stage : layer or Pointwise

    Returns
    -------
    layer, Outline or Pointwise
    """
    u = stage.normal
    h = u.h[..., ::-1] if u.h.ndim == 1 else u.h.swapaxes(0, 1)[..., ::-1]
    return FilterInterp(1, h, offset=u.h.shape[-1] - 1 - u.offset, excess=-u.excess)


@adjoint_stage.register
def _(stage: Conv) -> Stage:
    (left, right), s, d = stage.pads, stage.stride, stage.dilation
    if left == right:
        return TransposedConv(stage.weight, stride=s, padding=left, dilation=d, groups=stage.groups)
    even = TransposedConv(stage.weight, stride=s, dilation=d, groups=stage.groups).normal  # 'same', kernel even
    return FilterInterp(s, even.h, offset=left, excess=even.excess - left - right)


@adjoint_stage.register
def _(stage: Outline) -> Stage:
    if stage.op == "shuffle":  # by 1: a convolution
        return Outline("conv", stage.length, padding=stage.padding, dilation=stage.dilation, groups=stage.groups)
    op = "convt" if stage.op == "conv" else "conv"
    return Outline(
        op, stage.length, stride=stage.stride, padding=stage.padding, dilation=stage.dilation, groups=stage.groups
    )


@adjoint_stage.register
def _(stage: Pointwise) -> Stage:
    return Outline("conv", 1)


@adjoint_stage.register
def _(stage: Pool) -> Stage:
    if not stage.linear:
        return Outline("convt", stage.length, stride=stage.step, padding=stage.padding)
    excess = stage.length - stage.step - 2 * stage.padding
    return FilterInterp(stage.step, stage.taps, offset=stage.padding, excess=excess)


@adjoint_stage.register
def _(stage: Interpolate) -> Stage:
    """Take output 4, too far from the ends to be held: it stands at input 4s, with what it is drawn from."""
    s = 1 / Fraction(stage.factor)
    if stage.align_corners or stage.recompute_scale_factor:
        got, allowed = token(stage), "a fixed grid of positions: neither corners nor recompute"
        raise NotAnalysable(complaint("gradient of a chain", got, allowed, "give the factor alone"))
    drawn = stage.taps(9 * int(s))
    index, weights = drawn.index[:, 4], drawn.weights(np.zeros(0, object))[:, 0 if len(drawn.index) == 1 else 4]
    first = int(index.min())
    h = np.array([Fraction(0)] * (int(index.max()) - first + 1), object)
    np.add.at(h, index - first, weights)
    return FilterInterp(int(s), h, offset=4 * int(s) - first)
