"""Moments with borders: against all patterns of signs of small networks, and the full recursion away from borders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dspref import Linear, Nearest
from dspref.arrays import Array, NotAnalysable
from dspref.chain import Pointwise
from dspref.expected import Concat, Drawn, Fixed, Gate, Source, Step, Sum, average_pool, expected_spectrum, fixed
from dspref.expected.borders import length_behind
from dspref.expected.dense import LARGEST, Dense, dense_moments
from dspref.expected.graph import network
from dspref.expected.moments import Moments
from dspref.expected.walk import started, walk

PAD = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


class Signs:
    """All patterns of ±σ for the weights that are asked for; without bits, one pattern of random weights."""

    def __init__(self, bits: int) -> None:
        self.bits, self.used, self.rng = bits, 0, np.random.default_rng(3)

    def take(self, shape: tuple[int, ...], variance: Any) -> Array:
        if not self.bits:
            return self.rng.normal(size=(1, *shape)) * math.sqrt(variance)
        if not variance:
            return np.zeros((1, *shape))
        columns = np.arange(self.used, self.used + math.prod(shape))
        self.used += len(columns)
        signs = 1.0 - 2 * (np.arange(2**self.bits)[:, None] >> columns & 1)
        return math.sqrt(variance) * signs.reshape(-1, *shape)


def convolved(x: Array, layer: Drawn, w: Array, b: Array, s: int) -> Array:
    """Pad, multiply and add: x (pattern, column, channel, time), w (pattern, out, in, taps)."""
    p, d, K = layer.padding, layer.dilation, layer.length
    z = np.pad(x, [(0, 0)] * 3 + [(p, p)], mode=PAD[layer.padding_mode])  # type: ignore[call-overload]
    n = np.arange(0, z.shape[-1] - d * (K - 1), s)
    y = sum(np.einsum("poi,pcit->pcot", w[..., j], z[..., n + j * d]) for j in range(K))
    return np.asarray(y + b[:, None, :, None])


def transposed(x: Array, layer: Drawn, w: Array, b: Array) -> Array:
    """Add the kernel at place ns for each sample n, and cut p off the start: w (pattern, in, out, taps)."""
    s, p, d = layer.factor, layer.padding, layer.dilation
    made = (x.shape[-1] - 1) * s + d * (layer.length - 1) + 1
    y = np.zeros((max(len(w), len(x)), x.shape[1], layer.outputs, made + layer.output_padding))
    for k in range(layer.length):
        y[..., k * d : k * d + (x.shape[-1] - 1) * s + 1 : s] += np.einsum("pio,pcit->pcot", w[..., k], x)
    return np.asarray(y[..., p : made + layer.output_padding - p] + b[:, None, :, None])


def run(x: Array, steps: Sequence[Step], signs: Signs) -> Array:
    for step in steps:
        if isinstance(step, Fixed):
            x = pooled(x, step) if step.factor == 1 else interpolated(x, step)
        elif isinstance(step, (Sum, Concat)):
            parts = np.broadcast_arrays(*(run(x, branch, signs)[..., None] for branch in step.branches))
            flat = [np.asarray(part[..., 0]) for part in parts]
            x = np.concatenate(flat, axis=2) if isinstance(step, Concat) else np.asarray(sum(flat))
        else:
            assert isinstance(step, Drawn)
            x = drawn_run(x, step, signs)
    return x


def drawn_run(x: Array, layer: Drawn, signs: Signs) -> Array:
    """Draw in the order weight, bias."""
    s, C, D, K = layer.factor, layer.inputs, layer.outputs, layer.length
    if layer.op == "convt":
        return transposed(x, layer, signs.take((C, D, K), layer.weight), signs.take((D,), layer.bias))
    if layer.op == "conv":
        return convolved(x, layer, signs.take((D, C, K), layer.weight), signs.take((D,), layer.bias), s)
    w = signs.take((D if layer.icnr else D * s, C, K), layer.weight)
    y = convolved(x, layer, w.repeat(s, axis=1) if layer.icnr else w, signs.take((D * s,), layer.bias), 1)
    y = y.reshape(*y.shape[:2], D, s, -1).swapaxes(3, 4)
    return np.asarray(y.reshape(*y.shape[:3], -1))


def interpolated(x: Array, u: Fixed) -> Array:
    """Interpolate by definition: linear if the last sample is repeated, else nearest."""
    return Linear(u.factor)(x) if u.edges == "replicate" else Nearest(u.factor)(x)


def pooled(x: Array, u: Fixed) -> Array:
    K, p = len(u.h), len(u.h) - 1 - u.offset
    z = np.pad(x, [(0, 0)] * 3 + [(p, p)])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(z, K, axis=-1)[..., :: u.stride, :].mean(axis=-1))


def drawn(op: str, inputs: int, outputs: int, length: int, **other: Any) -> Drawn:
    return Drawn(op, inputs, outputs, length, **({"weight": 0.7, "bias": 0.3} | other))


NETS: dict[str, tuple[int, tuple[Step, ...]]] = {
    "zeros, transposed with output padding, replicate": (
        12,
        (
            drawn("conv", 1, 1, 3, padding=2),
            drawn("convt", 1, 1, 4, factor=2, padding=3, output_padding=1, dilation=3),
            drawn("conv", 1, 1, 2, dilation=2, padding=3, padding_mode="replicate", weight=0.2),
        ),
    ),
    "reflect, linear, stride": (
        11,
        (
            drawn("conv", 1, 1, 4, padding=2, padding_mode="reflect"),
            fixed(Linear(3)),
            drawn("conv", 1, 1, 5, factor=2, padding=2, padding_mode="reflect"),
        ),
    ),
    "circular, nearest, transposed": (
        9,
        (
            drawn("conv", 1, 1, 3, padding=1, padding_mode="circular"),
            fixed(Nearest(2)),
            drawn("convt", 1, 1, 4, factor=3, padding=3),
        ),
    ),
    "skip, sub-pixel, pooling": (
        11,
        (
            Sum(((), (drawn("conv", 1, 1, 3, padding=1),))),
            drawn("shuffle", 1, 1, 2, factor=2, padding=1, padding_mode="reflect"),
            average_pool(3, stride=2, padding=1),
            drawn("conv", 1, 1, 1, bias=0),
        ),
    ),
    "two channels, concatenation, ICNR": (
        11,
        (
            Concat(((), (drawn("conv", 1, 1, 2, padding=1, dilation=2),))),
            drawn("shuffle", 2, 1, 2, factor=2, padding=1, icnr=True),
            drawn("conv", 1, 1, 2, bias=0),
        ),
    ),
}


@pytest.mark.parametrize(("bits", "steps"), NETS.values(), ids=NETS)
def test_moments_are_those_of_all_patterns_of_signs(bits: int, steps: tuple[Step, ...]) -> None:
    """K, F and the mean of every pair of samples, for a constant and coloured noise, to 1e−11 of the largest."""
    T, c, r = 6, 0.8, (1.0, 0.4, 0.1)
    found = dense_moments(steps, Source(1, constant=c, covariance=r), time=T)
    signs = Signs(bits)
    columns = np.concatenate([np.full((1, T), c), np.eye(T), np.zeros((1, T))])
    y = run(columns[None, :, None], steps, signs)
    assert signs.used == bits
    assert len(y) == 2**bits
    h, far, channels = y[:, 1:-1] - y[:, -1:], y[:, 0], y.shape[2]
    F = np.einsum("pcn,pcm->nm", far, far) / (len(y) * channels)
    R = np.select([np.abs(np.subtract.outer(range(T), range(T))) == lag for lag in range(3)], r, 0.0)
    D = np.einsum("picn,ij,pjcm->nm", h, R, h, optimize=True) / (len(y) * channels)
    scale = np.abs(F + D).max()
    assert found.F.shape == F.shape
    assert np.abs(found.F - F).max() <= 1e-11 * scale
    assert np.abs(found.K - F - D).max() <= 1e-11 * scale
    assert np.abs(found.mean - far.mean(axis=(0, 1))).max() <= 1e-11 * math.sqrt(scale)


@pytest.mark.parametrize("steps", [steps for _, steps in NETS.values()], ids=NETS)
def test_steady_samples_are_those_that_no_end_reaches(steps: tuple[Step, ...]) -> None:
    """In longer inputs with the same samples amid, whatever stands beside them, these are as they are; no others."""
    T, more = 12, 6
    steady = dense_moments(steps, Source(1, covariance=(1.0,)), time=T).steady
    x = np.zeros((1, 2, 1, T + 2 * more))
    x[0, 1] = np.random.default_rng(1).normal(size=T + 2 * more)
    x[..., more:-more] = np.random.default_rng(0).normal(size=T)
    y = run(x, steps, Signs(0))[0, :, 0]
    own = run(x[..., more:-more], steps, Signs(0))[0, 0, 0]
    first = more * (len(y[0]) - len(own)) // (2 * more)
    apart = np.abs(y[:, first : first + len(own)] - own).max(axis=0) / np.abs(own).max()
    assert apart[steady].max() <= 1e-13
    assert apart[~steady].min() >= 1e-6  # weights and samples are random: what depends on the ends shows it


SQUARE = drawn("conv", 4, 4, 1)

MAPPED: dict[str, tuple[Step, ...]] = {
    "transposed, relu": (
        drawn("conv", 4, 4, 3, padding=1, padding_mode="reflect"),
        drawn("convt", 4, 4, 6, factor=4, padding=1),
        Pointwise("relu"),
        Sum(
            ((drawn("conv", 4, 4, 1),), (drawn("conv", 4, 4, 3, padding=1), Pointwise("silu"), drawn("conv", 4, 4, 1)))
        ),
    ),
    "linear, gate, sub-pixel": (
        fixed(Linear(2)),
        drawn("conv", 4, 8, 2, dilation=2, padding=1),
        Gate(Pointwise("tanh"), Pointwise("sigmoid")),
        drawn("shuffle", 4, 4, 3, factor=2, padding=1),
        Pointwise("leaky", (0.2,)),
    ),
    "down by three": (
        drawn("convt", 4, 4, 5, factor=4, padding=5),
        Pointwise("gelu"),
        drawn("conv", 4, 4, 4, factor=3, padding=1),
    ),
}


@pytest.mark.parametrize("steps", MAPPED.values(), ids=MAPPED)
def test_the_interior_is_the_steady_state(steps: tuple[Step, ...]) -> None:
    """Between steady samples K and F are those of the full recursion, and so are means and lines."""
    source = Source(4, constant=0.0 if isinstance(steps[0], Fixed) else 0.8, covariance=(1.0, 0.4))
    found = dense_moments(steps, source, time=24)
    x = walk(started(Moments.of(source), source), network(steps)).moments
    n = np.array(found.interior)
    assert found.period == x.period
    assert len(n) > 2 * x.period
    assert found.steady[n].all()
    F = x.F[np.ix_(n % x.period, n % x.period)]
    D = np.zeros(F.shape)
    for lag, row in zip(x.lags, x.D, strict=True):
        at = np.arange(max(0, len(n) - lag))
        D[at, at + lag] = D[at + lag, at] = row[n[at] % x.period]
    scale = found.K.max()
    assert np.abs(found.F[np.ix_(n, n)] - F).max() <= 1e-12 * scale
    assert np.abs(found.K[np.ix_(n, n)] - F - D).max() <= 1e-12 * scale
    assert np.abs(found.mean[n] - x.mean[n % x.period]).max() <= 1e-12 * math.sqrt(scale)
    lines = expected_spectrum(steps, source, route="full", width_terms=False).lines
    assert lines is not None
    assert np.abs(found.lines - lines).max() <= 1e-12 * scale


def test_sums_gains_and_filters_are_those_of_finite_ensembles() -> None:
    """Every pair of a signal of 3 and a signal of 4 that are equally likely: no formula but the mean of products."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(3, 5)), rng.normal(size=(4, 5))

    def dense(rows: Array, period: int = 1) -> Dense:
        K, mean = rows.T @ rows / len(rows), rows.mean(axis=0)
        return Dense(K, np.outer(mean, mean), mean, np.arange(5) > 0, period)

    def agree(found: Dense, rows: Array) -> None:
        due = dense(rows)
        for a, b in ((found.K, due.K), (found.F, due.F), (found.mean, due.mean)):
            assert np.abs(a - b).max() <= 1e-14 * due.K.max()

    agree(dense(x, 2).plus(dense(y, 3)), (x[:, None] + y).reshape(-1, 5))
    agree(dense(x).scaled(-0.3), -0.3 * x)
    u = Fixed(np.array([0.5, 1.0, -0.2]), offset=1)
    agree(dense(x).fixed(u), filtered := np.array([np.convolve(row, u.h)[1:6] for row in x]))
    assert np.ptp(filtered.mean(axis=0)) > 0.1
    mixed = dense(x, 2).beside(dense(y, 3), 0.25)
    assert np.abs(mixed.K - dense(x).K / 4 - 3 * dense(y).K / 4).max() <= 1e-15 * 8
    assert np.abs(mixed.mean - x.mean(axis=0) / 4 - 3 * y.mean(axis=0) / 4).max() <= 1e-15
    assert dense(x, 2).plus(dense(y, 3)).period == mixed.period == 6


