"""Forward faults of several layers together."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from dspref.chain import Chain
from torchparity.mutants.correct import correct
from torchparity.mutants.likes import conv, convt, linear, nearest
from torchparity.mutants.registry import mutant


def odd_stack(rng: np.random.Generator) -> Chain:
    """Return a decoder of odd strides whose every layer gives s·time samples."""
    fifth, third = ({"taps": 2 * s, "stride": s, "padding": (s + 1) // 2, "output_padding": 1} for s in (5, 3))
    return Chain([convt(**fifth)(rng), convt(**third)(rng)])


def nearest_stack(rng: np.random.Generator) -> Chain:
    """Return nearest interpolation with convolutions around."""
    return Chain([conv(taps=3, padding=1)(rng), nearest(3)(rng), conv(taps=3, padding=1)(rng)])


def linear_stack(rng: np.random.Generator) -> Chain:
    """Return linear interpolation, then a convolution."""
    return Chain([linear(2)(rng), conv(taps=3, padding=1)(rng)])


@mutant("odd stride losing samples in a stack", stack=odd_stack)
def output_padding_forgotten(x: Tensor, p: Any) -> Tensor:
    """Crop an odd stride's surplus on both sides alike: one sample less per layer."""
    for stage in p.stages:
        x = correct(x, stage, output_padding=0 if stage.stride % 2 else stage.output_padding)
    return x


@mutant("lost samples filled with zeros", fault="odd stride losing samples in a stack", stack=odd_stack)
def lost_samples_filled(x: Tensor, p: Any) -> Tensor:
    """Make the length right with zeros."""
    for stage in p.stages:
        lost = stage.output_padding if stage.stride % 2 else 0
        x = F.pad(correct(x, stage, output_padding=stage.output_padding - lost), (0, lost))
    return x


@mutant("two stages in the wrong order", stack=nearest_stack)
def stages_exchanged(x: Tensor, p: Any) -> Tensor:
    """Run the first stage last."""
    first, *rest = p.stages
    for stage in (*rest, first):
        x = correct(x, stage)
    return x


@mutant("bias of the last stage dropped", fault="bias dropped", stack=linear_stack)
def last_bias_dropped(x: Tensor, p: Any) -> Tensor:
    """Add no bias in the last stage."""
    *most, last = p.stages
    for stage in most:
        x = correct(x, stage)
    return correct(x, last, bias=None)
