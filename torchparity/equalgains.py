"""Which upsampling layers of a module have phases of equal gains, with the weights that it has: tone-free layers."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from dspref.arrays import NotAnalysable
from dspref.chain import Chain, Pointwise, Stage
from dspref.outline import Outline
from torchparity.describe import describe
from torchparity.spine import Layer, Spine


def tone_free_layers(module: nn.Module, found: Spine) -> tuple[int, ...]:
    """Return the numbers of the layers that are known to keep a constant constant, up to rounding.

    Examples
    --------
    >>> from torchparity.spine import spine
    >>> module = nn.Sequential(nn.Upsample(scale_factor=2), nn.ConvTranspose1d(1, 1, 4, stride=2))
    >>> tone_free_layers(module, spine(module, 1))
    (1,)
    """
    return tuple(layer.owner for layer in found.layers if equal_gains(_stage(module, layer), _unit(module)))


def equal_gains(stage: Stage | None, u: float) -> bool:
    """Return whether the phases of a layer have the same gain, and the same bias, up to rounding of its weights.

    Sums of taps that were projected in an arithmetic of unit u differ by at most ``2 (K + 4) u Σ abs(h)``: each
    difference of gains by K + 3 roundings, each tap by one more. Here h are the taps before that, which may be larger
    than what is left of them: the largest kernel of the layer stands for them.
    """
    if stage is None or isinstance(stage, (Outline, Pointwise)):
        return False
    h, bias = stage.normal, stage.bias_phases
    gains, taps = np.asarray(h.phase_gains, complex), np.abs(np.asarray(h.h, complex))
    bound = 2 * (taps.shape[-1] + 4) * u * taps.sum(axis=-1).max()
    one_bias = bias is None or bool((bias == bias[..., :1]).all())
    return one_bias and bool((np.abs(gains - gains[0]) <= bound).all())


def _unit(module: nn.Module) -> float:
    kinds = {p.dtype for p in module.parameters() if p.is_floating_point()}
    return max((torch.finfo(kind).eps / 2 for kind in kinds), default=0.0)


def _stage(module: nn.Module, layer: Layer) -> Stage | None:
    """Return a layer with its weights: as the chain has it, else as the module of its name is described."""
    if layer.stage is not None and not isinstance(layer.stage, Outline):
        return layer.stage
    parts, words = dict(module.named_modules()), layer.name.split(".")
    for n in range(len(words), 0, -1):
        try:
            stage = describe(parts[".".join(words[:n])])
        except (KeyError, NotAnalysable):
            continue
        if not isinstance(stage, Chain) and stage.factor == layer.factor:
            return stage
    return None
