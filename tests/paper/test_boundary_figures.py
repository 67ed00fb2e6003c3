"""Figs. 2 to 5 of the article, sample by sample: "boundary artifacts emerge due to non-constant overlap".

J. Pons, S. Pascual, G. Cengarle, J. Serrà, "Upsampling artifacts in neural audio synthesis", ICASSP 2021,
arXiv 2010.14356. What each row shows was read off the figures.
"""

from __future__ import annotations

import numpy as np
import pytest
from sympy import symbols

from dspref import Outline, TransposedConv, tone_lines
from dspref.arrays import Array
from dspref.boundary import border_values, boundary, overlap_counts
from dspref.chain import Chain


def ones(length: int, stride: int) -> TransposedConv:
    """Return the article's transposed convolution "init. with ones", without bias."""
    return TransposedConv(np.ones((1, 1, length), int), stride=stride)


FIGURES: dict[str, tuple[int, int, int, list[int]]] = {
    "Fig. 3: length=3, stride=2, 4 ones": (3, 2, 4, [1, 1, 2, 1, 2, 1, 2, 1, 1]),
    "Fig. 4: length=3, stride=1, 4 ones": (3, 1, 4, [1, 2, 3, 3, 2, 1]),
    "Fig. 5, row 1: length=8, stride=6, 10 ones": (8, 6, 10, [1] * 6 + [2, 2, 1, 1, 1, 1] * 9 + [1, 1]),
    "Fig. 5, row 3: length=8, stride=4, 10 ones": (8, 4, 10, [1] * 4 + [2] * 36 + [1] * 4),
}


@pytest.mark.parametrize("figure", FIGURES)
def test_outputs_of_ones(figure: str) -> None:
    """Counted in closed form, summed in closed form, and run: the row of the figure."""
    length, stride, time, row = FIGURES[figure]
    layer = ones(length, stride)
    assert overlap_counts(Outline("convt", length, stride=stride), time).tolist() == row
    assert border_values(layer, time)[0, 0].tolist() == row
    assert layer(np.ones((1, time), int)).tolist() == [row]


BORDERS: dict[str, tuple[int, int, int, list[int], list[int]]] = {
    "Fig. 3": (1, 2, 1, [2, 1], [1]),
    "Fig. 4": (2, 1, 2, [3], [1, 2]),
    "Fig. 5, row 1": (2, 6, 2, [2, 2, 1, 1, 1, 1], [1, 1]),
    "Fig. 5, row 3": (4, 4, 4, [2, 2, 2, 2], [1, 1, 1, 1]),
}


@pytest.mark.parametrize("figure", BORDERS)
def test_borders_and_steady_states(figure: str) -> None:
    length, stride, time, row = next(FIGURES[name] for name in FIGURES if name.startswith(figure))
    start, period, end, steady, head = BORDERS[figure]
    found = boundary(ones(length, stride), time)
    assert (found.start, found.end, found.head.tolist(), found.tail.tolist()) == (start, end, [head], [head[::-1]])
    assert found.steady.tolist() == [steady]
    assert found.steady.shape[-1] == period
    inside = np.arange(start, len(row) - end)
    assert np.array_equal(np.array(row)[inside], np.array(steady)[inside % period])


def test_no_overlap_has_no_border() -> None:
    """Fig. 2: length=stride=3: 0.2, 0.3, −0.01, over and over, from the first sample to the last."""
    found = boundary(TransposedConv(np.array([[[0.2, 0.3, -0.01]]]), stride=3), 2)
    assert (found.start, found.end, found.steady.tolist()) == (0, 0, [[0.2, 0.3, -0.01]])


def test_stamps_of_fig_3_in_letters() -> None:
    """The drawing's third and fourth stamp are labelled a0 and a1; the input says a2 and a3, and so does the sum."""
    a, w = symbols("a:4"), symbols("w:3")
    y = TransposedConv(np.array([[w]], object), stride=2)(np.array([a], object))
    assert list(y[0]) == [
        a[0] * w[0],
        a[0] * w[1],
        a[0] * w[2] + a[1] * w[0],
        a[1] * w[1],
        a[1] * w[2] + a[2] * w[0],
        a[2] * w[1],
        a[2] * w[2] + a[3] * w[0],
        a[3] * w[1],
        a[3] * w[2],
    ]


@pytest.mark.parametrize(("length", "stride"), [(8, 6), (8, 4)])
def test_random_filters_keep_the_borders_of_ones(length: int, stride: int) -> None:
    """Fig. 5, rows 2 and 4: "boundary artifacts are introduced in both cases", and a pattern of the stride's period."""
    rng = np.random.default_rng(0)
    w: Array = rng.integers(1, 1000, (1, 1, length)) * rng.choice([-1, 1], (1, 1, length))
    layer = TransposedConv(w, stride=stride)
    found, flat = boundary(layer, 10), boundary(ones(length, stride), 10)
    assert (found.start, found.end, found.length) == (flat.start, flat.end, flat.length)
    assert (found.deviation[0] != 0).all()
    assert (found.deviation[1] != 0).all()
    lines = tone_lines(Chain([layer]))
    assert len(lines) == stride // 2 + 1
    assert all(line.amplitude is not None and abs(line.amplitude[0]) > 0 for line in lines)
