"""What would cure the lines of each upsampling layer: by theory, whatever is learned; and tried, on these weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import torch
from torch import nn
from torch.nn.utils import remove_weight_norm
from torch.nn.utils.parametrize import register_parametrization

from dspref.advice import Choice, advise
from dspref.advice.choices import ANY_WEIGHTS
from dspref.arrays import NotAnalysable
from dspref.artifacts.rules import rule as rule_of
from dspref.chain import Chain, Stage
from dspref.lines import Line
from torchparity.actual import lines_of
from torchparity.advised import OneBias, TonefreeRows, TonefreeTaps
from torchparity.audited import Cure, Expectation, Steady
from torchparity.bench import Bench
from torchparity.calls import private_copy
from torchparity.nn import SubpixelConv1d

RULES = {"convt": "UA101", "shuffle": "UA102"}
"""Whose lines these are, by the op of the layer; of heads UA104."""

RE_DC = "dB re DC at the output, constant input"
RE_ONE = "dB re a constant input of 1"

UNKNOWN = "no prediction"
"""Promise of a cure whose gain is not known."""

BUDGET_DB = -96.0
"""Lines below the last bit of 16 need no cure."""

TRIED = 8
"""Layers on which a cure is tried: each takes two runs of the module."""


def cures(
    chain: Chain, lines: Sequence[Line], actual: Sequence[Steady], expected: Sequence[Expectation]
) -> Iterator[Cure]:
    """Yield layers without lines, whatever their weights, in place of each that makes any.

    What earlier layers make reaches the places of later ones through maps, so that they have to go too. Of heads, and
    behind them, and of strides beyond what `dspref.advice` computes, there is a sentence, and no prediction.

    Parameters
    ----------
    chain : Chain
    lines : sequence of Line
        The possible ones.
    actual, expected : sequences
        Of which the level comes: of these weights where they are known, else of untrained ones.
    """
    steady = next((each for each in actual if each.input == "constant"), None)
    for owner, (_, stage) in enumerate(chain.upsamplers, 1):
        rule = _rule(stage)
        if rule is None:
            continue
        freqs = [line.freq for line in lines if line.owner == owner and line.freq]
        known = steady or next((each for each in expected if each.input == "constant"), None)
        freq, level = _strongest(freqs, known)
        if level is None and steady is not None:
            continue  # these weights have no such line
        dc = None if known is None else known.level_db(Fraction(0))
        if level is not None and dc is not None:
            level -= dc
        reference = RE_ONE if dc is None else RE_DC
        before = [i for i, (_, earlier) in enumerate(chain.upsamplers[: owner - 1], 1) if _rule(earlier) is not None]
        if any(_rule(earlier) == "UA104" for _, earlier in chain.upsamplers[:owner]):
            yield Cure(owner, rule, rule_of(rule).cure, UNKNOWN, freq, level, None, reference)
            continue
        try:
            found = tuple(_without_lines(stage))
        except ValueError as error:  # beyond what advice is computed for: the audit has its answer all the same
            words = f"{rule_of(rule).cure} No layer in its place was computed. {error}"
            yield Cure(owner, rule, words, UNKNOWN, freq, level, None, reference)
            continue
        for better in found:
            yield Cure(owner, rule, _words(owner, before, better, stage), better.promise, freq, level, None, reference)


def _rule(stage: Stage) -> str | None:
    """Return whose lines a layer makes; None if it makes none: interpolation, of equal phase gains."""
    heads = ("unsqueeze", "lazy", "haar", "lifting", "istft", "pqmf")
    return RULES.get(stage.op, "UA104" if stage.op in heads else None)


def _strongest(freqs: Iterable[Fraction], known: Steady | Expectation | None) -> tuple[Fraction | None, float | None]:
    """Return the strongest of the lines and its level re a constant input of 1; None where there is none."""
    levels = [] if known is None else [(level, f) for f in freqs if (level := known.level_db(f)) is not None]
    if not levels:
        return None, None
    level, freq = max(levels)
    return freq, level


def _without_lines(stage: Stage) -> Iterator[Choice]:
    """Yield the cheapest layers that make no line, whatever is learned: of its own kind, and one that interpolates."""
    own = {"convt": "transposed", "shuffle": "subpixel"}[stage.op]
    for families in ((own,), ("nearest", "linear")):
        found = advise(
            [int(stage.factor)], 1, tone_budget_db=BUDGET_DB, channels=(2, 1), dtype="float64", only=families
        )
        yield next(choice for choice in found.choices if choice.promise == ANY_WEIGHTS)


def _words(owner: int, before: list[int], better: Choice, stage: Stage) -> str:
    """Return what to do, and what it costs beside a transposed convolution of twice the stride (2s · 2 · 1/s)."""
    ratio = float(better.macs / 4)
    cost = f"{ratio:.3g} times the multiplications of a transposed convolution of length {2 * int(stage.factor)}"
    likewise = f", and its like as layer{'s' * (len(before) > 1)} {', '.join(map(str, before))}" if before else ""
    head = f"{better.name} ({better.words}) as layer {owner}{likewise}"
    return f"{head}: no line, whatever is learned; {better.note}; {cost}"


def tried(bench: Bench, lines: Sequence[Line], before: Steady) -> Iterator[Cure]:
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
    """
    upsamplers = [stage for _, stage in bench.spine.chain.upsamplers]
    for owner, (stage, name) in enumerate(zip(upsamplers, _named(bench, upsamplers), strict=True), 1):
        freqs = [f for line in lines if line.owner == owner and (f := line.freq) and before.level_db(f) is not None]
        rule = _rule(stage)
        if rule is None or name is None or not freqs or owner > TRIED:
            continue
        copy = private_copy(bench.module, before.dtype)
        _make_tone_free(copy.get_submodule(name), int(stage.factor))
        bench.progress(f"seed {bench.seed}: tone-free taps in layer {owner}")
        try:
            after = lines_of(replace(bench, module=copy), "constant", borders=before.start + before.rest)
        except NotAnalysable:
            continue
        if after is not None:
            yield _told(owner, rule, name, freqs, before, after)


