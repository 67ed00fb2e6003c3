"""The parts of the campaign that takes decoders before and after: each on what is known, in moments."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from dspref.designs.windows import cosine_window
from dspref.spec import parse
from dspref.spectrum import average_spectrum
from dspref.spectrum.measure import SEVEN_TERMS
from tests.cure.crowd import Layer, crowd, layers, main, rows, seen
from tests.cure.foreseen import Foreseen, foreseen
from tests.cure.ledgered import SEEDS, Cured, cure
from tests.cure.measured import SEGMENTS, Lines, Seen, bins, flatness, heights, noisy, places, steady
from tests.cure.record import AS_PREDICTED, FLAT, NONE, OVER, band, beyond, mean, page, verdict, within, write
from tests.cure.rounding import parted, sums
from tests.cure.silenced import silence
from tests.cure.subjects import MELGAN, SUBJECTS, Plain, Subject, made
from tests.zoo.row import Row
from torchparity.ledger import ledger
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


def test_a_louder_border_does_not_pass_for_steady() -> None:
    """Its tail is within rounding of itself, and a millionth of what is behind it."""
    y = np.concatenate([[1e12, 1 + 1e-6, 1 - 1e-6], np.ones(9)])[None]
    assert flatness(y, 1) == (0.0, 9)
    assert flatness(y[..., 1:], 1) == (0.0, 9)


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


def drawn_layer(networks: int, *, loud: float = 0.2) -> Layer:
    """Return two lines in networks of which some are loud: these have lines of 40 and 60, over floors of 10."""
    rng = np.random.default_rng(4)
    is_loud = rng.random(networks) < loud
    floors = np.where(is_loud, 10.0, 1.0)[:, None] * rng.uniform(0.5, 1.5, (networks, 2))
    height = np.where(is_loud[:, None], (40.0, 60.0), (0.01, 0.01))
    return Layer(height * floors, floors)


def test_many_networks_know_means_that_few_do_not() -> None:
    """Of loud ones, a fifth, there are lines; the ratio of means is 50 times 2 of 2.8, the mean of ratios 50/5."""
    layer = drawn_layer(20_000)
    assert abs(layer.level - 10 * np.log10(50 * 2 / 2.8)) < 0.1
    assert abs(layer.heights.mean() - 10) < 0.2
    quiet, loud = layer.halves
    assert [len(half.lines) for half in layer.halves] == [10_000, 10_000]
    assert quiet.floors.mean(axis=1).max() <= loud.floors.mean(axis=1).min()
    assert abs(loud.heights.mean() - 20) < 0.4
    ripe = Layer(np.array([[1.0, 4.0]]), np.array([[1.0, 2.0]]))  # 1 and 2: their mean, not 5/3
    assert abs(ripe.level - 10 * np.log10(1.5)) < 1e-12


def test_networks_count_for_as_much_as_they_are_loud() -> None:
    """Equal ones for all; where a fifth has all lines, some fifth of them; one that drowns all for itself."""
    same = Layer(np.ones((50, 2)), np.ones((50, 2)))
    assert all(n == 50 for n in same.effective)
    lines, floors = drawn_layer(5000).effective
    assert 800 < lines < 1050
    assert lines < floors < 5000
    one = Layer(np.array([[1e9], [1.0], [1.0]]), np.array([[1.0], [1.0], [1e9]]))
    assert all(abs(n - 1) < 1e-8 for n in one.effective)


def test_an_interval_holds_what_is_drawn() -> None:
    """95 % of 100 draws of 100 networks, to three standard errors, and is as wide as their levels differ."""
    due, found = 10 * np.log10(50 * 2 / 2.8), drawn_layer(10_000)
    parts = [found.at(np.arange(i, i + 100)) for i in range(0, 10_000, 100)]
    ends = np.array([part.interval for part in parts])
    assert 0.88 <= ((ends[:, 0] <= due) & (due <= ends[:, 1])).mean() <= 1
    spread = np.std([part.level for part in parts])
    assert abs((ends[:, 1] - ends[:, 0]).mean() / (2 * 1.96 * spread) - 1) < 0.25


def test_a_network_of_a_crowd_is_measured_as_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cured, of its seed; line over floor is the height that is measured, and powers are the spectrum's."""
    subject = Subject("small", replace(SMALL, make=lambda: small().eval()))
    monkeypatch.setattr("tests.cure.crowd.SUBJECTS", (subject,))
    first, second = layers([seen("small", seed) for seed in (7, 8)])
    assert (first.lines.shape, second.floors.shape) == ((2, 3), (2, 1))
    for i, seed in enumerate((7, 8)):
        module = made(subject, seed)
        cure(subject, module)
        told = noisy(subject.row, module, seed)
        spectrum = average_spectrum(steady(subject.row, module, seed), 8, bins_per_line=bins(subject.row) // 8)
        for layer, lines, own in zip((first, second), told, places(subject.row), strict=True):
            assert abs(10 * np.log10(layer.heights[i]) - lines.mean) < 1e-9
            powers = [spectrum.line(Fraction(k, 8)) for k in own]
            assert np.allclose(10 * np.log10(layer.lines[i]), [line.level_db for line in powers], rtol=0, atol=1e-9)
            assert np.allclose(10 * np.log10(layer.floors[i]), [line.floor_db for line in powers], rtol=0, atol=1e-9)


def test_a_table_has_a_row_for_each_layer_with_its_own_theory() -> None:
    found = (drawn_layer(400), Layer(np.full((400, 1), 1.5), np.ones((400, 1))))
    first, second = rows(found, Foreseen((1.0, 0.5), (9.0, 1.0), (0.0, 0.0)))
    low, high = found[0].interval
    assert f"{found[0].level:5.2f}  {low:6.2f} … {high:5.2f}   10.00" in first
    over = (found[0].halves[1].heights > 2).mean()
    assert 0.3 < over < 0.5
    assert first.split()[1:5] == ["0", "%", f"{100 * over:.0f}", "%"]
    assert second.split()[1:5] == ["0", "%", "0", "%"]
    assert " 1.76    1.76 …  1.76    1.76  400.0, 400.0" in second


def test_a_crowd_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file has is not drawn again; fewer are read of more."""
    with ledger(tmp_path / "crowd.jsonl", {"work": "crowd", "subject": "small", "first": 1000}) as book:
        for i in range(3):
            book.add(i, [[[1.0 + i, 2.0]], [[3.0, 4.0]]])
    found = crowd("small", 2, tmp_path / "crowd.jsonl")
    assert [layer.lines.tolist() for layer in found] == [[[1.0], [2.0]], [[3.0], [3.0]]]
    assert [layer.floors.tolist() for layer in found] == [[[2.0], [2.0]], [[4.0], [4.0]]]


def test_a_crowd_is_of_a_decoder_that_there_is(tmp_path: Path) -> None:
    """Nothing is drawn or written else."""
    for arguments, words in ((("VITS", "4"), "decoder: got 'VITS'"), (("MelGAN", "0"), "networks: got 0")):
        with pytest.raises(ValueError, match=words):
            main(*arguments, str(tmp_path / "crowd.jsonl"))
    assert not list(tmp_path.iterdir())
