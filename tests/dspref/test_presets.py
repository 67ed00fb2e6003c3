"""Known architectures: rates, kernels and the grid that follows from them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from click.testing import CliRunner

from dspref import Outline, TransposedConv, parse, preset, tone_lines, whence
from dspref.cli import dspref
from dspref.presets import PRESETS, vocoder
from dspref.spec import spec

GRIDS = {
    "melgan": ((8, 8, 2, 2), 22050, Fraction("86.1328125")),
    "demucs": ((4, 4, 4, 4, 4, 4), 44100, Fraction("10.7666015625")),
    "hifigan": ((8, 8, 2, 2), 22050, Fraction("86.1328125")),
    "rvc-40k": ((10, 10, 2, 2), 40000, Fraction(100)),
    "encodec-24k": ((8, 5, 4, 2), 24000, Fraction(75)),
    "dac-44k": ((8, 8, 4, 2), 44100, Fraction(44100, 512)),
    "encodec-32k": ((8, 5, 4, 4), 32000, Fraction(50)),
    "stable-audio": ((8, 8, 4, 4, 2), 44100, Fraction("21.533203125")),
    "waveglow": ((32, 8), 22050, Fraction("86.1328125")),
    "blow": ((2,) * 8, 16000, Fraction("62.5")),
    "istftnet": ((8, 8, 4), 22050, Fraction("86.1328125")),
    "vocos-24k": ((256,), 24000, Fraction("93.75")),
    "mb-melgan": ((8, 4, 2, 4), 22050, Fraction("86.1328125")),
    "wavegan": ((4,) * 5, 16000, Fraction("15.625")),
    "segan": ((2,) * 11, 16000, Fraction("7.8125")),
    "gan-tts": ((2, 2, 2, 3, 5), 24000, Fraction(200)),
    "spectral-energy": ((2, 2, 2, 3, 5), 24000, Fraction(200)),
    "audio-super-resolution": ((2,) * 5, 16000, Fraction(500)),
    "dense-subpixel": ((2,) * 6, 16000, Fraction(250)),
    "wave-u-net": ((2,) * 12, 22050, Fraction(22050, 4096)),
    "wave-u-net-learned": ((2,) * 12, 22050, Fraction(22050, 4096)),
    "attention-wave-u-net": ((2,) * 12, 22050, Fraction(22050, 4096)),
    "fig6-nearest": ((2, 2, 2), 32000, Fraction(4000)),
    "fig6-linear": ((2, 2, 2), 32000, Fraction(4000)),
    "fig7-subpixel": ((2, 2, 2), 32000, Fraction(4000)),
    "fig8-transposed": ((2, 2, 2), 32000, Fraction(4000)),
    "fig8-linear": ((2, 2, 2), 32000, Fraction(4000)),
}

LENGTHS = {
    "melgan": [16, 16, 4, 4],
    "demucs": [8] * 6,
    "hifigan": [16, 16, 4, 4],
    "rvc-40k": [16, 16, 4, 4],
    "encodec-24k": [16, 10, 8, 4],
    "dac-44k": [16, 16, 8, 4],
    "encodec-32k": [16, 10, 8, 8],
    "stable-audio": [16, 16, 8, 8, 4],
    "waveglow": [128, 8],
    "blow": [2] * 8,
    "istftnet": [16, 16, 16],
    "vocos-24k": [1024],
    "mb-melgan": [16, 8, 4, 63],
    "wavegan": [25] * 5,
    "segan": [31] * 11,
    "audio-super-resolution": [9, 17, 33, 65, 9],
    "dense-subpixel": [3] * 6,
    "wave-u-net-learned": [3] * 12,
    "fig7-subpixel": [3, 3, 3],
    "fig8-transposed": [4, 4, 4],
}


def test_every_preset_is_held_here() -> None:
    assert set(GRIDS) == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_factors_rate_and_grid(name: str) -> None:
    known, (factors, sr, grid) = preset(name), GRIDS[name]
    chain = known.chain
    assert tuple(stage.factor for _, stage in chain.upsamplers) == factors
    assert (known.name, known.sr) == (name, sr)
    lines = [line.hz(sr) for line in tone_lines(chain)]
    assert lines == [k * grid for k in range(chain.factor // 2 + 1)]


@pytest.mark.parametrize("name", LENGTHS)
def test_kernel_lengths(name: str) -> None:
    assert [stage.length for _, stage in preset(name).chain.upsamplers] == LENGTHS[name]


@pytest.mark.parametrize("name", PRESETS)
def test_words_are_canonical_and_sourced(name: str) -> None:
    known = preset(name)
    assert spec(known.chain) == known.spec
    assert len(known.source) > 10
    assert known.note


def test_melgan_is_the_article_s() -> None:
    words = "conv k7 p3 | leaky 0.2 | convt k16 s8 p4 | leaky 0.2 | convt k16 s8 p4 | leaky 0.2 | convt k4 s2 p1"
    assert preset("melgan").spec == f"{words} | leaky 0.2 | convt k4 s2 p1 | leaky 0.2 | conv k7 p3 | tanh"


HEADS = {
    "waveglow": ("unsqueeze", [Fraction("2756.25"), Fraction("5512.5"), Fraction("8268.75")], Fraction("86.1328125")),
    "istftnet": ("istft", [Fraction("5512.5"), Fraction(11025)], Fraction("689.0625")),
    "vocos-24k": ("istft", [Fraction("93.75")], Fraction(12)),
    "mb-melgan": ("pqmf", [Fraction("5512.5"), Fraction(11025)], Fraction("689.0625")),
    "blow": ("unsqueeze", [Fraction(8000)], Fraction("62.5")),
}


@pytest.mark.parametrize("name", HEADS)
def test_who_makes_the_lines_of_networks_that_end_in_a_head(name: str) -> None:
    op, heads, other = HEADS[name]
    known = preset(name)
    last = len(known.chain.upsamplers)
    assert known.chain.stages[-1].op == op
    for hz in heads:
        assert whence(known.chain, hz / known.sr).owner == last
    found = whence(known.chain, other / known.sr)
    assert found.owner != last


OWNERS = {  # in Hz: which layer makes it, if every layer before it can too, and which can only repeat it
    "wavegan": {"4000": 5, "1000": 4, "250": 3, "62.5": 2, "15.625": 1},
    "segan": {"8000": 11, "4000": 10, "7.8125": 1},
    "gan-tts": {"4800": 5, "9600": 5, "1600": 4, "3200": 4, "800": 3, "400": 2, "200": 1},
    "audio-super-resolution": {"8000": 5, "4000": 4, "2000": 3, "1000": 2, "500": 1},
    "dense-subpixel": {"8000": 6, "500": 2, "250": 1},
}


@pytest.mark.parametrize("name", OWNERS)
def test_who_makes_the_lines_of_the_systems_that_the_article_names(name: str) -> None:
    known = preset(name)
    for hz, owner in OWNERS[name].items():
        assert whence(known.chain, Fraction(hz) / known.sr).owner == owner
    off = min(Fraction(hz) for hz in OWNERS[name]) / 2
    assert whence(known.chain, off / known.sr).owner is None


KEPT = {  # frames in, samples out, as the sources say them
    "wavegan": (16, 16384),
    "segan": (8, 16384),
    "gan-tts": (200, 24000),
    "audio-super-resolution": (256, 8192),
    "dense-subpixel": (8, 512),
    "wave-u-net": (4, 16384),
}


@pytest.mark.parametrize("name", KEPT)
def test_paddings_keep_frames_whole(name: str) -> None:
    """Lengths by each layer's own rule."""
    frames, samples = KEPT[name]
    for stage in preset(name).chain.stages:
        if isinstance(stage, Outline) and stage.op == "convt":
            frames = (frames - 1) * stage.stride - 2 * stage.padding + stage.length + stage.output_padding
        elif isinstance(stage, Outline):
            frames += 2 * stage.padding - stage.length + 1
            frames *= stage.stride if stage.op == "shuffle" else 1
        else:
            frames *= int(stage.factor)
    assert frames == samples


