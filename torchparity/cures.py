"""What would cure the lines of each upsampling layer: by theory, whatever is learned; and tried, on these weights."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from torch import nn

from dspref.advice import Choice, advise
from dspref.advice.choices import ANY_WEIGHTS
from dspref.arrays import NotAnalysable
from dspref.artifacts.rules import rule as rule_of
from dspref.chain import Stage
from dspref.lines import Line
from dspref.outline import HEADS
from torchparity.actual import lines_of
from torchparity.audited import Cure, Expectation, Steady
from torchparity.bench import Bench
from torchparity.calls import private_copy
from torchparity.nn.utils import tone_free
from torchparity.nn.utils.kernels import check, kernel_of
from torchparity.spine import Layer, Spine

RULES = {"convt": "UA101", "shuffle": "UA102", "unsqueeze": "UA102"}
"""Whose lines these are, by the op of the layer; of heads UA104. To interleave channels is half a sub-pixel layer."""

RE_DC = "dB re DC at the output, constant input"
RE_ONE = "dB re a constant input of 1"

UNKNOWN = "no prediction"
"""Promise of a cure whose gain is not known."""

OWN = {"convt": "transposed", "shuffle": "subpixel"}
"""Family of advice that is a layer's own kind, by its op."""

NO_LINE = "no line of a constant, whatever is learned"

BUDGET_DB = -96.0
"""Lines below the last bit of 16 need no cure."""

TRIED = 8
"""Layers on which a cure is tried: each takes two runs of the module."""


def cures(
    spine: Spine,
    lines: Sequence[Line],
    actual: Sequence[Steady],
    expected: Sequence[Expectation],
    free: Collection[int] = (),
) -> Iterator[Cure]:
    """Yield layers without lines, whatever their weights, in place of each that makes any.

    What other layers make reaches the places of one through maps, so that they have to go too: earlier ones, and all of
    them where ways meet, for lines at multiples of g and of h mix to multiples of gcd(g, h). Where one of these layers
    is a head, is not known, or has a stride beyond what `dspref.advice` computes, there are words, and no prediction.

    Parameters
    ----------
    spine : Spine
    lines : sequence of Line
        The possible ones.
    actual, expected : sequences
        Of which the level comes: of these weights where they are known, else of untrained ones.
    free : collection of int
        Owners of layers that are tone-free: what stands at their places is rounding, if all before them are, too.
    """
    steady = next((each for each in actual if each.input == "constant"), None)
    for layer in spine.layers:
        rule = rule_id(layer.stage)
        freqs = [line.freq for line in lines if line.owner == layer.owner and line.freq]
        if rule is None or (layer.branch and not freqs):
            continue
        known = steady or next((each for each in expected if each.input == "constant"), None)
        freq, level = _strongest(freqs, known)
        if level is None and steady is not None:
            continue  # these weights have no such line
        dc = None if known is None else known.level_db(Fraction(0))
        if level is not None and dc is not None:
            level -= dc
        rest = freq, level, None, RE_ONE if dc is None else RE_DC
        others = [o for o in spine.layers if o.owner < layer.owner or (spine.branches and o.owner > layer.owner)]
        if all(each.owner in free for each in (layer, *others)):
            continue
        if not all(_replaceable(each) for each in (layer, *others)):
            yield Cure(layer.owner, rule, rule_of(rule).cure, UNKNOWN, *rest)
            continue
        before = [each for each in others if rule_id(each.stage) is not None]
        try:
            found = tuple(_without_lines(layer))
        except ValueError as error:  # beyond what advice is computed for: the audit has its answer all the same
            words = f"{rule_of(rule).cure} No layer in its place was computed. {error}"
            yield Cure(layer.owner, rule, words, UNKNOWN, *rest)
            continue
        for better in found:
            yield Cure(layer.owner, rule, _words(layer, before, better), better.promise, *rest)


def _replaceable(layer: Layer) -> bool:
    """Return whether a layer makes no line, or one that makes none would do in its place."""
    return layer.stage is not None and layer.stage.op not in HEADS


def rule_id(stage: Stage | None) -> str | None:
    """Return whose lines a layer makes; None if it makes none, as interpolation of equal phase gains, or is unknown."""
    if stage is None:
        return None
    if stage.op == "convt" and stage.length is not None and stage.length < stage.factor:
        return "UA107"
    return RULES.get(stage.op, "UA104" if stage.op in HEADS else None)


def _strongest(freqs: Iterable[Fraction], known: Steady | Expectation | None) -> tuple[Fraction | None, float | None]:
    """Return the strongest of the lines and its level re a constant input of 1; None where there is none."""
    levels = [] if known is None else [(level, f) for f in freqs if (level := known.level_db(f)) is not None]
    if not levels:
        return None, None
    level, freq = max(levels)
    return freq, level