def test_a_crop_is_a_filter_of_one_tap() -> None:
    """``Fixed([1], offset=2, excess=-3)`` drops two samples in front and one behind; it is more than a gain."""
    crop = Fixed(np.ones(1), offset=2, excess=-3)
    assert crop.gain is None
    assert Fixed(np.ones(1), excess=-3).gain is None
    net: list[Step] = [drawn("conv", 1, 1, 3, padding=2), Pointwise("relu")]
    source = Source(1, constant=1.0, covariance=(1.0, 0.3))
    whole, found = dense_moments(net, source, time=9), dense_moments([*net, crop], source, time=9)
    assert (whole.K[2:-1, 2:-1] == found.K).all()
    assert (found.mean == whole.mean[2:-1]).all()
    joined = Sum(((drawn("conv", 1, 1, 3),), (Fixed(np.ones(1), offset=1, excess=-2),)))
    assert len(dense_moments([joined], source, time=9).mean) == 7


def test_periodograms_add_up_to_the_power() -> None:
    """Parseval: the sum over k is the mean power of the window; parts add up; a density of white noise is 1."""
    net: list[Step] = [drawn("conv", 4, 4, 3, padding=1), Pointwise("relu"), drawn("convt", 4, 4, 3, factor=2)]
    found = dense_moments(net, Source(4, constant=1.0, covariance=(1.0,)), time=9)
    every = {part: found.periodogram(3, 14, part=part) for part in ("all", "lines", "noise")}
    assert every["all"].sum() == pytest.approx(found.power[3:14].mean(), rel=1e-13)
    assert every["lines"] + every["noise"] == pytest.approx(every["all"], rel=1e-12)
    assert np.fft.fft(np.eye(11))[1] @ found.K[3:14, 3:14] @ np.fft.ifft(np.eye(11))[1] / 11 == pytest.approx(
        every["all"][1], rel=1e-12
    )
    assert 8 * dense_moments([], Source(1, covariance=(1.0,)), time=8).periodogram(0, 8) == pytest.approx(np.ones(8))


