"""Forms of layers against what the layers compute, at the ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dspref import StretchFilter
from torchparity.nn.canonical import of_two_layers

PADS = [(3, 3), (0, 0), (1, 4), (-1, 2), (5, 0)]


@pytest.mark.parametrize("border", ["zeros", "replicate"])
@pytest.mark.parametrize("pads", PADS)
@pytest.mark.parametrize("offset", range(6))
def test_ends_are_where_an_unsymmetric_interpolation_holds_or_cuts_its_own(
    border: str, pads: tuple[int, int], offset: int
) -> None:
    """Positive taps and samples: where one more sample is looked at, or one less, the output is another one."""
    taps = np.arange(1, 8)
    g = StretchFilter(2, taps, offset=offset, excess=0, border=border)
    w, x = torch.tensor([[[1.0, 2.0, 4.0]]]).double(), np.arange(1, 21)[None]
    u = np.pad(g(x), ((0, 0), pads)) if min(pads) >= 0 else np.pad(g(x), ((0, 0), (0, pads[1])))[:, -pads[0] :]
    y = np.correlate(u[0], [1, 2, 4], "valid")
    form = of_two_layers(g, w, None, pads=pads, dilation=1, groups=1)
    z = StretchFilter(2, form.h[0, 0].numpy(), offset=form.offset, excess=form.excess)(x)[0]
    assert z.shape == y.shape
    differ, middle = np.flatnonzero(y != z), len(y) // 2
    first, last = form.ends
    assert first == 1 + max(differ[differ < middle], default=-1)
    assert last == len(y) - min(differ[differ >= middle], default=len(y))
