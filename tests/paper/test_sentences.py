"""Sentences of the article that no other test holds: see docs/paper.md for all of them, and for what each rests on.

J. Pons, S. Pascual, G. Cengarle, J. Serrà, "Upsampling artifacts in neural audio synthesis", arXiv 2010.14356.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from dspref import Chain, Conv, Linear, Nearest, SubpixelConv, TransposedConv, parse, preset, stretch, tone_lines
from dspref.arrays import Array
from dspref.designs import KaiserSinc, icnr
from dspref.expected import Source, expected_spectrum
from dspref.expected.architectures import UPSAMPLERS, demucs_unet
from dspref.outline import Outline, overlap
from dspref.presets import PRESETS
from dspref.spectrum import droop_db, nulls, response
from dspref.stretchfilter import StretchFilter

SDR = {
    "transposed": 5.35,
    "nearest": 5.17,
    "linear": 4.62,
    "subpixel": 5.38,
    "modified transposed": 5.37,
    "modified subpixel": 5.38,
    "WaveUnet": 3.23,
    "Demucs": 5.34,
    "OpenUnmix": 5.36,
    "Sams-net": 5.65,
}
"""Table 1 as printed, in dB."""

EPOCH = {"transposed": 319, "nearest": 423, "linear": 430, "subpixel": 311}
"""Seconds of an epoch, as printed."""

MILLIONS = {"transposed": 703, "nearest": 716, "linear": 716, "subpixel": 729}
"""Parameters, as printed."""


def tone(h: Array, s: int) -> float:
    """Return the power of all lines of a kernel but DC, over DC's."""
    c = np.fft.fft(np.array([h[r::s].sum() for r in range(s)]))
    return float((np.abs(c[1:]) ** 2).sum() / abs(c[0]) ** 2)


def test_words_about_table_1_are_what_it_says() -> None:
    ours = {kind: SDR[kind] for kind in UPSAMPLERS}
    assert sorted(ours, key=ours.__getitem__) == ["linear", "nearest", "transposed", "subpixel"]
    assert (round(SDR["WaveUnet"]), round(SDR["Demucs"])) == (3, 5)
    changes = [round(SDR[f"modified {kind}"] - SDR[kind], 2) for kind in ("transposed", "subpixel")]
    assert changes == [0.02, 0.0]


def test_interpolation_takes_longer_and_sub_pixel_is_the_fastest() -> None:
    """Of the article's seconds; of parameters sub-pixel layers have the most, which the article does not say."""
    assert sorted(EPOCH, key=EPOCH.__getitem__) == ["subpixel", "transposed", "nearest", "linear"]
    assert max(MILLIONS, key=MILLIONS.__getitem__) == "subpixel"
    assert MILLIONS["nearest"] > MILLIONS["transposed"]


