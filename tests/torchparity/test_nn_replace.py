"""Layers replaced by others: lengths, delays and taps over all parameters; what is kept, and what is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from fractions import Fraction
from typing import Any, cast

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from dspref import Linear, StretchFilter
from dspref.arrays import Array, NotAnalysable
from dspref.designs.projection import tone_free
from dspref.kernels import dense
from tests.strategies import QUIET
from torchparity import PixelShuffle1d
from torchparity.audit import audit
from torchparity.models import melgan
from torchparity.nn import FilterConv1d, FilterInterp1d, LinearConv1d, NearestConv1d, SubpixelConv1d
from torchparity.nn.basic import Interpolate1d
from torchparity.nn.canonical import Form
from torchparity.nn.kinds import KINDS, misfit
from torchparity.nn.replace import replace_upsampling
from torchparity.nn.sites import Site, sites
from torchparity.nn.twin import twin
from torchparity.nn.utils import tone_free_

U = 2.0**-53
EXACT = ("subpixel", "transposed")
FITS = ("nearest", "linear")
OLD = "ignore:.*weight_norm.*:FutureWarning"


def whole(layer: nn.Module, seed: int = 0) -> nn.Module:
    """Return the layer with weights that are whole multiples of 8, none of them 0: triangles of 2 and 4 stay whole."""
    draw = torch.Generator().manual_seed(seed)
    for p in layer.parameters():
        p.data = (
            8.0 * torch.randint(1, 9, p.shape, generator=draw) * (-1) ** torch.randint(0, 2, p.shape, generator=draw)
        )
    return layer


def signal(channels: int, time: int) -> Tensor:
    return torch.randint(-9, 10, (2, channels, time), generator=torch.Generator().manual_seed(time)).float()


def run(module: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        y: Tensor = module(x)
    return y


def form_of(layer: nn.Module) -> Form:
    """Return the taps of a layer of one module."""
    b: Any = layer.bias
    w: Any = layer.weight
    return Site("", layer).form(w.detach().double(), None if b is None else b.detach().double())


def reference(form: Form, h: Array) -> StretchFilter:
    """Return the layer of other taps h in the place of a form's, as `dspref` has it."""
    return StretchFilter(form.s, dense(h, form.groups), offset=form.offset, excess=form.excess)


@st.composite
def transposed(draw: st.DrawFn) -> tuple[nn.ConvTranspose1d, int]:
    """Draw a transposed convolution, and an input length of which something is left."""
    s, K, d, groups = (draw(st.integers(*each)) for each in ((2, 5), (1, 9), (1, 3), (1, 2)))
    p, more = draw(st.integers(0, d * (K - 1) + 2)), draw(st.integers(0, max(s, d) - 1))
    layer = nn.ConvTranspose1d(2 * groups, groups, K, s, p, more, groups, draw(st.booleans()), d)
    time = draw(st.integers(1, 6))
    assume((time - 1) * s - 2 * p + d * (K - 1) + more + 1 >= 1)
    whole(layer, seed=K)
    return layer, time


@st.composite
def others(draw: st.DrawFn) -> tuple[nn.Sequential, int]:
    """Draw a sub-pixel convolution, or an interpolation and a convolution: of one module, or of two."""
    s, K, d, groups = draw(st.sampled_from((2, 4))), *(draw(st.integers(*each)) for each in ((1, 5), (1, 2), (1, 2)))
    p, bias, time = draw(st.integers(0, 3)), draw(st.booleans()), draw(st.integers(1, 5))
    kind = draw(st.sampled_from(("subpixel", "nearest", "linear", "filter", "cubic")))
    s = 2 if kind == "cubic" else s
    rest: dict[str, Any] = {"dilation": d, "groups": groups, "bias": bias}
    order = draw(st.sampled_from(("crd", "dcr")))
    if kind == "subpixel":
        assume(time + 2 * p > d * (K - 1))
        layer = SubpixelConv1d(2 * groups, 3 * groups, K, s, p, order=order, **rest)
        return nn.Sequential(whole(layer)), time
    pads: Any = draw(st.one_of(st.just(p), st.tuples(st.integers(-3, 4), st.integers(-3, 4))))
    taps, offset, excess = [1.0, 2.0, 3.0, -1.0, 2.0], draw(st.integers(-1, 4)), draw(st.integers(-1, 2))
    left, right = pads if isinstance(pads, tuple) else (pads, pads)
    assume(min(s * time + min(left, 0) + min(right, 0), s * time + left + right - d * (K - 1)) >= 4)
    fused: dict[str, Callable[..., nn.Module]] = {
        "nearest": lambda *a, **k: NearestConv1d(*a, **k),
        "linear": lambda *a, **k: LinearConv1d(*a, **k),
        "filter": lambda *a, **k: FilterConv1d(*a, **{**k, "taps": taps, "offset": offset, "excess": excess}),
    }
    if kind in fused and draw(st.booleans()):
        return nn.Sequential(whole(fused[kind](2 * groups, groups, K, s, padding=pads, **rest))), time
    two: dict[str, nn.Module] = {
        "nearest": nn.Upsample(scale_factor=s),
        "linear": Interpolate1d("linear", scale_factor=s),
        "filter": FilterInterp1d(s, torch.tensor(taps), offset=offset, excess=excess),
        "cubic": Interpolate1d("cubic", scale_factor=s),
    }
    assume(pads == p)
    return nn.Sequential(two[kind], whole(nn.Conv1d(2 * groups, groups, K, 1, p, **rest))), time


