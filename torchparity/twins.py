"""A stream with whole numbers for weights, of which all sums are exact: its twin is compared bit for bit."""

from __future__ import annotations

import copy
import dataclasses
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from dspref.arrays import NotAnalysable
from torchparity.arithmetic import DTYPES
from torchparity.binding import WHOLE, arrays_of, held_by, whole_twin
from torchparity.calls import private_copy
from torchparity.cases import Case
from torchparity.rig import Rig
from torchparity.takes import maker, restarted, whole


class Whole(nn.Module):
    """A stream as a layer for whole signals: begun anew for each, its delay taken off, as long as the layer's output.

    What a stream without a flush keeps to itself is 0 here.
    """

    def __init__(self, stream: nn.Module, layer: Any, latency: int) -> None:
        super().__init__()
        self.stream, self.layer, self.latency = stream, layer, latency

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, out, time') for a signal (batch, in, time)."""
        y = whole(lambda: restarted(copy.deepcopy(self.stream)), x)[..., self.latency :]
        due = self.layer(x.detach().double().cpu().numpy()).shape[-1]
        return F.pad(y, (0, due - y.shape[-1]))


def twin(rig: Rig, seed: int) -> Rig:
    """Return the rig with whole numbers for weights, where the stream is a module and its parameters are the layer's.

    A stream that computes something of its weights when it is made goes on with what it has computed, whatever its
    parameters are by then: it has no twin, nor has one of several layers. Layers that have whole numbers need none.
    """
    stream, job = rig.new(), rig.job
    is_whole = job.whole(Case("integer", (1, job.channels, 1), rig.a.name, seed)) is not None
    if is_whole or job.probed or not arrays_of(job.layer) or not isinstance(stream, nn.Module):
        return rig
    try:
        base = private_copy(stream, rig.a.dtype, allowed=DTYPES)
    except NotAnalysable:
        return rig
    named = held_by(Whole(base, job.layer, rig.latency), job.layer)
    held = {name: key.removeprefix("stream.") for name, key in named.items()}
    size = WHOLE if rig.a.digits >= 24 else 2
    made = whole_twin(base, job.layer, held, size=size, seed=seed)
    if made is None:
        return rig
    new = maker(made[0], rig.a.dtype, rig.device)
    made_so = f"takes.maker(make, {rig.a.dtype!r}, {rig.device!r})(), {held!r}, size={size}, seed={seed}"
    before = f"s = binding.with_whole({made_so}); "
    exact = dataclasses.replace(job, run=partial(whole, new), layer=made[1])
    return dataclasses.replace(rig, new=new, job=exact, stream="s", before=before)
