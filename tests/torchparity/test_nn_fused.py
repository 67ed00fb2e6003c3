"""Fused layers against their two layers, and against the NumPy reference: bit by bit on integers, else to rounding.

The bound is derived here. An output of the polyphase form is a sum over q and i of W·x̂, plus the bias, W a sum of at
most K products of a weight and a tap that is rounded itself. A product passes through one rounding of its tap, one of
the product, K − 1 sums in W, one storage of W, one product with x̂, nQ sums (n = in/groups) and one of the bias:

    abs(computed − exact) ≤ γ_N S,    N = K + 3 + nQ + 1,    γ_N = Nu/(1 − Nu),    S = Σ abs(w) abs(h) abs(x̂) + abs(b)

(N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., lemma 3.1). By the two layers a product passes
through nK sums and fewer other roundings. The reference rounds itself, in double precision: γ_N at u = 2⁻⁵³ more. Outer
outputs of linear interpolation stand at positions computed by Torch: `torchparity.interpolation` bounds u, and the
convolution hands that on. A gradient is such a sum too: by x over outputs and channels, by w over batch and time.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from dspref import Conv, FilterInterp, Linear, Nearest
from dspref.arrays import BORDERS, Array
from torchparity.arithmetic import arithmetic
from torchparity.devices import settings as held
from torchparity.interpolation import interpolation_bound
from torchparity.nn import FilterConv1d, FilterInterp1d, Interpolate1d, LinearConv1d, NearestConv1d, fusing
from torchparity.nn.banks import Job, plan_of
from torchparity.nn.choice import LAUNCHING, TENSOR, chosen, faster, launching
from torchparity.nn.geometry import Geometry, as_pads, linear, nearest, stretched
from torchparity.nn.parting import LEAST, parts
from torchparity.nn.polyphase import fits, fits_whole
from torchparity.nn.products import gradients as of_products
from torchparity.nn.products import spread
from torchparity.nn.running import SMALL, is_few
from torchparity.nn.shuffle import interleaved, put, take
from torchparity.nn.taps import composed, decomposed, in_a_row, out_of_row, turned

LAYERS: dict[str, Any] = {"nearest": NearestConv1d, "linear": LinearConv1d, "filter": FilterConv1d}
U = {torch.float32: 2.0**-24, torch.float64: 2.0**-53}
NAMES = {torch.float32: "float32", torch.float64: "float64"}
FORMS = ("polyphase", "two layers", "transposed", "running sum")


@st.composite
def layers(draw: Callable[..., Any], *, exact: bool = False) -> Any:
    """Draw a fused layer over the whole space of its parameters, in double precision.

    If sums of whole numbers are to be exact, lines are drawn by factors whose taps are short in binary.
    """
    kind, K, d = draw(st.sampled_from(list(LAYERS))), draw(st.integers(1, 9)), draw(st.integers(1, 4))
    L = draw(st.sampled_from([1, 2, 4, 8]) if exact and kind == "linear" else st.integers(1, 5))
    small = st.integers(-4, 12)
    same = st.just(d * (K - 1) // 2)
    padding = draw(st.one_of(same, small, st.tuples(small, small), st.sampled_from(["same", "valid"])))
    groups = draw(st.integers(1, 2))
    own: dict[str, Any] = {}
    if kind == "filter":
        own["taps"] = [float(h) for h in draw(st.lists(st.integers(-3, 3), min_size=1, max_size=11))]
        own |= {"offset": draw(st.integers(-5, 8)), "excess": draw(st.integers(-3, 3))}
    return LAYERS[kind](
        2 * groups,
        3 * groups,
        K,
        L,
        padding=padding,
        dilation=d,
        groups=groups,
        bias=draw(st.booleans()),
        padding_mode=draw(st.sampled_from(BORDERS)),
        dtype=torch.float64,
        form=draw(st.sampled_from(FORMS if kind == "nearest" else FORMS[:3])),
        **own,
    )


def whole(layer: Any, seed: int, shape: tuple[int, ...]) -> Tensor:
    """Fill a layer with small whole numbers, and return such a signal."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randint(-3, 4, p.shape))
    return torch.randint(-4, 5, shape).to(layer.weight.dtype)


