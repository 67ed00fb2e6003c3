"""Networks as values are those of Torch, layer by layer; verdicts of levels; no two networks share a file."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from dspref.expected import Drawn, network
from torchparity.expected_record import LIMITS, Compared, Line, Table, write
from torchparity.expected_rows import Row, rows
from torchparity.nn import SubpixelConv1d
from torchparity.validation_record import slug

NETS = {row.name: row for row in rows()}

Shape = tuple[str, int, int, int, int, int, int]
Law = tuple[float, float, int, int]


def of_steps(row: Row) -> list[tuple[Shape, Law]]:
    """Return the shape of each drawn layer, its variances, and how many weights and biases have them."""
    found = []
    for node in network(row.steps):
        if isinstance(d := node.op, Drawn):
            shape = (d.op, d.inputs, d.outputs, d.length, d.factor, d.dilation, d.padding)
            own = d.outputs * (d.factor if d.op == "shuffle" else 1)
            found.append((shape, (float(d.weight), float(d.bias), d.width * own * d.length, own)))
    return sorted(found)


def shape_of(m: nn.Conv1d | nn.ConvTranspose1d) -> Shape:
    s, d, p = (int(each[0]) for each in (m.stride, m.dilation, m.padding))
    op = "convt" if isinstance(m, nn.ConvTranspose1d) else "conv"
    return (op, m.in_channels, m.out_channels, m.kernel_size[0], s, d, p)


def subpixel_shape(m: SubpixelConv1d) -> Shape:
    return ("shuffle", m.in_channels, m.out_channels, m.kernel_size, m.upscale_factor, m.dilation, int(m.padding))


def of_modules(net: nn.Module) -> list[tuple[Shape, Law]]:
    """Return the same of a Torch network, its variances as they were drawn."""
    found = []
    for m in net.modules():
        if isinstance(m, SubpixelConv1d | nn.Conv1d | nn.ConvTranspose1d):
            shape = subpixel_shape(m) if isinstance(m, SubpixelConv1d) else shape_of(m)
            w, b = (float((x.double() ** 2).mean()) if x is not None else 0.0 for x in (m.weight, m.bias))
            found.append((shape, (w, b, m.weight.numel(), 0 if m.bias is None else m.bias.numel())))
    return sorted(found)


@pytest.mark.parametrize("name", NETS)
def test_steps_are_the_modules(name: str) -> None:
    """Shapes are equal; the mean square of n numbers is off by a share of √((9/5 − 1)/n), normally."""
    row = NETS[name]
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        drawn = of_modules(row.factory())
    told = of_steps(row)
    assert [shape for shape, _ in drawn] == [shape for shape, _ in told]
    for shape in {shape for shape, _ in told}:
        laws, seen = ([law for own, law in found if own == shape] for found in (told, drawn))
        for i, n in ((0, sum(law[2] for law in seen)), (1, sum(law[3] for law in seen))):
            if n == 0:
                assert all(law[i] == 0 for law in laws)
            else:
                due = sum(law[i] * law[i + 2] for law in laws)
                assert abs(sum(law[i] * law[i + 2] for law in seen) / due - 1) <= 5 * math.sqrt(0.8 / n), shape


def test_every_network_has_a_file_and_a_source_of_its_own() -> None:
    assert len({slug(f"{row.name} {row.inputs}") for row in rows()}) == len(rows())
    for row in rows():
        assert row.source.power == pytest.approx(1.0)
        assert (row.source.constant == 0) == (row.inputs == "white")


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (Line("sr/4", -20.0, -20.19, 0.0), "agrees"),
        (Line("sr/4", -20.0, -20.21, 0.0), "differs"),
        (Line("sr/4", -20.0, -20.31, 0.06), "agrees"),
        (Line("floor", -20.0, -20.19, 0.0), "differs"),
        (Line("floor by band", -20.0, -20.09, 0.0), "agrees"),
        (Line("sr/4", None, -90.0, 0.1), "not predicted"),
        (Line("sr/4", -90.0, None, None), "none seen"),
        (Line("sr/4", -90.0, -87.0, 0.1, -90.0), "not predicted"),
        (Line("sr/4", -90.0, -87.0, 0.1, -110.0), "differs"),
    ],
)
def test_verdicts(line: Line, verdict: str) -> None:
    assert line.verdict == verdict
    assert LIMITS == {"comb": 0.2, "floor": 0.1}


def test_a_table_is_data_without_infinities(tmp_path: Path) -> None:
    lines = (Line("sr/1", -3.0, -3.05, 0.1), Line("sr/2", None, None, None))
    made = Table((Compared("N", "ones", 4, lines, 0.001),), (), {"torch": "0"}, "unknown")
    page, data = write(made, tmp_path)
    found = json.loads(data.read_text("utf-8"))
    assert found["verdicts"] == {"agrees": 1, "differs": 0, "not predicted": 0, "none seen": 1}
    assert found["rows"][0]["lines"][0]["seen"] == -3.05
    assert "| sr/1 | -3.00 | -3.05 ± 0.10 | -0.05 | agrees |\n| sr/2 | none |  |  | none seen |" in page.read_text(
        "utf-8"
    )
