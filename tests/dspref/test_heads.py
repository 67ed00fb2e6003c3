"""Heads: squeezing, the inverse STFT and PQMF, each against its normal form and its closed forms."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.signal
import sympy
from hypothesis import given
from hypothesis import strategies as st

from dspref import Chain, NotAnalysable, Outline, TransposedConv, tone_lines
from dspref.arrays import Array
from dspref.documents import predict_document
from dspref.heads.istft import ISTFT, hann, inverse_basis, overlapped
from dspref.heads.pqmf import PQMFSynthesis, kaiser_prototype
from dspref.heads.squeeze import Squeeze, Unsqueeze
from dspref.spec import parse, spec
from tests.strategies import QUIET

U = 2.0**-53


def amplitudes(layer: Any, offset: Any) -> Array:
    """Return the complex amplitudes of the lines of one layer, of its first channel."""
    return np.array(
        [line.amplitude[0] for line in tone_lines(Chain([layer]), offset=offset) if line.amplitude is not None]
    )


def transform_error(layer: ISTFT, x: Array) -> float:
    """Return how far two ways to compute an inverse STFT may be apart, FFT against sums of n products.

    Before the envelope divides them, outputs sum 2·bins·J products: ``S <= 2·bins·J max abs(taps) max abs(x)``, and as
    many u of that. An FFT of n points is off by ``7 u log₂n`` of its norm (N. J. Higham, 2nd ed., ch. 24), which is at
    most √n S; window and envelope add 4u.
    """
    n, terms = layer.length, layer.in_channels * -(-layer.length // layer.hop)
    S = terms * float(np.abs(layer.taps).max()) * float(np.abs(x).max()) / float(layer.envelope_of(x.shape[-1]).min())
    return float(7 * np.log2(n) * np.sqrt(n) + terms + 4) * U * S


SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.sampled_from(["crd", "dcr"]))


@QUIET(max_examples=40)
@given(SHAPES, st.integers(0, 9))
def test_a_squeeze_is_undone_and_transposed_by_its_inverse(shape: tuple[int, int, int, str], seed: int) -> None:
    C, g, time, order = shape
    up, down = Unsqueeze(C, g, order=order), Squeeze(C, g, order=order)
    x = np.random.default_rng(seed).integers(-9, 10, (2, C * g, time))
    assert (down(up(x)) == x).all()
    assert (up(x) == up.normal(x)).all()
    A = up.normal.as_matrix(time)
    assert (np.eye(len(A), dtype=int) == A.T @ A).all()
    y = up(x)[0]
    assert ((A.T @ y.ravel()).reshape(C * g, time) == down(y)).all()
    assert up.factor * down.factor == 1


@pytest.mark.parametrize(
    ("s", "g", "taps", "padding"), [(8, 4, 32, 0), (6, 2, 15, 0), (6, 3, 13, 0), (4, 4, 9, 0), (8, 2, 16, 4)]
)
def test_a_squeeze_behind_a_transposed_convolution_is_a_transposed_convolution(
    s: int, g: int, taps: int, padding: int
) -> None:
    """So WaveGlow's conditioning, length 1024 and stride 256 in groups of 8, is one of length 128 and stride 32."""
    rng = np.random.default_rng(0)
    w, x = rng.integers(-9, 10, (2, 3, taps)), rng.integers(-9, 10, (2, 7))
    u = TransposedConv(w, stride=s)(x)
    filled = np.pad(w, [(0, 0), (0, 0), (0, -taps % g)])
    components = filled.reshape(2, 3, -1, g).swapaxes(-1, -2).reshape(2, 3 * g, -1)
    together = TransposedConv(components, stride=s // g)(x)
    whole = np.pad(u, [(0, 0), (0, -u.shape[-1] % g)])
    squeezed = Squeeze(3, g)(whole)
    assert (together[:, : squeezed.shape[-1]] == squeezed).all()
    assert not together[:, squeezed.shape[-1] :].any()


def test_offsets_of_a_group_are_its_spectrum() -> None:
    mean = [3, 1, -4, 1, 5, 9, 2, 6]
    found = amplitudes(Unsqueeze(1, 8), mean)
    np.testing.assert_array_equal(found, (np.fft.fft(mean) / 8)[:5])
    equal = tone_lines(Chain([Unsqueeze(1, 8)]), offset=1)
    assert all(line.amplitude is not None and not line.amplitude.any() for line in equal[1:])


def test_lines_of_heads_stand_at_multiples_of_rate_over_factor() -> None:
    """The rows of the theory's table: squeeze by 8 at 22.05 kHz, inverse STFT of hop 4 at 16 kHz, PQMF of 4 bands."""

    def hertz(words: str, sr: int) -> list[Fraction]:
        return [line.hz(sr) for line in tone_lines(parse(words))[1:]]

    assert hertz("unsqueeze x8", 22050) == [Fraction("2756.25") * k for k in (1, 2, 3, 4)]
    assert hertz("istft x4 k16 p8", 16000) == [4000, 8000]
    assert hertz("pqmf x4 k63", 22050) == [Fraction("5512.5"), 11025]


WINDOWS = {
    "hann": hann(16),
    "hamming, odd": scipy.signal.windows.hamming(15, sym=False),
    "integers": np.array([1, 2, 3, 4, 4, 3, 2, 1]),
    "box": np.ones(6),
    "float32": hann(12).astype("float32"),
}


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("padding", ["center", "same", "none"])
@pytest.mark.parametrize("hop", [1, 3, 4])
def test_an_inverse_stft_is_its_normal_form_in_the_steady_state(name: str, padding: str, hop: int) -> None:
    layer = ISTFT(WINDOWS[name], hop, padding=padding)
    x = np.random.default_rng(1).standard_normal((2, layer.in_channels, 21))
    steady = layer.normal.steady(21)
    if padding == "none" and WINDOWS[name][0] == 0:
        with pytest.raises(ValueError, match="window envelope: got 0 at an end"):
            layer(x)
        return
    y, due = layer(x), layer.normal(x)
    assert y.shape == due.shape == (2, 1, layer.normal.length(21))
    assert steady.stop - steady.start > hop
    assert np.abs(y - due)[..., steady].max() <= transform_error(layer, x)


@pytest.mark.parametrize("hop", [1, 2, 4])
def test_an_inverse_stft_of_four_points_is_exact(hop: int) -> None:
    """Its waves are 0 and ±1/4 or ±1/2, its envelope 4/hop: nothing is rounded."""
    layer = ISTFT(np.ones(4), hop, padding="none")
    x = np.random.default_rng(hop).integers(-9, 10, (6, 12))
    steady = layer.normal.steady(12)
    assert (layer(x) == layer.normal(x))[:, steady].all()
    first = (layer(x) != layer.normal(x)).any()
    assert first == (hop < 4), "at the ends fewer frames overlap, so the envelope is smaller"


@pytest.mark.parametrize("hop", [1, 2, 3, 4, 8])
def test_frames_of_a_signal_are_put_together_again(hop: int) -> None:
    """SciPy's STFT is another route: analysis by it, synthesis by the layer."""
    w, rng = hann(16), np.random.default_rng(hop)
    x = rng.standard_normal(240)
    padded = np.pad(x, 8)
    frames = np.lib.stride_tricks.sliding_window_view(padded, 16)[::hop].T * w[:, None]
    X = np.fft.rfft(frames, axis=0)
    layer = ISTFT(w, hop)
    y = layer(np.concatenate([X.real, X.imag]))[0]
    assert len(y) == hop * (X.shape[-1] - 1)
    assert np.abs(y - x[: len(y)]).max() <= 2 * transform_error(layer, np.abs(X))


def test_the_sizes_that_scipy_gives() -> None:
    """``scipy.signal.istft`` of a spectrum is the layer, centred: its boundary is cut likewise."""
    w = hann(16)
    X = np.random.default_rng(3).standard_normal((9, 12, 2)) @ [1, 1j]
    X[[0, 8]] = X[[0, 8]].real
    _, due = scipy.signal.istft(X, window=w, nperseg=16, noverlap=12)
    layer = ISTFT(w, 4)
    y = layer(np.concatenate([X.real, X.imag]))[0]
    assert y.shape == due.shape
    assert np.abs(y - due / w.sum()).max() <= transform_error(layer, np.abs(X))


@pytest.mark.parametrize("q", [3, 4, 8])
def test_the_mean_of_a_bin_makes_only_the_lines_that_are_near_it(q: int) -> None:
    """``c_k = g/(2 n hop E) (W(k/hop − b/n) + W(k/hop + b/n)) e^{j2πkp/hop}``; W of Hann is n/2, −n/4 one bin away."""
    n, hop = 8 * q, 8
    layer = ISTFT(hann(n), hop)
    E = 3 * n / (8 * hop)
    assert np.abs(layer.envelope - E).max() <= 4 * q * U * E
    for b in range(n // 2 + 1):
        mean = np.zeros(layer.in_channels)
        mean[b] = 1
        found = amplitudes(layer, mean)
        g = 1 if 2 * b % n == 0 else 2
        near = {0: n / 2, 1: -n / 4, n - 1: -n / 4}
        k = np.arange(hop // 2 + 1)
        W = np.array([sum(near.get(int(m * q + s * b) % n, 0) for s in (-1, 1)) for m in k])
        due = g / (2 * n * hop * E) * W * np.exp(2j * np.pi * k * layer.crop / hop)
        assert np.abs(found - due).max() <= 20 * n * U * g / n, b
        assert set(k[W != 0]) == {m for m in k if abs(m * q - b) <= 1}


def test_of_silent_channels_and_of_imaginary_ends_nothing_is_heard() -> None:
    basis = inverse_basis(8)
    assert not basis[[5, 9]].any()
    np.testing.assert_array_equal(basis[[0, 4]] * 8, [[1] * 8, [1, -1] * 4])
    spectrum = np.random.default_rng(0).standard_normal((5, 2))
    due = np.fft.irfft(spectrum @ [1, 1j], 8)
    assert np.abs(np.concatenate(spectrum.T) @ basis - due).max() <= 40 * U * np.abs(spectrum).sum()


def test_frames_overlap_and_add_as_a_transposed_convolution() -> None:
    frames = np.random.default_rng(0).integers(-9, 10, (2, 5, 7))
    stamps = TransposedConv(np.eye(5, dtype=int)[:, None], stride=3)
    assert (overlapped(frames, 3) == stamps(frames)[:, 0]).all()
    assert overlapped(frames[..., :0], 3).shape == (2, 2)


BANK = PQMFSynthesis(kaiser_prototype(), 4)


@pytest.mark.parametrize(("bands", "taps"), [(4, 62), (2, 30), (3, 20), (1, 2), (8, 4)])
def test_a_pqmf_is_its_normal_form(bands: int, taps: int) -> None:
    bank = PQMFSynthesis(kaiser_prototype(taps=taps, cutoff=0.55 / bands), bands)
    for time in (1, 2, 40):
        x = np.random.default_rng(time).standard_normal((2, bands, time))
        S = np.abs(x).max() * bands * float(np.abs(bank.filters).sum())
        assert bank(x).shape == (2, 1, bands * time)
        assert np.abs(bank(x) - bank.normal(x)).max() <= 2 * bands * (taps + 1) * U * S


def test_scipy_filters_the_bands_alike() -> None:
    x = np.random.default_rng(0).standard_normal((4, 50))
    due = sum(scipy.signal.upfirdn(4 * f[::-1], band, up=4) for f, band in zip(BANK.filters, x, strict=True))
    due = np.pad(due, (0, 62))[31:231]
    assert np.abs(BANK(x)[0] - due).max() <= 500 * U * np.abs(x).max() * np.abs(BANK.filters).sum() * 4


def test_a_pqmf_reconstructs_almost() -> None:
    """What is left of the signal, −63.9 dB: the gain is within 0.006 dB of 1, so most of it is aliasing."""
    x = np.random.default_rng(0).standard_normal((1, 8000))
    error = (BANK(BANK.analyse(x)) - x)[:, 100:-100]
    level = 10 * np.log10((error**2).mean() / (x**2).mean())
    assert -64.5 < level < -63.5
    gain = 10 * np.log10(BANK.distortion(np.linspace(0, 0.5, 2001)))
    assert np.abs(gain).max() < 0.006


def test_offsets_of_bands_make_the_lines_at_their_edges() -> None:
    """Band 0 keeps its offset, bands 1 and 2 make a line at sr/4 of −3.01 dB, band 3 one at sr/2; the rest: −100 dB."""
    H = 4 * BANK.filters[:, ::-1]
    for band in range(4):
        mean = np.eye(4)[band]
        found = amplitudes(BANK, mean)
        waves = np.exp(-2j * np.pi * np.outer(np.arange(3) / 4, np.arange(63) - 31))
        assert np.abs(found - waves @ H[band] / 4).max() <= 200 * U * np.abs(H[band]).sum()
        level = 20 * np.log10(np.abs(found))
        edge = (band + 1) // 2
        assert level[edge] == pytest.approx(0 if band in (0, 3) else -3.0103, abs=0.01)
        assert np.delete(level, edge).max() < -100


HEADS = [
    (Unsqueeze(2, 4), "unsqueeze x4", [4, 5, 1]),
    (ISTFT(hann(16), 4), "istft x4 k16 p8", [16, 18, 1]),
    (ISTFT(hann(16), 4, padding="same"), "istft x4 k16 p6", [16, 18, 1]),
    (BANK, "pqmf x4 k63", [63, 4, 1]),
]


@pytest.mark.parametrize(("layer", "words", "shape"), HEADS, ids=[words for _, words, _ in HEADS])
def test_heads_have_words(layer: Any, words: str, shape: list[int]) -> None:
    assert spec(Chain([layer])) == words
    assert spec(parse(words)) == words
    outline = parse(words).stages[0]
    assert (outline.op, outline.length, outline.factor) == (layer.op, layer.length, layer.factor)
    assert tone_lines(parse(words))[0].amplitude is None


def test_no_null_is_claimed_of_taps_that_are_rounded() -> None:
    lines = predict_document(Chain([ISTFT(hann(16), 4)]), 16000)["lines"]
    assert not any("null" in line for line in lines)
    lines = predict_document(Chain([Unsqueeze(1, 4)]), 16000)["lines"]
    assert [line.get("null", False) for line in lines] == [False, True, True]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Unsqueeze(0, 2), "channels: got 0"),
        (lambda: Unsqueeze(1, 1.5), "factor: got 1.5"),  # type: ignore[arg-type]
        (lambda: Unsqueeze(1, 2, order="rcd"), r"did you mean 'crd'\?"),
        (lambda: Unsqueeze(1, 2)(np.ones((3, 4))), "input channels: got 3; allowed: 2"),
        (lambda: Squeeze(1, 2)(np.ones((1, 3))), "time samples: got 3; allowed: a multiple of 2"),
        (lambda: Squeeze(1, 2).normal, "normal form: got a squeeze by 2"),
        (lambda: ISTFT(hann(8), 9), "window: got 8 samples, of which those 9 apart add up to nothing"),
        (lambda: ISTFT(hann(8), 8), "allowed: a sum of squares > 0 at every sample"),
        (lambda: ISTFT(hann(8), 0), "hop: got 0"),
        (lambda: ISTFT(hann(8), 2, padding="centre"), r"did you mean 'center'\?"),
        (lambda: ISTFT(hann(8), 2)(np.ones((10, 1))), "output length: got 0"),
        (lambda: ISTFT(np.array(sympy.symbols("w:8")), 2), "window: got symbols; allowed: numbers"),
        (lambda: ISTFT(np.array([1, 1j]), 1), "window: got dtype complex128; allowed: real numbers"),
        (lambda: PQMFSynthesis(np.array(sympy.symbols("p:5")), 2), "prototype: got symbols"),
        (lambda: PQMFSynthesis(np.ones(5), sympy.Symbol("M")), "factor: got M"),
        (lambda: PQMFSynthesis(np.ones(4), 2), "prototype: got 4 taps; allowed: an odd number"),
        (lambda: kaiser_prototype(taps=5), "taps: got 5; allowed: an even number"),
        (lambda: kaiser_prototype(cutoff=2), "cutoff: got 2"),
    ],
)
def test_bad_input_is_refused(make: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError, NotAnalysable), match=words):
        make()


@pytest.mark.parametrize(
    ("op", "given", "words"),
    [
        ("unsqueeze", {"length": 8, "stride": 4}, "length: got 8; allowed: 4 for unsqueeze"),
        ("haar", {"length": 2, "stride": 4}, "stride: got 4; allowed: 2 for haar"),
        ("pqmf", {"length": 9, "padding": 4}, "padding: got 4; allowed: 0 for pqmf"),
        ("istft", {"length": 9, "dilation": 2}, "dilation: got 2; allowed: 1 for istft"),
    ],
)
def test_no_head_is_outlined_that_there_is_not(op: str, given: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Outline(op, **given)