def outcome(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor | None:
    """Return what a layer makes of a signal; None if it refuses it."""
    try:
        return f(x)
    except (ValueError, RuntimeError, IndexError):
        return None


def gradients(module: nn.Module, x: Tensor, g: Tensor) -> list[Tensor]:
    """Return the output and the gradients by the signal and the parameters."""
    x = x.clone().requires_grad_()
    y = module(x)
    return [y, *torch.autograd.grad(y, [x, *module.parameters()], g)]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
@settings(max_examples=120, derandomize=True, deadline=None, database=None)
@given(layers(exact=True), st.integers(1, 12), st.integers(0, 99), st.sampled_from([0, SMALL]))
def test_equal_to_two_layers_bit_by_bit_on_integers_and_refused_alike(
    layer: Any, time: int, seed: int, small: int
) -> None:
    """Outputs and gradients by input, weight and bias, borders included; running sums forward in both ways."""
    x, two = whole(layer, seed, (2, layer.in_channels, time)), layer.two_layers()
    y, due = outcome(layer, x), outcome(two, x)
    assert (y is None) == (due is None)
    if y is None or due is None:
        return
    assert y.shape == due.shape
    assert y.is_contiguous()
    g = torch.randint(-4, 5, due.shape).double()
    with mock.patch("torchparity.nn.running.SMALL", small):
        found = gradients(layer, x, g)
    for ours, theirs in zip(found, gradients(two, x, g), strict=True):
        assert torch.equal(ours, theirs)


def reference(layer: Any, change: Callable[[Array], Array] = lambda a: a) -> tuple[Any, Conv]:
    """Return the interpolation and the convolution, without padding, in NumPy; `change` is applied to all numbers."""
    g, i = layer.geometry, layer.geometry.interpolation
    w = change(layer.weight.detach().double().numpy())
    b = None if layer.bias is None else change(layer.bias.detach().double().numpy())
    conv = Conv(w, dilation=g.dilation, groups=layer.groups, bias=b)
    if i.kind == "filter":
        return FilterInterp(i.factor, change(np.array(i.taps)), offset=i.offset, excess=i.excess), conv
    return (Nearest if i.kind == "nearest" else Linear)(i.factor), conv


def padded(u: Array, pads: tuple[int, int], mode: str) -> Array:
    """Extend by NumPy's rules, then crop."""
    more = [(0, 0)] * (u.ndim - 1) + [(max(pads[0], 0), max(pads[1], 0))]
    names = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    u = np.pad(u, more, mode=names[mode])  # type: ignore[call-overload]
    return u[..., max(-pads[0], 0) : u.shape[-1] - max(-pads[1], 0)]


def by_numpy(layer: Any, x: Array, change: Callable[[Array], Array] = lambda a: a) -> Array:
    interpolation, conv = reference(layer, change)
    g = layer.geometry
    return np.asarray(conv(padded(np.asarray(interpolation(change(x))), g.pads, g.padding_mode)))


def handed_on(layer: Any, E: Array) -> Array:
    """Return what the convolution makes of samples of u that are off by E."""
    g, (_, conv) = layer.geometry, reference(layer, np.abs)
    return np.asarray(dataclasses.replace(conv, bias=None)(padded(E, g.pads, g.padding_mode)))


def terms(layer: Any) -> int:
    """Return N of the bound."""
    least, most = layer.geometry.span
    return int(layer.geometry.length + 4 + layer.weight.shape[1] * max(most - least + 1, layer.geometry.length))


@pytest.mark.parametrize("dtype", U)
@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(layers(), st.integers(1, 12), st.integers(0, 99))
def test_differs_from_numpy_by_rounding_alone(dtype: torch.dtype, layer: Any, time: int, seed: int) -> None:
    layer = copy.deepcopy(layer).to(dtype)
    torch.manual_seed(seed)
    x = torch.randn(2, layer.in_channels, time, dtype=dtype)
    y = outcome(layer, x)
    if y is None:
        return
    N, signal = terms(layer), x.double().numpy()
    S = by_numpy(layer, signal, np.abs)
    γ = sum(N * u / (1 - N * u) for u in (U[dtype], U[torch.float64]))
    bound = γ * S
    if layer.geometry.interpolation.kind == "linear":
        bound = bound + handed_on(
            layer, interpolation_bound(Linear(layer.geometry.factor), signal, arithmetic(NAMES[dtype]))[0]
        )
    assert (np.abs(y.detach().double().numpy() - by_numpy(layer, signal)) <= bound).all()


@settings(max_examples=40, derandomize=True, deadline=None, database=None)
@given(layers(exact=True), st.integers(1, 12), st.integers(0, 99))
def test_whole_numbers_are_those_of_numpy(layer: Any, time: int, seed: int) -> None:
    """Computed by `dspref` from integers, and by the layer in double and in single precision."""
    x = whole(layer, seed, (1, layer.in_channels, time))
    if (y := outcome(layer, x)) is None:
        return
    due = by_numpy(layer, x.numpy().astype(np.int64).astype(float))
    assert np.array_equal(y.detach().numpy(), due)
    single = copy.deepcopy(layer).float()
    assert np.array_equal(single(x.float()).detach().double().numpy(), due)


@pytest.mark.parametrize("kind", LAYERS)
def test_gradients_round_as_sums_of_their_terms(kind: str) -> None:
    """In single precision, against those of the two layers in double."""
    own = {"taps": [0.25, 0.75, 1.0, 0.75, 0.25], "offset": 2} if kind == "filter" else {}
    layer = LAYERS[kind](4, 6, 5, 3, padding=2, groups=2, form="polyphase", **own)
    torch.manual_seed(1)
    x, g = torch.randn(2, 4, 17), torch.randn(2, 6, 51)
    exact = gradients(copy.deepcopy(layer).double().two_layers(), x.double(), g.double())
    positive = copy.deepcopy(layer).double()
    with torch.no_grad():
        for p in positive.parameters():
            p.abs_()
    S = gradients(positive.two_layers(), x.double().abs(), g.double().abs())
    N = terms(layer) + max(g[0, 0].numel() * len(g), 6 * 5)
    γ = N * 2.0**-24 / (1 - N * 2.0**-24)
    for ours, due, size in zip(gradients(layer, x, g), exact, S, strict=True):
        assert ((ours.double() - due).abs() <= γ * size).all()


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # Torch's own, at the first forward mode
@pytest.mark.parametrize("mode", BORDERS)
@pytest.mark.parametrize(("kind", "form"), [(k, f) for k in LAYERS for f in FORMS if k == "nearest" or f in FORMS[:3]])
def test_gradcheck(kind: str, form: str, mode: str) -> None:
    """By finite differences in double precision, first and second order; and forward mode."""
    own = {"taps": [0.5, 1.0, 0.25], "offset": 1} if kind == "filter" else {}
    layer = LAYERS[kind](2, 2, 3, 2, padding=1, padding_mode=mode, form=form, dtype=torch.float64, **own)
    torch.manual_seed(0)
    x = torch.randn(1, 2, 4, dtype=torch.float64, requires_grad=True)

    def f(x: Tensor, w: Tensor, b: Tensor) -> Any:
        return torch.func.functional_call(layer, {"weight": w, "bias": b}, (x,))

    operands = (x, layer.weight, layer.bias)
    assert torch.autograd.gradcheck(f, operands, check_forward_ad=True, fast_mode=True)
    assert torch.autograd.gradgradcheck(f, operands, fast_mode=True)


def test_many_channels_go_in_parts_and_no_gradient_that_nobody_asked_for_is_made() -> None:
    """1.5 million composed weights: two parts forward, more backward; whole numbers, so bit by bit."""
    layer = NearestConv1d(512, 256, 9, 4, padding=4, bias=False, form="polyphase")
    x = whole(layer, 0, (1, 512, 8))
    two: Any = layer.two_layers()
    g = torch.randint(-2, 3, (1, 256, 32)).float()
    for ours, due in zip(gradients(layer, x, g), gradients(two, x, g), strict=True):
        assert torch.equal(ours, due)
    of: Tensor
    for of in (layer.weight, x.requires_grad_()):
        x.requires_grad_(of is x)
        layer.weight.requires_grad_(of is layer.weight)
        (found,) = torch.autograd.grad(layer(x), of, g)
        two[-1].weight.requires_grad_(of is layer.weight)
        (due,) = torch.autograd.grad(two(x), two[-1].weight if of is layer.weight else x, g)
        assert torch.equal(found, due)


@pytest.mark.parametrize(
    ("L", "K", "padding", "Q"), [(2, 3, 1, 2), (4, 9, 4, 3), (4, 3, 1, 2), (8, 9, 4, 2), (2, 5, 0, 3)]
)
def test_phases_share_as_few_samples_as_they_can(L: int, K: int, padding: int, Q: int) -> None:
    """L + K − 1 taps in all, in rows of L: Q = ⌈(L + K − 1)/L⌉, wherever the layer begins."""
    g = Geometry(nearest(L), K, 1, (padding, padding), "zeros")
    assert g.phases().shape == (K, L, Q)
    assert -(-(L + K - 1) // L) == Q
    assert (g.phases().sum(2) == 1).all()


def test_phases_are_the_interpolated_kernel() -> None:
    """Each unit weight, convolved with the taps and split by phases, sample by sample from the equation."""
    for i in (nearest(3), linear(4), stretched(2, [1.0, 2.0, 3.0], 1, 0)):
        g = Geometry(i, 3, 2, (0, 0), "zeros")
        C, (least, _) = g.phases(), g.span
        for k, r, q in np.ndindex(*C.shape):
            n = i.offset - g.lead + r + 2 * k - (q + least) * i.factor
            assert C[k, r, q] == (i.taps[n] if 0 <= n < len(i.taps) else 0)


def test_adjoints_of_composition_and_shuffle() -> None:
    """⟨A x, y⟩ = ⟨x, Aᵀ y⟩ in whole numbers, and phases that are put in parts are interleaved."""
    torch.manual_seed(0)
    C = torch.randint(0, 3, (5, 3, 4)).double()
    w, W = torch.randint(-3, 4, (6, 2, 5)).double(), torch.randint(-3, 4, (18, 2, 4)).double()
    assert (composed(w, C, w.dtype) * W).sum() == (w * decomposed(W, C, w.dtype)).sum()
    for groups in (1, 2, 3):
        c = in_a_row(w, C, groups)
        by_c = torch.randint(-3, 4, c.shape).double()
        assert (c * by_c).sum() == (w * out_of_row(by_c, C, groups, w.dtype)).sum()
        W = composed(w, C, w.dtype).reshape(6, 3, 2, 4)
        for o, r, i, q in np.ndindex(*W.shape):
            assert c[o // (6 // groups) * 2 + i, o % (6 // groups), (3 - q) * 3 + r] == W[o, r, i, q]
    for s, cuts in itertools.product(range(3), [(0, 5), (0, 1, 5), (0, 2, 4, 5)]):
        z = torch.randint(-3, 4, (2, 6, 5, 3)).double()
        due = interleaved(z, s)
        y, low = torch.full((2, 6, 5 - (s > 0), 3), torch.nan).double(), torch.full_like(z, torch.nan)
        g = torch.randint(-3, 4, y.shape).double()
        for start, stop in itertools.pairwise(cuts):
            put(y, z[:, :, start:stop], start, s)
            take(g, low[:, :, start:stop], start, s)
        assert torch.equal(y.flatten(2), due)
        assert (y * g).sum() == (z * low).sum()


@pytest.mark.parametrize(
    "sizes", [(1, 4, 3, 40), (3, 4, 2, 20), (2, 3, 40, 1)], ids=["in time", "by signal", "by channel"]
)
def test_a_running_sum_in_parts_is_the_whole(sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of all three kinds, seams included; whole numbers, so bit by bit."""
    B, into, out, time = sizes
    layer = NearestConv1d(into, out, 9, 4, padding=(3, 6), form="running sum")
    x = whole(layer, 0, (B, into, time))
    for least in (1 << 19, 1):
        monkeypatch.setattr("torchparity.nn.parting.LEAST", least)
        found = list(parts(x, layer.weight, range(-1, time + 1), 4, groups=1, sums=1.25, copies=2))
        assert (len(found) > 1) == (least == 1)
        counts = [len({str(part[axis]) for part in found}) for axis in (0, 1, 2)]
        assert least > 1 or counts.index(max(counts)) == {(1, 40): 2, (3, 20): 1, (2, 1): 0}[B, time]
        seen = torch.zeros(B, out, time + 2)
        for o, b, start, stop in found:
            seen[b, o, start + 1 : stop + 1] += 1
        assert (seen == 1).all()
        g = torch.randint(-2, 3, (B, out, 4 * time + 1)).float()
        for ours, due in zip(gradients(layer, x, g), gradients(layer.two_layers(), x, g), strict=True):
            assert torch.equal(ours, due)


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(("batch", "time", "few"), [(1, 1, True), (2, 3, True), (1, 14, True), (2, 40, False)])
def test_few_samples_are_products_of_matrices(batch: int, time: int, few: bool, groups: int, d: int) -> None:
    """With gradients of each, in parts too; whole numbers, so bit by bit, padding on one side or beyond the signal."""
    for padding in ((0, 4 * d), (8 * d, 0), (30, 21)):
        layer = NearestConv1d(64 * groups, 4, 9, 4, padding, d, groups, form="running sum")
        x = whole(layer, time, (batch, 64 * groups, time + 4 * d))[..., :time]
        y: Any = outcome(layer, x)
        if y is None:
            continue
        g = torch.randint(-2, 3, y.shape).float()
        due = [layer.two_layers()(x), *gradients(layer.two_layers(), x, g)]
        for small, least in ((0, 1), (0, 1 << 30), (SMALL, LEAST)):
            with (
                mock.patch("torchparity.nn.running.SMALL", small),
                mock.patch("torchparity.nn.parting.LEAST", least),
                mock.patch("torchparity.nn.running.spread", side_effect=spread) as forward,
                mock.patch("torchparity.nn.running.gradients", side_effect=of_products) as backward,
            ):
                found = [layer(x), *gradients(layer, x, g)]
            assert backward.called == few
            assert forward.called == few
            for ours, theirs in zip(found, due, strict=True):
                assert torch.equal(ours, theirs)


@pytest.mark.parametrize("wanted", [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize(("batch", "time"), [(1, 1), (1, 16), (1, 17), (3, 5), (3, 6), (5, 7)])
def test_products_are_a_transposed_convolution(batch: int, time: int, wanted: tuple[bool, bool]) -> None:
    """And its gradients, either way round; whole numbers, so bit by bit."""
    for K, L, d, groups in ((5, 2, 1, 1), (3, 4, 3, 2), (4, 3, 2, 3), (1, 2, 1, 1)):
        shape = Geometry(nearest(L), K, d, (0, 0), "zeros")
        x = torch.randint(-3, 4, (batch, 4 * groups, time)).double().requires_grad_()
        w = torch.randint(-3, 4, (2 * groups, 4, K)).double().requires_grad_()
        due = F.conv_transpose1d(x, turned(w.flip(2), groups), None, L, groups=groups, dilation=d)
        with torch.no_grad():
            assert torch.equal(spread(x, w, shape, groups), due)
        g = torch.randint(-2, 3, due.shape).double()
        for ours, theirs, wants in zip(
            of_products(g, x.detach(), w.detach(), shape, groups, wanted),
            torch.autograd.grad(due, (x, w), g),
            wanted,
            strict=True,
        ):
            assert (ours is not None) == wants
            assert ours is None or torch.equal(ours, theirs)
            assert ours is None or ours.shape != x.shape or ours.is_contiguous()


def test_what_is_few() -> None:
    """Samples of all signals with their borders, for the channels of a group; in single precision, and not in less."""
    layer = NearestConv1d(64, 4, 9, 4, (4, 8), groups=2)
    shape, job = layer.geometry, Job(plan_of(layer.geometry), 2, 8, 0)
    assert shape.surplus > 0
    for batch, blocks, due in ((2, 8, True), (2, 9, False), (1, 16, True), (1, 17, False), (3, 6, False)):
        job, x = dataclasses.replace(job, blocks=blocks), torch.zeros(batch, 64, 4)
        assert is_few(x, layer.weight, job) == due
        assert not is_few(x.double(), layer.weight, job)
        assert not is_few(x.to("meta"), layer.weight, job)
    x, job = torch.zeros(2, 64, 4), dataclasses.replace(job, blocks=8)
    given = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        assert not is_few(x, layer.weight, job)
    finally:
        torch.set_float32_matmul_precision(given)


PRECISIONS = {
    "less for all": ('torch.set_float32_matmul_precision("medium")', False),
    "less for one backend": ('torch.backends.mkldnn.matmul.fp32_precision = "bf16"', False),
    "less on another device": ('torch.backends.cuda.matmul.fp32_precision = "tf32"', True),
    "single on another device": ('torch.backends.cudnn.conv.fp32_precision = "ieee"', True),
}
"""With whether products on a CPU are left in single precision."""


@pytest.mark.parametrize(("setting", "full"), PRECISIONS.values(), ids=PRECISIONS)
def test_precisions_that_are_set_by_either_of_torch_s_ways_are_no_reason_to_fail(setting: str, full: bool) -> None:
    """In a process of its own: Torch does not take back that a precision was set for one backend."""
    code = f"""
import torch
from torchparity.nn import NearestConv1d
from torchparity.nn.banks import Job, plan_of
from torchparity.nn.running import is_few
{setting}
layer, x = NearestConv1d(64, 64, 3, 2, padding=1, form="running sum"), torch.ones(1, 64, 4, requires_grad=True)
assert is_few(x, layer.weight, Job(plan_of(layer.geometry), 1, 4, 0)) == {full}
torch.testing.assert_close(layer(x), layer.two_layers()(x), rtol=0.05, atol=0.1)
layer(x).sum().backward()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("form", FORMS)
def test_parametrized_weights_are_computed_once_for_a_call(form: str) -> None:
    """As a convolution has them: a spectral norm changes what it computes with from time to time."""
    layer: Any = NearestConv1d(4, 4, 5, 2, padding=2, form=form)
    conv = nn.Conv1d(4, 4, 5, padding=2)
    conv.load_state_dict(layer.state_dict())
    for each in (layer, conv):
        torch.manual_seed(1)
        parametrizations.spectral_norm(each)
    x = torch.randn(1, 4, 9)
    computed = layer.parametrizations.weight
    with mock.patch.object(computed, "forward", side_effect=computed.forward) as ran:
        y = layer(x)
    assert ran.call_count == 1
    torch.testing.assert_close(y, conv(x.repeat_interleave(2, -1)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("dtype", "large"), [(torch.float16, 2049), (torch.bfloat16, 257)])
def test_parts_of_gradients_by_halves_are_rounded_in_their_sum(dtype: torch.dtype, large: int) -> None:
    """The first part, 2ⁿ + 1, is not representable; its sum with the second, -1, is."""
    layer = NearestConv1d(1, 1, 1, 2, bias=False, form="running sum", dtype=dtype)
    x, g = torch.tensor([[[large - 1, 1, -1, 0]]], dtype=dtype), torch.tensor([[[1, 0] * 4]], dtype=dtype)
    two = [(slice(0, 1), slice(0, 1), 0, 2), (slice(0, 1), slice(0, 1), 2, 4)]
    with mock.patch("torchparity.nn.running._parts", return_value=two):
        (found,) = torch.autograd.grad(layer(x), layer.weight, g)
    assert found.dtype == dtype
    assert found.item() == large - 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("time", [3, 40])
def test_running_sums_of_halves_are_rounded_once(dtype: torch.dtype, time: int) -> None:
    """What is summed in single precision, of few samples and of many, forward and back; parts are summed so, too."""
    torch.manual_seed(0)
    layer = NearestConv1d(64, 16, 9, 4, padding=4, form="running sum", dtype=dtype)
    x, g = torch.randn(2, 64, time, dtype=dtype), torch.randn(2, 16, 4 * time, dtype=dtype)
    single = copy.deepcopy(layer).float()
    for least in (1, 1 << 30):
        with mock.patch("torchparity.nn.parting.LEAST", least):
            found = [layer(x), *gradients(layer, x, g)[:2]]
            due = [single(x.float()), *gradients(single, x.float(), g.float())[:2]]
        for ours, theirs in zip(found, due, strict=True):
            assert torch.equal(ours, theirs.to(dtype))


@pytest.mark.parametrize("mode", ["zeros", "circular", "replicate"])
@pytest.mark.parametrize("L", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_running_sums_go_forward_by_phases_as_they_are_written(L: int, d: int, mode: str) -> None:
    """In parts of time, too; whole numbers, so bit by bit."""
    for K, padding, groups in ((1, (0, 3), 1), (4, (2, 1), 2), (5, (7, 2), 1), (9, (4, 4), 2)):
        layer = NearestConv1d(2 * groups, 4, K, L, padding, d, groups, padding_mode=mode, form="running sum")
        x = whole(layer, K, (2, 2 * groups, 13))
        due = outcome(layer.two_layers(), x)
        for small, least in ((0, 1), (0, 1 << 30), (SMALL, 1)):
            with (
                mock.patch("torchparity.nn.running.SMALL", small),
                mock.patch("torchparity.nn.parting.LEAST", least),
            ):
                y = outcome(layer, x)
            assert (y is None) == (due is None)
            if y is not None and due is not None:
                assert torch.equal(y, due)


@pytest.mark.parametrize("d", [1, 3, 9])
@pytest.mark.parametrize("form", ["polyphase", "running sum"])
def test_gradients_in_single_precision_by_vectors_of_channels(form: str, d: int) -> None:
    """Of dilated, strided and padded convolutions oneDNN has wrong ones; whole numbers, so bit by bit."""
    for into, out, K, L, time in ((16, 16, 7, 2, 31), (32, 32, 7, 4, 40), (16, 32, 5, 3, 55), (32, 16, 9, 4, 29)):
        layer = NearestConv1d(into, out, K, L, padding="same", dilation=d, form=form)
        x = whole(layer, d, (4, into, time))
        y = layer(x)
        g = torch.randint(-2, 3, y.shape).float()
        two: Any = layer.two_layers()
        for ours, due in zip(gradients(layer, x, g), gradients(two, x, g), strict=True):
            assert torch.equal(ours, due)
        (found,) = torch.autograd.grad(layer(x), layer.weight, g, create_graph=True)
        (due,) = torch.autograd.grad(two(x), two[-1].weight, g)
        assert torch.equal(found, due)


@pytest.mark.parametrize("small", [0, SMALL])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("form", ["polyphase", "running sum"])
def test_gradients_in_half_precision_of_taps_that_meet_nothing(form: str, dtype: torch.dtype, small: int) -> None:
    """Torch leaves some of transposed convolutions unset; whole numbers, so bit by bit."""
    for time, padding in ((1, 4), (1, 8), (2, 0), (3, 8)):
        layer = NearestConv1d(16, 16, 5, 4, padding=padding, form=form, dtype=dtype)
        x = whole(layer, time, (2, 16, time)) % 2
        with torch.no_grad():
            layer.weight.remainder_(2)
        y: Any = outcome(layer, x)
        g = torch.randint(-1, 2, y.shape).to(dtype)
        with mock.patch("torchparity.nn.running.SMALL", small):
            found = gradients(layer, x, g)
        for ours, due in zip(found, gradients(layer.double().two_layers(), x.double(), g.double()), strict=True):
            assert ours.dtype == dtype
            assert torch.equal(ours.double(), due)


FUSED = [(kind, form) for kind in LAYERS for form in ("polyphase", "transposed")] + [("nearest", "running sum")]


def own_layer(kind: str, form: str, bias: bool = True) -> Any:
    more = {"taps": [1.0, 2.0, 1.0], "offset": 1} if kind == "filter" else {}
    sizes = {"padding": 2, "bias": bias, "dtype": torch.float64, "form": form}
    return LAYERS[kind](2, 2, 5, 2, **sizes, **more)


@pytest.mark.parametrize("small", [0, SMALL])
@pytest.mark.parametrize(("kind", "form"), FUSED)
def test_gradients_with_a_graph_are_those_without(kind: str, form: str, small: int) -> None:
    """Of a layer that is used twice, whose input depends on its weights; whole numbers, so bit by bit."""
    layer = own_layer(kind, form)
    x = whole(layer, 0, (1, 2, 6)).requires_grad_()
    by = [x, *layer.parameters()]
    with mock.patch("torchparity.nn.running.SMALL", small):
        y = layer(layer(x)[..., ::2])
        found = torch.autograd.grad(y.sum(), by, create_graph=True)
        for ours, due in zip(found, torch.autograd.grad(layer(layer(x)[..., ::2]).sum(), by), strict=True):
            assert torch.equal(ours, due)


@pytest.mark.parametrize("small", [0, SMALL])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("L", [1, 2])
@pytest.mark.parametrize("form", ["polyphase", "transposed", "running sum", "two layers"])
def test_outputs_may_be_changed_in_place_and_biases_too(form: str, L: int, bias: bool, small: int) -> None:
    layer: Any = NearestConv1d(2, 2, 5, L, padding=2, bias=bias, form=form, dtype=torch.float64)
    x = whole(layer, 0, (1, 2, 6))
    with mock.patch("torchparity.nn.running.SMALL", small):
        y = layer(x)
        due = torch.autograd.grad(layer(x).relu().sum(), layer.weight)
    y.relu_()
    if bias:
        with torch.no_grad():
            layer.bias.add_(1)
    assert torch.equal(*torch.autograd.grad(y.sum(), layer.weight), *due)


@pytest.mark.parametrize("L", [1, 3])
@pytest.mark.parametrize("time", [1, 5])
@pytest.mark.parametrize("form", ["polyphase", "running sum"])
def test_outputs_are_no_views_of_what_they_were_computed_in(form: str, time: int, L: int) -> None:
    """Of one channel, one sample, one phase, and of signals that lie time first: nothing has to be shuffled there."""
    layer: Any = NearestConv1d(3, 1, 5, L, padding=2, form=form)
    x = whole(layer, 0, (2, time, 3)).mT
    due = layer.two_layers()(x).relu()
    assert torch.equal(layer(x).relu_(), due)
    with torch.no_grad():
        y = layer(x)
    assert not y.requires_grad
    assert torch.equal(y.relu_(), due)


@pytest.mark.parametrize("form", ["polyphase", "transposed", "running sum", "two layers"])
@pytest.mark.parametrize(("padding", "excess"), [(2, 0), (3, 2)])
def test_outputs_own_their_memory(form: str, padding: int, excess: int) -> None:
    """What was made without gradients may be changed with them, as by a bias that is added; of one row or several."""
    for channels, batch in ((1, 1), (2, 3)):
        layer: Any = NearestConv1d(1, channels, 5, 4, padding=padding, form=form)
        with torch.no_grad():
            y = layer(torch.ones(batch, 1, 9))
        assert y.shape == (batch, channels, 36 + excess)
        assert y.is_contiguous()
        b = torch.ones(1, requires_grad=True)
        y.add_(b).sum().backward()
        assert b.grad is not None
        assert b.grad.item() == y.numel()


@pytest.mark.parametrize("small", [0, SMALL])
@pytest.mark.parametrize("what", ["input", "input from a layer", "weight", "bias"])
@pytest.mark.parametrize("form", ["polyphase", "transposed", "running sum", "two layers"])
def test_whatever_wants_a_gradient_alone_gets_it(form: str, what: str, small: int) -> None:
    """A frozen decoder in front of a loss, or one whose biases alone are trained."""
    layer: Any = NearestConv1d(4, 6, 9, 4, padding=4, form=form, dtype=torch.float64)
    two, x = layer.two_layers(), whole(layer, 0, (2, 4, 9))
    two[-1].load_state_dict(layer.state_dict())
    g, found = torch.randint(-2, 3, (2, 6, 36)).double(), list[Tensor]()
    with mock.patch("torchparity.nn.running.SMALL", small), mock.patch("torchparity.nn.parting.LEAST", small or LEAST):
        for module, conv in ((layer, layer), (two, two[-1])):
            conv.requires_grad_(False)
            of = x.clone() if "input" in what else getattr(conv, what)
            of.requires_grad_()
            h = of * 1 if what == "input from a layer" else of if what == "input" else x
            found += torch.autograd.grad(module(h), of, g)
    assert torch.equal(*found)


@pytest.mark.parametrize("form", ["polyphase", "transposed", "running sum", "two layers"])
def test_what_an_inference_made_is_taken_where_weights_are_trained(form: str) -> None:
    layer: Any = NearestConv1d(2, 3, 5, 4, padding=2, form=form)
    x = whole(layer, 0, (1, 2, 6))
    with torch.inference_mode():
        made = x * 1
    found, due = (torch.autograd.grad(layer(given).sum(), layer.weight) for given in (made, x))
    assert torch.equal(*found, *due)


@pytest.mark.parametrize("form", ["auto", *FORMS])
@pytest.mark.parametrize("kind", [NearestConv1d, LinearConv1d, FilterConv1d])
def test_layers_that_an_inference_moved_are_trained(kind: Any, form: str) -> None:
    taps = [[1.0, 2.0, 2.0, 1.0]] if kind is FilterConv1d else []
    form = "auto" if form == "running sum" and kind is not NearestConv1d else form
    layer = kind(2, 3, 5, 4, *taps, padding=2, form=form)
    due = layer(torch.ones(1, 2, 6)).detach()
    with torch.inference_mode():
        layer.to("cpu")
    y = layer(torch.ones(1, 2, 6))
    y.sum().backward()
    assert torch.equal(y, due)
    assert layer.weight.grad.any()


@pytest.mark.parametrize("channels", [8, 16])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_lie_as_their_input_does(channels: int, dtype: torch.dtype) -> None:
    """By phases and between them: a user's own backward pass may view them."""
    for form in ("polyphase", "running sum"):
        layer: Any = NearestConv1d(channels, channels, 9, 4, padding=4, form=form, dtype=dtype)
        x = torch.randn(2, channels, 400, dtype=dtype, requires_grad=True)
        assert torch.autograd.grad(layer(x).sum(), x)[0].is_contiguous()
    assert composed(layer.weight, layer.phases, dtype).is_contiguous()
    assert composed(layer.weight, layer.phases.mT.contiguous().mT, dtype).is_contiguous()


@pytest.mark.parametrize(
    ("sizes", "time", "padding", "parts", "spared"),
    [((64, 32), 8000, 4, 1, 3), ((64, 64), 8000, 4, 4, 5), ((16, 16), 100, 4, 1, 1), ((64, 32), 8000, 3, 2, 2)],
    ids=["twice the channels", "as many", "small", "blocks that begin later"],
)
def test_convolutions_that_a_layer_takes(
    sizes: tuple[int, int], time: int, padding: int, parts: int, spared: int
) -> None:
    """One where phases and outputs fit into half of the memory of two layers, or are small; or else parts."""
    layer, x = NearestConv1d(*sizes, 9, 4, padding=padding, form="polyphase"), torch.zeros(1, sizes[0], time)
    assert (layer.geometry.lead > 0) == (padding == 3)
    for gradients, sparing in itertools.product((True, False), (True, False)):
        with (
            mock.patch("torchparity.nn.polyphase.F.conv1d", side_effect=F.conv1d) as convolved,
            mock.patch("torchparity.nn.polyphase.SPARING", sparing),
            torch.set_grad_enabled(gradients),
        ):
            layer(x)
        assert convolved.call_count == (spared if sparing and not gradients else parts)


@pytest.mark.parametrize(
    ("form", "sizes", "axis", "parts"),
    [
        ("polyphase", (1, 64, 32, 8000), 2, 3),
        ("running sum", (4, 256, 128, 1000), 1, 4),
        ("running sum", (2, 512, 256, 500), 0, 6),
    ],
    ids=["in time", "by signal", "by channel"],
)
def test_what_is_held_is_half_of_what_two_layers_hold(
    form: str, sizes: tuple[int, int, int, int], axis: int, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without AVX-512, where they copy less: y, with copies of x and taps and the sums, or with the sums twice.

    Whole numbers, so bit by bit what the two layers give.
    """
    B, into, out, time = sizes
    layer = NearestConv1d(into, out, 9, 4, padding=4, form=form)
    x = whole(layer, 0, (B, into, time))
    monkeypatch.setattr("torchparity.nn.polyphase.SPARING", True)
    with torch.no_grad(), mock.patch("torchparity.nn.parting.product", side_effect=itertools.product) as cut:
        assert torch.equal(layer(x), layer.two_layers()(x))
    (cuts,) = (call.args for call in cut.call_args_list)
    assert [len(ranges) for ranges in cuts] == [parts if i == axis else 1 for i in range(3)]
    o, b, t = (max(stop - start for start, stop in ranges) for ranges in cuts)
    bank, taps = (1, 12) if form == "polyphase" else (3 / 4, 6)  # phases of three taps, and three of two
    v, sums, copies = B * out * 4 * time, bank * o * b * 4 * (t + 2), 2 * taps * o * into
    assert v + max(copies + b * into * (t + 4) + sums, copies / 2 + 2 * sums) <= 2 * B * into * time + v


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_taps_are_summed_in_single_precision(dtype: torch.dtype) -> None:
    """Thirds of linear interpolation are not rounded to half precision, and sums of products once."""
    torch.manual_seed(0)
    layer, (w,) = LinearConv1d(64, 8, 5, 3, dtype=dtype), torch.randn(1, 8, 64, 5).to(dtype)
    assert layer.phases.dtype == torch.float32
    assert torch.equal(composed(w, layer.phases, dtype), composed(w.float(), layer.phases, torch.float32).to(dtype))


@pytest.mark.parametrize(
    ("sizes", "kind", "time", "spared"),
    [
        ((64, 64, 9, 4), NearestConv1d, 8000, True),
        ((64, 64, 4, 4), NearestConv1d, 8000, False),  # one output more than there are, and cut
        ((64, 64, 9, 4), LinearConv1d, 8000, False),  # outer outputs are joined to the others
        ((32, 64, 9, 4), NearestConv1d, 8000, False),  # no parts are enough: u is half of y
    ],
)
def test_parts_are_more_only_where_half_can_be_reached(
    sizes: tuple[int, int, int, int], kind: Any, time: int, spared: bool
) -> None:
    layer = kind(*sizes, padding=(sizes[2] - 1) // 2, form="polyphase")
    x, calls = torch.zeros(1, sizes[0], time), []
    for sparing in (False, True):
        with (
            torch.no_grad(),
            mock.patch("torchparity.nn.polyphase.SPARING", sparing),
            mock.patch("torchparity.nn.polyphase.F.conv1d", side_effect=F.conv1d) as convolved,
        ):
            layer(x)
            calls.append(convolved.call_count)
    assert (calls[1] > calls[0]) == spared
    assert calls[1] >= calls[0]


@settings(deadline=None)
@given(data=st.data())
def test_sparing_parts_are_the_whole(data: st.DataObject) -> None:
    """Of small layers, as if they were large; whole numbers, so bit by bit."""

    def n(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    kind: Any
    kind, groups, L = data.draw(st.sampled_from([NearestConv1d, LinearConv1d])), n(1, 2), n(1, 5)
    K, dilation, mode = n(1, 9), n(1, 2), data.draw(st.sampled_from(["zeros", "replicate"]))
    form = data.draw(st.sampled_from(["polyphase", *(["running sum"] if kind is NearestConv1d else [])]))
    padding = data.draw(st.sampled_from([0, dilation * (K - 1) // 2]))
    shape: dict[str, Any] = {"dilation": dilation, "groups": groups, "padding_mode": mode, "form": form}
    layer: Any = kind(groups * n(1, 3), groups * n(1, 20), K, L, padding=padding, dtype=torch.float64, **shape)
    x = whole(layer, n(0, 99), (n(0, 11), layer.in_channels, 18 // L + n(1, 40)))
    with (
        torch.no_grad(),
        mock.patch("torchparity.nn.polyphase.SPARING", True),
        mock.patch("torchparity.nn.parting.LEAST", 16),
        mock.patch("torchparity.nn.running.SMALL", 0),
    ):
        found = layer(x)
    with torch.no_grad():
        due = layer.two_layers()(x)
    assert torch.equal(found, due) if kind is NearestConv1d or L in (1, 2, 4) else torch.allclose(found, due)


def test_what_is_computed_at_once_where_two_layers_copy_little() -> None:
    """2(2v + 2 · 4/3 w) = u + 2v, where v is 2 · 64t, and u 4nt for n channels."""
    C, w = torch.zeros(9, 4, 3), torch.zeros(32, 1, 9)
    for channels, due in ((65, True), (64, False)):
        assert fits_whole(torch.zeros(1, channels, 8000), w, C, 8000, spare=True) == due


def test_what_is_computed_at_once() -> None:
    """Phases and outputs, if both fit into half of what two layers hold, and into what an allocator has at hand."""
    C, w = torch.zeros(9, 4, 3), torch.zeros(32, 64, 9)
    for channels, due in ((64, True), (49, True), (48, False)):
        assert fits_whole(torch.zeros(1, channels, 8000), w[:, :1], C, 8000, False) == due
    for blocks, due in ((1 << 15, True), ((1 << 15) + 1, False)):
        assert fits_whole(torch.zeros(1, 64, blocks), w, C, blocks, False) == due
        assert fits_whole(torch.zeros(2, 64, blocks // 2), w, C, blocks // 2, False)
        assert not fits_whole(torch.zeros(1, 64, blocks).double(), w, C, blocks, False)
    for blocks, due in ((623, False), (624, True)):  # 2(2 · 128t + 2 · 4/3 w) = 2 · 256t + 128t + w, w of 9 · 32 · 64
        assert fits_whole(torch.zeros(1, 64, blocks), w, C, blocks, False) == due
    assert not fits_whole(torch.zeros(1, 64, 8000), w, torch.zeros(9, 1, 9), 8000, False)  # u is x


@pytest.mark.parametrize(("kind", "form"), FUSED)
def test_gradients_of_many_rows_by_vmap(kind: str, form: str) -> None:
    """As Torch's pages have it: `torch.vmap` of `torch.autograd.grad`."""
    layer = own_layer(kind, form)
    x = whole(layer, 0, (1, 2, 5)).requires_grad_()
    y = layer(x)
    rows = torch.eye(y.numel(), dtype=y.dtype).reshape(-1, *y.shape)
    found = torch.vmap(lambda g: torch.autograd.grad(y, x, g, retain_graph=True)[0])(rows)
    assert torch.equal(found, torch.stack([torch.autograd.grad(y, x, g, retain_graph=True)[0] for g in rows]))


def test_gradients_with_a_graph_where_zeros_alone_are_seen() -> None:
    layer = NearestConv1d(16, 1, 4, 4, padding=(-13, 13), bias=False, form="running sum", dtype=torch.float64)
    x = whole(layer, 0, (1, 16, 4)).requires_grad_()
    y: Any = layer(x)
    found, due = (torch.autograd.grad(m(x).sum(), x, create_graph=True)[0] for m in (layer, layer.two_layers()))
    assert y.shape[-1] == 13
    assert torch.equal(found, due)
    one = layer(x[..., :1].detach().requires_grad_()) if layer.geometry.length <= 4 else y
    assert (one == 0).all()
    (zero,) = torch.autograd.grad(one.sum(), layer.weight, create_graph=True)
    assert (zero == 0).all()


@pytest.mark.parametrize(("form", "time"), [("polyphase", 20), ("running sum", 20), ("running sum", 2)])
def test_backward_passes_under_autocast_are_as_precise_as_their_graph(form: str, time: int) -> None:
    """Torch derives in the precision of the forward pass; so do these: whole numbers of more bits than halves have."""
    layer = NearestConv1d(16, 16, 9, 4, padding=4, form=form)
    x = torch.randint(-999, 1000, (2, 16, time)).float().requires_grad_()
    with torch.no_grad():
        layer.weight.copy_(torch.randint(-999, 1000, layer.weight.shape))
    g = torch.randint(-2, 3, (2, 16, 4 * time)).float()
    due = torch.autograd.grad(layer.two_layers()(x), x, g)[0], torch.autograd.grad(layer(x), layer.weight, g)[0]
    for graph in (False, True):
        y = layer(x)
        with torch.autocast("cpu", torch.bfloat16):
            found = torch.autograd.grad(y, [x, layer.weight], g, create_graph=graph)
        for ours, theirs in zip(found, due, strict=True):
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize("form", ["polyphase", "running sum"])
def test_channels_of_groups_are_not_parted(form: str) -> None:
    """Of more weights than outputs; whole numbers, so bit by bit."""
    layer = NearestConv1d(64, 64, 9, 2, padding=4, groups=2, form=form, dtype=torch.float64)
    x = whole(layer, 0, (1, 64, 3))
    g = torch.randint(-2, 3, (1, 64, 6)).double()
    with mock.patch("torchparity.nn.parting.LEAST", 1), mock.patch("torchparity.nn.running.SMALL", 0):
        found = gradients(layer, x, g)
    for ours, due in zip(found, gradients(layer.two_layers(), x, g), strict=True):
        assert torch.equal(ours, due)


def test_what_is_chosen_knows_what_weights_cost() -> None:
    """Once for all samples; on a CPU and on a GPU, and more must be saved where no length is known."""
    shape, short = Geometry(nearest(4), 10, 1, (4, 5), "zeros"), Geometry(nearest(2), 5, 1, (2, 2), "zeros")
    sizes = [(768, 384, 4), (768, 384, 32), (384, 192, 128), (48, 24, 2), (24, 16, 8192)]
    found = [faster(shape, into, out, 1, samples, running=True) for into, out, samples in sizes]
    assert found == ["two layers", "running sum", "running sum", "two layers", "running sum"]
    assert [faster(short, 64, 64, 1, n, running=n is not None) for n in (2000, 100, None)] == [
        "polyphase",
        *["two layers"] * 2,
    ]
    nine = Geometry(nearest(4), 9, 1, (4, 4), "zeros")
    found = [faster(nine, 256, 128, 1, samples, launching=LAUNCHING) for samples in (3300, 3200)]
    assert found == ["transposed", "two layers"]


MEASURED: dict[tuple[int, int, int, int, int], str] = {  # in, out, L, K, samples
    (64, 32, 4, 9, 8000): "polyphase",
    (256, 128, 4, 9, 4000): "running sum",
    (64, 32, 4, 5, 256): "two layers",
    (768, 384, 4, 16, 64): "running sum",
    (768, 384, 2, 16, 64): "running sum",
    (32, 8, 3, 2, 32000): "running sum",
    (16, 8, 2, 2, 32000): "polyphase",
    (16, 16, 2, 1, 16000): "two layers",
    (32, 64, 2, 3, 4000): "two layers",
    (32, 32, 3, 7, 500): "two layers",
    (32, 32, 8, 5, 16000): "running sum",
    (128, 64, 4, 9, 256): "running sum",
    (16, 16, 4, 16, 16000): "polyphase",
    (128, 256, 4, 1, 4000): "running sum",
    (64, 64, 4, 9, 2000): "polyphase",
}
"""Sizes of which the form was the fastest with its backward pass, and is told by a constant of the choice alone."""


@pytest.mark.parametrize("sizes", MEASURED, ids=str)
def test_the_form_that_was_measured_to_be_faster_is_chosen(sizes: tuple[int, int, int, int, int]) -> None:
    into, out, L, K, samples = sizes
    shape = Geometry(nearest(L), K, 1, (K // 2,) * 2, "zeros")
    assert faster(shape, into, out, 1, samples, running=True) == MEASURED[sizes]


def test_groups_are_counted_by_their_own_channels() -> None:
    """As many groups of the same sizes are as many layers; but that one is called once."""
    shape = Geometry(nearest(4), 9, 1, (4, 4), "zeros")
    with mock.patch("torchparity.nn.choice.CALLING", 0):
        for into, out, samples in ((64, 32, 8000), (256, 128, 64), (768, 384, 8), (64, 8, 100), (32, 24, 400)):
            found = {faster(shape, groups * into, groups * out, groups, samples, running=True) for groups in (1, 2, 5)}
            assert len(found) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_is_asked_before_a_form_is_chosen(dtype: torch.dtype) -> None:
    layer, x = NearestConv1d(512, 256, 9, 4, padding=4), torch.zeros(1, 512, 400, dtype=dtype)
    assert chosen(layer, x) == ("running sum" if dtype == torch.float32 else "polyphase")
    with torch.autocast("cpu", torch.bfloat16):
        assert chosen(layer, x) == "polyphase"


@pytest.mark.parametrize("padding", [(4, 4), (4, 8), (0, 8), (8, 0), (3, 6), (32, 32)])
@pytest.mark.parametrize("groups", [1, 2])
def test_gradients_between_phases_and_by_phases_are_one(groups: int, padding: Any) -> None:
    """Of 16 channels and 12 taps in place, where blocks begin with a phase; whole numbers, so bit by bit."""
    layer = NearestConv1d(3 * groups, 16 * groups, 9, 4, padding, groups=groups, form="polyphase", dtype=torch.float64)
    x = whole(layer, 0, (2, 3 * groups, 11))
    g = torch.randint(-2, 3, layer(x).shape).double()
    found, ways = [], []
    for widest in (14, 0):
        with (
            mock.patch("torchparity.nn.polyphase.WIDEST", widest),
            mock.patch("torchparity.nn.polyphase.fits", side_effect=fits) as asked,
        ):
            found.append(gradients(layer, x, g))
        ways.append(fits(*asked.call_args.args) if widest else False)
    assert ways[0] == (layer.geometry.lead == 0 and padding != (32, 32))  # there zeros reach beyond the row
    for ours, theirs, due in zip(*found, gradients(layer.two_layers(), x, g), strict=True):
        assert torch.equal(ours, due)
        assert torch.equal(theirs, due)


def test_a_running_sum_is_mapped_and_derived_by_torch_func() -> None:
    layer: Any = NearestConv1d(2, 3, 5, 2, padding=2, form="running sum", dtype=torch.float64)
    x = whole(layer, 0, (4, 2, 7))
    given = dict(layer.named_parameters())
    mapped = torch.func.vmap(lambda one: torch.func.functional_call(layer, given, (one,)))(x)
    assert torch.equal(mapped, layer(x))
    found = torch.func.grad(lambda w: torch.func.functional_call(layer, {**given, "weight": w}, (x,)).square().sum())
    two: Any = layer.two_layers()
    (due,) = torch.autograd.grad(two(x).square().sum(), two[-1].weight)
    assert torch.equal(found(layer.weight), due)


def test_a_program_for_all_lengths_has_no_running_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = NearestConv1d(2, 3, 5, 2, padding=2, form="running sum")
    x = whole(layer, 0, (1, 2, 7))
    due = layer(x)
    monkeypatch.setattr("torchparity.nn.fusing.running_sum", lambda *args: pytest.fail("it ran"))
    assert torch.equal(torch.compile(layer, backend="eager", fullgraph=True)(x), due)


@pytest.mark.parametrize("groups", [1, 2])
def test_a_running_sum_in_parts_beyond_the_signal_and_of_groups(groups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows that see nothing but zeros, and more taps than samples where channels can't be parted."""
    monkeypatch.setattr("torchparity.nn.parting.LEAST", 1)
    layer = NearestConv1d(4, 4, 3, 2, padding=(30, 21), groups=groups, form="running sum", dtype=torch.float64)
    many = NearestConv1d(16, 16, 9, 2, padding=4, groups=groups, form="running sum", dtype=torch.float64)
    for module, shape in ((layer, (1, 4, 2)), (many, (1, 16, 2))):
        x = whole(module, 0, shape)
        two = module.two_layers()
        g = torch.randint(-2, 3, two(x).shape).double()
        for ours, due in zip(gradients(module, x, g), gradients(two, x, g), strict=True):
            assert torch.equal(ours, due)


def test_what_is_chosen_for_all_lengths_asks_for_no_length(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = NearestConv1d(256, 64, 9, 4, padding=4), torch.zeros(1, 256, 500)
    assert chosen(layer, x) == "running sum"
    monkeypatch.setattr("torchparity.nn.choice.traced", lambda: True)
    assert chosen(layer, x) == "polyphase"


def test_a_gpu_rounds_to_tf32_where_torch_lets_it() -> None:
    for tf32 in (False, True):
        with held(tf32=tf32):
            assert launching(torch.float32) == (TENSOR if tf32 else LAUNCHING)
            assert launching(torch.float64) == LAUNCHING
            assert launching(torch.float16) == math.inf


def test_a_gpu_takes_a_transposed_convolution_if_that_saves_enough() -> None:
    """More than composing its kernel takes: the more on tensor cores. Linear interpolation by 3 has no choice."""
    shape, third = Geometry(nearest(4), 9, 1, (4, 4), "zeros"), Geometry(linear(3), 9, 1, (4, 4), "zeros")
    fourth = Geometry(linear(4), 9, 1, (4, 4), "zeros")
    assert faster(fourth, 256, 128, 1, 10**6, launching=LAUNCHING) == "two layers"
    for samples, taken, form in (
        (1_000, LAUNCHING, "two layers"),
        (4_000, LAUNCHING, "transposed"),
        (8_000, TENSOR, "two layers"),
        (32_000, TENSOR, "transposed"),
    ):
        assert faster(shape, 256, 128, 1, samples, launching=taken) == form
        assert faster(third, 256, 128, 1, samples, launching=taken) == "transposed"
    assert faster(shape, 256, 128, 1, 10**9, launching=math.inf) == "two layers"


def test_the_form_that_is_chosen_is_the_one_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A running sum with many channels, on a CPU, in single and double precision; linear ×3 never in two layers."""
    ran: list[str] = []

    def told(name: str) -> Callable[..., Tensor]:
        f = getattr(fusing, name)

        def run(*args: Any) -> Tensor:
            ran.append(name)
            found: Tensor = f(*args)
            return found

        return run

    for name in ("running_sum", "polyphase", "interpolated_and_convolved"):
        monkeypatch.setattr(fusing, name, told(name))
    for kind, L, K, dtype in (
        (NearestConv1d, 4, 9, torch.float32),
        (NearestConv1d, 4, 9, torch.bfloat16),
        (NearestConv1d, 2, 1, torch.float32),
        (LinearConv1d, 3, 1, torch.float32),
        (LinearConv1d, 2, 1, torch.float32),
    ):
        kind(256, 16, K, L, padding=K // 2, dtype=dtype)(torch.zeros(1, 256, 200 * K + 20, dtype=dtype))
    assert ran == ["running_sum", "polyphase", "interpolated_and_convolved", "polyphase", "interpolated_and_convolved"]


WIDE = [(kind, mode, "polyphase") for kind in LAYERS for mode in BORDERS]
WIDE += [("nearest", mode, "running sum") for mode in ("zeros", "circular")]
WIDE += [
    ("nearest", "zeros", "transposed"),
    ("nearest", "circular", "transposed"),
    ("linear", "replicate", "transposed"),
]


@pytest.mark.parametrize(("kind", "mode", "form"), WIDE)
def test_wide_borders_of_short_kernels_and_short_signals(kind: str, mode: str, form: str) -> None:
    """Bit by bit, and refused alike: padding up to the whole of u, and more than the kernel reaches."""
    filters: tuple[dict[str, Any], ...] = tuple(
        {"taps": [1.0, -2.0, 3.0, 1.0, 2.0], "offset": offset, "excess": excess}
        for offset, excess in ((2, 0), (-3, -5), (6, -4), (1, 4))
    )
    cases = itertools.product((1, 2, 4), ((3, 0), (0, 4), (4, 5)), filters if kind == "filter" else ({},))
    shown = 0
    for K, pads, own in cases:
        layer = LAYERS[kind](1, 1, K, 2, padding=pads, padding_mode=mode, form=form, dtype=torch.float64, **own)
        for time in (1, 2, 5):
            x = whole(layer, K, (1, 1, time))
            y, due = outcome(layer, x), outcome(layer.two_layers(), x)
            assert (y is None) == (due is None)
            if y is not None and due is not None:
                assert torch.equal(y, due)
                shown += 1
    assert shown >= 12


@pytest.mark.parametrize(("kind", "mode"), [("linear", "replicate"), ("nearest", "circular"), ("nearest", "zeros")])
def test_what_interpolation_makes_of_an_extended_signal_has_no_outer_outputs(kind: str, mode: str) -> None:
    assert LAYERS[kind](1, 1, 5, 3, padding=2, padding_mode=mode).geometry.outer == (0, 0)
    assert LAYERS[kind](1, 1, 5, 3, padding=2, padding_mode="reflect").geometry.outer == (2, 2)


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # Torch's own, at the first forward mode
@pytest.mark.parametrize("groups", [1, 2])
def test_parts_of_the_channels_have_the_derivatives_of_the_whole(groups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """By finite differences and twice; several at once, by the older vmap of Torch too."""
    monkeypatch.setattr("torchparity.nn.parting.LEAST", 8)
    layer = NearestConv1d(2, 4, 5, 3, padding=2, groups=groups, form="polyphase", dtype=torch.float64)
    x = torch.randn(1, 2, 3, dtype=torch.float64, requires_grad=True)

    def f(x: Tensor, w: Tensor, b: Tensor) -> Any:
        return torch.func.functional_call(layer, {"weight": w, "bias": b}, (x,))

    operands: Any = (x, layer.weight, layer.bias)
    assert torch.autograd.gradcheck(f, operands, check_batched_grad=True, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(f, operands, fast_mode=True)


@pytest.mark.parametrize("form", ["polyphase", "running sum"])
def test_jacobians_of_many_rows_at_once(form: str) -> None:
    """As two layers have them, in whole numbers; Torch's older vmap knows few operations."""
    layer = NearestConv1d(2, 3, 3, 3, padding=1, form=form, dtype=torch.float64)
    x = whole(layer, 0, (1, 2, 4))
    jacobian: Any = torch.autograd.functional.jacobian
    ours, due = (jacobian(m, x, vectorize=True) for m in (layer, layer.two_layers()))
    assert torch.equal(ours, due)


def test_a_precision_that_is_handed_over_is_that_of_the_result() -> None:
    """Double weights for one call of a layer in single precision; and double precision under autocast, as Torch's."""
    single = NearestConv1d(1, 1, 5, 2, padding=2, form="polyphase")
    double, x = copy.deepcopy(single).double(), torch.randn(1, 1, 9, dtype=torch.float64)
    with torch.no_grad():
        for p in double.parameters():
            p.add_(2.0**-40)
    due = double(x)
    assert torch.equal(torch.func.functional_call(single, dict(double.named_parameters()), (x,)), due)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(double(x), due)


@pytest.mark.parametrize("kind", LAYERS)
def test_without_batch(kind: str) -> None:
    own = {"taps": [1.0, 2.0, 1.0]} if kind == "filter" else {}
    layer = LAYERS[kind](2, 3, 3, 2, padding=1, **own)
    x = torch.randn(2, 7)
    assert torch.equal(layer(x), layer(x[None])[0])
    assert layer(torch.zeros(0, 2, 7)).shape == (0, 3, 14)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_batch_of_none_is_taken_by_either_form_forward_and_backward(kind: str) -> None:
    own = {"taps": [1.0, 2.0, 1.0]} if kind == "filter" else {}
    for form in FORMS if kind == "nearest" else FORMS[:3]:
        layer = LAYERS[kind](2, 3, 3, 2, padding=1, form=form, **own)
        x = torch.zeros(0, 2, 7, requires_grad=True)
        y = layer(x)
        assert y.shape == (0, 3, 14)
        by_x, *by_parameters = torch.autograd.grad(y.sum(), [x, *layer.parameters()])
        assert by_x.shape == x.shape
        assert all(not g.any() for g in by_parameters)


@pytest.mark.parametrize("L", [3, 41, 47, 61])
def test_copies_are_those_of_the_equation_by_any_factor(L: int) -> None:
    """``u[m] = x[⌊m/L⌋]`` in whole numbers; Torch, which multiplies m by fl(1/L), takes other ones by 41, 47 and 61."""
    x = torch.arange(1.0, 65)[None, None]
    due = x.numpy().repeat(L, -1)
    assert np.array_equal(nn.Upsample(scale_factor=L)(x).numpy(), due) == (L == 3)
    for form in FORMS:
        layer = NearestConv1d(1, 1, 1, L, bias=False, form=form)
        nn.init.ones_(layer.weight)
        assert np.array_equal(layer(x).detach().numpy(), due)


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # Torch's own, at the first forward mode
def test_second_derivatives_in_forward_mode_twice_are_those_of_two_layers() -> None:
    """By input and weight, whole numbers."""
    layer = NearestConv1d(1, 2, 3, 3, padding=1, form="polyphase", dtype=torch.float64)
    x = whole(layer, 0, (1, 1, 3))
    two: Any = layer.two_layers()

    def cubed(module: nn.Module, name: str) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda x, w: (torch.func.functional_call(module, {name: w}, (x,)) ** 3).sum()

    for outer, inner in ((0, 1), (1, 0), (1, 1), (0, 0)):
        ours, due = (
            torch.func.jacfwd(torch.func.jacfwd(cubed(module, name), inner), outer)(x, layer.weight.detach())
            for module, name in ((layer, "weight"), (two, "1.weight"))
        )
        assert due.any()
        assert torch.equal(ours, due)


def test_state_of_a_convolution_and_its_initialisation() -> None:
    torch.manual_seed(3)
    conv = nn.Conv1d(4, 6, 5, padding=2)
    torch.manual_seed(3)
    layer = NearestConv1d(4, 6, 5, 2, padding=2)
    assert torch.equal(layer.weight, conv.weight)
    torch.manual_seed(3)
    layer.reset_parameters()
    assert torch.equal(layer.weight, conv.weight)
    assert layer.bias is not None
    assert torch.equal(layer.bias, conv.bias)  # type: ignore[arg-type]
    other = LinearConv1d(4, 6, 5, 2, padding=2)
    assert list(other.load_state_dict(conv.state_dict())) == [[], []]
    assert torch.equal(other.weight, conv.weight)


PAIRS: dict[str, tuple[Any, nn.Module, Any]] = {
    "nearest": (NearestConv1d, nn.Upsample(scale_factor=3), nearest(3)),
    "nearest-exact": (NearestConv1d, Interpolate1d("nearest-exact", scale_factor=2.0), nearest(2)),
    "linear": (LinearConv1d, nn.Upsample(scale_factor=2, mode="linear"), linear(2)),
    "filter": (FilterConv1d, FilterInterp1d(2, torch.tensor([1.0, 2.0, 1.0]), offset=1, excess=1), None),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("padding", [0, 2, "same"])
def test_from_two_layers_and_back(name: str, padding: Any) -> None:
    kind, interpolation, found = PAIRS[name]
    conv = nn.Conv1d(4, 6, 4, padding=padding, dilation=2, groups=2, padding_mode="replicate").double().eval()
    conv.weight.requires_grad_(False)
    interpolation = copy.deepcopy(interpolation).double()
    layer = kind.from_two_layers(interpolation, conv)
    x = whole(layer, 0, (2, 4, 9))
    two = nn.Sequential(interpolation, copy.deepcopy(conv))
    two[1].load_state_dict(layer.state_dict())
    assert torch.equal(layer(x), two(x))
    assert torch.equal(layer.two_layers()(x), two(x))
    assert not torch.equal(layer.weight, conv.weight)  # a copy: `whole` has changed the one, and not the other
    assert not layer.weight.requires_grad
    assert layer.bias.requires_grad
    assert not layer.training
    assert not layer.two_layers().training
    assert found is None or layer.geometry.interpolation == found
    assert kind.from_two_layers(interpolation, conv, share=True).weight is conv.weight


def test_random_numbers_are_left_alone_by_conversion() -> None:
    conv = nn.Conv1d(2, 2, 3)
    before = torch.get_rng_state()
    NearestConv1d.from_two_layers(nn.Upsample(scale_factor=2), conv).two_layers()
    assert torch.equal(before, torch.get_rng_state())


def test_what_is_refused() -> None:
    up, conv = nn.Upsample(scale_factor=2), nn.Conv1d(1, 1, 3)
    with pytest.raises(ValueError, match="groups: got 2; allowed: a common divisor of the channels, 3 and 2"):
        NearestConv1d(3, 2, 3, 2, groups=2)
    with pytest.raises(ValueError, match=r"scale_factor: got 1\.5"):
        NearestConv1d(1, 1, 3, 1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"padding_mode: got 'reflection'.*did you mean 'reflect'"):
        LinearConv1d(1, 1, 3, 2, padding_mode="reflection")
    with pytest.raises(ValueError, match="padding: got 'full'; allowed: valid, same"):
        LinearConv1d(1, 1, 3, 2, padding="full")
    with pytest.raises(
        ValueError, match="form: got 'fast'; allowed: auto, polyphase, transposed, two layers, running sum"
    ):
        NearestConv1d(1, 1, 3, 2, form="fast")
    with pytest.raises(TypeError, match=r"dtype: got torch\.int64"):
        NearestConv1d(1, 1, 3, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"taps: got shape \(1, 1, 2\); allowed: 1 axes"):
        FilterConv1d(1, 1, 3, 2, torch.ones(1, 1, 2))
    with pytest.raises(ValueError, match=r"input: got shape \(1, 2, 5\); allowed: \(batch, 1, time\) or \(1, time\)"):
        NearestConv1d(1, 1, 3, 2)(torch.zeros(1, 2, 5))
    for form, dtype in itertools.product(("auto", "polyphase", "two layers"), (torch.float64, torch.int64)):
        with pytest.raises(TypeError, match=rf"input: got dtype {dtype}; allowed: torch\.float32, as the weights"):
            NearestConv1d(1, 1, 3, 2, form=form)(torch.zeros(1, 1, 5, dtype=dtype))
    with pytest.raises(ValueError, match="input: got 2 input samples; allowed: 4 or more"):
        NearestConv1d(1, 1, 7, 2)(torch.zeros(1, 1, 2))
    with pytest.raises(ValueError, match="padding, reflect: got 4; allowed: less than the 4 samples"):
        LinearConv1d(1, 1, 3, 2, padding=4, padding_mode="reflect")(torch.zeros(1, 1, 2))
    with pytest.raises(ValueError, match="stride: got 2; allowed: 1"):
        NearestConv1d.from_two_layers(up, nn.Conv1d(1, 1, 3, stride=2))
    with pytest.raises(ValueError, match=r"interpolation: got linear; .* nearest.* Hint: LinearConv1d takes it"):
        NearestConv1d.from_two_layers(nn.Upsample(scale_factor=2, mode="linear"), conv)
    with pytest.raises(ValueError, match="align_corners=True; allowed: an interpolation by an integer, linear"):
        LinearConv1d.from_two_layers(nn.Upsample(scale_factor=2, mode="linear", align_corners=True), conv)
    with pytest.raises(ValueError, match=r"scale_factor=1\.5.*allowed: an interpolation by an integer"):
        NearestConv1d.from_two_layers(nn.Upsample(scale_factor=1.5), conv)
    with pytest.raises(TypeError, match=r"convolution: got LazyConv1d; .* run it once"):
        NearestConv1d.from_two_layers(up, nn.LazyConv1d(1, 3))
    with pytest.raises(ValueError, match=r"a weight that is computed; .* replace_upsampling .* keeps it"):
        NearestConv1d.from_two_layers(up, parametrizations.weight_norm(nn.Conv1d(1, 1, 3)))


class Louder(nn.Upsample):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def test_from_two_layers_drops_no_hook_and_no_forward() -> None:
    up, conv = nn.Upsample(scale_factor=2), nn.Conv1d(1, 1, 3)
    with pytest.raises(TypeError, match="got Louder; allowed: a Upsample with the forward of its class"):
        NearestConv1d.from_two_layers(Louder(scale_factor=2), conv)
    for hooked in (up, conv):
        handle = hooked.register_forward_hook(lambda m, args, y: -y)
        with pytest.raises(ValueError, match="no hooks but those of weight norm"):
            NearestConv1d.from_two_layers(up, conv)
        handle.remove()
    assert NearestConv1d.from_two_layers(up, conv).geometry.length == 3


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
def test_as_pads_is_torch_s() -> None:
    for K, d in ((3, 1), (4, 1), (2, 3)):
        conv = nn.Conv1d(1, 1, K, dilation=d, padding="same")
        left, right = as_pads("same", d * (K - 1))
        x = torch.randn(1, 1, 9)
        assert torch.equal(conv(x), F.conv1d(F.pad(x, (left, right)), conv.weight, conv.bias, dilation=d))


def test_half_precision_composes_in_single() -> None:
    """1 + 2⁻⁸ is no bfloat16; as the sum of weights 1, 2⁻⁸ and −1 it is exact if it is summed in single precision."""
    layer = NearestConv1d(1, 1, 3, 3, bias=False, form="polyphase", dtype=torch.bfloat16)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[1.0, 2.0**-8, -1.0]]]))
    y = layer(torch.ones(1, 1, 3, dtype=torch.bfloat16))
    assert y.dtype == torch.bfloat16
    assert y[0, 0, 0] == 2.0**-8
    assert layer.phases.dtype == torch.float32


def test_autocast_gives_the_dtype_of_the_two_layers() -> None:
    for kind in (NearestConv1d, LinearConv1d):
        layer = kind(2, 2, 5, 2, padding=2, form="polyphase")
        x = torch.randn(1, 2, 9, requires_grad=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y, due = layer(x), layer.two_layers()(x)
        assert y.dtype == due.dtype == torch.bfloat16
        y.float().sum().backward()
        assert x.grad is not None
        assert x.grad.dtype == layer.weight.grad.dtype == torch.float32  # type: ignore[union-attr]


def test_phases_follow_from_sizes_wherever_the_weights_are() -> None:
    """Through half precision and back, from the meta device by `to_empty` and by assignment."""
    layer = LinearConv1d(2, 2, 3, 3, padding=1, form="polyphase").double()
    there = layer.phases.clone()
    assert torch.equal(layer.half().double().phases, there)
    x, due = torch.randn(1, 2, 8), copy.deepcopy(layer).float()
    for how in ("empty", "assign"):
        meta = LinearConv1d(2, 2, 3, 3, padding=1, form="polyphase", device="meta")
        assert meta(x.to("meta")).shape == (1, 2, 24)
        meta = meta.to_empty(device="cpu") if how == "empty" else meta
        meta.load_state_dict(due.state_dict(), assign=how == "assign")
        assert torch.equal(meta(x), due(x))
    assert "phases" not in layer.state_dict()


def test_repr_says_what_is_not_usual() -> None:
    assert repr(NearestConv1d(2, 4, 9, 4)) == "NearestConv1d(2, 4, kernel_size=9, scale_factor=4)"
    layer = FilterConv1d(2, 4, 9, 4, [1.0, 1.0], 1, (1, -2), bias=False, form="polyphase")
    said = "2, 4, kernel_size=9, scale_factor=4, taps=2, offset=1, padding=(1, -2), bias=False, form='polyphase'"
    assert repr(layer) == f"FilterConv1d({said})"


@pytest.mark.parametrize("kind", LAYERS)
def test_a_form_that_a_layer_does_not_have_is_refused_as_an_attribute_too(kind: str) -> None:
    own = {"taps": [0.5, 1.0, 0.5]} if kind == "filter" else {}
    layer: Any = LAYERS[kind](2, 2, 3, 2, **own)
    assert layer.form == "auto"
    for form in ["fast", *([] if kind == "nearest" else ["running sum"])]:
        with pytest.raises(ValueError, match=f"form: got '{form}'; allowed: auto, polyphase"):
            layer.form = form
    layer.form = "polyphase"
    for same in (layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert same.form == "polyphase"
        assert "form='polyphase'" in repr(same)
