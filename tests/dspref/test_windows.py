"""Windows and windowed sincs against SciPy, which computes them by other code."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from scipy import signal

from dspref.designs.windows import hann, kaiser, kaiser_attenuation, kaiser_beta, windowed_sinc

I0 = 5.8e-16
"""Relative error that NumPy's documentation gives for its I₀."""


@pytest.mark.parametrize("taps", [2, 5, 6, 12, 30])
@pytest.mark.parametrize("width", [0.01, 0.24, 1.2])
def test_attenuation_is_scipys(taps: int, width: float) -> None:
    assert kaiser_attenuation(taps, width) == signal.kaiser_atten(taps, width)


@pytest.mark.parametrize("attenuation", [0, 7.95, 20, 21, 21.1, 30, 50, 50.1, 51.02, 80, 120])
def test_beta_is_scipys(attenuation: float) -> None:
    assert kaiser_beta(attenuation) == signal.kaiser_beta(attenuation)


@pytest.mark.parametrize("K", [1, 2, 3, 12, 61, 160])
@pytest.mark.parametrize("beta", [0.0, 2.5, 5.0, 14.7])
def test_the_window_is_scipys_and_symmetric_to_the_last_bit(K: int, beta: float) -> None:
    w = kaiser((2 * np.arange(K) - (K - 1)) / max(K - 1, 1), beta)
    assert (w == w[::-1]).all()
    assert np.abs(w - signal.windows.kaiser(K, beta)).max() <= 4 * I0
    assert (np.kaiser(K, beta) == w).all()


@pytest.mark.parametrize("K", [3, 8, 49])
def test_hann_is_scipys(K: int) -> None:
    t = 2 * np.arange(K) / (K - 1) - 1
    assert np.abs(hann(t) - signal.windows.hann(K, sym=True)).max() <= 4 * 2.0**-53


@pytest.mark.parametrize("L", [2, 3, 4, 8])
def test_the_filter_of_resample_poly(L: int) -> None:
    """Ten zero crossings and β = 5, by its documentation; here the attenuation that has this β."""
    ours = windowed_sinc(L, zeros=10, window="kaiser", attenuation=5 / 0.1102 + 8.7)
    scipys = L * signal.firwin(20 * L + 1, 1 / L, window=("kaiser", 5.0))
    assert np.abs(ours - scipys).max() <= 16 * I0 * scipys.max()
    assert kaiser_beta(5 / 0.1102 + 8.7) == pytest.approx(5, rel=2.0**-50)


@pytest.mark.parametrize("A", [30.0, 40.0, 60.0, 80.0, 100.0])
def test_attenuation_and_transition_set_the_length(A: float) -> None:
    """SciPy's kaiserord and firwin make the same filter; Kaiser's formulae, which are fits, hold to one dB."""
    L, half_width = 4, 0.01
    h = windowed_sinc(L, window="kaiser", attenuation=A, half_width=half_width)
    assert h.size == signal.kaiserord(A, 4 * half_width)[0] // 2 * 2 + 1
    scipys = L * signal.firwin(h.size, 1 / L, window=("kaiser", signal.kaiser_beta(A)))
    assert np.abs(h - scipys).max() <= 16 * I0 * scipys.max()
    nu = np.linspace(0.5 / L + half_width, 0.5, 2001)
    stop = np.abs(np.exp(-2j * np.pi * np.outer(nu, np.arange(h.size))) @ h) / L
    assert -A - 1 <= 20 * np.log10(stop.max()) <= -A + 1


def test_length_and_transition_set_the_attenuation() -> None:
    h = windowed_sinc(4, window="kaiser", zeros=16, half_width=0.01)
    again = windowed_sinc(4, window="kaiser", zeros=16, attenuation=kaiser_attenuation(129, 0.04))
    assert (h == again).all()


@pytest.mark.parametrize("window", ["hann", "kaiser"])
@pytest.mark.parametrize("L", [1, 2, 3, 5])
def test_scales(window: str, L: int) -> None:
    """Integers of sinc's zeros: at rolloff 1 every L-th tap but the middle one is nothing but rounding."""
    plain, whole, phases = (windowed_sinc(L, zeros=6, window=window, scale=s) for s in ("none", "sum", "phases"))
    assert plain[plain.size // 2] == 1
    assert abs(whole.sum() - L) <= h_rounding(whole)
    assert all(abs(phases[r::L].sum() - 1) <= h_rounding(phases) for r in range(L))
    assert np.abs(whole - plain * (L / plain.sum())).max() <= h_rounding(whole)
    assert all((h == h[::-1]).all() for h in (plain, whole))


def h_rounding(h: Any) -> float:
    return float((h.size + 2) * 2.0**-53 * np.abs(h).sum())


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "window": ({"window": "hamming"}, "window: got 'hamming'; allowed: hann, kaiser"),
    "scale": ({"scale": "max"}, "scale: got 'max'; allowed: sum, phases, none"),
    "rolloff 0": ({"rolloff": 0}, "rolloff: got 0; allowed: a number > 0, up to 1"),
    "rolloff above 1": ({"rolloff": 1.5}, "rolloff: got 1.5"),
    "rolloff a word": ({"rolloff": "much"}, "rolloff: got 'much'"),
    "zeros": ({"zeros": -1}, "zeros: got -1"),
    "half_width": ({"window": "kaiser", "half_width": 0.6}, "half_width: got 0.6"),
    "a Hann window has no attenuation": (
        {"attenuation": 60},
        "attenuation: got 60; allowed: nothing with a Hann window",
    ),
    "a Hann window has no transition": ({"half_width": 0.1}, "half_width: got 0.1"),
    "all three": ({"window": "kaiser", "zeros": 3, "attenuation": 60, "half_width": 0.1}, "at most two of the three"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_designs_are_refused(name: str) -> None:
    design, words = BAD[name]
    with pytest.raises((ValueError, TypeError), match=re.escape(words)):
        windowed_sinc(2, **design)
