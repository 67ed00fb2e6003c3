"""A decoder of the zoo as `torchparity.rates` sees it, in the words of the table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from torch import nn

from dspref.spec import token
from tests.zoo.measured import noise
from tests.zoo.row import Row
from torchparity.rates import Rates, Resampler, rates


def traced(row: Row, module: nn.Module) -> Rates:
    """Trace one decoder, on noise laid out as it takes it."""
    return rates(module, lambda length: row.arguments(noise(row, length // row.shorter)), output_of=row.waveform)


def way(found: Rates) -> str:
    """Return the net upsamplers of the chain in words, as they ran: branches are left out."""
    return " | ".join(_word(r) for r in found.net if not any(r is other for other in found.branches))


def counted(resamplers: Iterable[Resampler]) -> Counter[str]:
    """Count resamplers by their words, without padding and groups."""
    return Counter(re.sub(r" [pg]\d+", "", _word(r)) for r in resamplers)


def hidden(found: Rates) -> Counter[str]:
    """Count what was not understood by the types that it names in brackets."""
    return Counter(re.findall(r"\((\w+)[,)]", text)[0] for text in found.not_understood)


def _word(r: Resampler) -> str:
    """Return the layer's words where it is known, else function and factor."""
    return token(r.layer) if r.layer is not None else f"{r.kind} x{r.factor}"