def test_learned_interpolation_makes_no_tone_and_random_weights_do() -> None:
    w = Fraction(1, 3)
    layer = TransposedConv(np.array([[[1 - w, Fraction(1), w]]], dtype=object), stride=2, padding=1)
    assert list(layer.normal.phase_gains.ravel()) == [1, 1]
    words = preset("wave-u-net-learned").chain.stages[0]
    assert isinstance(words, Outline)
    assert (words.length, words.stride, words.padding) == (layer.length, layer.stride, layer.padding)
    assert words.overlap == "partial"


def test_the_line_of_waveglow_is_answered_in_one_command() -> None:
    """What is the line at 2756.25 Hz in my WaveGlow at 22 050 Hz?"""
    answer = CliRunner().invoke(dspref, ["whence", "2756.25", "5512.5", "8268.75", "--preset", "waveglow"])
    words = "layer 2 (unsqueeze x8, stage 4) makes it; with a map behind layer 2, also possible from layer 1"
    assert answer.output.splitlines() == [f"{hz} Hz: {words}" for hz in ("2756.25", "5512.5", "8268.75")]
    assert "groups of 8 samples" in preset("waveglow").note


def test_demucs_ends_without_relu() -> None:
    block = ["conv", "glu", "convt", "relu"]
    assert [stage.op for stage in preset("demucs").chain.stages] == (block * 6)[:-1]


@pytest.mark.parametrize(("s", "k"), [(8, 16), (5, 10), (5, 11), (2, 5), (3, 4), (10, 16), (1, 3)])
def test_a_vocoder_s_layer_is_s_times_as_long(s: int, k: int) -> None:
    layer = parse(vocoder([s], [k])).stages[2]
    assert isinstance(layer, Outline)
    assert layer.length - s - 2 * layer.padding + layer.output_padding == 0


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"preset: got 'melgn'; allowed: melgan, demucs.*did you mean 'melgan'\?"):
        preset("melgn")