def _told(owner: int, rule: str, name: str, freqs: list[Fraction], before: Steady, after: Steady) -> Cure:
    (freq, level), (_, left) = _strongest(freqs, before), _strongest(freqs, after)
    words = f"tone-free taps in {name} (torchparity.advised): the nearest whose phases have equal gains"
    old, new = before.level_db(Fraction(0)), after.level_db(Fraction(0))
    if level is None or old is None or new is None:
        return Cure(owner, rule, words, "these weights", freq, level, left, RE_ONE)
    return Cure(owner, rule, words, "these weights", freq, level - old, None if left is None else left - new, RE_DC)


def _named(bench: Bench, upsamplers: Sequence[Stage]) -> list[str | None]:
    """Return the names of the modules that are these layers, by the order in which they run; None for other kinds."""
    ran: list[tuple[str, int]] = []
    kinds = [(name, m, _factor(m)) for name, m in bench.module.named_modules()]
    hooks = [m.register_forward_hook(_noted(ran, name, factor)) for name, m, factor in kinds if factor > 1]
    try:
        bench.tried("constant")
    finally:
        for hook in hooks:
            hook.remove()
    found: list[str | None] = []
    for stage in upsamplers:
        at = next((i for i, (_, factor) in enumerate(ran) if factor == stage.factor), None)
        known = _rule(stage) is not None and at is not None
        found.append(ran[at][0] if known and at is not None else None)
        ran = ran[at + 1 :] if known and at is not None else ran
    return found


def _noted(ran: list[tuple[str, int]], name: str, factor: int) -> Callable[..., None]:
    return lambda module, args, output: ran.append((name, factor))


def _factor(m: nn.Module) -> int:
    """Return by how much a module of a kind that can be cured raises the rate; 1 for all others."""
    if isinstance(m, nn.ConvTranspose1d) and m.dilation == (1,):
        return m.stride[0]
    if isinstance(m, SubpixelConv1d) and isinstance(m.conv, nn.Conv1d):
        shuffle: Any = m.shuffle
        return int(shuffle.upscale_factor) if shuffle.order == "crd" else 1
    return 1


def _make_tone_free(module: Any, factor: int) -> None:
    """Project the weights of a layer, and keep them projected."""
    with torch.no_grad():
        if isinstance(module, nn.ConvTranspose1d):
            _plain(module)
            register_parametrization(module, "weight", TonefreeTaps(factor))
        else:
            _plain(module.conv)
            register_parametrization(module.conv, "weight", TonefreeRows(factor))
            if module.conv.bias is not None:
                register_parametrization(module.conv, "bias", OneBias(factor))


def _plain(module: nn.Module) -> None:
    """Replace weight norm of the older interface, which parametrizations do not go with, by the weight it makes."""
    if hasattr(module, "weight_g"):
        remove_weight_norm(module)
