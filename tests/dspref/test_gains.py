"""Gains of chains: layer by layer against the collapsed kernel, and against SciPy."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import scipy.signal

from dspref import Chain, Conv, FilterInterp, Linear, Nearest, NotAnalysable, Pointwise, TransposedConv, parse
from dspref.documents import predict_document
from dspref.gains import follow, gains

RNG = np.random.default_rng(3)

CHAINS = {
    "nothing": Chain([]),
    "alike": Chain([Linear(3), Nearest(2), FilterInterp(2, np.array([1.0, 2.0, -0.5]), offset=1)]),
    "mixing": Chain(
        [
            Nearest(2),
            Conv(RNG.normal(size=(3, 2, 5)), padding=1, dilation=2),
            TransposedConv(RNG.normal(size=(3, 4, 7)), stride=3, padding=2),
            Linear(2),
            Conv(RNG.normal(size=(1, 4, 3))),
        ]
    ),
}
FREQS = [Fraction(k, 97) for k in range(-48, 49)] + [Fraction(1, 2), Fraction(1, 3)]


@pytest.mark.parametrize("name", CHAINS)
def test_layers_in_turn_have_the_gain_of_the_collapsed_kernel(name: str) -> None:
    chain = CHAINS[name]
    u = chain.collapse()
    expected = u.response([float(f) for f in FREQS]) / u.L
    # phases 2πνn of 12 taps u at most, and as many roundings in the sums
    assert np.abs(gains(chain, FREQS) - expected).max() <= 24 * u.h.shape[-1] * 2.0**-53 * float(np.abs(u.h).sum())


def test_gains_are_those_of_scipy() -> None:
    chain = CHAINS["alike"]
    u = chain.collapse()
    omega = 2 * np.pi * np.array([float(f) for f in FREQS])
    _, H = scipy.signal.freqz(u.h.astype(float), worN=omega)
    assert gains(chain, FREQS) == pytest.approx(H * np.exp(1j * omega * u.offset) / u.L, abs=1e-13)


def test_gains_of_systems_that_mix_channels_and_do_not() -> None:
    G, c = RNG.normal(size=(5, 2, 3)), RNG.normal(size=5)
    assert np.array_equal(follow(c, G), np.einsum("f,foi->foi", c, G))
    assert np.array_equal(follow(G, c), follow(c, G))
    assert np.array_equal(follow(c, c), c**2)
    assert follow(G, G.swapaxes(1, 2)) == pytest.approx(np.einsum("foi,fpi->fop", G, G))


@pytest.mark.parametrize(
    "chain", [Chain([Pointwise("relu")]), parse("conv k3"), Chain([Conv(np.array([[[1]]]), stride=2)])]
)
def test_what_has_no_gain_is_refused(chain: Chain) -> None:
    with pytest.raises(NotAnalysable):
        gains(chain, FREQS)


@pytest.mark.parametrize("channels", [(64, 32, 16, 8, 4, 2, 1), (1,) * 7])
def test_six_layers_by_four_have_all_levels(channels: tuple[int, ...]) -> None:
    """Demucs 4⁶: 2049 lines, and 4096 images of a component."""
    rng = np.random.default_rng(0)
    stages: list[Conv | TransposedConv] = []
    for inner, out in itertools.pairwise(channels):
        stages.append(Conv(rng.normal(size=(inner, inner, 3)), padding=1, bias=rng.normal(size=inner)))
        stages.append(TransposedConv(rng.normal(size=(inner, out, 8)), stride=4, padding=2, bias=rng.normal(size=out)))
    document = predict_document(Chain(stages), 44100, component=Fraction(5))
    assert len(document["lines"]) == 2049
    assert all(line["level_db"] is not None for line in document["lines"])
    assert len(document["images"]) == 4096
