"""Expected spectra: theory beside Monte Carlo of equal accuracy, the recursion of combs, and the largest matrices."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from dspref.expected import Source, architectures, expected_spectrum
from torchparity.expected_rows import OUT
from torchparity.models import melgan
from torchparity.sampled import sampled

ACCURACY = 0.2
"""dB: standard error to which draws are taken, of the comb that needs most of them."""

DRAWS, ROUNDS = 30, 15
FASTER, COMBS, FULL, MEMORY = 1000, 0.020, 20.0, 4 * 2**30


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def test_theory_is_a_thousand_times_faster_than_draws(benchmark: Any, show: Callable[[str], None]) -> None:
    """MelGAN, ones. Draws have many channels of output, which are as many networks for hardly more time than one."""
    theory = partial(expected_spectrum, architectures.melgan(out=OUT), Source(80, 1.0))
    draw = partial(melgan, out=OUT)
    made = sampled(draw, (8, 8, 2, 2), draws=2, inputs="ones").experiment
    found = [made.draw(i) for i in range(2)]

    def more() -> None:
        found.extend(made.draw(i) for i in range(2, DRAWS))

    each = seconds(more) / (DRAWS - 2)
    combs = np.array(found)[:, -2 - len(made.combs.divisors) : -2]
    spread = 10 / math.log(10) * float((combs.std(axis=0, ddof=1) / combs.mean(axis=0)).max())
    needed = (spread / ACCURACY) ** 2
    theory()
    ours = float(np.median([seconds(theory) for _ in range(ROUNDS)]))
    benchmark.pedantic(theory, rounds=ROUNDS)
    show(
        f"expected MelGAN: theory {1e3 * ours:.2f} ms; one draw {1e3 * each:.0f} ms, deviation {spread:.1f} dB, so "
        f"that {needed:.0f} draws, {needed * each:.0f} s, have {ACCURACY} dB: {needed * each / ours:.0f} times longer"
    )
    assert needed * each / ours >= FASTER


def test_combs_of_six_levels_take_milliseconds(benchmark: Any, show: Callable[[str], None]) -> None:
    """Demucs without its recurrent layers at the article's size: P = 4096."""
    steps, source = architectures.demucs_unet(), Source(1, covariance=(1.0,))
    found = expected_spectrum(steps, source)
    assert (found.period, found.route) == (4096, "combs")
    ours = float(np.median([seconds(lambda: expected_spectrum(steps, source)) for _ in range(ROUNDS)]))
    benchmark.pedantic(lambda: expected_spectrum(steps, source), rounds=ROUNDS)
    show(f"combs of a U-Net of six levels ×4: {1e3 * ours:.2f} ms")
    assert ours < COMBS


LARGEST = """
import json, resource, sys, time
from dspref.expected import Source, expected_spectrum
from dspref.expected.architectures import demucs_decoder, demucs_unet
steps, channels = (demucs_decoder(depth=6, kind=sys.argv[1]), 2048) if sys.argv[2] == "decoder" else (demucs_unet(), 1)
start = time.perf_counter()
found = expected_spectrum(steps, Source(channels, 1.0 if channels > 1 else 0.0, (1.0,)), route="full")
took, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([found.period, took, peak, len(found.lags)]))
"""


def test_the_largest_matrices_fit(show: Callable[[str], None]) -> None:
    """P = 4096 in a process of its own: its peak memory includes Python and NumPy."""
    for words in (("transposed", "unet"), ("linear", "decoder"), ("nearest", "decoder")):
        run = subprocess.run([sys.executable, "-c", LARGEST, *words], capture_output=True, text=True, check=True)
        period, took, peak, lags = json.loads(run.stdout)
        show(f"P × P at P = {period}, {' '.join(words)}, {lags} lags: {took:.1f} s, {peak / 2**30:.2f} GiB")
        assert period == 4096
        assert took < FULL
        assert peak < MEMORY
