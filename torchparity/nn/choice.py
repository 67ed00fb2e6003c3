"""Which form of a fused layer is the fastest: by counts of products, and of what else takes as long as products do."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from torchparity.nn.geometry import Geometry
from torchparity.nn.polyphase import traced

FORMS = ("auto", "polyphase", "transposed", "two layers")
"""How a layer is computed: by the faster form, or by one of these."""

RUNNING = (*FORMS, "running sum")
"""So is nearest-neighbour interpolation."""

COMPOSING, STACKING, SUMMING, SHARE = 150, 200, 80, 0.7
"""Products in the time of which a tap of a phase is composed, one is put in a bank, and an output is summed of phases.

And the share of two layers' time, by counts, up to which one layer is chosen. The best of a grid for 246 sizes, on a
CPU with AVX-512: these choices took 3 % more than the best form with the backward pass, 4 % without, double at most.
"""

GPU_COMPOSING, SURE, LAUNCHING, TENSOR = 50, 0.6, 1e9, 8e9
"""The same on a GPU, the share for any length, too; and products in the time of which a kernel is composed there.

In single or double precision, and with TF32.
As was measured on an H100 (docs/benchmarks.md), which takes some 20 products in a picosecond, or 80 and more.
"""


def faster(
    g: Geometry,
    in_channels: int,
    out_channels: int,
    groups: int,
    samples: int | None = None,
    *,
    running: bool = False,
    launching: float | None = None,
) -> str:
    """Return the form that is faster, by counts for each output sample and channel.

    With n = in/groups, two layers take nK products, and write and read 2·in/out numbers of u. The polyphase form
    takes nQ products, and the shuffle moves 2 numbers, twice that where outer outputs are joined to it. Composing
    its weights costs `COMPOSING` products for each, once for all samples of x (batch·time, where that is known).
    The running sum, of nearest neighbours and where it can be had, takes nK/L products, and `STACKING` for each of
    its taps, and `SUMMING` for its sums. Some of it must be saved, since short kernels run slower for each product.

    On a GPU the choice is between two layers and a transposed convolution, if that saves what composing its kernel
    takes: as many products as `launching` says. Outer outputs take longer there than all others.

    Of linear interpolation by no power of two Torch's positions are off by more than rounding, the more the longer
    a signal is: the two layers are never chosen.

    Examples
    --------
    >>> from torchparity.nn.geometry import nearest
    >>> [faster(Geometry(nearest(L), K, 1, (K // 2,) * 2, "zeros"), 64, 64, 1) for L, K in ((4, 9), (2, 3))]
    ['polyphase', 'two layers']
    >>> shape = Geometry(nearest(4), 9, 1, (4, 4), "zeros")
    >>> [faster(shape, C, C, 1, samples, running=True) for C, samples in ((64, 1000), (256, 1000))]
    ['polyphase', 'running sum']
    """
    n, Q, kind = in_channels // groups, g.span[1] - g.span[0] + 1, g.interpolation.kind
    known, on_gpu = samples is not None, launching is not None
    many = samples if samples is not None else 1
    composing, share = GPU_COMPOSING if on_gpu else COMPOSING, SHARE if known and not on_gpu else SURE
    moved = 2 if g.outer == (0, 0) else 4
    phases = out_channels * (n * Q * (many + known * composing) + moved * many)
    costs: dict[str, float] = {"polyphase": phases}
    if launching is not None:
        costs = {"transposed": math.inf if any(g.outer) else phases + launching / g.factor}
    if running and kind == "nearest":
        taps = n * g.length / g.factor * (many + known * STACKING)
        costs["running sum"] = out_channels * (taps + (SUMMING + moved) * many)
    layers = (out_channels * n * g.length + 2 * in_channels) * many
    least = min(costs, key=lambda form: costs[form])
    inexact = kind == "linear" and g.factor & (g.factor - 1)
    return least if inexact or costs[least] <= share * layers else "two layers"


def chosen(module: Any, x: Tensor) -> str:
    """Return the faster form. A program that is compiled or exported is one for all lengths.

    Half precision would round every partial sum of a running one.
    """
    sizes = module.in_channels, module.out_channels, module.groups
    if traced():
        return faster(module.geometry, *sizes)
    single = x.dtype in (torch.float32, torch.float64)
    starting = launching(x.dtype) if x.device.type == "cuda" else None
    running = x.device.type == "cpu" and single
    return faster(module.geometry, *sizes, len(x) * x.shape[-1], running=running, launching=starting)


def launching(dtype: torch.dtype) -> float:
    """Return what composing a kernel takes on a GPU, in products; half precision has none to spare."""
    if dtype not in (torch.float32, torch.float64):
        return math.inf
    return TENSOR if dtype == torch.float32 and torch.backends.cudnn.allow_tf32 else LAUNCHING
