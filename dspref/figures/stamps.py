"""Figs. 2 to 5: what transposed convolutions make of a few samples, stamp by stamp and sample by sample."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from dspref.arrays import Array
from dspref.boundary import boundary
from dspref.chain import Chain
from dspref.figures.panels import Boxes, Row, Stems
from dspref.figures.picture import Picture, Wanted
from dspref.initial import torch_default
from dspref.layers import TransposedConv
from dspref.lines import Line, tone_lines
from dspref.nulls import nulls, provable

LENGTH, TIME = 8, 10
"""Taps of Fig. 5, and samples of its input: 62 come out with stride 6, 44 with stride 4."""

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def symbols(letter: str, count: int) -> tuple[str, ...]:
    """Return a letter with subscripts.

    Examples
    --------
    >>> symbols("w", 3)
    ('w₀', 'w₁', 'w₂')
    """
    return tuple(letter + str(i).translate(SUBSCRIPTS) for i in range(count))


def in_symbols(time: int, length: int, stride: int) -> Boxes:
    """Return the stamps a_n w_k of a transposed convolution, one row for each input sample."""
    a, w = symbols("a", time), symbols("w", length)
    rows = tuple(Row(n * stride, tuple(f"{a[n]}{tap}" for tap in w)) for n in range(time))
    return Boxes("in symbols", f"w = [{', '.join(w)}]", Row(0, a), rows, None, (0, 0), stride)


def in_numbers(layer: TransposedConv, time: int) -> Boxes:
    """Return the stamps of ones, their sum as the layer itself gives it, and what is predicted of that."""
    taps = tuple(_word(tap) for tap in layer.weight[0, 0])
    rows = tuple(Row(n * layer.stride, taps) for n in range(time))
    y = layer(np.ones((1, time), int))[0]
    edge = boundary(layer, time)
    return Boxes(
        "ones",
        f"w = [{', '.join(taps)}]",
        Row(0, ("1",) * time),
        rows,
        Row(0, tuple(map(_word, y))),
        (edge.start, len(y) - edge.end),
        layer.stride,
        predicted(layer),
    )


def predicted(layer: TransposedConv) -> str:
    """Return the phase gains of a layer, and the lines that they make, in words.

    Examples
    --------
    >>> predicted(TransposedConv([[[1, 1, 1]]], stride=2))
    'repeats 2, 1: line at sr/2, −9.54 dB re DC'
    """
    chain = Chain([layer])
    proof = provable(chain)
    null = nulls(None if proof is None else proof.offset_response())
    offset, *rest = tone_lines(chain)
    told = [_line(line, offset) for line in rest if not null(line.freq)]
    gains = layer.normal.phase_gains.ravel()
    if not told:
        return f"is constant, {_word(gains[0])}: no line can be"
    return f"repeats {', '.join(map(_word, gains))}: {'; '.join(told)}"


def _line(line: Line, offset: Line) -> str:
    assert line.amplitude is not None  # the taps are known
    assert offset.amplitude is not None
    place = f"{line.freq.numerator if line.freq.numerator > 1 else ''}sr/{line.freq.denominator}"
    return f"line at {place}, {_db(20 * np.log10(abs(line.amplitude[0] / offset.amplitude[0])))} dB re DC"


def _word(number: Any) -> str:
    """Return a number as short as it is."""
    return f"{float(number):g}".replace("-", "−")


def _db(level: float) -> str:
    return f"{level:.2f}".replace("-", "−")


def figure_2(wanted: Wanted) -> Picture:
    """Return Fig. 2: length = stride = 3."""
    taps = np.array([[[Fraction(1, 5), Fraction(3, 10), Fraction(-1, 100)]]])
    return Picture(
        "fig2",
        "Fig. 2. Transposed convolution: length = stride = 3, without bias.",
        "Each input sample stamps the kernel; no stamps overlap, and the kernel repeats every 3 samples. Shades: the "
        "phases of the stride. Below: phase gains and lines predicted from the taps.",
        ("UA-T2", "UA-T8"),
        (in_symbols(2, 3, 3), in_numbers(TransposedConv(taps, stride=3), 2)),
        size=(7.0, 2.2),
    )


def figure_3(wanted: Wanted) -> Picture:
    """Return Fig. 3: length 3, stride 2, ones."""
    layer = TransposedConv(np.ones((1, 1, 3), int), stride=2)
    return Picture(
        "fig3",
        "Fig. 3. Transposed convolution: length 3, stride 2, without bias.",
        "Partial overlap: stamps add up at every second sample. Pale boxes: borders predicted, where stamps are "
        "missing. Below: phase gains and lines predicted from the taps.",
        ("UA-T6", "UA-T8"),
        (in_symbols(4, 3, 2), in_numbers(layer, 4)),
        size=(7.0, 3.0),
    )


def figure_4(wanted: Wanted) -> Picture:
    """Return Fig. 4: length 3, stride 1, ones."""
    layer = TransposedConv(np.ones((1, 1, 3), int), stride=1)
    return Picture(
        "fig4",
        "Fig. 4. Transposed convolution: length 3, stride 1, without bias.",
        "Full overlap: inside, as many stamps meet at every sample; pale boxes are the borders predicted.",
        ("UA-T6", "UA-T8"),
        (in_numbers(layer, 4),),
        size=(7.0, 3.4),
    )


def figure_5(wanted: Wanted) -> Picture:
    """Return Fig. 5: length 8, strides 6 and 4, ones and random taps."""
    law = torch_default("convt", 1, 1, LENGTH).law
    drawn = law.draw(np.random.default_rng(wanted.seed), (1, 1, LENGTH))
    panels = []
    for stride, overlap in ((6, "partial-overlap"), (4, "full-overlap")):
        for how, taps in (("with ones", np.ones((1, 1, LENGTH))), ("at random", drawn)):
            title = f"Transposed convolution: init. {how}, {overlap} (length={LENGTH}, stride={stride})"
            panels.append(stems(title, TransposedConv(taps, stride=stride)))
    return Picture(
        "fig5",
        "Fig. 5. Transposed convolutions, without bias, with input set as ones.",
        "Stems: the output. Rings: predicted, phase gains of the stride between the borders, partial sums of taps in "
        "them (shaded).",
        ("UA-T2", "UA-T6", "UA-T7", "UA-T8"),
        tuple(panels),
        size=(7.0, 1.9),
    )


def stems(title: str, layer: TransposedConv) -> Stems:
    """Return what a layer makes of ones, and what is predicted: head, phase gains over and over, tail."""
    y = layer(np.ones((1, TIME)))[0]
    edge = boundary(layer, TIME)
    inside = len(y) - edge.start - edge.end
    gains = np.asarray(layer.normal.phase_gains, float).ravel()
    steady: Array = gains[(edge.start + np.arange(inside)) % layer.stride]
    told = np.concatenate([heads(layer, edge.start), steady, tails(layer, edge.end)])
    return Stems(title, y, told, (edge.start, edge.end), layer.stride)


def heads(layer: TransposedConv, count: int) -> Array:
    """Return the first samples of the response to ones: sums of the taps that are there, ``Σ h[m − ns]``, n ≥ 0."""
    h, s = np.asarray(layer.weight[0, 0], float), layer.stride
    return np.array([h[m % s : m + 1 : s].sum() for m in range(count)])


def tails(layer: TransposedConv, count: int) -> Array:
    """Return the last samples: the last one is the last tap alone."""
    h, s = np.asarray(layer.weight[0, 0], float), layer.stride
    return np.array([h[K::s].sum() for K in range(h.size - count, h.size)])
