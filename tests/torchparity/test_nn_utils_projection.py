"""Projections on tone-free taps, by four routes: closed form, exact fractions, least squares, divisibility."""

from __future__ import annotations

import copy
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.checkpoint import checkpoint

from dspref.arrays import Array, NotAnalysable
from dspref.cyclotomic import cyclotomic, quotient, remainder
from dspref.designs.notchbases import conditions
from dspref.designs.projection import tone_free
from torchparity.nn.utils import OneBias, ToneFreeRows, ToneFreeTaps, project_
from torchparity.nn.utils import tone_free as kept_tone_free
from torchparity.nn.utils.gains import SHORT, by_gains
from torchparity.nn.utils.grid import on_grid
from torchparity.nn.utils.moments import longest_order, of_rows, of_taps

U = 2.0**-53

TAPS = [(4, 2), (5, 2), (16, 8), (7, 3), (3, 3), (11, 4), (9, 2)]
"""Lengths and factors: full, partial and no overlap."""

ORDERS = [(K, s, p) for K, s in TAPS for p in range(1, longest_order(K, s) + 1)]


def box_power(s: int, p: int) -> list[int]:
    """Return the coefficients of ``(1 + z + … + z^{s−1})^p``."""
    found = [1]
    for _ in range(p):
        found = [sum(found[max(0, n - s + 1) : n + 1]) for n in range(len(found) + s - 1)]
    return found


def multiples(K: int, s: int, p: int) -> Array:
    """Return all tone-free taps, as rows that span them: the shifts of the box's power."""
    box = box_power(s, p)
    return np.array([[0] * i + box + [0] * (K - len(box) - i) for i in range(K - len(box) + 1)])


def rows_of(positions: Array, phases: Array, p: int) -> Array:
    """Return the conditions as they are defined, without centring: differences of moments of neighbouring phases."""
    return np.array(
        [((phases == r) * 1 - (phases == r - 1)) * positions**j for j in range(p) for r in range(1, phases.max() + 1)]
    )


def slack(A: Array, norm: float) -> float:
    """Return how far a projection from the span of A may be off in double precision.

    Householder QR of m rows of length K is taken to be that of a matrix off by m·K·u in norm, which turns
    the span by κ(A) times that; taking part of taps away with it rounds K + m times more.
    """
    m, K = A.shape
    scaled = A / np.linalg.norm(A, axis=1, keepdims=True)
    return float(norm * U * (m * K * np.linalg.cond(scaled) + K + m + 2))


def test_order_one_is_the_closed_form_bit_by_bit_on_whole_numbers() -> None:
    """As a product, too, where entries of the matrix are short in binary; else each tap is a sum of K products."""
    rng = np.random.default_rng(0)
    for K, s in ((4, 2), (16, 8), (3, 3), (12, 4)):
        h = rng.integers(-99, 100, (2, 3, K)) * K  # n = K/s divides the gains, and s their sum
        taps, expected = torch.tensor(h, dtype=torch.float32), tone_free(h, s).astype(float)
        assert (by_gains(taps, K, s).numpy() == expected).all()
        off = np.abs(ToneFreeTaps(K, s)(taps).numpy() - expected)
        sizes = np.abs(h) @ np.abs(by_gains(torch.eye(K, dtype=torch.float64), K, s).numpy())
        assert (off <= (K + 1) * 2.0**-24 / (1 - (K + 1) * 2.0**-24) * sizes).all()
        assert K & (K - 1) or not off.any()


def test_a_product_is_taken_in_single_precision_for_short_kernels() -> None:
    """P is symmetric, wherever the module has been; in double precision and for long kernels the sums are exact."""
    for K, s in ((7, 3), (8, 4), (64, 32)):
        taps, module = torch.randn(5, K), ToneFreeTaps(K, s)
        for moved in (
            module,
            copy.deepcopy(module).half().float(),
            ToneFreeTaps(K, s, device="meta").to_empty(device="cpu"),
        ):
            assert moved.P is not None
            assert torch.equal(moved.P, moved.P.T)
            assert torch.equal(moved(taps), taps @ moved.P)
            due = moved(taps)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                assert torch.equal(moved(taps), due)
        assert torch.equal(module(taps.double()), by_gains(taps.double(), K, s))
    assert ToneFreeTaps(SHORT + 1, 2).P is None
    assert ToneFreeTaps(8, 2, order=2).P is None


