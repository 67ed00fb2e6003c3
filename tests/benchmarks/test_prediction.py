"""Predictions by the layer beside predictions by the collapsed kernel, in turn in one run."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from dspref import Chain, TransposedConv, images, tone_lines

ROUNDS = 5


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def test_gains_layer_by_layer_beat_the_collapsed_kernel(benchmark: Any, show: Callable[[str], None]) -> None:
    """Images of a component through five layers of factor 4: each layer at its own rate, or all in one kernel."""
    rng = np.random.default_rng(0)
    widths = itertools.pairwise((16, 8, 4, 2, 1, 1))
    chain = Chain([TransposedConv(rng.normal(size=(a, b, 8)), stride=4, padding=2) for a, b in widths])
    component = Fraction(5, 43)

    def collapsed() -> list[Any]:
        u = chain.collapse()
        return [u.response(float(image.freq)) / u.L for image in found]

    found = images(chain, component)
    gains = [np.asarray(image.gain) for image in found]
    assert all(np.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in zip(gains, collapsed(), strict=True))
    ratios = [seconds(lambda: images(chain, component)) / seconds(collapsed) for _ in range(ROUNDS)]
    benchmark.pedantic(lambda: tone_lines(chain), rounds=1)
    show(f"images of 1024-fold upsampling, layer by layer over collapsed: median {np.median(ratios):.2f}")
    assert np.median(ratios) < 1
