"""The parts of the campaign that takes decoders before and after: each on what is known, in moments."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from dspref.designs.windows import cosine_window
from dspref.spec import parse
from dspref.spectrum.measure import SEVEN_TERMS
from tests.cure.foreseen import Foreseen, foreseen
from tests.cure.ledgered import SEEDS, Cured
from tests.cure.measured import SEGMENTS, Lines, Seen, bins, flatness, heights, places
from tests.cure.record import AS_PREDICTED, FLAT, NONE, OVER, band, beyond, mean, page, verdict, within, write
from tests.cure.rounding import parted, sums
from tests.cure.silenced import silence
from tests.cure.subjects import MELGAN, SUBJECTS, Plain, Subject
from tests.zoo.row import Row
from torchparity.nn.utils import tone_free

SMALL = Row("small", "", lambda: small(), 4, "convt k8 s4 | convt k4 s2", 8, 16000, 8, ())


def small(*, channels: int = 16) -> nn.Sequential:
    """Return a decoder of two layers."""
    return nn.Sequential(
        nn.Conv1d(4, channels, 3, padding=1),
        nn.ConvTranspose1d(channels, channels, 8, 4),
        nn.LeakyReLU(0.1),
        nn.Conv1d(channels, channels, 3),
        nn.ReLU(),
        nn.ConvTranspose1d(channels, 1, 4, 2),
    )


def test_places_are_those_of_the_latest_layer_that_makes_them() -> None:
    for subject in SUBJECTS:
        strides = [int(stage.factor) for stage in parse(subject.row.chain).stages]
        period = subject.row.period
        for i, own in enumerate(places(subject.row)):
            step, later = (period // int(np.prod(strides[j:])) for j in (i, i + 1))
            assert own == tuple(k for k in range(step, period // 2 + 1, step) if k % later or later == period)


def test_a_cured_network_is_flat_to_rounding() -> None:
    """And not before; the mean is that of another order of sums."""
    torch.manual_seed(5)
    net, ones = small().double(), torch.ones(1, 4, 60, dtype=torch.float64)
    with torch.no_grad():
        before = flatness(net(ones).numpy(), 8)
        for layer in (net[1], net[5]):
            tone_free(layer)
        after = flatness(net(ones).numpy(), 8)
    assert before[0] > 1e-2
    assert after[0] <= 1e-13
    assert min(before[1], after[1]) >= 40


def test_heights_are_those_of_lines_that_were_put_there() -> None:
    """White noise of variance 1 with lines: in a bin |c|² beside Σw²/(Σw)²."""
    rng, N = np.random.default_rng(2), bins(SMALL)
    n = np.arange(N * (SEGMENTS + 3) // 4)
    y = rng.standard_normal(n.size) + 0.2 * np.cos(2 * np.pi * n / 8) + 0.05 * (-1.0) ** n
    first, second = heights(y[None], SMALL, places(SMALL))
    w = cosine_window(N, SEVEN_TERMS)
    lobe = (w**2).sum() / w.sum() ** 2
    assert places(SMALL) == ((1, 2, 3), (4,))
    assert first.at == 1
    assert abs(first.strongest - 10 * np.log10(0.01 / lobe)) < 1.5  # five standard errors of a mean over segments
    assert abs(second.strongest - 10 * np.log10(0.0025 / lobe)) < 1.5
    assert second.mean == second.strongest


def test_theory_knows_that_nothing_is_left_of_a_linear_network_but_the_notch() -> None:

    def linear() -> nn.Module:
        return nn.Sequential(nn.ConvTranspose1d(4, 8, 8, 4, bias=False), nn.Conv1d(8, 1, 3, bias=False))

    row = replace(SMALL, chain="convt k8 s4", factor=4, period=4)
    told = foreseen(Subject("linear", replace(row, make=linear)))
    assert told.why == ""
    assert told.line == (0.0,)
    assert told.rounding == (0.0,)
    assert 0 < told.noise[0] < 1


class Block(nn.Module):
    """A residual block with a convolution on either branch."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shortcut, self.inner = (weight_norm(nn.Conv1d(channels, channels, 1)) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum."""
        y: torch.Tensor = self.shortcut(x) + self.inner(x)
        return y


def test_theory_leaves_a_silent_branch_out_of_its_sum() -> None:

    def net(middle: nn.Module) -> nn.Sequential:
        return nn.Sequential(nn.ConvTranspose1d(4, 8, 8, 4), middle, nn.ReLU(), nn.Conv1d(8, 1, 3))

    row = replace(SMALL, chain="convt k8 s4", factor=4, period=4)

    def of(middle: nn.Module) -> Subject:
        return Subject("block", replace(row, make=lambda: net(middle)))

    one = foreseen(of(Block(8)), ("1.inner",))
    assert one == foreseen(of(weight_norm(nn.Conv1d(8, 8, 1))))
    assert one.line[0] > 0
    assert one != foreseen(of(Block(8)))


def test_a_silent_branch_is_zero() -> None:
    torch.manual_seed(0)
    block, x = Block(2), torch.ones(1, 2, 5)
    silence(block, ["inner"])
    assert not block.inner(x).any()
    assert torch.equal(block(x), block.shortcut(x))


