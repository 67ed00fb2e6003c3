"""Which form of a fused layer is the fastest: by counts of products, and of what else takes as long as products do."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from torchparity.nn.geometry import Geometry
from torchparity.nn.modes import cast_to, exact, exported, traced
from torchparity.nn.polyphase import alongside
from torchparity.nn.products import few

FORMS = ("auto", "polyphase", "transposed", "two layers")
"""How a layer is computed: by the faster form, or by one of these."""

RUNNING = (*FORMS, "running sum")
"""So is nearest-neighbour interpolation."""

COMPOSING, STACKING, TURNING, LAYING = 200, 250, 85, 30
"""Products in the time of which a weight is made ready.

A tap of a phase is composed; a tap of a running sum is put in a bank, or in a matrix; one of two layers is laid out.
"""

SUMMING, SHUFFLING, MOVING, CALLING, APART = 60, 10, 20, 8e6, 1.3
"""Products in the time of which an output is summed of phases, or shuffled, a number of u moved, one layer called.

The last is the time of phases whose gradients are taken apart over that of others. They are the best of a grid for 279
sizes in single precision, but for `SUMMING`: less of it is as fast, and takes more memory. On a CPU with AVX-512 these
choices took 3 % more than the best form with the backward pass, 4 % without, double at most.
"""

GPU_COMPOSING, SURE, LAUNCHING, TENSOR = 50, 0.6, 1e9, 8e9
"""Of a GPU: products for a tap of a phase; share of two layers' time that one layer may take; products for a kernel.

The share is also that for signals of any length, and for half precision. A kernel is composed in single or double
precision, or with TF32. As was measured on an H100 (docs/benchmarks.md), which takes some 20 products in a picosecond,
or 80 and more.
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
    """Return the form that is faster, by counts for each phase, an Lth of the outputs.

    With n = in/groups, two layers take nK products, and move in/out numbers of u. The polyphase form takes nQ products
    and shuffles its outputs, twice where outer outputs are joined to them. Composing its weights costs `COMPOSING`
    products for each, once for all samples of x (batch·time, where that is known).

    `running` says that this is on a CPU, in single or double precision. There the constants above count, and the
    running sum can be had, of nearest neighbours: nK/L products, `STACKING` for each of its taps, or `TURNING` of few
    samples, and `SUMMING` for its sums. Elsewhere one layer must save more, as `SURE` says.

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
    n, Q, L, kind = in_channels // groups, g.span[1] - g.span[0] + 1, g.factor, g.interpolation.kind
    known, many = samples is not None, 1 if samples is None else samples
    counted = known and running
    laying, moving, shuffling = (LAYING, MOVING, SHUFFLING) if counted else (0, 2, 2)
    composing = known * (COMPOSING if launching is None else GPU_COMPOSING)
    moved = shuffling * (2 if any(g.outer) else 1)
    phases = out_channels * (n * Q * (many + composing) + moved * many)
    apart = counted and not alongside(out_channels // groups, L, Q, g.lead)
    costs: dict[str, float] = {"polyphase": phases * (APART if apart else 1)}
    if launching is not None:
        costs = {"transposed": math.inf if any(g.outer) else phases + launching / L}
    if running and kind == "nearest":
        taps = n * g.length / L * (many + known * (TURNING if few(many, n) else STACKING))
        costs["running sum"] = out_channels * (taps + (SUMMING + moved) * many)
    layers = out_channels * n * g.length * (many + laying / L) + moving * in_channels * many
    lowest = min(costs.values())
    least = next(form for form, cost in costs.items() if cost == lowest)
    most = layers - CALLING / L if counted else SURE * layers
    return least if inexact(g) or costs[least] <= most else "two layers"


def inexact(g: Geometry) -> bool:
    """Return whether Torch's positions are off by more than rounding."""
    return g.interpolation.kind == "linear" and bool(g.factor & (g.factor - 1))


def chosen(module: Any, x: Tensor) -> str:
    """Return the faster form. A program that is compiled or exported is one for all lengths.

    Of one that is exported, outer outputs would be computed apart in signals that are shorter than borders, too: what
    has any runs as two layers there. Half precision would round every partial sum of a running one.
    """
    if exported() and any(module.geometry.outer) and not inexact(module.geometry):
        return "two layers"
    sizes, dtype = (module.in_channels, module.out_channels, module.groups), cast_to(x) or x.dtype
    if traced():
        return faster(module.geometry, *sizes)
    starting = launching(dtype) if x.device.type == "cuda" else None
    running = x.device.type == "cpu" and dtype in (torch.float32, torch.float64)
    return faster(module.geometry, *sizes, len(x) * x.shape[-1], running=running, launching=starting)


def launching(dtype: torch.dtype) -> float:
    """Return what composing a kernel takes on a GPU, in products; half precision has none to spare."""
    if dtype not in (torch.float32, torch.float64):
        return math.inf
    return TENSOR if dtype == torch.float32 and not exact("cuda", "conv") else LAUNCHING
