"""Line measurement: levels to rounding, leakage as promised, peaks found without a prediction."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.signal.windows import general_cosine

from dspref.arrays import Array
from dspref.spectrum import (
    LOBE,
    SEVEN_TERMS,
    AverageSpectrum,
    average_spectrum,
    largest_error_db,
    measure_lines,
    spectrogram,
)
from dspref.spectrum.measure import RING


def _comb(period: int, time: int) -> Array:
    """Return a periodic signal with random complex amplitudes at every k/period."""
    pattern = np.random.default_rng(period).standard_normal(period)
    return np.tile(pattern, -(-time // period))[:time]


@pytest.mark.parametrize("period", [1, 2, 5, 8, 27, 256])
def test_levels_of_a_comb_are_those_of_its_fourier_coefficients(period: int) -> None:
    y = _comb(period, period * 200)
    expected = np.abs(np.fft.rfft(y[:period])) / period
    lines = measure_lines(y, [Fraction(k, period) for k in range(period // 2 + 1)])
    assert 10 ** (np.array([m.level_db for m in lines]) / 20) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_lines_on_bins_leak_nothing_into_the_floor() -> None:
    y = _comb(16, 16 * 400)
    for m in measure_lines(y, [Fraction(k, 16) for k in range(9)]):
        assert m.floor_db < 20 * np.log10(np.abs(y).max()) - 280


def test_side_lobes_beyond_seven_bins_stay_below_minus_175_db() -> None:
    n, zoom = 2048, 32
    w = general_cosine(n, SEVEN_TERMS, sym=False)
    response = np.abs(np.fft.rfft(w, n * zoom)) / w.sum()
    assert 20 * np.log10(response[LOBE * zoom :].max()) < -175


def test_level_and_floor_of_a_line_in_noise() -> None:
    rng = np.random.default_rng(1)
    n = np.arange(64 * 8 * 40)
    y = rng.standard_normal(n.size) + 2 * np.cos(2 * np.pi * n / 8)
    spectrum = average_spectrum(y, 8)
    w = general_cosine(spectrum.N, SEVEN_TERMS, sym=False)
    white = 10 * np.log10((w**2).sum() / w.sum() ** 2)
    on, off = spectrum.line(Fraction(1, 8)), spectrum.line(Fraction(1, 4))
    assert on.level_db == pytest.approx(0, abs=0.2)
    # 8 independent segments: 1.5 dB a bin, 0.6 dB the median of 28 bins worth 11, and −0.2 dB its bias
    assert on.floor_db == pytest.approx(white, abs=1.5)
    assert off.height_db == pytest.approx(0, abs=3)


@pytest.mark.parametrize("noise_db", [-60, -30, -10, 0, 6])
def test_no_level_is_wrong_by_more_than_the_triangle_inequality_allows(noise_db: float) -> None:
    """The same noise measured alone says what disturbs the bin: then the bound is no matter of chance."""
    n = np.arange(64 * 8 * 3)
    finite = 0
    for seed in range(20):
        noise = 10 ** (noise_db / 20) * np.random.default_rng(seed).standard_normal(n.size)
        alone = average_spectrum(noise, 8, bins_per_line=64).line(Fraction(1, 8)).level_db
        seen = average_spectrum(noise + 0.1 * np.cos(2 * np.pi * n / 8), 8, bins_per_line=64).line(Fraction(1, 8))
        bound = largest_error_db(seen.level_db - alone)
        finite += np.isfinite(bound)
        assert abs(seen.level_db - 20 * np.log10(0.05)) <= bound + 1e-9  # the rounding of two logarithms, by far
    assert finite == 20 or noise_db >= 0


def test_the_bound_is_attained_where_the_disturbance_lies_along_the_line() -> None:
    y = 0.3 * (-1.0) ** np.arange(512)
    for e in (0.2, 0.01, 1e-4):
        seen = average_spectrum((1 + e) * y, 2).line(Fraction(1, 2)).level_db
        disturbance = average_spectrum(e * y, 2).line(Fraction(1, 2)).level_db
        wrong = seen - 20 * np.log10(0.3)
        assert largest_error_db(seen - disturbance) == pytest.approx(wrong, rel=1e-9)


def test_the_stated_error_holds_in_noise_and_is_not_far_too_large() -> None:
    n = np.arange(64 * 8 * 3)
    wrong, stated = [], []
    for seed in range(200):
        y = 1e-2 * np.random.default_rng(seed).standard_normal(n.size) + 2e-2 * np.cos(2 * np.pi * n / 8)
        (m,) = measure_lines(y, [Fraction(1, 8)])
        wrong.append(abs(m.level_db + 40))
        stated.append(m.error_db)
    assert (np.array(wrong) <= stated).all()
    assert max(wrong) > np.median(stated) / 6  # 10 dB of headroom are a factor of 3.2, and noise is mostly aside
    assert measure_lines(np.random.default_rng(0).standard_normal(n.size), [Fraction(1, 8)])[0].error_db == np.inf


def test_noise_alone_has_no_peaks() -> None:
    for seed in range(20):
        noise = np.random.default_rng(seed).standard_normal(64 * 64 * 3)
        assert average_spectrum(noise, 64).peaks() == ()


def test_noise_beside_a_null_of_its_spectrum_has_no_peaks() -> None:
    """Linear interpolation by 2 leaves a null of third order at Nyquist: the floor there falls by 18 dB an octave."""
    for seed in range(12):
        noise = np.convolve(np.random.default_rng(seed).standard_normal(20000), [1, 3, 3, 1], "valid")
        assert average_spectrum(noise, 12).peaks() == ()


@pytest.mark.parametrize(("freq", "on_grid"), [(Fraction(3, 16), True), (Fraction(3, 16) + Fraction(1, 100), False)])
def test_peaks_are_found_where_they_are_and_judged_by_the_grid(freq: Fraction, on_grid: bool) -> None:
    n = np.arange(16 * 64 * 4)
    noise = np.random.default_rng(0).standard_normal(n.size)
    peaks = average_spectrum(noise + np.cos(2 * np.pi * float(freq) * n), 16).peaks()
    assert [p.on_grid for p in peaks] == [on_grid]
    assert peaks[0].freq == pytest.approx(float(freq), abs=1 / 1024)


@pytest.mark.parametrize("bins", [7, 8, 9, 10, 12, 14])
def test_a_tone_close_to_a_strong_line_is_not_missed(bins: int) -> None:
    n = np.arange(16 * 64 * 8)
    rng = np.random.default_rng(bins)
    y = 1 + 1e-2 * np.cos(2 * np.pi * n * bins / (16 * 64)) + 1e-5 * rng.standard_normal(n.size)
    found = average_spectrum(y, 16, bins_per_line=64).peaks()
    assert [round(p.freq * 1024) for p in found] == [0, bins]


def test_the_floor_is_taken_beside_the_line_and_before_the_next() -> None:
    away = np.abs(np.arange(200) - 100)
    high = (away <= 11) | (away > 20)  # 10 of the 28 bins of the ring, and all that is no part of it
    spectrum = AverageSpectrum(np.where(high, 1e6, 1.0), 398, 1, 9, 0.0)
    assert spectrum.floor[100] == 1


def test_segments_overlap_by_three_quarters() -> None:
    assert average_spectrum(np.ones(1024 * 3), 16, bins_per_line=64).segments == 9


def test_what_is_smaller_than_the_format_can_hold_is_no_peak() -> None:
    n = np.arange(16 * 64 * 4)
    y = 1 + 1e-9 * np.cos(2 * np.pi * 0.21 * n)
    assert [p.freq for p in average_spectrum(y, 16).peaks()] == pytest.approx([0.0, 0.21], abs=1e-3)
    assert [p.freq for p in average_spectrum(y, 16, roundoff=2.0**-24).peaks()] == [0.0]


def test_channels_are_averaged() -> None:
    y = np.stack([np.ones(64), 3 * np.ones(64)])
    assert measure_lines(y, [Fraction(0)])[0].level_db == pytest.approx(10 * np.log10(5))


def test_spectrogram_gives_a_sine_of_full_scale_0_db() -> None:
    y = np.sin(2 * np.pi * np.arange(8192) / 8)
    levels = spectrogram(y)
    assert levels.shape[0] == 513
    assert levels.max(axis=0) == pytest.approx(0, abs=1e-6)
    assert (levels.argmax(axis=0) == 128).all()


@pytest.mark.parametrize(
    ("signal", "words"),
    [
        (np.ones(63), r"got 63 samples; allowed: at least 64 steady samples.*feed a longer input"),
        (np.full(200, np.nan), r"got nan at index \(0,\); allowed: finite numbers"),
        (np.full(200, np.inf), r"got inf"),
        (np.ones(200, complex), r"got dtype complex128; allowed: real numbers"),
        (np.array(["a"] * 200), r"dtype <U1"),
    ],
)
def test_bad_signals_are_refused_in_words(signal: Array, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        average_spectrum(signal, 2)


def test_lines_between_bins_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got 1/3; allowed: multiples of 1/64"):
        average_spectrum(np.ones(128), 2).line(Fraction(1, 3))
    with pytest.raises(ValueError, match=r"got 3/4; allowed: multiples of 1/64 from 0 to 1/2"):
        average_spectrum(np.ones(128), 2).line(Fraction(3, 4))


def test_crowded_bins_are_refused() -> None:
    with pytest.raises(ValueError, match=r"bins per line: got 8; allowed: an integer >= 32"):
        average_spectrum(np.ones(128), 2, bins_per_line=8)


def test_frames_too_short_to_hop_are_refused() -> None:
    with pytest.raises(ValueError, match=r"frame size: got 2; allowed: an integer >= 4"):
        spectrogram(np.ones(100), size=2)


def test_the_resolution_is_that_of_the_signals_own_format() -> None:
    """A tone of -186 dB is lost where a single holds a constant: nothing is said of what lies below its rounding."""
    y = 0.1 + 1e-9 * (-1.0) ** np.arange(4096)
    for kind, unit in ((np.float32, 2.0**-24), (np.float64, 2.0**-53), (np.longdouble, 2.0**-53), (int, 2.0**-53)):
        signal = (10 * y).astype(kind)
        assert average_spectrum(signal, 2).resolution == unit * np.abs(signal.astype(float)).max()
    (line,) = measure_lines(y.astype(np.float32), [Fraction(1, 2)])
    assert line.floor_db > -170


def test_the_floor_is_the_median_of_the_ring_alone() -> None:
    """In a notch the bins within the ring are the lowest, and do not count: each floor against a sorted window."""
    power = np.abs(np.arange(601) - 300.0) ** 2
    found = AverageSpectrum(power, 1200, 4, 1, 0.0).floor
    around = np.lib.stride_tricks.sliding_window_view(np.pad(power, 20, mode="reflect"), 41)[:, RING]
    assert (found == np.sort(around, axis=1)[:, RING.sum() // 2]).all()
    assert found[300] == 14.0**2