@QUIET(max_examples=150)
@given(transposed(), st.sampled_from(("subpixel", "nearest", "linear")))
def test_lengths_and_delays_of_all_transposed_convolutions(case: tuple[nn.ConvTranspose1d, int], kind: str) -> None:
    layer, time = case
    form, x = form_of(layer), signal(layer.in_channels, time)
    if (refusal := refused(form, kind)) is not None:
        with pytest.raises(ValueError, match=refusal):
            twin(Site("up", layer), kind)
        return
    made, y = twin(Site("up", layer), kind), run(layer, x)
    z = run(made.layer, x)
    assert tuple(z.shape) == tuple(y.shape)
    if kind == "subpixel":
        assert max(made.errors) == 0
        assert torch.equal(z, y)
    elif kind == "nearest":
        nearest_as_projected(made.layer.double(), form, x.double(), made.errors[0])


def refused(form: Form, kind: str) -> str | None:
    """Return the words with which a kind is refused, if it is."""
    if kind == "subpixel" and form.excess % form.s:
        return f"a multiple of {form.s}, which sub-pixel convolutions make"
    return f"at least {form.s} taps" if kind in FITS and form.length < form.s else None


def nearest_as_projected(layer: Any, form: Form, x: Tensor, error: float) -> None:
    """Compare with the projection of `dspref.designs`, filtered by `dspref.StretchFilter`; borders included.

    w̃ is a running sum of at most 2⌈N/s⌉ projected taps, each one tap less a mean of sums: fewer than 4N terms, of at
    most max abs(h). It is stored in float32, and each tap of box ∗ w̃ is a sum of at most s of these.
    """
    h = form.h.numpy()
    N, most, w = form.length, np.abs(h).max(), float(layer.weight.detach().abs().max())
    ĥ = tone_free(h, form.s)
    y = reference(form, ĥ)(x.numpy())
    y = y if form.bias is None else y + form.bias.numpy()
    off = form.s * (2.0**-24 * w + 16 * N * N * U * most)
    terms = (N // form.s + 1) * h.shape[1]
    bound = terms * 9 * (off + terms * U * 4 * most) + 64 * U
    assert np.abs(run(layer, x).numpy() - y).max() <= bound
    assert error == pytest.approx(np.linalg.norm(h - ĥ) / np.linalg.norm(h), abs=N * off / most)


@QUIET(max_examples=200)
@given(others(), st.sampled_from(tuple(KINDS)))
def test_all_other_layers_by_all_kinds(case: tuple[nn.Sequential, int], kind: str) -> None:
    model, time = case
    ((site,), _) = sites(model, ())
    kernel = site.kernel
    form = site.form(kernel.weight.detach().double(), None if kernel.bias is None else kernel.bias.detach().double())
    x = signal(kernel.in_channels, time)
    if site.family != kind and (refusal := refused(form, kind)) is not None:
        with pytest.raises(ValueError, match=refusal):
            twin(site, kind)
        return
    if site.other is None and site.family == kind:
        return
    made, y = twin(site, kind), run(model, x)
    z = run(made.layer, x)
    assert z.shape == y.shape
    if site.family == kind:
        assert torch.equal(z, y)
    elif kind in EXACT:
        first, last = made.ends
        inner = slice(first, y.shape[-1] - last)
        assert torch.equal(z[..., inner], y[..., inner] + by_one_bias(form, kind, y.shape[-1])[:, inner])
        assert made.errors[0] == 0


def by_one_bias(form: Form, kind: str, time: int) -> Tensor:
    """Return what the mean of the biases is more than those of the phases, over time."""
    if kind != "transposed" or form.bias is None:
        return torch.zeros(1, time)
    b = form.bias.expand(-1, form.s)
    return (b.mean(-1, keepdim=True) - b).float().repeat(1, time)[:, :time]


def random_form(s: int, K: int, seed: int = 0) -> Form:
    return Form(s, torch.randn(2, 3, K, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)), 1, 0)


