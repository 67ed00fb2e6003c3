"""Exact lines, with symbols too, against the lines in the output of Torch."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from dspref import Chain, nulls, tone_lines
from dspref.arrays import Array
from dspref.spec import parse, spec
from dspref.strategies import chains
from dspref.symbolic import lines, with_taps
from tests.dspref.test_lines import spectrum, steady_period
from tests.strategies import QUIET
from torchparity.build import build

KINDS = ["convt", "shuffle", "nearest", "linear", "conv"]


def measured(chain: Chain, offset: Array) -> Array:
    """Return the amplitudes at k/S in the steady output of Torch for a constant input, (channel, k)."""
    S, time = chain.factor, 1
    settled = chain.collapse()
    while (
        steady_period(np.zeros(settled.length(time) if settled.length(time) > 0 else 0), settled.steady(time), S).size
        == 0
    ):
        time *= 2
    x = torch.from_numpy(offset)[None, :, None].expand(1, -1, 2 * time).contiguous()
    with torch.no_grad():
        y = build(chain, dtype="float64")(x)[0].numpy()
    return spectrum(steady_period(y, settled.steady(2 * time), S)[:, :S])


@QUIET(max_examples=25)
@given(chains(KINDS, max_factor=8, max_layers=2), st.integers(0, 99))
def test_four_routes_to_the_lines_of_drawn_chains(chain: Chain, seed: int) -> None:
    """Exact by frequency; exact by time, for the nulls; floating point; and what Torch puts out."""
    means = np.random.default_rng(seed).integers(-5, 6, chain.in_channels or 1).astype(float)
    seen = measured(chain, means)
    loud = np.abs(seen).max() + np.abs(chain.offset_response(means).astype(float)).max()
    bound = (
        256 * chain.factor * 2.0**-53 * (loud + np.abs(chain.collapse().h.astype(float)).sum() * np.abs(means).max())
    )
    null = nulls.nulls(chain.offset_response(np.array([Fraction(m) for m in means])))
    for k, (line, rounded) in enumerate(zip(lines(chain, offset=means), tone_lines(chain, offset=means), strict=True)):
        assert rounded.amplitude is not None
        exact = np.array([complex(c) for c in line.amplitudes])
        assert np.abs(exact - rounded.amplitude).max() <= bound
        assert np.abs(exact - seen[:, k]).max() <= bound
        assert line.vanishes == null(line.freq)
        assert not line.vanishes or np.abs(seen[:, k]).max() <= bound


def test_symbols_stand_for_the_weights_that_torch_is_given() -> None:
    """One formula for all weights: numbers put into it give what Torch puts out."""
    words = "convt k5 s3 p1 | conv k3 p1 | shuffle x2 k2"
    chain = with_taps(parse(words))
    layers: list[Any] = list(chain.stages)
    formula = lines(chain)
    rng = np.random.default_rng(4)
    for _ in range(3):
        symbols = sorted({t for line in formula[1:2] for t in line.expr.free_symbols}, key=str)
        values = {t: int(rng.integers(-4, 5)) for t in symbols}
        put = np.vectorize(lambda t: int(t.subs(values)), otypes=[int])  # noqa: B023
        numbers = Chain(type(s)(put(s.weight), **options(s)) for s in layers)
        assert spec(numbers) == words
        seen = measured(numbers, np.array([float(values[t]) for t in symbols if str(t) == "mu"]))
        for k, line in enumerate(formula):
            c = complex(line.expr.subs(values))
            assert abs(c - seen[0, k]) <= 1e-12 * max(1, np.abs(seen).max())


def options(stage: object) -> dict[str, object]:
    """Return the other fields of a kernel."""
    names = ("stride", "padding", "factor")
    return {name: getattr(stage, name) for name in names if name in stage.__dataclass_fields__}  # type: ignore[attr-defined]
