"""Replicas and maps of Torch's own outputs: figure 6 with a component of 600 Hz.

600 Hz at 4 kHz is 3/20 cycles per sample, no bin of a power of two. Every replica is ``(k ± 3/20)/8``, a multiple of
1/160: the output is periodic with 160 samples, and a transform of a multiple of 160 has every one on a bin.
"""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from dspref import Chain, Conv, TransposedConv, preset
from dspref.arrays import Array
from dspref.spectrum import average_spectrum, bifrequency, measure_lines, replicas
from torchparity.build import build

F0, PERIOD, SR = Fraction(600, 4000), 160, 32000


def figure_6(name: str, seed: int) -> Chain:
    """Return the preset with random real kernels of 9 taps, 1 channel in and out and 6 in between."""
    rng = np.random.default_rng(seed)
    channels = iter([(6, 1), (6, 6), (1, 6)])
    return Chain(
        Conv(rng.normal(size=(*next(channels), 9)), padding=4) if stage.op == "conv" else stage
        for stage in preset(name).chain.stages
    )


def in_torch(chain: Chain, x: Array) -> Array:
    with torch.no_grad():
        return np.asarray(build(chain, dtype="float64")(torch.from_numpy(x)[None])[0].numpy())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["fig6-nearest", "fig6-linear"])
def test_every_replica_of_600_hertz_is_measured_and_nothing_else(name: str, seed: int) -> None:
    chain = figure_6(name, seed)
    x = 2 * np.cos(2 * np.pi * float(F0) * np.arange(1200))[None]  # coefficient 1
    y = in_torch(chain, x)
    assert np.abs(y - chain(x)).max() <= 1e-12 * np.abs(y).max()
    steady = y[0, PERIOD * 4 : PERIOD * 54]
    predicted = replicas(chain, F0)
    assert [int(r.hz(SR)) for r in predicted] == [600, 3400, 4600, 7400, 8600, 11400, 12600, 15400]

    c = np.fft.rfft(steady) / steady.size
    bins = [int(r.freq * steady.size) for r in predicted]
    levels = 20 * np.log10(np.abs(c[bins]))
    assert np.abs(levels - [r.level_db for r in predicted]).max() < 1e-8  # asked for: 0.1 dB
    component = levels[0]
    assert levels - component == pytest.approx([r.relative_db for r in predicted], abs=1e-8)
    others = np.delete(np.abs(c), bins)
    assert 20 * np.log10(others.max()) - component < -250  # asked for: −120 dB

    measured = measure_lines(steady, [r.freq for r in predicted])
    assert [m.level_db for m in measured] == pytest.approx(levels, abs=1e-6)
    spectrum = average_spectrum(steady, PERIOD, bins_per_line=32)
    kept = np.ones(spectrum.power.size, bool)
    for b in (int(r.freq * spectrum.N) for r in predicted):
        kept[b - 6 : b + 7] = False  # the 13 bins of a line
    assert 10 * np.log10(spectrum.power[kept].max()) - component < -250


def test_the_map_predicts_torch_for_any_input() -> None:
    """Down by 4, up by 3 and by 2: what alias, image and filter make of noise, to 10⁻¹²."""
    rng = np.random.default_rng(0)
    layers: list[Any] = [
        Conv(rng.normal(size=(3, 2, 8)), stride=4, padding=2),
        TransposedConv(rng.normal(size=(3, 2, 5)), stride=3, padding=1),
        *figure_6("fig6-linear", 7).stages[2:3],
        Conv(rng.normal(size=(2, 2, 9)), padding=4),
    ]
    for chain in (Chain(layers), figure_6("fig6-nearest", 5)):
        u = bifrequency(chain)
        x = rng.normal(size=(chain.in_channels or 1, 20))
        y = u.predict(x)
        P = y.shape[-1]
        seen = in_torch(chain, np.tile(x, (1, 40)))[:, 20 * P : 21 * P]
        assert np.linalg.norm(seen - y) <= 1e-12 * np.linalg.norm(y)