def _without_lines(layer: Layer) -> Iterator[Choice]:
    """Yield the cheapest layers that make no line, whatever is learned: of its own kind, and one that interpolates."""
    assert layer.stage is not None, "checked where cures are made"
    own = OWN[layer.stage.op]
    for families in ((own,), ("nearest", "linear")):
        found = advise(
            [int(layer.factor)], 1, tone_budget_db=BUDGET_DB, channels=(2, 1), dtype="float64", only=families
        )
        yield next(choice for choice in found.choices if choice.promise == ANY_WEIGHTS)


def _words(layer: Layer, before: list[Layer], better: Choice) -> str:
    """Return what to do, and what it costs beside a transposed convolution of twice the stride (2s · 2 · 1/s)."""
    named = [f"{each.owner} ({each.words})" for each in (layer, *before)]
    layers = f"layer{'s' * bool(before)} {named[0]}" + "".join(f" and {each}" for each in named[1:])
    if all(_can_be_tone_free(each.stage) for each in (layer, *before)) and better.family in OWN.values():
        return f"{better.name}: {layers}, lengths and padding as they are: {NO_LINE}; {better.note}"
    ratio = float(better.macs / 4)
    cost = f"{ratio:.3g} times the multiplications of a transposed convolution of length {2 * int(layer.factor)}"
    likewise = ", and likewise for the others" if before else ""
    return f"{better.name} in place of {layers}: {better.words}{likewise}: {NO_LINE}; {better.note}; {cost}"


def _can_be_tone_free(stage: Stage | None) -> bool:
    """Return whether a layer has taps whose phases can have equal gains, as it is: one for each phase."""
    dilation = getattr(stage, "dilation", 1)
    return stage is not None and rule_id(stage) != "UA107" and math.gcd(dilation, int(stage.factor)) == 1


def tried(bench: Bench, lines: Sequence[Line], before: Steady, free: Collection[int] = ()) -> Iterator[Cure]:
    """Yield what tone-free taps in one layer would make of its lines: tried on a copy of the module.

    Something is left where earlier layers make lines that maps bring there.

    Of the taps of a transposed convolution the nearest are taken whose phases have equal gains; of a sub-pixel
    convolution the nearest filters of equal sums, and one bias for all of its phases.

    Parameters
    ----------
    bench : Bench
    lines : sequence of Line
    before : Steady
        The response to a constant as it is, in whose arithmetic the cure is tried.
    free : collection of int
        Owners of layers that are tone-free as they are.
    """
    for layer in bench.spine.layers:
        owner, rule, name = layer.owner, rule_id(layer.stage), _named(bench.module, layer)
        freqs = [f for line in lines if line.owner == owner and (f := line.freq) and before.level_db(f) is not None]
        if rule is None or name is None or not freqs or owner > TRIED or owner in free:
            continue
        copy = private_copy(bench.module, before.dtype)
        tone_free(copy.get_submodule(name))
        bench.progress(f"seed {bench.seed}: tone-free taps in layer {owner}")
        try:
            after = lines_of(replace(bench, module=copy), "constant", borders=before.start + before.rest)
        except NotAnalysable:
            continue
        if after is not None:
            yield _told(owner, rule, name, freqs, before, after)


def _told(owner: int, rule: str, name: str, freqs: list[Fraction], before: Steady, after: Steady) -> Cure:
    (freq, level), (_, left) = _strongest(freqs, before), _strongest(freqs, after)
    words = f"tone-free taps in {name} (torchparity.nn.utils.tone_free): the nearest whose phases have equal gains"
    old, new = before.level_db(Fraction(0)), after.level_db(Fraction(0))
    if level is None or old is None or new is None:
        return Cure(owner, rule, words, "these weights", freq, level, left, RE_ONE)
    return Cure(owner, rule, words, "these weights", freq, level - old, None if left is None else left - new, RE_DC)


def _named(module: nn.Module, layer: Layer) -> str | None:
    """Return the name of the module that can be cured and is this layer, or has it inside; None if there is none."""
    parts = dict(module.named_modules())
    words = layer.name.split(".") if layer.name else []
    names = [".".join(words[:n]) for n in range(len(words), -1, -1)]
    return next((name for name in names if name in parts and _factor(parts[name]) == layer.factor > 1), None)


def _factor(m: nn.Module) -> int:
    """Return by how much a module of a kind that can be cured raises the rate; 1 for all others."""
    kernel = kernel_of(m)
    if kernel is None:
        return 1
    try:
        check(kernel, 1)
    except (ValueError, TypeError):
        return 1
    return kernel.factor