def made_up(
    heights_after: tuple[float, ...],
    *,
    line: tuple[float, ...] = (0.0,) * 4,
    rounding: tuple[float, ...] = (0.0,) * 4,
) -> Cured:
    """Return MELGAN as if it had been seen so."""
    before = Seen(0.5, 1e-12, 100, tuple(Lines(30.0, own[0], 30.0) for own in places(MELGAN)))
    lines = zip(heights_after, places(MELGAN), strict=True)
    after = Seen(1e-15, 1e-12, 100, tuple(Lines(db, own[0], db) for db, own in lines))
    told = Foreseen((1.0,) * 4, line, rounding)
    return Cured(SUBJECTS[0], (before,) * SEEDS, (after,) * SEEDS, 4, (), told)


def test_verdicts() -> None:
    """A line that is predicted; one that is not; and one that the rounding of the prediction may hold."""
    seen = made_up((1.0, 12.0, 12.0, 12.0), line=(0.0, 10.0, 0.0, 0.0), rounding=(0.0, 0.0, 0.0, 10.0))
    assert [verdict(seen, i) for i in range(4)] == [NONE, AS_PREDICTED, OVER, AS_PREDICTED]
    assert [within(seen, i) for i in range(4)] == [False, True, False, True]
    assert abs(mean(seen.after, 1) - 12.0) < 1e-12


def test_rounding_parts_samples_by_less_than_its_bound() -> None:
    """What double precision rounds is within the bound, and what single precision does within 2²⁹ times as much."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(2, 8, 5, bias=False), nn.LeakyReLU(0.5), tone_free(nn.ConvTranspose1d(8, 1, 8, 4)))
    net, x = net.double(), torch.ones(1, 2, 32, dtype=torch.float64)
    with sums(net) as found:
        y = net(x)[..., 8:-8]
    assert len(found.results) == 2
    most = parted(y, found) * abs(float(y.detach().mean()))
    assert np.ptp(y.detach().numpy()) <= most
    single = deepcopy(net).float()(x.float())[..., 8:-8].detach().numpy()
    assert 0 < np.ptp(single) <= 2.0**29 * most


def test_bound_of_rounding_knows_cancellation() -> None:
    """Two taps that all but cancel: S stays, the mean falls, and the quotient may be off by as much more."""
    for small in (1.0, 2.0**-20):
        net = nn.Conv1d(1, 1, 2, bias=False).double()
        net.weight.data[:] = torch.tensor([1.0, small - 1], dtype=torch.float64)
        with sums(net) as found:
            y = net(torch.ones(1, 1, 4, dtype=torch.float64))
        assert parted(y, found) == 2 * 3 * 2.0**-53 * (2 - small) / small


def test_bands_hold_what_draws_show() -> None:
    """Of Gaussian amplitudes: of 4000 means over seeds some 8 lie outside, and hardly more than 20."""
    rng, line = np.random.default_rng(3), 50.0
    for lines in (1, 2):
        low, high = band(1.0, line, lines)
        c = rng.standard_normal((4000, SEEDS, lines))
        levels = 10 * np.log10(1 + line * (c**2).mean(axis=-1).mean(axis=-1))
        assert ((levels < low) | (levels > high)).sum() <= 20
        assert high - low < 25


def test_the_page_has_every_decoder_layer_and_remark(tmp_path: Path) -> None:
    seen = made_up((1.0, 12.0, 12.0, 12.0), line=(0.0, 10.0, 0.0, 0.0))
    text = write([seen], tmp_path, "made so.").read_text("utf-8")
    assert text == page([seen], "made so.")
    assert text.count("| MelGAN |") == 1 + 4
    assert "| MelGAN | 2 | 30.0, 30.00 | 12.0, 12.00 | 10.4 | " in text
    assert "Of 4 layers, 3 have lines over 3 dB: 1 as predicted, 2 not. In 1 of all" in text
    assert "| MelGAN | 4 | 5.0e-01 | 1.0e-15 | 1.0e-12 | 0 of 5 | 100 |" in text
    steep = replace(seen.after[0], flat=2 * FLAT)
    assert "| 2.0e-12 | 1.0e-12 | 1 of 5 |" in page([replace(seen, after=(steep, *seen.after[1:]))], "made so.")
    assert beyond((steep, *seen.after)) == (steep,)
    noted = replace(seen, subject=replace(seen.subject, apart="found\nthis."))
    assert "- MelGAN: found this." in page([noted], "made so.")
    fine = replace(noted, after=made_up((1.0,) * 4).after)
    assert "found this" not in page([fine], "made so.")


def test_a_decoder_is_taken_as_it_is_fed() -> None:
    """Inputs and outputs of layouts of their own are turned."""
    row = replace(SMALL, arguments=lambda x: (x.transpose(1, 2),))
    net = nn.Sequential(nn.Linear(4, 1), nn.Flatten())
    assert Plain(row, net)(torch.ones(1, 4, 7)).shape == (1, 1, 7)
