"""Wrong outputs are named by the mistake that made them, and by no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

import numpy as np
import pytest
import torch

from dspref import Chain, Conv, FilterInterp, Linear, Nearest, Pointwise, SubpixelConv, TransposedConv
from dspref.adjoints import WRT, adjoint
from dspref.arrays import Array
from dspref.interpolate import Interpolate
from torchparity.arithmetic import rounded
from torchparity.mistakes import likely, likely_gradient, likely_gradients
from torchparity.mistakes.backward import Found, backward, scales
from torchparity.mistakes.evidence import Subject, Trio, ran
from torchparity.mistakes.forward import PREDICTED, special
from torchparity.mistakes.kernels import kernel_of
from torchparity.mistakes.outputs import to_bits
from torchparity.mutants import find

U = 2.0**-24
LENGTHS = (12, 23)


def layers(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)

    def w(*shape: int) -> Array:
        return rng.standard_normal(shape).astype(np.float32)

    return {
        "convt": TransposedConv(w(2, 3, 7), stride=3, padding=2, output_padding=1, bias=w(3)),
        "convt, groups, dilation": TransposedConv(
            w(6, 2, 4), stride=2, padding=1, output_padding=2, dilation=3, groups=2, bias=w(4)
        ),
        "convt, even dilation": TransposedConv(w(2, 1, 3), stride=3, padding=3, dilation=2, bias=w(1)),
        "convt, gap": TransposedConv(w(2, 2, 2), stride=5, padding=1, bias=w(2)),
        "convt, K = 2s": TransposedConv(w(2, 2, 8), stride=4, padding=2),
        "conv": Conv(w(3, 2, 5), padding=2, bias=w(3)),
        "conv, same, reflect": Conv(w(2, 2, 4), padding="same", padding_mode="reflect", dilation=3, bias=w(2)),
        "conv, groups, stride": Conv(w(4, 2, 3), stride=2, padding=1, groups=2, dilation=2),
        "shuffle": SubpixelConv(w(6, 2, 3), 3, padding=1, bias=w(6)),
        "shuffle, dcr, groups": SubpixelConv(
            w(8, 2, 3), 2, padding=1, groups=2, bias=w(8), order="dcr", padding_mode="circular"
        ),
        "filter": FilterInterp(3, w(2, 2, 8), offset=3),
        "filter, channels alike": FilterInterp(4, w(9), offset=4),
        "nearest": Nearest(4),
        "linear": Linear(3),
        "linear, corners": Linear(4, align_corners=True),
        "interpolate nearest": Interpolate("nearest", scale_factor="13/6"),
        "interpolate nearest-exact": Interpolate("nearest-exact", size=37),
        "interpolate linear": Interpolate("linear", scale_factor="3/2"),
        "interpolate cubic": Interpolate("cubic", scale_factor=4),
        "chain": Chain(
            [
                TransposedConv(w(2, 2, 4), stride=2, padding=1),
                Pointwise("leaky", (0.1,)),
                Conv(w(2, 2, 3), padding=1, bias=w(2)),
                Nearest(2),
            ]
        ),
    }


NAMES = tuple(layers(0))

ONE_LESS = {"padding off by one: one less": "padding ignored"}
REVERSED = {"input reversed in time": "output reversed in time"}

SYNONYMS: dict[str, dict[str, str]] = {
    "convt": {"output_padding 3 where 1 is due": "output_padding implemented as input padding"},
    "convt, groups, dilation": {
        # no tap reaches the first sample and the one beyond the last: both are the bias
        "output 1 sample early, wrapped around": "padding off by one: output 1 sample early",
    },
    "convt, even dilation": {  # as many taps as phases, and stamps that overlap in one tap each
        "dilation off by one": "dilation ignored in the kernel, not in the length",
        "overlap dropped (the first stamp stays)": "first tap dropped",
        "overlap overwritten instead of added": "last tap dropped",
        "phases 0 and 2 swapped": "kernel flipped",
    },
    "convt, gap": {
        **{f"phases 0 and {k} swapped": "first tap dropped" for k in (2, 3, 4)},
        **{f"phases 1 and {k} swapped": "last tap dropped" for k in (2, 3, 4)},
        "phases 0 and 1 swapped": "kernel flipped",
        "phases rotated by 2": "phases reversed",
        "phases rotated by 3": "phases reversed",
        "mean in place of the sum over channels: kernel scaled by 1/2": (
            "mean in place of the sum over taps: kernel scaled by 1/2"
        ),
    },
    "conv, groups, stride": {
        **ONE_LESS,
        "decimation starts 1 sample late": "padding off by one: output 1 sample early",
        **{
            f"output {k} samples {side}, zeros shifted in": "all zero"
            for k in range(11, 17)
            for side in ("late", "early")
        },
    },
    "shuffle": ONE_LESS,
    "shuffle, dcr, groups": {
        **ONE_LESS,
        "bias of each channel's first phase given to all": "bias of the first group given to all",
        "output 2 samples late, wrapped around": "padding off by one: output 1 sample late",
        "output 2 samples early, wrapped around": "padding off by one: output 1 sample early",
    },
    "nearest": REVERSED,
    "linear": REVERSED,
    "linear, corners": REVERSED,
    "interpolate nearest": {"length rounded up": "", "length rounded to the nearest": ""},  # 23·13/6 is no evidence
    "interpolate linear": {"length rounded to the nearest": "length rounded up"},  # there are only halves
    "interpolate cubic": {"nearest-exact where cubic is due": "nearest where cubic is due", **REVERSED},
    "chain": {
        "padding off by one: one less (stage 2, conv)": "padding ignored (stage 2, conv)",
        "mean in place of the sum over channels: kernel scaled by 1/2 (stage 2, conv)": (
            "mean in place of the sum over channels: kernel scaled by 1/2 (stage 0, convt)"
        ),
        "index rounded to the nearest sample, halves up (stage 3, nearest)": "index rounded up (stage 3, nearest)",
        "index one output early (stage 3, nearest)": "index rounded up (stage 3, nearest)",
    },
}
"""Mistakes that are another one, or cannot be told from it, in a layer: by what name they go."""


def noise(layer: Any, time: int, seed: int, batch: int = 2) -> Array:
    channels = getattr(layer, "in_channels", None) or 2
    x = np.random.default_rng([seed, time]).standard_normal((batch, channels, time))
    return np.asarray(x.astype(np.float32), float)


def candidates(subject: Subject) -> Iterator[tuple[str, Trio]]:
    return chain.from_iterable(rank(subject) for rank in PREDICTED)


def tried(subject: Subject, seed: int) -> Iterator[tuple[str, Trio]]:
    """Yield the mistakes of this kind of layer, and every seventh of those of all layers, others for another seed."""
    own = {words for words, _ in special(subject.layer)}
    others = (found for found in candidates(subject) if found[0] not in own)
    step = 4 if isinstance(subject.layer, Chain) else 1
    yield from islice((found for found in candidates(subject) if found[0] in own), seed % step, None, step)
    yield from islice(others, seed, None, 7)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_mistake_of_the_table_goes_by_its_name(name: str, seed: int) -> None:
    layer = layers(seed)[name]
    inputs = [noise(layer, time, seed) for time in LENGTHS]
    subject = Subject(layer, [(x, np.asarray(layer(x), np.float32)) for x in inputs], U)
    confused, asked, named = {}, 0, 0
    for words, model in tried(subject, seed):
        made = [ran(model.values, x) for x in inputs]
        pairs = [(x, y.astype(np.float32)) for x, y in zip(inputs, made, strict=True) if y is not None]
        if len(pairs) < len(inputs):
            continue
        hidden = not Subject(layer, pairs, U).explained_by(model)  # no other than the layer, at these lengths
        got, asked = likely(layer, pairs, u=U), asked + 1
        named += got != ""
        if got != ("" if hidden else words):
            confused[words] = got
    allowed = SYNONYMS.get(name, {})
    assert {words: got for words, got in confused.items() if allowed.get(words) != got} == {}
    assert named > 0.5 * asked


@pytest.mark.parametrize("name", NAMES)
def test_synonyms_are_the_same_computation(name: str) -> None:
    layer = layers(3)[name]
    x = noise(layer, LENGTHS[-1], 7)
    subject = Subject(layer, [(x, np.asarray(layer(x)))], U)
    models = dict(candidates(subject))
    for words, other in SYNONYMS.get(name, {}).items():
        if other:
            assert np.allclose(models[words].values(x), models[other].values(x), rtol=1e-12, atol=1e-12), words


@pytest.mark.parametrize("name", NAMES)
def test_a_right_output_has_no_mistake(name: str) -> None:
    layer = layers(4)[name]
    inputs = [noise(layer, time, 4).astype(np.float32) for time in LENGTHS]
    assert likely(layer, [(x, layer(x)) for x in inputs], u=U) == ""


@pytest.mark.parametrize("name", NAMES)
def test_an_output_of_another_kind_has_no_name(name: str) -> None:
    layer = layers(5)[name]
    rng = np.random.default_rng(5)
    inputs = [noise(layer, time, 5) for time in LENGTHS]
    assert likely(layer, [(x, rng.standard_normal(layer(x).shape)) for x in inputs], u=U) == ""


MUTANTS = {
    "convt: kernel flipped": "kernel flipped",
    "conv: kernel flipped": "kernel flipped",
    "shuffle: kernel flipped": "kernel flipped",
    "filter: kernel flipped": "kernel flipped",
    "convt: phases swapped": "phases 0 and 1 swapped",
    "filter: phases swapped": "phases 0 and 1 swapped",
    "shuffle: phases swapped": "phases rotated by 1",
    "shuffle: DCR order where CRD was promised": "phases swapped (DCR order)",
    "convt: padding off by one": "padding off by one: output 1 sample late",
    "conv: padding off by one": "padding off by one: output 1 sample late",
    "shuffle: padding off by one": "padding off by one: output 1 sample late",
    "filter: padding off by one": "padding off by one: output 1 sample late",
    "convt: one sample too long": "1 sample too many at the end, the others right",
    "conv: odd sample of 'same' on the left": "padding 'same': the odd sample on the left, not on the right",
    "convt: output_padding implemented as input padding": "output_padding implemented as input padding",
    "convt: output_padding filled with zeros": "output_padding filled with zeros",
    "convt: output_padding ≥ stride left empty": "output_padding beyond stride − 1 filled with zeros",
    "convt: inputs dealt to groups in turn": "groups' channels mixed: inputs dealt to the groups in turn",
    "conv: outputs of groups interleaved": "groups' channels mixed: outputs of the groups interleaved",
    "convt: whole bias given to each group": "bias doubled (whole bias given to each group)",
    "conv: bias of the first group given to all": "bias of the first group given to all",
    "conv: groups and dilation swapped": "groups and dilation swapped",
    "convt: dilation ignored in the length": "dilation ignored in the length",
    "conv: dilation ignored in the length": "dilation ignored in the padding",
    "convt: phase of a dilated tap taken as if undilated": "stride and dilation offsets mixed up",
    "conv: taps stride·dilation apart": "taps stride·dilation apart",
    "convt: gap between kernels filled with the sample before": "gap filled (the sample before is held)",
    "filter: gap between kernels filled with the sample before": "gap filled (the sample before is held)",
    "convt: taps beyond 16 dropped": "taps beyond 16 dropped",
    "conv: channels beyond 64 dropped": "channels beyond 64 dropped",
    "conv: bias dropped": "bias dropped",
    "shuffle: bias doubled": "bias doubled",
    "shuffle: bias of a channel's first phase given to all": "bias of each channel's first phase given to all",
    "conv: border reflected where it was to be replicated": "border: reflect where replicate is due",
    "conv: last sample wrong for lengths > 32": "last sample wrong",
    "nearest: first sample off by 1e-6": "first sample wrong",
    "conv: partial sums in bf16": "accumulated in half precision (bfloat16)",
    "convt: partial sums in fp16": "accumulated in half precision (float16)",
    "convt: TF32 where fp32 was promised": "operands rounded to 11 significant bits (TF32, float16)",
    "convt: batch items mixed": "every item of the batch is the first",
    "linear: corners aligned where they were not to be": "align_corners mixed up: without is due",
    "linear: half a sample late": "linear on the integer grid (m/L, samples as points)",
    "linear: border of zeros": "border: zeros where held samples are due",
    "nearest: index by float product": "index computed in floating point (m·fl(1/L))",
    "nearest-exact: nearest-exact by the plain formula": "nearest where nearest-exact is due",
    "cubic: Keys' a = -1/2": "cubic with a = −1/2 (Catmull and Rom) where a = −3/4 is due",
    "stack: odd stride losing samples in a stack": "output_padding ignored (every convt)",
    "stack: two stages in the wrong order": "the first stage run last",
    "conv: relative error 3e-7 of one tap": "",
    "conv: dither of 1e-6": "",
}
"""What wrong layers written in Torch, by another hand, are taken for."""


@pytest.mark.parametrize("name", MUTANTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_wrong_layer_in_torch_is_recognised(name: str, seed: int) -> None:
    layer = find(name).layer(seed=seed)
    wrong = find(name).make(layer)
    pairs = []
    for time in (20, 41):
        x = noise(layer, time, seed).astype(np.float32)
        with torch.no_grad():
            pairs.append((x, wrong(torch.from_numpy(x.copy())).numpy()))
    assert likely(layer, pairs, u=U) == MUTANTS[name]


Change = Callable[[Array], Array]

FITTED: dict[str, tuple[str, Change]] = {
    "twice": ("scaled by 2", lambda y: 2 * y),
    "a third": ("scaled by 1/3", lambda y: y / 3),
    "no fraction": ("scaled by 1.2345", lambda y: 1.2345 * y),
    "negative": ("sign of the output", lambda y: -y),
    "an offset": ("a constant added: 1/2", lambda y: y + 0.5),
    "offsets": ("a constant added per channel", lambda y: y + np.arange(1, 4)[:, None]),
    "channels": ("output channels in the order [2, 0, 1]", lambda y: y[:, [2, 0, 1]]),
    "last": ("last sample wrong (zero)", lambda y: y * (np.arange(y.shape[-1]) < y.shape[-1] - 1)),
    "first": ("first 2 samples wrong", lambda y: y + 0.1 * (np.arange(y.shape[-1]) < 2)),
    "both ends": (
        "first sample and last sample wrong",
        lambda y: y + np.eye(1, y.shape[-1]) + np.eye(1, y.shape[-1])[:, ::-1],
    ),
    "bfloat16": ("output rounded to 8 significant bits (bfloat16)", lambda y: to_bits(y, bits=8)),
    "float16": ("output rounded to 11 significant bits (float16)", lambda y: to_bits(y, bits=11)),
    "too long": ("2 samples too many at the end, the others right", lambda y: np.concatenate([y, y[..., :2]], -1)),
    "too short": ("1 sample too few at the start, the others right", lambda y: y[..., 1:]),
    "infinite": ("", lambda y: np.where(y == y.max(), np.inf, y)),
    "other channels": ("", lambda y: y[:, :2]),
    "no batch": ("", lambda y: y[0]),
}


@pytest.mark.parametrize("name", FITTED)
@pytest.mark.parametrize("kind", ["convt", "conv"])
def test_what_is_read_off_the_outputs(name: str, kind: str) -> None:
    words, change = FITTED[name]
    given = layers(6)[kind]
    layer = given if kind == "conv" else TransposedConv(given.weight, stride=3, padding=2, bias=given.bias)
    pairs = [(x, change(layer(x)).astype(np.float32)) for x in (noise(layer, time, 6) for time in (40, 61))]
    assert likely(layer, pairs, u=U) == words


def test_a_scaled_kernel_with_the_right_bias() -> None:
    layer = layers(7)["conv"]
    pairs = [(x, 3 * layer(x) - 2 * layer.bias[:, None]) for x in (noise(layer, 20, 7), noise(layer, 31, 7))]
    assert likely(layer, [(x, y.astype(np.float32)) for x, y in pairs], u=U) == "kernel scaled by 3"


def test_flipping_a_symmetric_kernel_is_no_mistake() -> None:
    layer = Conv(np.array([[[1.0, 2.5, 1.0]]]), padding=1)
    x = noise(layer, 20, 8)
    assert likely(layer, [(x, Conv(layer.weight[..., ::-1], padding=1)(x).astype(np.float32))], u=U) == ""


def test_evidence_that_does_not_decide_names_nothing() -> None:
    layer = Interpolate("nearest", scale_factor="13/6")

    def pair(time: int, length: int) -> tuple[Array, Array]:
        x = noise(layer, time, 11)
        return x, x[..., layer.taps(time + 9).index[0, :length].clip(max=time - 1)]

    assert likely(layer, [pair(23, 50)], u=U) == ""  # 49 5/6: rounded up, or to the nearest?
    assert likely(layer, [pair(23, 50), pair(14, 31)], u=U) == "length rounded up"  # 30 1/3
    assert likely(layer, [pair(23, 50), pair(14, 30)], u=U) == "length rounded to the nearest"


def test_whole_numbers_must_be_equal() -> None:
    layer = Conv(np.array([[[1.0, -2, 3]]]), padding=1)
    x = np.random.default_rng(9).integers(-8, 9, (2, 1, 20)).astype(float)
    flipped = Conv(layer.weight[..., ::-1], padding=1)(x)
    assert likely(layer, [(x, flipped)], u=U) == "kernel flipped"
    assert likely(layer, [(x, flipped + 1e-6 * x)], u=U) == ""
    assert likely(layer, [(x, layer(x) * (1 + 2.0**-20))], u=U) == "scaled by 1.000001"


def test_all_pairs_must_be_explained() -> None:
    layer = layers(8)["conv"]
    x, z = noise(layer, 20, 8), noise(layer, 21, 8)
    flipped, dropped = Conv(layer.weight[..., ::-1], padding=2, bias=layer.bias), Conv(layer.weight, padding=2)
    assert likely(layer, [(x, flipped(x)), (z, flipped(z))], u=U) == "kernel flipped"
    assert likely(layer, [(x, flipped(x)), (z, dropped(z))], u=U) == ""
    assert likely(layer, [], u=U) == ""


@pytest.mark.parametrize("half", ["bfloat16", "float16"])
def test_mistakes_are_seen_through_the_rounding_of_half_precision(half: str) -> None:
    layer = layers(9)["conv"]
    layer = Conv(rounded(layer.weight, half), padding=2, bias=rounded(layer.bias, half))
    flipped = Conv(layer.weight[..., ::-1], padding=2, bias=layer.bias)
    x = rounded(noise(layer, 40, 9), half).astype(float)
    u = {"bfloat16": 2.0**-8, "float16": 2.0**-11}[half]
    assert likely(layer, [(x, rounded(flipped(x), half))], u=u) == "kernel flipped"
    assert likely(layer, [(x, rounded(layer(x), half))], u=u) == ""


def test_a_large_layer_is_looked_at_in_a_few_channels() -> None:
    rng = np.random.default_rng(10)
    layer = TransposedConv(rng.standard_normal((256, 300, 8)), stride=4, padding=2, bias=rng.standard_normal(300))
    assert kernel_of(layer).size > 1 << 18
    flipped = TransposedConv(layer.weight[..., ::-1], stride=4, padding=2, bias=layer.bias)
    x = rng.standard_normal((1, 256, 9))
    assert likely(layer, [(x, flipped(x))], u=2.0**-53) == "kernel flipped"


BACKWARD = {
    "convt backward: kernel flipped in the gradient by the input": "gradient by input: kernel flipped",
    "conv backward: kernel flipped in the gradient by weight and bias": "gradient by weight: kernel flipped",
    "shuffle backward: DCR order in the gradient by weight and bias": (
        "gradient by weight, bias: phases swapped (DCR order)"
    ),
    "filter backward: padding off by one in the gradient by the input": (
        "gradient by input: padding off by one: output 1 sample late"
    ),
    "conv backward: inputs dealt to groups in turn in the gradient by the input": (
        "gradient by input: groups' channels mixed: inputs dealt to the groups in turn"
    ),
    "linear backward: corners aligned in the gradient by the input": (
        "gradient by input: align_corners mixed up: without is due"
    ),
    "nearest backward: mean over the copies": "gradient by input: mean over the factor, not the sum",
    "conv backward: TF32 in the gradient by the input": (
        "gradient by input: operands rounded to 11 significant bits (TF32, float16)"
    ),
    "conv backward: batch items mixed in the gradient by the input": (
        "gradient by input: all of the batch's given to its first item"
    ),
    "convt backward: mean over the batch in the gradient by weight and bias": (
        "gradient by weight, bias: mean over the batch, not the sum"
    ),
    "shuffle backward: no gradient by the weight": "gradient by weight: all zero",
    "conv backward: gradient by the input doubled": "gradient by input: doubled",
    "conv backward: noise in the gradient": "",
}
"""What wrong gradients of layers written in Torch, by another hand, are taken for."""


@pytest.mark.parametrize("name", BACKWARD)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_wrong_gradient_in_torch_is_recognised(name: str, seed: int) -> None:
    layer = find(name).layer(seed=seed)
    cases = []
    for batch, time in ((3, 17), (1, 22)):
        wrong = find(name).make(layer)
        x = torch.from_numpy(noise(layer, time, seed, batch).astype(np.float32)).requires_grad_()
        y = wrong(x.clone())
        g = torch.from_numpy(np.random.default_rng(seed).standard_normal(tuple(y.shape)).astype(np.float32))
        y.backward(g.clone())
        found = {"input": x, "weight": getattr(wrong, "weight", None), "bias": getattr(wrong, "bias", None)}
        got = {wrt: a.grad.numpy() for wrt, a in found.items() if a is not None and a.grad is not None}
        cases.append((x.detach().numpy(), g.numpy(), got))
    assert likely_gradients(layer, cases, u=U) == BACKWARD[name]


def gradients(layer: Any, x: Array, g: Array) -> dict[str, Array]:
    due = adjoint(layer, x, g)
    return {wrt: getattr(due, wrt) for wrt in WRT if getattr(due, wrt) is not None}


@pytest.mark.parametrize("name", NAMES)
def test_right_gradients_have_no_mistake(name: str) -> None:
    layer = layers(12)[name]
    x = noise(layer, 13, 12)
    g = np.random.default_rng(12).standard_normal(layer(x).shape)
    assert likely_gradient(layer, x, g, gradients(layer, x, g), u=U) == ""
    assert likely_gradient(layer, x, g, {wrt: a + g.max() for wrt, a in gradients(layer, x, g).items()}, u=U) == ""


AKIN = {
    "mean over the input's time, not the sum": "mean over time, not the sum",
    "a sum over the input's time too many": "a sum over time too many",
    "without its first entry": "first tap dropped",
    "without its last entry": "last tap dropped",
    "the first phase only": "zeros inserted, not the sample repeated",
}
"""Mistakes of a backward computation that are another one where lengths, or a layer's taps, make them so."""


@pytest.mark.parametrize("name", ["conv", "shuffle", "nearest", "linear"])
def test_every_mistake_of_a_backward_computation_goes_by_its_name(name: str) -> None:
    layer = layers(13)[name]
    x = noise(layer, 13, 13, batch=5)
    g = np.random.default_rng(13).standard_normal(layer(x).shape)
    named = 0
    for wrt, due in gradients(layer, x, g).items():
        found = Found(layer, wrt, x, g, due, U)
        for words, how in islice((*scales(found), *backward(found)), len(wrt) % 2, None, 2):
            got = likely_gradient(layer, x, g, {wrt: how(layer, x, g)}, u=U)
            allowed = {f"gradient by {wrt}: {known}" for known in (words, AKIN.get(words, words))}
            if wrt == "bias" and "of the batch's" in words:
                allowed = {""}  # the sum is the same
            assert got in allowed
            named += got != ""
    assert named >= 5
