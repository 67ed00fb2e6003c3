"""Whether a Torch module does what the reference says, with no tolerance picked by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from dspref.arrays import NotAnalysable, as_choice, as_integer, complaint
from dspref.chain import Chain
from dspref.spec import spec
from torchparity.arithmetic import DTYPES, Arithmetic, chosen
from torchparity.calls import Run, check_weights, own_dtype, private_copy, telling
from torchparity.cases import GRIDS
from torchparity.compare import Outcome
from torchparity.conclude import Told, concluded
from torchparity.devices import as_device
from torchparity.examine import differentiate, examined, forms, in_turn, whole
from torchparity.forms import aliases, in_batches, in_training
from torchparity.isolation import Lost, as_seconds, isolated
from torchparity.job import Job
from torchparity.plan import Like, as_chain, plan
from torchparity.promises import Broken
from torchparity.remarks import about_channels, about_module, about_tf32, folded, left_out, refuse_dtype
from torchparity.subjects import Subject, subject
from torchparity.verdict import Coverage, Verdict

_ABOUT_WEIGHTS = (" is due", " exactly", "refused, which is legal", "which should be")
_SHAPES = 256
"""Shapes for which a compiled module may be compiled."""


def check(
    f: Any,
    like: Like = None,
    *,
    dtype: str | None = None,
    autocast: str | None = None,
    tf32: bool = False,
    device: str = "cpu",
    gradients: bool = True,
    seed: int = 0,
    lengths: Sequence[int] | None = None,
    grid: str = "small",
    channels: int | None = None,
    isolate: bool = False,
    time_limit: float = 60.0,
) -> Verdict:
    """Compare a module or function with the reference, output by output and gradient by gradient.

    Tier 0, law: both accept an input, or both refuse it; length, channels and dtype agree; outputs are
    finite, the same every time, and the input is left alone. Tier 1, equality: one-hot inputs copy taps
    bit for bit, and sums of small integers are exact (of modules with weights a copy is tried that has whole
    numbers for weights). Tier 2: on noise, on noise spread over 40 octaves and on constants, no output lies farther
    from the reference than `torchparity.roundoff` allows, borders included, and no gradient by input, weight or bias
    farther from the reference's adjoint than `torchparity.gradients.gradient_bounds` does. Tier 3: an output that
    does, but no farther than the largest bound of all outputs, is "normwise only". A Sequential is checked layer by
    layer, on such inputs and on those that its own layers hand on. What fails is made small, and named where it looks
    like a classic mistake. The module is copied: the one given is not touched.

    Parameters
    ----------
    f : nn.Module, function of a tensor (batch, channel, time), or path of an .onnx file
        Compiled, exported and scripted modules too, see `torchparity.subjects.subject`.
    like : layer, Chain, nn.Module or str, optional
        What `f` should be. With weights, it is the reference (rounded to `dtype`). Without, as in
        ``"convt k16 s8 p4"`` (`dspref.parse`), it says the structure that must be found, and the values
        come from `torchparity.describe`, else from the one tensor of the module that has the shape of the kernel,
        else from `torchparity.probe`, as if nothing is given.
    dtype : {'float64', 'float32', 'bfloat16', 'float16'}, optional
        The module's own by default.
    autocast : {'bfloat16', 'float16'}, optional
        Run under ``torch.autocast``, and expect its rounding.
    tf32 : bool
        Allow TF32, and expect its rounding.
    device : str
        As Torch names it: 'cpu', 'cuda'.
    gradients : bool
        Compare gradients too.
    seed : int
    lengths : sequence of int, optional
        Input lengths in place of those of the grid, at least one.
    grid : {'small', 'full'}
    channels : int, optional
        Of the input, where neither module nor `like` says.
    isolate : bool
        Run in a forked process of its own, so that a layer that hangs or kills its process gets a verdict, too.
    time_limit : float
        Seconds that one call of the layer may take, if isolated.

    Returns
    -------
    Verdict

    Raises
    ------
    NotAnalysable
        If there is no reference: the module can neither be described nor probed, with both reasons. If the
        weights are not there (lazy modules, meta device), or are complex.
    ValueError, TypeError
        If an option is not one of those allowed.

    Examples
    --------
    >>> check(nn.Upsample(scale_factor=4), like="nearest x4").status
    'exact'
    >>> check(lambda x: x.repeat_interleave(4, -1).roll(1, -1), like="nearest x4").status
    'wrong'
    """
    asked = Asked(dtype, autocast, tf32, device, gradients, seed, _times(grid, lengths), lengths is not None, channels)
    as_seconds("time_limit", time_limit)
    promised = as_chain(like)
    if not isolate:
        return _checked(f, promised, asked)

    def work(say: Callable[[str], None]) -> Verdict:
        with telling(say):
            return _checked(f, promised, asked)

    found = isolated(work, seconds=time_limit, device=device)
    words = None if promised is None else spec(promised)
    return lost(found, asked.dtype, device, words) if isinstance(found, Lost) else found


def lost(found: Lost, dtype: str | None, device: str, words: str | None) -> Verdict:
    """Return the verdict on a layer whose process came to no end of its own; `words` say what was promised.

    If no dtype was asked for, it is that of the last call, or Torch's own if none was made.
    """
    called = re.search(r"dtype=torch\.(\w+)", found.last)
    dtype = dtype or (called[1] if called else str(torch.get_default_dtype()).removeprefix("torch."))
    reason, words = f"the layer {found.reason}", words or "nothing: it did not answer"
    return Verdict("wrong", 0.0, None, dtype, device, words, found.last, Coverage(), reason=reason)


@dataclass(frozen=True)
class Asked:
    """The options of a check."""

    dtype: str | None
    autocast: str | None
    tf32: bool
    device: str
    gradients: bool
    seed: int
    times: tuple[int, ...]
    given: bool
    channels: int | None

    def __post_init__(self) -> None:
        as_integer("seed", self.seed, 0)
        if self.channels is not None:
            as_integer("channels", self.channels, 1)
        if self.autocast is not None or self.dtype is not None:
            chosen(self.dtype or "float32", autocast=self.autocast, tf32=self.tf32)

    def arithmetic(self, own: str) -> Arithmetic:
        """Return the model of arithmetic, for a layer that works in `own` if nothing else is asked."""
        return chosen(self.dtype or own, autocast=self.autocast, tf32=self.tf32)


def _times(grid: str, lengths: Sequence[int] | None) -> tuple[int, ...]:
    """Return the input lengths that are asked for."""
    if lengths is None:
        return GRIDS[as_choice("grid", grid, GRIDS)]
    if not isinstance(lengths, Iterable):
        raise TypeError(complaint("lengths", repr(lengths), "a sequence of input lengths", f"write [{lengths!r}]"))
    lengths = tuple(lengths)
    if not lengths:
        raise ValueError(complaint("lengths", "none", "at least one input length", "leave it out for those of grid="))
    return tuple(as_integer("length", t, 1) for t in lengths)


def _checked(f: Any, promised: Chain | None, asked: Asked) -> Verdict:
    """Return the verdict: what is checked, with what it is compared, and what all cases showed."""
    if isinstance(f, nn.Module):
        check_weights(f, DTYPES)
    as_device(asked.device)
    s = subject(f, dtype=asked.dtype)
    refuse_dtype(s.run, asked.dtype)
    a = asked.arithmetic(asked.dtype or _own_dtype(f, s))
    run = private_copy(f, a.dtype, allowed=DTYPES) if s.run is f and isinstance(f, nn.Module) else s.run
    run, asked = _as_held(run, s, asked)
    try:
        found = plan(
            run, promised, dtype=a.dtype, channels=asked.channels, seed=asked.seed, device=asked.device, told=s
        )
    except NotAnalysable as error:
        raise about_channels(f, asked.channels, error) from error
    except Broken as broken:
        reason = str(broken)
        return Verdict("wrong", 0.0, None, a.dtype, asked.device, broken.description, "", Coverage(), reason=reason)
    if isinstance(run, nn.Module):
        run.to(asked.device)
    formed = not s.words.startswith("compiled")
    with _recompiling(not formed):
        outcomes = list(_outcomes(run, found.jobs, a, asked, formed=formed, trains=s.trains))
    unchecked = left_out(found.jobs, s, gradients=asked.gradients, formed=formed)
    remarks = [*s.remarks, *about_tf32(a, asked.device), *about_module(f), *(o.remark for o in outcomes)]
    if outcomes and all(o.status in ("exact", "within bound") for o in outcomes):
        remarks += [look(run, found.jobs[0], outcomes[0].case) for look in (aliases, in_training)]
    told = Told(a, asked.device, found.description, unchecked, folded(remarks))
    verdict = concluded(outcomes, told)
    return _with_doubt(verdict, run, promised, a, asked, s) if found.held else verdict


def _with_doubt(verdict: Verdict, run: Run, promised: Chain | None, a: Arithmetic, asked: Asked, s: Subject) -> Verdict:
    """Return a verdict on weights of a shape, inconclusive if the layer computes others from them, of the right form.

    A named mistake stands, but for a factor: learning rates are equalised so, kernels normalised.
    """
    named = verdict.looks_like and "scaled by" not in verdict.looks_like
    if verdict.status != "wrong" or named or not any(words in verdict.reason for words in _ABOUT_WEIGHTS):
        return verdict
    options: dict[str, Any] = {"channels": asked.channels, "seed": asked.seed, "device": asked.device, "told": s}
    try:
        found = plan(run, promised, dtype=a.dtype, held=False, **options)
    except (Broken, NotAnalysable):
        return verdict
    outcomes = list(_outcomes(run, found.jobs, a, asked, formed=True, trains=s.trains))
    if not all(o.status in ("exact", "within bound") for o in outcomes):
        return verdict
    reason = f"it does not use its own weights as they are, or not as Torch lays them out ({verdict.reason}); "
    reason += "form and rounding hold for taps as probed: hand over like= with the weights that are meant"
    return replace(verdict, status="inconclusive", reason=reason)


def _as_held(run: Run, s: Subject, asked: Asked) -> tuple[Run, Asked]:
    """Return what runs, and what is asked of it, where an export holds batch, channels or length fast."""
    if "batch" in s.held:
        run = in_batches(run, s.held["batch"])
    if "time" in s.held and not asked.given:
        asked = replace(asked, times=(s.held["time"],), given=True)
    return run, replace(asked, channels=asked.channels or s.held.get("channels"))


@contextmanager
def _recompiling(needed: bool) -> Iterator[None]:
    """Let Torch compile for every shape that is asked: beyond its limit it runs what was not compiled, unseen."""
    if needed:
        import torch._dynamo

        with torch._dynamo.config.patch(recompile_limit=_SHAPES):
            yield
    else:
        yield


def _own_dtype(f: Any, s: Subject) -> str:
    """Return the dtype in which a subject works."""
    held = getattr(s.run, "dtype", None)  # of an ONNX file
    if isinstance(held, str):
        return held
    return own_dtype(f if s.run is f else s.module if s.module is not None else f, DTYPES)


def _outcomes(
    run: Run, jobs: Sequence[Job], a: Arithmetic, asked: Asked, *, formed: bool, trains: bool
) -> Iterator[Outcome]:
    """Yield every outcome: of each layer, and of all of them in turn."""
    for job in (job for job in jobs if job.bounded):
        twin = whole(job, a, asked.seed)
        yield from examined(job, twin, a, asked.seed, asked.times, given=asked.given)
        if formed:
            yield from forms(job, a, asked.seed, asked.times, given=asked.given, trains=trains)
        if asked.gradients and trains:
            yield from differentiate(job, twin, a, asked.seed, asked.times, given=asked.given)
    if len(jobs) > 1:
        yield from in_turn(run, jobs, a, asked.seed, asked.times)