@pytest.mark.parametrize("s", [2, 4, 8])
def test_interpolation_then_convolution_multiplies_s_times_as_often(s: int) -> None:
    """Of the same taps per output phase: behind the interpolation all run at the output rate, in a stamp K/s do."""
    K, C, T = 8 * s, 3, 5
    stamps = T * K * C * C  # every input sample is multiplied by every tap
    behind = T * s * K * C * C  # every output sample is a sum over every tap
    subpixel = T * (K // s) * (C * s) * C
    assert behind == s * stamps == s * subpixel


@pytest.mark.parametrize("s", range(1, 7))
def test_overlap_has_three_cases(s: int) -> None:
    """By length and stride as the article says, and by how often ones overlap in the middle of a long output."""
    for K in range(s, 4 * s):
        y = TransposedConv(np.ones((1, 1, K), int), stride=s)(np.ones((1, 20), int))[0]
        counts = set(y[5 * s : 15 * s].tolist())
        name = "none" if s == K else "full" if K % s == 0 else "partial"
        assert overlap(K, s) == name
        assert (len(counts) > 1) == (name == "partial")
        assert (counts == {1}) == (name == "none")


@pytest.mark.parametrize("s", [2, 3, 6])
def test_without_overlap_the_kernel_is_said_again_and_again(s: int) -> None:
    """Length = stride: the output for ones is the kernel, once per input sample; its period is the stride."""
    h = np.arange(1, s + 1) * np.array([1, -1] * s)[:s]
    assert TransposedConv(h[None, None], stride=s)(np.ones((1, 5), int)).tolist() == [h.tolist() * 5]


@pytest.mark.parametrize(("K", "s"), [(2, 3), (1, 2), (4, 7)])
def test_a_stride_beyond_the_length_leaves_samples_that_nothing_defines(K: int, s: int) -> None:
    y = TransposedConv(np.ones((1, 1, K), int), stride=s)(np.arange(1, 6)[None])[0]
    assert all((y[m] == 0) == (m % s >= K) for m in range(len(y)))


def test_a_stride_of_1_hardly_upsamples() -> None:
    """Fig. 4: four samples become six: they are not more per second, the kernel only rings out."""
    layer = TransposedConv(np.ones((1, 1, 3), int), stride=1)
    assert layer.factor == 1
    assert layer(np.ones((1, 400), int)).shape == (1, 402)


def test_constant_weights_say_the_same_in_every_channel() -> None:
    """The price of weights that make no tone: the layer has rank 1, whatever its input."""
    x = np.random.default_rng(0).standard_normal((5, 20))
    y = TransposedConv(np.ones((5, 4, 8)), stride=4)(x)
    assert (y == y[0]).all()
    drawn = TransposedConv(np.random.default_rng(1).standard_normal((5, 4, 8)), stride=4)(x)
    assert (np.linalg.matrix_rank(y), np.linalg.matrix_rank(drawn)) == (1, 4)


@pytest.mark.parametrize("s", [2, 4, 5])
def test_a_tone_has_a_phase_of_its_own_whatever_the_input(s: int) -> None:
    """What a discriminator can learn by heart: for all offsets > 0 the lines are multiples of each other."""
    rng = np.random.default_rng(s)
    chain = Chain([TransposedConv(rng.standard_normal((1, 1, 2 * s)), stride=s)])
    seen = [[line.amplitude[0] for line in tone_lines(chain, offset=mu) if line.amplitude is not None] for mu in (1, 3)]
    assert np.allclose(np.angle(seen[0][1:]), np.angle(seen[1][1:]), rtol=0, atol=1e-15)
    assert np.allclose(np.abs(seen[1]), 3 * np.abs(seen[0]), rtol=1e-15, atol=0)


@pytest.mark.parametrize("s", [3, 5, 9])
def test_side_lobes_of_the_triangle_are_those_of_the_box_squared(s: int) -> None:
    """Odd factors, where linear interpolation is the square: in dB twice as low."""
    nu = np.linspace(1 / s, 0.5, 2001)
    box, triangle = (np.abs(np.squeeze(response(u, nu))) for u in (Nearest(s), Linear(s)))
    assert np.allclose(triangle, box**2, rtol=0, atol=1e-14)
    assert 0 < triangle.max() < box.max() < 1


@pytest.mark.parametrize("s", [2, 3, 4, 8])
def test_linear_attenuates_the_high_end_more_than_nearest(s: int) -> None:
    """At every frequency up to half the input rate, 0 excepted."""
    nu = [Fraction(k, 100 * s) for k in range(1, 51)]
    box, triangle = (np.array(droop_db(u, nu), float) for u in (Nearest(s), Linear(s)))
    assert (triangle < box).all()
    assert (box < 0).all()
    assert (np.diff(box) < 0).all()


def test_valleys_come_back_as_replicas_of_valleys() -> None:
    """×2 ×2 ×2 at 32 kHz: layer i has its null at half the rate behind it, and its replicas up to 16 kHz."""
    found = []
    for later in (4, 2, 1):  # what the layers behind stretch the kernel by
        u = StretchFilter(1, stretch([1, 1], later))
        found.append({int(null.hz(32)) for null in nulls(u)})
    assert found == [{4, 12}, {8}, {16}]
    chain = parse("nearest x2 | nearest x2 | nearest x2")
    assert {int(null.hz(32)) for null in nulls(chain)} == set().union(*found)


@pytest.mark.parametrize("kind", ["transposed", "subpixel"])
def test_modified_networks_have_much_weaker_tones(kind: str) -> None:
    """Without biases and outer ReLUs each comb of the expected spectrum of white noise is weaker, by these dB."""
    net = {"channels": 32, "depth": 3, "kind": kind}
    white = Source(1, covariance=(1.0,))
    before = expected_spectrum(demucs_unet(**net), white)  # type: ignore[arg-type]
    after = expected_spectrum(demucs_unet(**net, bias=False, first_relu=False), white)  # type: ignore[arg-type]
    falls = [
        a.db - b.db for a, b in zip(before.combs, after.combs, strict=True) if a.db is not None and b.db is not None
    ]
    assert [round(fall) for fall in falls] == {"transposed": [42, 27, 12, 19], "subpixel": [34, 34, 17, 23]}[kind]
    assert after.combs[1].power > 0  # and yet they are there


@pytest.mark.parametrize("u", [Nearest(2), Nearest(4), Linear(2), Linear(4), Linear(3)])
def test_interpolation_removes_the_replicas_of_an_offset(u: Nearest | Linear) -> None:
    """At sampling rate / upsampling factor, and at its multiples, nothing is left: by zeros of H, and by a run."""
    due = {Fraction(k, u.factor) for k in range(1, u.factor // 2 + 1)}
    assert due <= {null.freq for null in nulls(Chain([u]))}
    y = np.asarray(u(np.full((1, 40), Fraction(3), object)))[0]
    assert set(y.tolist()) == {3}


def test_a_low_pass_filter_removes_replicas() -> None:
    """Of components up to a quarter of the input rate: images are weaker behind a windowed sinc than behind a box."""
    for f0 in (Fraction(1, 16), Fraction(1, 8), Fraction(1, 4)):
        images_of = [np.abs(np.squeeze(response(u, [f0 / 2, (1 - f0) / 2]))) for u in (Nearest(2), KaiserSinc(2))]
        box, sinc = (float(20 * np.log10(image / base)) for base, image in images_of)
        assert box == pytest.approx(20 * np.log10(np.tan(np.pi * float(f0) / 2)))
        assert sinc < box < 0


@pytest.mark.parametrize(("K", "s"), [(8, 4), (3, 2), (16, 8)])
def test_training_can_take_a_tone_away(K: int, s: int) -> None:
    """Steepest descent on the error of a constant: phase gain r nears 1 by 1 − rate·n_r a step, n_r its taps."""
    rng, rate, steps = np.random.default_rng(K), 0.2, 400
    phase = np.arange(K) % s
    n = np.bincount(phase, minlength=s)
    first = h = rng.standard_normal(K) / np.sqrt(K)
    for _ in range(steps):
        h = h - rate * (np.bincount(phase, h) - 1)[phase]  # the gradient of Σ_r (g_r − 1)²/2
    due = 1 + (1 - rate * n) ** steps * (np.bincount(phase, first) - 1)
    assert np.allclose(np.bincount(phase, h), due, rtol=0, atol=8 * K * 2.0**-53)
    assert tone(first, s) > 0.1
    assert tone(h, s) < s * (16 * K * 2.0**-53) ** 2


def test_training_can_put_a_tone_back_where_initialisation_had_taken_it() -> None:
    """ICNR begins without a tone; one step towards any target whose phases differ, and it has one."""
    rng = np.random.default_rng(3)
    w = icnr(rng.standard_normal((1, 1, 3)), 4)
    x, target = np.ones((1, 40)), rng.standard_normal((1, 160))
    first = SubpixelConv(w, 4, padding=1)
    assert len({float(g) for g in np.ravel(first.normal.phase_gains)}) == 1
    error = (first(x) - target)[0].reshape(40, 4)
    padded = np.pad(x[0], 1)
    step = np.array([[(error[:, r] * padded[k : k + 40]).mean() for k in range(3)] for r in range(4)])
    after = SubpixelConv(w - 0.1 * step[:, None, :], 4, padding=1)
    dc, *tones = tone_lines(Chain([after]))
    assert dc.amplitude is not None
    assert min(abs(line.amplitude[0]) for line in tones if line.amplitude is not None) > 1e-3 * abs(dc.amplitude[0])


def test_sub_pixel_layers_never_overlap_partly() -> None:
    """As a transposed convolution a sub-pixel one of K taps has length K·s: a multiple of the stride, always."""
    for K, s in ((1, 2), (3, 2), (3, 4), (9, 5)):
        layer = SubpixelConv(np.random.default_rng(K).standard_normal((s, 1, K)), s, padding=K // 2)
        twin = TransposedConv(np.asarray(layer.normal.h, float).transpose(1, 0, 2), stride=s)
        assert twin.weight.shape[-1] == K * s
        assert overlap(K * s, s) == ("full" if K > 1 else "none")


def upsamplers(name: str) -> list[tuple[str, int, int]]:
    """Return word, length and factor of a known network's upsampling layers."""
    stages = preset(name).chain.stages
    return [
        (stage.op, stage.length, stage.stride) for stage in stages if isinstance(stage, Outline) and stage.factor > 1
    ]


def test_most_known_generators_have_transposed_convolutions() -> None:
    """Of the architectures that this library names: what the article saw in the literature."""
    found = ["convt" in {op for op, _, _ in upsamplers(name)} for name in PRESETS]
    assert len(found) >= 20
    assert sum(found) > len(found) / 2


def test_melgan_and_demucs_have_the_layers_that_the_article_says() -> None:
    assert upsamplers("melgan") == [("convt", K, s) for K, s in ((16, 8), (16, 8), (4, 2), (4, 2))]
    assert upsamplers("demucs") == [("convt", 8, 4)] * 6


def test_each_layer_of_figs_7_and_8_has_its_tone_where_the_article_says() -> None:
    """4 kHz input, ×2 ×2 ×2: new tones at 4, 8 and 16 kHz, each half the rate behind its layer."""
    rng = np.random.default_rng(0)
    for make in (
        lambda: TransposedConv(rng.standard_normal((1, 1, 4)), stride=2),
        lambda: SubpixelConv(rng.standard_normal((2, 1, 3)), 2, padding=1),
    ):
        layers = [make() for _ in range(3)]
        for depth, due in ((1, {4}), (2, {4, 8}), (3, {4, 8, 12, 16})):
            sr = 4000 * 2**depth
            lines = [line for line in tone_lines(Chain(layers[:depth])) if line.freq]
            assert {int(line.hz(sr)) // 1000 for line in lines} == due
            assert all(line.amplitude is not None and abs(line.amplitude[0]) > 0 for line in lines)


def test_convolutions_between_colour_what_comes_back() -> None:
    """Fig. 6 right beside Fig. 8 right: nulls stay, and what is between them has another shape in each draw."""
    nu = [Fraction(k, 64) for k in range(33) if k not in (16, 32)]

    def shape(*stages: Linear | Conv) -> Array:
        return np.asarray(np.abs(np.squeeze(response(Chain(stages), nu))))

    plain = shape(Linear(2), Linear(2))
    drawn = [Conv(np.random.default_rng(i).standard_normal((1, 1, 9)), padding=4) for i in range(3)]
    ratios = [shape(Linear(2), conv, Linear(2)) / plain for conv in drawn]
    assert all(ratio.max() > 2 * ratio.min() for ratio in ratios)
    places = {Fraction(16, 64), Fraction(32, 64)}
    chains = (Chain([Linear(2), Linear(2)]), *(Chain([Linear(2), conv, Linear(2)]) for conv in drawn))
    assert all(places <= {null.freq for null in nulls(chain)} for chain in chains)
