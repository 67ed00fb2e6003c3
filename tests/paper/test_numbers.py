"""Numbers that were reported by others or derived by hand, each computed by the library to the digits given."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.signal
import torch

from dspref import Chain, TransposedConv, leakage, parse, preset, tone_lines
from dspref.boundary import boundary
from dspref.designs import KaiserSinc, kaiser_sinc
from dspref.expected import Source, expected_spectrum
from dspref.expected.architectures import hifigan, melgan
from dspref.gradients import stft_gradient_lines
from torchparity.models.demucs import Demucs


def comb(chain: Chain, *, source: int = 1) -> Fraction:
    """Return the first line, in cycles per output sample, of an offset that enters layer `source` or a later one."""
    return next(line.freq for line in tone_lines(chain) if line.freq and any(i >= source for i in line.origins))


@pytest.mark.parametrize(
    ("name", "sr", "source", "hz"),
    [
        ("melgan", 22050, 1, "86.1328125"),  # "every 4 bins" of a 1024-point transform
        ("melgan", 22050, 2, "689.0625"),  # zero-mean input: the first offset is made behind layer 1
        ("rvc-40k", 40000, 2, "1000"),  # "every 1 KHz"
        ("demucs", 44100, 1, "10.7666015625"),
        ("encodec-24k", 24000, 1, "75"),
        ("encodec-32k", 32000, 1, "50"),
        ("dac-44k", 44100, 1, "86.1328125"),
        ("stable-audio", 44100, 1, "21.533203125"),
    ],
)
def test_combs_of_known_networks(name: str, sr: int, source: int, hz: str) -> None:
    chain = preset(name).chain
    assert preset(name).sr == sr
    assert comb(chain, source=source) * sr == Fraction(hz)
    lines = [line.hz(sr) for line in tone_lines(chain) if line.freq and line.origins[-1] >= source]
    assert all(f % Fraction(hz) == 0 for f in lines)


@pytest.mark.parametrize(
    ("name", "sr", "source", "hz", "over", "under"),
    [
        ("melgan", 22050, Source(80, covariance=(1.0,)), "689.0625", 22.4, -2.2),  # zero-mean input
        ("melgan", 22050, Source(80, constant=1.0, covariance=(1.0,)), "86.1328125", 5.0, None),  # with an offset
        ("melgan", 22050, Source(80, constant=1.0), "86.1328125", None, None),
        ("rvc-40k", 40000, Source(192, covariance=(1.0,)), "1000", 8.9, -3.4),
    ],
)
def test_combs_that_random_networks_show(
    name: str, sr: int, source: Source, hz: str, over: float | None, under: float | None
) -> None:
    """The finest comb that stands over the floor in a Hann spectrum of 1024 samples; the next finer one does not."""
    found = expected_spectrum(melgan() if name == "melgan" else hifigan(), source)
    heights = {
        comb.divisor: 10 * np.log10(comb.power / found.noise * 1024 / 1.5) if found.noise else np.inf
        for comb in found.combs
        if comb.power
    }
    finest = max(divisor for divisor, height in heights.items() if height > 0)
    assert Fraction(sr, finest) == Fraction(hz)
    assert over is None or round(heights[finest], 1) == over
    finer = [round(height, 1) for divisor, height in heights.items() if divisor > finest]
    assert finer == ([] if under is None else [under])


def test_four_bins_of_a_transform_of_1024() -> None:
    assert comb(preset("melgan").chain) == Fraction(4, 1024)


def test_demucs_last_layer() -> None:
    chain = preset("demucs").chain
    last = [line.hz(44100) for line in tone_lines(chain) if line.owner == 6]
    assert last[-2:] == [11025, 22050]
    assert last[0] in (0, 11025)
    assert chain.factor == 4096


def test_waveglow_groups_of_eight() -> None:
    chain = preset("waveglow").chain
    group = len(chain.upsamplers)
    assert [line.hz(22050) for line in tone_lines(chain) if line.owner == group and line.freq][:3] == [
        Fraction("2756.25"),
        Fraction("5512.5"),
        Fraction("8268.75"),
    ]


def test_istft_head_of_hop_4() -> None:
    assert [line.hz(16000) for line in tone_lines(parse("istft x4 k16"))][1] == 4000


@pytest.mark.parametrize(("up", "dbc"), [(2, -65.72), (3, -70.37), (4, -71.74), (8, -72.97)])
def test_resample_poly(up: int, dbc: float) -> None:
    found = leakage(lambda x: scipy.signal.resample_poly(x, up, 1), up)
    assert found.worst_dbc is not None
    assert round(found.worst_dbc, 2) == dbc


def test_kaiser_sinc_of_alias_free_activations() -> None:
    """K = 6·ratio taps of sum 1; no tone at ratio 2, and between the two levels given at ratios 3 to 10."""
    assert leakage(KaiserSinc(2), 2).worst_dbc is None
    levels = []
    for ratio in range(2, 11):
        taps = kaiser_sinc(ratio)
        assert len(taps) == 6 * ratio
        assert abs(taps.sum() - 1) < 1e-15 * len(taps)
        levels.append(leakage(taps, ratio).worst_dbc)
    assert levels[0] is None or levels[0] < -300
    rest = [round(level, 1) for level in levels[1:] if level is not None]
    assert (rest[0], rest[-1]) == (-62.8, -65.6)
    assert rest == sorted(rest, reverse=True)
    assert len(rest) == 8


def test_nine_taps_by_three() -> None:
    taps = [4066, 6261, 8133, 9391, 9834, 9391, 8133, 6261, 4066]
    assert [sum(taps[r::3]) for r in range(3)] == [21590, 22356, 21590]
    wrong = leakage(taps, 3)
    (line,) = wrong.lines
    assert (line.freq, line.null) == (Fraction(1, 3), False)
    cured = leakage([5878 if t == 6261 else t for t in taps], 3)
    assert cured.worst_dbc is None
    assert all(line.null for line in cured.lines)


def test_figure_5() -> None:
    """Eight ones with stride 6: 1 1 1 1 2 2 within; with stride 4: 2, and 1 in the four samples at each end."""
    partial = boundary(TransposedConv(np.ones((1, 1, 8), int), stride=6), 10)
    assert partial.steady.ravel().tolist() == [2, 2, 1, 1, 1, 1]
    assert partial.head.ravel().tolist() == [1, 1]
    full = boundary(TransposedConv(np.ones((1, 1, 8), int), stride=4), 10)
    assert set(full.steady.ravel().tolist()) == {2}
    assert full.head.ravel().tolist() == full.tail.ravel().tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(("context", "millions"), [(1, "648.548"), (3, "703.148")])
def test_parameters_of_demucs(context: int, millions: str) -> None:
    with torch.device("meta"):
        net = Demucs(encoder_context=context)
    assert f"{sum(p.numel() for p in net.parameters()) / 1e6:.3f}" == millions


@pytest.mark.parametrize(("K", "s", "db"), [(3, 2, -9.54)])
def test_three_ones_by_two(K: int, s: int, db: float) -> None:
    offset, tone = tone_lines(Chain([TransposedConv(np.ones((1, 1, K), int), stride=s)]))
    assert offset.amplitude is not None
    assert tone.amplitude is not None
    assert round(20 * np.log10(abs(tone.amplitude[0] / offset.amplitude[0])), 2) == db


@pytest.mark.parametrize(("window", "hop", "db"), [(240, 50, -68.6), (1024, 256, None), (512, 256, -15.6)])
def test_stft_losses(window: int, hop: int, db: float | None) -> None:
    levels = [line.level_dbc for line in stft_gradient_lines("hann", hop, length=window)[1:] if not line.null]
    assert (round(max(level for level in levels if level is not None), 1) if levels else None) == db