@pytest.mark.parametrize(("s", "N"), [(2, 2), (2, 7), (3, 9), (4, 16), (5, 11), (8, 16)])
@pytest.mark.parametrize("kind", FITS)
def test_fits_are_the_least_squares_of_numpy_and_of_normal_equations(kind: str, s: int, N: int) -> None:
    """Two further routes, by the dense matrix of shifts T: κ(T)²·u bounds what either loses, times sizes."""
    form = random_form(s, N)
    _, w, _ = KINDS[kind](form)
    g = np.ones(s) if kind == "nearest" else Linear(s).normal.h.astype(float)
    K, more = N - s + 1, len(g) - s
    T = scipy.linalg.toeplitz(np.r_[g, np.zeros(K - 1)], np.r_[g[0], np.zeros(K - 1)])
    h = np.pad(form.h.numpy(), ((0, 0), (0, 0), (s // 2 if more else 0, more - s // 2 if more else 0))).reshape(6, -1).T
    by_numpy = np.linalg.lstsq(T, h, rcond=None)[0]
    by_equations = scipy.linalg.solve(T.T @ T, T.T @ h, assume_a="pos")
    bound = 16 * T.size * np.linalg.cond(T) ** 2 * U * np.linalg.norm(h)
    ours = w.flip(-1).reshape(6, -1).T.numpy()
    assert np.abs(ours - by_numpy).max() <= bound
    assert np.abs(ours - by_equations).max() <= bound


@pytest.mark.parametrize("kind", FITS)
def test_a_kernel_that_an_interpolation_made_is_found_again(kind: str) -> None:
    """w of whole numbers under a box, exactly; under triangles as far as its equations are solved, in its old place."""
    layer = NearestConv1d if kind == "nearest" else LinearConv1d
    first = whole(layer(2, 3, 5, 4, padding=2))
    model: Any = nn.Sequential(copy.deepcopy(first))
    x = signal(2, 9)
    (there,) = replace_upsampling(model, "transposed").rows
    (back,) = replace_upsampling(model, kind).rows
    y, z, w = run(first, x), run(model, x), model[0].weight.detach()
    if kind == "nearest":
        assert torch.equal(w, cast(Tensor, first.weight))
        assert torch.equal(y, z)
        assert (there.error, back.error) == (0, 0)
        return
    n, inner = w[0].numel() + 1, slice(back.ends[0], y.shape[-1] - back.ends[1])
    assert back.error <= 2.0**-24 * w.numel()
    off = (n + 1) * 2.0**-24 * (w.abs().sum() * x.abs().max() + 64)
    assert (y - z)[..., inner].abs().max() <= off


@QUIET(max_examples=100)
@given(transposed())
def test_there_and_back_the_taps_are_the_same(case: tuple[nn.ConvTranspose1d, int]) -> None:
    layer, _ = case
    before = form_of(layer)
    assume(before.excess % before.s == 0)
    there = twin(Site("up", layer), "subpixel").layer
    back: Any = twin(Site("up", there), "transposed").layer
    after = form_of(back)
    first = after.offset - before.offset
    last = after.length - before.length - first
    assert first >= 0
    assert torch.equal(after.h, F.pad(before.h, (first, last)))
    if layer.output_padding[0] < layer.stride[0]:
        assert (first, last) == (0, 0)
        assert [getattr(back, n) for n in SIZES] == [getattr(layer, n) for n in SIZES]


SIZES = ("stride", "padding", "output_padding", "groups")


def test_what_the_report_says_of_ends_is_the_least_that_it_may_say() -> None:
    model = nn.Sequential(nn.Upsample(scale_factor=4, mode="linear"), whole(nn.Conv1d(1, 1, 3, padding=2)))
    x = 1 + signal(1, 9).abs()
    y = run(model, x)
    (row,) = replace_upsampling(model, "transposed").rows
    differ = (run(model, x) != y).any(0).any(0).nonzero().flatten()
    first, last = row.ends
    assert first - 1 in differ
    assert y.shape[-1] - last in differ
    assert not ((differ >= first) & (differ < y.shape[-1] - last)).any()
    assert f"the first {first} and the last {last}" in row.note


def decoder(**more: Any) -> nn.Sequential:
    torch.manual_seed(0)
    return melgan(channels=4, width=2, lengths=(8, 4), strides=(4, 2), stacks=1, **more)


@pytest.mark.parametrize("kind", KINDS)
def test_a_melgan_keeps_its_lengths(kind: str) -> None:
    model, x = decoder(), torch.randn(1, 4, 24)
    y = run(model, x)
    report = replace_upsampling(model, kind)
    z = run(model, x)
    assert z.shape == y.shape
    assert report.checked
    assert (len(report.rows), len(report.kept)) == ((0, 2) if kind == "transposed" else (2, 0))
    if kind == "subpixel":
        assert [row.error for row in report.rows] == [0, 0]


def lines(model: nn.Module) -> tuple[set[str], set[Fraction]]:
    """Return which layers can make lines, and where some stand out of the response to a constant."""
    found = audit(model.eval(), measured_only=True, signals=("constant",))
    heard = {peak.freq for peak in found.runs[0].peaks if peak.freq}
    return {layer.words for layer in found.spine.layers if layer.makes_lines}, {Fraction(f) for f in heard}


def test_behind_interpolations_no_line_is_possible_and_none_is_there() -> None:
    makers, heard = lines(decoder())
    assert makers == {"convt k8 s4 p2", "convt k4 s2 p1"}
    assert {Fraction(k, 8) for k in (1, 2, 3, 4)} <= heard
    for kind in FITS:
        model = decoder()
        replace_upsampling(model, kind)
        assert lines(model) == (set(), set())


class Cut(nn.Module):
    """Crops what its layer makes, by sizes that it reads: as EnCodec does, or by its own."""

    def __init__(self, up: Any, cut: int | None = None) -> None:
        super().__init__()
        self.up, self.cut = up, cut

    def forward(self, x: Tensor) -> Tensor:
        more: Any = self.up.kernel_size[0] - self.up.stride[0] if self.cut is None else self.cut
        y: Tensor = self.up(x)
        return y[..., more // 2 : y.shape[-1] - (more - more // 2)]


class Sized(Cut):
    """Says what length it wants."""

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.up(x, output_size=[2 * x.shape[-1] + 3])
        return y


class Listed(nn.Module):
    """Runs layers out of a ModuleList, from the last to the first; or as `order` says."""

    def __init__(self, *layers: nn.Module, order: tuple[int, ...]) -> None:
        super().__init__()
        self.layers, self.order = nn.ModuleList(layers), order

    def forward(self, x: Tensor) -> Tensor:
        for i in self.order:
            x = self.layers[i](x)
        return x


class Causal(nn.ConvTranspose1d):
    """Crops by itself."""

    def forward(self, x: Tensor, output_size: Any = None) -> Tensor:
        return super().forward(x)[..., : x.shape[-1] * self.stride[0]]


class Hidden(nn.Module):
    """Keeps its layers in a list of Python too, and runs them from there."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(2, 2, 4, 2)
        self.ups = [self.up]

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.ups[0](x)
        return y


class Functional(nn.Module):
    """Upsamples by a function, and by a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(2, 2, 4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(self.up(x), scale_factor=2.0)


class OptimizedModule(nn.Module):
    """What torch.compile returns, by its name and what it holds."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self._orig_mod = inner


def shared() -> nn.Module:
    first, second = nn.ConvTranspose1d(2, 2, 4, 2), nn.ConvTranspose1d(2, 2, 4, 2)
    second.weight = first.weight
    return nn.Sequential(first, second)


def hooked() -> nn.Module:
    model = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv1d(2, 2, 3))
    model[0].register_forward_hook(lambda m, args, y: y + 1)
    return model


def made(norm: Any = lambda m: m, **more: Any) -> Any:
    return nn.Sequential(norm(nn.ConvTranspose1d(2, 2, 4, 2, **more)))


def shorn(layer: nn.Module, name: str, n: int) -> nn.Module:
    pruned: nn.Module = prune.l1_unstructured(layer, name, n)  # type: ignore[no-untyped-call]
    return pruned


def bare() -> Any:
    """Return a layer whose weight is a tensor that something else sets."""
    model = made()
    weight = model[0].weight.detach()
    del model[0].weight
    model[0].weight = weight
    return model


def spoiled() -> Any:
    model = made()
    with torch.no_grad():
        model[0].weight[0, 1, 2] = torch.nan
    return model


CONV: dict[str, Any] = {"in_channels": 2, "out_channels": 2, "kernel_size": 3}
REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "no upsampling": (
        lambda: nn.Sequential(nn.Conv1d(2, 2, 3), nn.ConvTranspose1d(2, 2, 3)),
        "upsampling layers: got none",
    ),
    "a lone interpolation": (
        lambda: nn.Sequential(nn.Upsample(scale_factor=2), nn.ReLU()),
        "without a convolution right",
    ),
    "a layer alone": (lambda: nn.ConvTranspose1d(2, 2, 4, 2), "a model around it"),
    "kernel too short": (lambda: nn.Sequential(nn.ConvTranspose1d(2, 2, 4, 8)), "4 taps for factor 8"),
    "sizes read": (lambda: Cut(nn.ConvTranspose1d(2, 2, 4, 2)), "sizes read elsewhere: got kernel_size, stride"),
    "output_size": (lambda: Sized(nn.ConvTranspose1d(2, 2, 4, 2)), "does not depend on the call"),
    "a forward of its own": (lambda: nn.Sequential(Causal(2, 2, 4, 2)), "Causal with a forward of its own"),
    "out of sight": (Hidden, "the lengths it had"),
    "reflected": (
        lambda: nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv1d(**CONV, padding=1, padding_mode="reflect")),
        "'reflect'",
    ),
    "by size": (lambda: nn.Sequential(nn.Upsample(size=64), nn.Conv1d(**CONV)), "size=64"),
    "by a fraction": (lambda: nn.Sequential(nn.Upsample(scale_factor=1.5), nn.Conv1d(**CONV)), "factor 3/2"),
    "corners": (
        lambda: nn.Sequential(nn.Upsample(scale_factor=2, mode="linear", align_corners=True), nn.Conv1d(**CONV)),
        "align_corners",
    ),
    "shared weights": (shared, "one that 1.1 shares"),
    "lazy": (lambda: nn.Sequential(nn.LazyConvTranspose1d(2, 4, 2)), "not initialised"),
    "meta": (lambda: made(device="meta"), "meta device"),
    "complex": (lambda: made(dtype=torch.complex64), "dtype torch.complex64"),
    "not a number": (spoiled, "some that are infinite or not a number; allowed: finite numbers"),
    "hook between": (hooked, "a hook on Upsample"),
    "weight of a hook": (bare, "computed by a hook"),
    "compiled": (
        lambda: nn.Sequential(OptimizedModule(nn.ConvTranspose1d(2, 2, 4, 2))),
        "compile it afterwards",
    ),
}


def own_shuffle() -> nn.Module:
    """Return what shuffles by a class of its own, which nobody knows."""
    return nn.Sequential(nn.Conv1d(2, 4, 3), nn.Unflatten(1, (2, 2)), nn.Flatten(2))


def pair_with(*between: nn.Module, **more: Any) -> nn.Module:
    return nn.Sequential(nn.Upsample(scale_factor=2), *between, nn.Conv1d(**CONV, **more))


NO_SITES: dict[str, tuple[nn.Module, str]] = {
    "own shuffle": (own_shuffle(), "got none; .* Hint: a shuffle is known by its class, torchparity.nn.PixelShuffle1d"),
    "stride": (pair_with(stride=2), "0: Upsample with a Conv1d of stride 2 behind it"),
    "pad": (pair_with(nn.ReflectionPad1d(4)), "put that into the Conv1d, padding=4, padding_mode='reflect'"),
    "zeros": (pair_with(nn.ZeroPad1d(3)), "put that into the Conv1d, padding=3, padding_mode='zeros'"),
    "unequal pads": (pair_with(nn.ReplicationPad1d((1, 2))), "a convolution right behind it; allowed"),
    "two pads": (pair_with(nn.ReplicationPad1d(1), padding=2), "a convolution right behind it; allowed"),
}


@pytest.mark.parametrize("name", NO_SITES)
def test_what_is_no_layer_to_replace_is_told_why(name: str) -> None:
    model, words = NO_SITES[name]
    with pytest.raises(ValueError, match=words) as caught:
        replace_upsampling(model, "nearest")
    assert "inside of" not in str(caught.value)


class Inside(nn.Module):
    """Declares last what it runs first: a pair of modules, or a function of its own weight."""

    def __init__(self, *up: nn.Module) -> None:
        super().__init__()
        self.post, self.up = nn.Conv1d(4, 1, 3), nn.ModuleList(up)
        self.weight = nn.Parameter(torch.ones(8, 4, 8))

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.up else F.conv_transpose1d(x, self.weight, stride=4)
        for layer in self.up:
            y = layer(y)
        z: Tensor = self.post(y)
        return z


def test_a_model_that_no_guess_runs_is_told_so_and_shown_inputs() -> None:
    """What stands behind a layer is not known then, and what is not there may be a function."""
    guess = (
        r"on a guess of its input, zeros \(1, 4, 32\), it raised RuntimeError: Given .*Hint: give inputs=, an example"
    )
    pair = Inside(nn.Upsample(scale_factor=4), nn.Conv1d(8, 4, 9, padding=4))
    with pytest.raises(ValueError, match=r"up.0: Upsample that was not run: what is right behind it is not.*" + guess):
        replace_upsampling(pair, "nearest")
    with pytest.raises(ValueError, match="got none, but the model could not be run: " + guess):
        replace_upsampling(Inside(), "nearest")
    with pytest.raises(ValueError, match=r"run: no layer with parameters tells the channels .*Hint: give inputs="):
        replace_upsampling(nn.Sequential(nn.Upsample(scale_factor=2)), "nearest")
    with pytest.raises(
        ValueError, match=r"forward: calls conv_transpose1d itself: make it a module, nn.ConvTranspose1d; allowed"
    ):
        replace_upsampling(Inside(), "nearest", inputs=torch.zeros(1, 8, 9))
    assert [row.name for row in replace_upsampling(pair, "nearest", inputs=torch.zeros(1, 8, 9)).rows] == ["up.1"]


@pytest.mark.parametrize("model", [None, [nn.Conv1d(1, 1, 1)], "x", torch.zeros(1)])
def test_what_is_no_module_is_refused_as_by_the_cure(model: Any) -> None:
    with pytest.raises(TypeError, match=r"model: got \w+; allowed: an nn.Module") as caught:
        replace_upsampling(model, "nearest")
    with pytest.raises(TypeError) as other:
        tone_free_(model)
    assert str(caught.value) == str(other.value)


class Summed(nn.Module):
    """Adds something to what a convolution makes, before it is shuffled."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.shuffle = nn.Conv1d(2, 4, 3, padding=1), PixelShuffle1d(2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv(x)
        y: Tensor = self.shuffle(h) + self.shuffle(h + 1)
        return y


def test_halves_of_pairs_that_are_left_say_what_is_next_to_them() -> None:
    model = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv1d(2, 4, 3), PixelShuffle1d(2))
    words = dict(replace_upsampling(model, "nearest").kept)
    assert words == {"2": "PixelShuffle1d with a convolution before it, 1, that is of another pair"}
    with pytest.raises(ValueError, match="shuffle: PixelShuffle1d that takes not just the result of conv, in training"):
        replace_upsampling(Summed(), "nearest")


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_pads_that_go_into_the_convolution_as_it_is_said_change_nothing(mode: Any) -> None:
    pads = {"reflect": nn.ReflectionPad1d, "replicate": nn.ReplicationPad1d, "circular": nn.CircularPad1d}
    before, x = pair_with(pads[mode](4)), signal(2, 9)
    whole(before[-1])  # type: ignore[index]
    y = run(before, x)
    after: Any = pair_with(padding=4, padding_mode=mode)
    after[-1].load_state_dict(before[-1].state_dict())  # type: ignore[index]
    assert len(replace_upsampling(after, "nearest").rows) == 1
    assert torch.equal(run(after, x), y)


def test_a_length_that_subpixel_layers_do_not_make_is_got_by_what_is_said() -> None:
    """A kernel shorter than the factor is no reason: phases without a tap are zeros."""
    x = signal(2, 5)
    with pytest.raises(ValueError, match=r"got 4T - 1; .* Hint: 1 more of output_padding would make it one"):
        replace_upsampling(nn.Sequential(nn.ConvTranspose1d(2, 2, 3, 4)), "subpixel")
    model = nn.Sequential(whole(nn.ConvTranspose1d(2, 2, 3, 4, output_padding=1)))
    y = run(model, x)
    replace_upsampling(model, "subpixel")
    assert torch.equal(run(model, x), y)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_replaced_is_refused_and_nothing_is_changed(name: str) -> None:
    make, words = REFUSED[name]
    bad = make()
    model = (
        bad if name == "a layer alone" or "upsampling" in words or "without" in words else nn.Sequential(made(), bad)
    )
    before = list(model.named_modules())
    tensors = {key: (t, t._version) for key, t in model.named_parameters()}
    with pytest.raises(ValueError, match=words):
        replace_upsampling(model, "linear" if name != "linear" else "nearest")
    assert [(n, id(m), type(m)) for n, m in model.named_modules()] == [(n, id(m), type(m)) for n, m in before]
    assert all(p is tensors[key][0] and p._version == tensors[key][1] for key, p in model.named_parameters())


def test_words_for_a_kind_and_for_inputs() -> None:
    with pytest.raises(ValueError, match="did you mean 'nearest'"):
        replace_upsampling(made(), "neerest")
    with pytest.raises(NotAnalysable, match="forward: got RuntimeError"):
        replace_upsampling(made(), "nearest", inputs=torch.zeros(1, 3, 8))
    assert replace_upsampling(made(), "nearest", inputs=lambda n: (torch.zeros(1, 2, n),)).checked
    assert not replace_upsampling(nn.Sequential(nn.Linear(5, 32), made()), "nearest").checked


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_pairs_of_a_list_are_found_by_a_run(order: tuple[int, ...]) -> None:
    """A convolution comes before the interpolation in the list, and behind it, if the run says so."""
    layers = [nn.Upsample(scale_factor=2), whole(nn.Conv1d(2, 2, 3, padding=1)), nn.ReLU()]
    model, x = Listed(*layers, order=order), signal(2, 8)
    y = run(model, x)
    report = replace_upsampling(model, "nearest")
    assert [(row.name, row.old, row.error) for row in report.rows] == [("layers.1", "Upsample s2 + Conv1d k3", 0)]
    assert [type(m).__name__ for m in model.layers] == ["Identity", "NearestConv1d", "ReLU"]
    assert torch.equal(run(model, x), y)


def test_what_does_not_run_one_after_the_other_is_no_pair() -> None:
    layers = [nn.Upsample(scale_factor=2), nn.Conv1d(2, 2, 3, padding=1), nn.ReLU(), nn.ConvTranspose1d(2, 2, 4, 2)]
    report = replace_upsampling(Listed(*layers, order=(0, 2, 1, 3)), "nearest")
    assert [row.name for row in report.rows] == ["layers.3"]
    assert report.kept == (("layers.0", "Upsample without a convolution right behind it"),)


def test_two_layers_that_become_one_keep_their_parameters_names_and_norm() -> None:
    """Both sums have at most 7 terms, of at most S together: off by 7·u·S each."""
    for first, second, kind in (
        (nn.Upsample(scale_factor=2), nn.Conv1d(2, 4, 3, padding=1, padding_mode="reflect"), "nearest"),
        (nn.Conv1d(2, 4, 3, padding="same"), PixelShuffle1d(2, order="dcr"), "subpixel"),
        (nn.Upsample(scale_factor=3, mode="linear"), nn.Conv1d(2, 4, 3, dilation=2), "linear"),
    ):
        at = 1 if isinstance(second, nn.Conv1d) else 0
        model: Any = nn.Sequential(first, second, nn.ReLU())
        x = torch.randn(1, 2, 9)
        parametrizations.weight_norm(model[at])
        y, state = run(model, x), model.state_dict()
        learned = list(model.parameters())
        (row,) = replace_upsampling(model, kind).rows
        S = 6 * model[at].weight.detach().abs().max() * x.abs().max() + 1
        assert (run(model, x) - y).abs().max() <= 2 * 7 * 2.0**-24 * S
        assert all(p is q for p, q in zip(model.parameters(), learned, strict=True))
        assert model.state_dict().keys() == state.keys()
        assert (row.error, row.note) == (0, "its parameters are the same ones")


def test_a_module_used_twice_is_replaced_once() -> None:
    up = whole(nn.ConvTranspose1d(2, 2, 4, 2, 1))
    model: Any = nn.Sequential(up, nn.Sequential(nn.ReLU(), up))
    x = signal(2, 5)
    y = run(model, x)
    report = replace_upsampling(model, "subpixel")
    assert [row.name for row in report.rows] == ["0"]
    assert model[0] is model[1][1]
    assert torch.equal(run(model, x), y)


def test_one_interpolation_before_two_convolutions_and_two_before_one() -> None:
    up, conv = nn.Upsample(scale_factor=2), whole(nn.Conv1d(2, 2, 3, padding=1))
    other = whole(nn.Conv1d(2, 2, 5, padding=2))
    model, x = nn.Sequential(up, conv, up, other, nn.Upsample(scale_factor=2), conv), signal(2, 5)
    y = run(model, x)
    report = replace_upsampling(model, "transposed")
    assert [row.name for row in report.rows] == ["1", "3"]
    assert model[1] is model[5]
    assert torch.equal(run(model, x), y)


class Doubled(nn.Module):
    """Takes two signals, which nobody guesses."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        z: Tensor = self.net(x) + self.net(y)
        return z


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("guessed", [True, False])
def test_a_convolution_between_an_interpolation_and_a_shuffle_is_replaced_once(kind: str, guessed: bool) -> None:
    net = nn.Sequential(nn.Upsample(scale_factor=2), whole(nn.Conv1d(2, 4, 3, padding=1)), PixelShuffle1d(2))
    x = signal(2, 5)
    y = run(net, x)
    report = replace_upsampling(net if guessed else Doubled(net), kind)
    assert [row.old for row in report.rows] == ["Upsample s2 + Conv1d k3"]
    assert [name.rpartition(".")[2] for name, _ in report.kept] == ["2"]
    assert report.checked == guessed
    assert run(net, x).shape == y.shape
    assert kind == "linear" or torch.equal(run(net, x), y)


@pytest.mark.filterwarnings(OLD)
@pytest.mark.parametrize(
    ("norm", "words"),
    [
        (weight_norm, "weight norm is gone"),
        (parametrizations.weight_norm, "weight norm is gone"),
        (spectral_norm, "spectral norm is gone"),
        (parametrizations.spectral_norm, "spectral norm is gone"),
        (lambda m: shorn(m, "weight", 3), "pruning is gone"),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_what_makes_a_weight_is_computed_into_it(norm: Callable[[Any], nn.Module], words: str, training: bool) -> None:
    model, x = made(norm).eval(), torch.randn(1, 2, 9)
    y = run(model, x)
    model.train(training)
    (row,) = replace_upsampling(model, "subpixel").rows
    assert words in row.note
    assert "gone with" not in row.note
    assert model[0].training == training
    assert [n for n, _ in model.named_parameters()] == ["0.weight", "0.bias"]
    bound = 16 * 2.0**-24 * model[0].weight.abs().sum() * x.abs().max()
    assert (run(model, x) - y).abs().max() <= bound


def test_dtype_mode_frozen_parameters_and_hooks_are_kept() -> None:
    model = made().double().eval()
    model[0].weight.requires_grad_(False)
    calls: list[int] = []
    handle = model[0].register_forward_hook(lambda m, args, y: calls.append(y.shape[-1]))
    (row,) = replace_upsampling(model, "nearest").rows
    assert (model[0].weight.requires_grad, model[0].bias.requires_grad) == (False, True)
    assert row.note == "weight frozen, as before; its hooks go on"
    assert calls == []
    y = model(torch.zeros(1, 2, 5).double())
    y.sum().backward()
    assert (y.dtype, model[0].training, calls) == (torch.float64, False, [y.shape[-1]])
    handle.remove()
    model(torch.zeros(1, 2, 5).double())
    assert len(calls) == 1


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "transposed": lambda: nn.ConvTranspose1d(2, 2, 4, 2),
    "sub-pixel": lambda: SubpixelConv1d(2, 2, 3, 2),
    "nearest": lambda: NearestConv1d(2, 2, 3, 2),
    "linear": lambda: LinearConv1d(2, 2, 3, 2),
    "filter": lambda: FilterConv1d(2, 2, 3, 2, [1.0, 2.0]),
    "pair": lambda: nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv1d(2, 2, 3)),
    "pair of ours": lambda: nn.Sequential(Interpolate1d("linear", scale_factor=2), nn.Conv1d(2, 2, 3)),
    "pair of a filter": lambda: nn.Sequential(FilterInterp1d(2, torch.ones(2)), nn.Conv1d(2, 2, 3)),
    "pair with a shuffle": lambda: nn.Sequential(nn.Conv1d(2, 4, 3), PixelShuffle1d(2)),
}


@pytest.mark.parametrize("kind", ["transposed", "nearest", "subpixel"])
@pytest.mark.parametrize("name", LAYERS)
def test_what_a_user_put_on_a_layer_is_reported_as_gone(name: str, kind: str) -> None:
    for mark in (False, True):
        model = nn.Sequential(LAYERS[name]())
        parts: Any = [m for m in model.modules() if not isinstance(m, nn.Sequential)]
        if mark:
            parts[0].register_buffer("seen", torch.zeros(1))
            parts[-1].tag, parts[-1].gain = "mine", nn.Parameter(torch.ones(1))
        for row in replace_upsampling(model, kind).rows:
            assert ("gone with the layer that was there: gain, seen, tag" in row.note) == mark
            assert ("gone with" in row.note) == mark


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_fitted_in_double_precision(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = made().to(dtype)
    w = model[0].weight.detach().double().numpy()
    (row,) = replace_upsampling(model, "nearest", inputs=torch.zeros(1, 2, 8, dtype=dtype)).rows
    assert model[0].weight.dtype == dtype
    off = np.linalg.norm(w - tone_free(w, 2)) / np.linalg.norm(w)
    assert row.error == pytest.approx(off, rel=4 * torch.finfo(dtype).eps)


def test_what_else_upsamples_is_listed_and_left() -> None:
    report = replace_upsampling(nn.Sequential(Functional()), "nearest", inputs=torch.zeros(1, 2, 8))
    assert report.kept == (("0", "calls interpolate itself: make it a module, nn.Upsample"),)
    both = nn.ModuleList([made(), nn.ConvTranspose2d(2, 2, 4, 2)])
    report = replace_upsampling(both, "nearest")
    assert (report.kept, report.checked) == ((("1", "ConvTranspose2d moves along several axes"),), False)
    again = replace_upsampling(both, "nearest")
    assert (again.rows, again.kept[0]) == ((), ("0.0", "NearestConv1d k3 s2 is of this kind"))
    assert str(again).splitlines() == [
        "nothing was replaced",
        "left as it is: 0.0: NearestConv1d k3 s2 is of this kind",
        "left as it is: 1: ConvTranspose2d moves along several axes",
        "the model was not run: give inputs= to have its lengths checked, and functions that upsample listed",
    ]


def flat() -> Any:
    """Return what cannot be replaced, what can, and a pair, in one Sequential."""
    pair = nn.Upsample(scale_factor=2), whole(nn.Conv1d(2, 2, 3, padding=1))
    return nn.Sequential(nn.ConvTranspose1d(2, 2, 2, 4), whole(nn.ConvTranspose1d(2, 2, 4, 2, 1)), *pair)


def test_only_the_layers_that_are_named_are_replaced() -> None:
    """A pair by either of its names, a model of which a part is refused by those that are not."""
    with pytest.raises(ValueError, match=r"some that cannot be: 0: kernel: .*can be: only=\['1', '3'\]\.$"):
        replace_upsampling(flat(), "nearest")
    with pytest.raises(ValueError, match=r"got none that can be: 0: kernel: .*; allowed: none of these reasons\.$"):
        replace_upsampling(flat(), "nearest", only=["0"])
    for only, rows in ((["1"], ["1"]), (("2",), ["3"]), (["3", "1"], ["1", "3"]), ([], [])):
        model = flat()
        before = list(model)
        report = replace_upsampling(model, "nearest", only=only)
        assert [row.name for row in report.rows] == rows
        assert [name for name, _ in report.kept] == [name for name in ("0", "1", "3") if name not in rows]
        assert [str(i) for i in (0, 1, 3) if model[i] is not before[i]] == rows
    assert report.kept[0][1] == "ConvTranspose1d k2 s4 is not one of the layers in only"


def test_names_that_no_upsampling_layer_has_are_refused() -> None:
    with pytest.raises(ValueError, match="only: got '4', 'up'; allowed: names among '0', '1', '3'"):
        replace_upsampling(flat(), "nearest", only=["1", "up", "4"])
    with pytest.raises(TypeError, match=r"only: got '1'; allowed: a sequence of names. Hint: only=\['1'\]"):
        replace_upsampling(flat(), "nearest", only="1")


def test_forms_of_other_lengths_have_no_misfit() -> None:
    form = random_form(2, 4)
    assert misfit(form, form) == (0, 0)
    with pytest.raises(ValueError, match=r"got 2T \+ 1; allowed: 2T\."):
        misfit(form, Form(2, form.h, 1, 1))


def test_channels_last_are_tried_if_no_inputs_are_given() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = made()

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.net(x.transpose(1, 2)).transpose(1, 2)
            return y

    assert replace_upsampling(Last(), "nearest").checked


def test_the_report_is_a_table_with_notes_below() -> None:
    model = nn.Sequential(whole(SubpixelConv1d(2, 2, 3, 2, padding=1)), whole(made()), whole(made()))
    assert str(replace_upsampling(model, "linear")).splitlines() == [
        "layer  was                    is                  fit error",
        "0      SubpixelConv1d k3 s2   LinearConv1d k5 s2  0.49",
        "1.0    ConvTranspose1d k4 s2  LinearConv1d k3 s2  0.61",
        "2.0    ConvTranspose1d k4 s2  LinearConv1d k3 s2  0.61",
        "0, 1.0, 2.0: the first 3 and the last 3 outputs differ: an interpolation has ends of its own",
        "0: one bias for all phases, their mean: off by 0.21",
    ]