def test_no_product_is_taken_where_it_may_be_rounded_to_less() -> None:
    """Where that was allowed for CPUs, and in programs, which may run on other devices: there are sums instead."""
    taps, module = torch.randn(500, 7), ToneFreeTaps(7, 3)
    assert module.P is not None
    due, product = by_gains(taps, 7, 3), taps @ module.P
    assert not torch.equal(due, product)
    try:
        for precision, expected in (("highest", product), ("medium", due), ("high", due)):
            torch.set_float32_matmul_precision(precision)
            assert torch.equal(module(taps), expected)
    finally:
        torch.set_float32_matmul_precision("highest")
    ops = {str(node.target) for node in torch.export.export(module, (taps,)).graph.nodes}
    assert not any("mm" in op or "matmul" in op for op in ops)


@pytest.mark.filterwarnings(
    "ignore:`torch.jit.script` is deprecated:DeprecationWarning"
)  # Torch's own, of forward mode
def test_its_gradient_is_itself_to_any_order_and_in_any_mode() -> None:
    """By finite differences twice, in forward mode, mapped over, and of gradients that are mapped over."""
    module, h = ToneFreeTaps(7, 3), torch.randn(2, 7, dtype=torch.float64, requires_grad=True)
    P = by_gains(torch.eye(7, dtype=torch.float64), 7, 3)
    assert torch.autograd.gradcheck(module, h, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(module, h)
    torch.testing.assert_close(torch.func.jacrev(module)(h[0].detach()), P)
    torch.testing.assert_close(torch.func.vmap(torch.func.jacfwd(module))(h.detach()), P.expand(2, 7, 7))
    single, g = h.detach().float().requires_grad_(), torch.randn(2, 7)
    module(single).backward(g)
    torch.testing.assert_close(single.grad, g @ P.float())


def test_precisions_may_change_between_the_passes() -> None:
    """Also where the first is run again, to save memory: what is kept for the second does not depend on them."""
    up = kept_tone_free(nn.ConvTranspose1d(3, 3, 15, 8))
    x = torch.randn(2, 3, 9, requires_grad=True)
    due = torch.autograd.grad(up(x).square().sum(), [*up.parameters()])
    y = checkpoint(up, x, use_reentrant=False)
    try:
        torch.set_float32_matmul_precision("medium")
        found = torch.autograd.grad(y.square().sum(), [*up.parameters()])
    finally:
        torch.set_float32_matmul_precision("highest")
    for a, b in zip(found, due, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("order", [1, 2])
def test_what_was_made_where_nothing_is_learned_may_be_learned(order: int) -> None:
    up = nn.ConvTranspose1d(2, 2, 8, 4)
    with torch.inference_mode():
        kept_tone_free(up, order)
        up(torch.randn(1, 2, 5))
    up(torch.randn(1, 2, 5)).square().mean().backward()
    assert all(p.grad is not None for p in up.parameters())


def test_shapes_alone_can_be_projected() -> None:
    module, taps = ToneFreeTaps(8, 4), torch.randn(2, 8)
    with FakeTensorMode(allow_non_fake_inputs=False) as mode:
        assert module(mode.from_tensor(taps)).shape == (2, 8)
        net = nn.Sequential(weight_norm(nn.ConvTranspose1d(2, 2, 8, 4)))
        assert len(project_(net).done) == 1
        assert kept_tone_free(net[0]).weight.shape == (2, 2, 8)


@pytest.mark.parametrize(("K", "s", "p"), ORDERS)
def test_projection_is_that_of_exact_fractions(K: int, s: int, p: int) -> None:
    """``C(CᵀC)⁻¹Cᵀ h`` in Fractions, C the multiples of the box; for order 1 also by `dspref`."""
    h = np.random.default_rng(K).integers(-9, 10, K)
    C = multiples(K, s, p)
    normal = [[Fraction(int(v)) for v in row] for row in np.column_stack([C @ C.T, C @ h])]
    expected = solved(normal) @ C
    if p == 1:
        assert (expected == tone_free(h, s)).all()
    found = ToneFreeTaps(K, s, order=p)(torch.tensor(h).double()).numpy()
    n = np.arange(K)
    off = np.abs([Fraction(v) - w for v, w in zip(found, expected, strict=True)]).max()
    assert off <= slack(rows_of(n - (K - 1) / 2, n % s, p), float(np.linalg.norm(h)))


def solved(rows: list[list[Fraction]]) -> Array:
    """Return the solution of equations (n, n + 1), by elimination."""
    n = len(rows)
    for i in range(n):
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for k in range(n):
            if k != i:
                rows[k] = [v - rows[k][i] * w for v, w in zip(rows[k], rows[i], strict=True)]
    return np.array([row[-1] for row in rows], object)


@pytest.mark.parametrize(("K", "s", "p"), ORDERS)
def test_zeros_at_all_k_over_s_are_of_that_order(K: int, s: int, p: int) -> None:
    """Whole tone-free taps beside what is orthogonal to them: the first are found, and Φ_d divides them p times."""
    rng, n = np.random.default_rng(s), np.arange(K)
    C, A = multiples(K, s, p), rows_of(n, n % s, p)
    due = rng.integers(-9, 10, len(C)) @ C
    h = due + rng.integers(-9, 10, len(A)) @ A
    found = ToneFreeTaps(K, s, order=p)(torch.tensor(h).double()).numpy()
    whole = np.rint(found).astype(int)
    assert (whole == due).all()
    assert np.abs(found - whole).max() <= slack(rows_of(n - (K - 1) / 2, n % s, p), float(np.linalg.norm(h)))
    for d in (d for d in range(2, s + 1) if s % d == 0):
        rest = whole.tolist()
        for _ in range(p):
            assert not remainder(np.array(rest), d).any()
            rest = quotient(rest, cyclotomic(d))


@pytest.mark.parametrize(
    ("K", "L", "p", "d"), [(1, 2, 1, 1), (3, 2, 3, 1), (2, 3, 2, 1), (5, 4, 5, 1), (3, 2, 2, 3), (4, 3, 4, 2)]
)
@pytest.mark.parametrize("channels", ["crd", "dcr"])
def test_rows_of_a_subpixel_convolution_by_least_squares(K: int, L: int, p: int, d: int, channels: str) -> None:
    """``h − A⁺(Ah)`` by `numpy.linalg.lstsq`, on the taps of the transposed convolution that the layer is."""
    w = np.random.default_rng(p).integers(-9, 10, (2, L, 3, K)).astype(float)  # channel, phase, in, tap
    r, k = np.divmod(np.arange(L * K), K)
    A = rows_of(r - k * d * L + (K - 1) * d * L / 2, r, p)
    taps = w.transpose(0, 2, 1, 3).reshape(6, L * K)
    due = (taps.T - np.linalg.lstsq(A, A @ taps.T, rcond=None)[0]).T
    weight = torch.tensor(w if channels == "crd" else w.swapaxes(0, 1)).reshape(2 * L, 3, K)
    project = ToneFreeRows(K, L, order=p, channels=channels, dilation=d)
    found = project(weight).numpy().reshape((2, L, 3, K) if channels == "crd" else (L, 2, 3, K))
    found = found if channels == "crd" else found.swapaxes(0, 1)
    off = np.abs(found.transpose(0, 2, 1, 3).reshape(6, L * K) - due)
    assert off.max() <= 2 * slack(A, float(np.linalg.norm(taps, axis=1).max()))  # both may be off


@pytest.mark.parametrize(("K", "L"), [(4, 2), (2, 3), (5, 4)])
def test_rows_are_the_taps_of_a_transposed_convolution(K: int, L: int) -> None:
    """Interleaved, in reverse order in time: bit by bit on whole numbers."""
    w = np.random.default_rng(L).integers(-99, 100, (L, 1, K)) * (K * L)
    taps = w[:, 0, ::-1].T.reshape(1, 1, K * L)
    found = ToneFreeTaps(K * L, L)(torch.tensor(taps).double()).numpy().reshape(K, L)[::-1].T
    assert (ToneFreeRows(K, L)(torch.tensor(w).double()).numpy()[:, 0] == found).all()


@pytest.mark.parametrize(("K", "s", "p"), [(24, 3, 11), (41, 2, 40), (64, 32, 2)])
def test_conditions_of_high_order_are_orthonormal(K: int, s: int, p: int) -> None:
    """Within what Householder QR leaves of m rows of length K, m·K·u, of two of them: P is then its own square."""
    n = np.arange(K)
    Q = conditions(n, n % s, p)
    assert np.abs(Q @ Q.T - np.eye(len(Q))).max() <= 2 * len(Q) * K * U


@pytest.mark.parametrize(("K", "L", "p"), [(33, 3, 49), (21, 3, 31), (16, 8, 18), (4, 2, 3)])
def test_the_longest_orders_leave_multiples_of_the_box_as_they_are(K: int, L: int, p: int) -> None:
    """Of taps in a row, and of the rows that they are, in reverse order in time: within rounding of norms of 1."""
    box = multiples(K * L, L, p).astype(float)
    box /= np.linalg.norm(box, axis=1, keepdims=True)
    off = np.abs(ToneFreeTaps(K * L, L, order=p)(torch.from_numpy(box)).numpy() - box)
    rows = torch.from_numpy(box.reshape(-1, K, L)[:, ::-1].transpose(2, 0, 1).copy())
    off_rows = (ToneFreeRows(K, L, order=p)(rows) - rows).abs()
    assert off.max() <= 8 * K * L * U
    assert float(off_rows.max()) <= 8 * K * L * U
    assert of_rows(K, L, p, 1).shape == of_taps(K * L, L, p).shape == (p * (L - 1), K * L)


def test_orders_of_dilated_rows_that_rounding_spoils_are_refused() -> None:
    """Of 16 taps, factor 8 and dilation 3; without dilation there is another way, and lower orders have conditions."""
    with pytest.raises(
        NotAnalysable, match="order: got 18 with 16 taps, factor 8 and dilation 3; allowed: a lower one"
    ):
        ToneFreeRows(16, 8, order=18, dilation=3)
    assert of_rows(16, 8, 8, 3).shape == (56, 128)
    assert of_rows(16, 8, 18, 1).shape == (126, 128)


def test_the_longest_order_leaves_the_box_alone_and_one_more_nothing() -> None:
    for K, s in TAPS:
        p = longest_order(K, s)
        n = np.arange(K)
        assert np.linalg.matrix_rank(multiples(K, s, p)) == K - p * (s - 1)
        assert np.linalg.matrix_rank(np.vstack([multiples(K, s, p), conditions(n, n % s, p)])) == K
        assert K - (p + 1) * (s - 1) < 1
        with pytest.raises(ValueError, match=f"order: got {p + 1}; allowed: at most {p}"):
            ToneFreeTaps(K, s, order=p + 1)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_dilated_subpixel_convolution_has_room_for_the_same_orders(d: int) -> None:
    """By the rank of the conditions over a prime, which is at most that over the rationals."""
    for K, L in ((2, 2), (3, 3), (4, 3), (3, 2)):
        r, k = np.divmod(np.arange(L * K), K)
        p = longest_order(K * L, L)
        assert rank_modulo(rows_of(r - k * d * L, r, p), 1_000_003) == p * (L - 1) < K * L


def rank_modulo(A: Array, prime: int) -> int:
    """Return the rank of a matrix of whole numbers, modulo a prime."""
    rows, rank = [[int(v) % prime for v in row] for row in A], 0
    for column in range(A.shape[1]):
        at = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if at is None:
            continue
        rows[rank], rows[at] = rows[at], rows[rank]
        inverse = pow(rows[rank][column], -1, prime)
        for i in range(rank + 1, len(rows)):
            by = rows[i][column] * inverse
            rows[i] = [(v - by * w) % prime for v, w in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


@pytest.mark.parametrize("order", [1, 2])
def test_gradients_are_projected_too(order: int) -> None:
    """P is symmetric: what comes back is the projection of the gradient, and the taps themselves count nothing."""
    project = ToneFreeTaps(7, 2, order=order)
    h, g = torch.randn(2, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).unbind()
    h.requires_grad_()
    (found,) = torch.autograd.grad(project(h), h, g)
    n = np.arange(7)
    assert (found - project(g)).abs().max() <= 2 * slack(rows_of(n - 3.0, n % 2, order), float(g.norm()))
    assert found.abs().max() > 0.1


HALF = {torch.float16: 11, torch.bfloat16: 8}
"""Significant bits."""


def gains(taps: Tensor, s: int) -> list[list[Fraction]]:
    """Return the exact gains of the s phases, for each row of taps."""
    rows = taps.detach().double().reshape(-1, taps.shape[-1]).tolist()
    return [[sum(map(Fraction, row[r::s]), Fraction()) for r in range(s)] for row in rows]


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize(("K", "s", "p"), [(16, 8, 1), (11, 4, 1), (5, 2, 2), (3, 3, 1)])
def test_half_precision_has_equal_gains_exactly(K: int, s: int, p: int, dtype: torch.dtype) -> None:
    """And each tap moves by one unit of the largest at most, which is ``2^(e − bits)`` for a largest below 2^e."""
    h = torch.randn(40, K, generator=torch.Generator().manual_seed(K)).to(dtype)
    h[0] = 0
    found = ToneFreeTaps(K, s, order=p)(h)
    assert found.dtype == dtype
    assert all(len(set(each)) == 1 for each in gains(found, s))
    wide = ToneFreeTaps(K, s, order=p)(h.float())
    unit = 2.0 ** (torch.frexp(wide.abs().amax(-1, keepdim=True))[1] - HALF[dtype])
    assert ((found.float() - wide).abs() <= unit).all()
    mean = sum(wide[:, r::s].double().sum(-1) for r in range(s)) / s
    assert ((found[:, ::s].double().sum(-1) - mean).abs() <= unit[:, 0] * (0.5 + K * 2.0**-12)).all()
    rounded = wide.to(dtype)  # tap by tap: what a plain cast leaves
    assert any(len(set(each)) > 1 for each in gains(rounded, s)) == (s < K)  # of s taps all are equal


@pytest.mark.parametrize("channels", ["crd", "dcr"])
def test_half_precision_of_a_subpixel_convolution(channels: str) -> None:
    w = torch.randn(8, 3, 5, generator=torch.Generator().manual_seed(0)).bfloat16()
    sums = ToneFreeRows(5, 4, channels=channels)(w).double().sum(-1)
    groups = sums.reshape(2, 4, 3) if channels == "crd" else sums.reshape(4, 2, 3).transpose(0, 1)
    assert (groups == groups[:, :1]).all()


def test_half_precision_is_projected_once_and_lets_gradients_through() -> None:
    project, h = ToneFreeTaps(11, 4), torch.randn(11, generator=torch.Generator().manual_seed(1)).half()
    once = project(h)
    assert torch.equal(project(once), once)
    h.requires_grad_()
    (found,) = torch.autograd.grad(project(h), h, torch.eye(11)[2].half())
    assert torch.equal(found, ToneFreeTaps(11, 4)(torch.eye(11)[2]).half())


@pytest.mark.parametrize("taps", [[100, -99.5, -0.498046875], [256, -256, 2.0**-10], [256, -256, 2.0**-16, 256, -256]])
@pytest.mark.parametrize("dtype", HALF)
def test_half_precision_has_equal_gains_where_next_to_nothing_is_left(taps: list[float], dtype: torch.dtype) -> None:
    """Single precision rounds what is left of such taps by more than a unit of the largest."""
    found = ToneFreeTaps(len(taps), 3)(torch.tensor(taps).to(dtype))
    assert all(len(set(each)) == 1 for each in gains(found, 3))
    assert found.any()


def test_the_smallest_taps_of_half_precision_are_on_its_grid() -> None:
    h = torch.tensor([[3e-8, 9e-8], [5e-8, 7e-8]])
    found = on_grid(h, torch.float16)
    assert torch.equal(found.half().float(), found)
    assert (found.sum(-1) == found.sum(-1)[0]).all()
    assert math.isclose(float(found.max()), 2.0**-24 * round(9e-8 * 2**24))


@pytest.mark.parametrize("channels", ["crd", "dcr"])
def test_one_bias(channels: str) -> None:
    b = torch.arange(6.0)
    found = OneBias(2, channels=channels)(b).tolist()
    assert found == ([0.5, 0.5, 2.5, 2.5, 4.5, 4.5] if channels == "crd" else [1.5, 2.5, 3.5, 1.5, 2.5, 3.5])


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: ToneFreeTaps(3, 4), NotAnalysable, "3 taps for factor 4, 1 phases without a tap"),
        (lambda: ToneFreeTaps(4, 1), ValueError, "stride: got 1"),
        (lambda: ToneFreeTaps(8, 4, order=0), ValueError, "order: got 0"),
        (lambda: ToneFreeRows(2, 3, order=3), ValueError, "order: got 3; allowed: at most 2"),
        (lambda: ToneFreeRows(2, 3, channels="rcd"), ValueError, "channels: got 'rcd'"),
    ],
)
def test_refusals(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()