def test_matrices_for_all_blocks_are_those_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    net: list[Step] = [drawn("conv", 4, 4, 3, padding=1), Pointwise("relu")]
    whole = dense_moments(net, Source(4, constant=1.0), time=9)
    monkeypatch.setattr("dspref.expected.dense.BLOCK", 4)
    assert dense_moments(net, Source(4, constant=1.0), time=9) == whole


def test_what_does_not_fit_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: Source, time: int) -> Dense:
        raise AssertionError("work was done")

    monkeypatch.setattr(Dense, "of", fail)
    up, conv = drawn("convt", 1, 1, 4, factor=4), drawn("conv", 1, 1, 5)
    with pytest.raises(NotAnalysable, match=r"4100 samples, two matrices of 128 MiB.*expected_spectrum"):
        dense_moments([up], Source(1), time=LARGEST // 4 + 1)
    with pytest.raises(ValueError, match=r"2: input of 4 samples: got 0 samples"):
        dense_moments([drawn("conv", 1, 1, 1), conv], Source(1), time=4)
    with pytest.raises(ValueError, match="reflect border"):
        dense_moments([replace(conv, padding=4, padding_mode="reflect")], Source(1), time=4)
    with pytest.raises(ValueError, match="lengths of branches: got 9 and 5 samples"):
        dense_moments([Sum(((), (conv,)))], Source(1), time=9)
    with pytest.raises(ValueError, match="time: got 0"):
        dense_moments([], Source(1), time=0)


def test_fewer_than_a_period_of_steady_samples_have_no_lines() -> None:
    net: list[Step] = [drawn("conv", 1, 1, 3, padding=1), drawn("convt", 1, 1, 8, factor=4)]
    found = dense_moments(net, Source(1, constant=1.0), time=3)
    with pytest.raises(NotAnalysable, match="steady samples: got 0; allowed: a period of 4"):
        _ = found.lines
    for start, stop in ((0, 17), (3, 3)):
        with pytest.raises(ValueError, match="range"):
            found.periodogram(start, stop)
    with pytest.raises(ValueError, match="part"):
        found.periodogram(0, 4, part="floor")


def test_fields_that_only_ends_heed_are_checked_and_ignored_in_the_steady_state() -> None:
    up = drawn("convt", 1, 1, 6, factor=3, padding=2)
    plain, changed = (
        [up, drawn("conv", 1, 1, 3, padding=1)],
        [
            replace(up, output_padding=2),
            drawn("conv", 1, 1, 3, padding=1, padding_mode="circular"),
        ],
    )
    source = Source(1, constant=1.0, covariance=(1.0,))
    assert expected_spectrum(plain, source) == expected_spectrum(changed, source)
    assert [length_behind(each, 5) for each in (up, changed[0])] == [14, 16]
    with pytest.raises(ValueError, match="output_padding: got 3; allowed: at most 2"):
        replace(up, output_padding=3)
    with pytest.raises(ValueError, match="output_padding: got 1; allowed: at most 0 for conv"):
        drawn("conv", 1, 1, 3, output_padding=1)
    with pytest.raises(ValueError, match="padding_mode: got 'reflect'; allowed: zeros"):
        replace(up, padding_mode="reflect")
    with pytest.raises(ValueError, match="edges"):
        Fixed(np.ones(2), edges="mirror")


def test_skips_through_other_ends_are_not_the_same_part() -> None:
    """x filtered under two rules of ends is not twice x filtered: only in the steady state."""
    u = Fixed(np.ones(3), offset=1)
    both = Sum(((u,), (replace(u, edges="replicate"),)))
    with pytest.raises(NotAnalysable, match="both made of"):
        dense_moments([both], Source(1, covariance=(1.0,)), time=5)
    twice = dense_moments([Sum(((u,), (u,)))], Source(1, covariance=(1.0,)), time=5)
    assert twice.power.tolist() == [8.0, 12.0, 12.0, 12.0, 8.0]


def test_the_steady_run_leaves_out_samples_that_meet_an_end_between_others() -> None:
    """Taps 0 and 5 of a ×4: sample 0 meets its tap, sample 1 has none, 2 and 3 never meet any."""
    net, source = [Drawn("convt", 4, 4, 2, factor=4, dilation=5, bias=0)], Source(4, constant=1.0)
    found = dense_moments(net, source, time=16)
    assert found.interior.start == 2
    due = expected_spectrum(net, source, route="full").lines
    assert due is not None
    np.testing.assert_allclose(found.lines, due, rtol=1e-12)
