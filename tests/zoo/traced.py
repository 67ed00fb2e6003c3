"""A decoder of the zoo as `torchparity.rates` sees it, in the words of the table."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torchparity.rates import Rates, Resampler, rates

from dspref.spec import token
from tests.zoo.measured import noise
from tests.zoo.table import Row


def traced(row: Row, module: nn.Module) -> Rates:
    """Trace one decoder, on noise laid out as it takes it."""
    return rates(module, lambda length: row.arguments(noise(row, length)), output_of=row.waveform)


def words(resamplers: Iterable[Resampler]) -> list[str]:
    """Return their words in the order in which they ran: of the layer where it is known, else kind and factor."""
    return [token(r.layer) if r.layer is not None else f"{r.kind} x{r.factor}" for r in resamplers]
