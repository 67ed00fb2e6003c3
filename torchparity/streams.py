"""Whether a stream of chunks gives what the offline layer gives for the whole, with no tolerance picked by hand."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from torch import nn

from dspref.arrays import NotAnalysable, as_choice, as_integer, complaint
from dspref.chain import Chain
from dspref.outline import Outline
from torchparity.arithmetic import DTYPES, Arithmetic, arithmetic
from torchparity.binding import bound_by_shape
from torchparity.calls import Misbehaved, Refused, own_channels, own_dtype
from torchparity.cases import KINDS, REAL, Case
from torchparity.chunked import examined
from torchparity.job import Job
from torchparity.plan import Like, as_chain, plan
from torchparity.promises import Broken
from torchparity.rig import PASSED, Rig, Seen
from torchparity.subjects import subject
from torchparity.takes import Make, has_flush, maker, whole
from torchparity.verdict import STATUSES, Coverage, Verdict

_DEAR = 1 << 28  # products in one signal: longer ones are left out


def check_stream(
    make: Any,
    like: Like = None,
    *,
    dtype: str | None = None,
    device: str = "cpu",
    seed: int = 0,
    lengths: Sequence[int] | None = None,
    chunks: Sequence[int] | None = None,
    latency: int | None = None,
) -> Verdict:
    """Compare what a stream gives for chunks with what the offline layer gives for the whole.

    A signal is cut into one chunk, long, random and short chunks, pairs, single samples, and chunks some of which
    are empty, and fed to a fresh stream each time; what it gives, its ``flush()`` included, must be the output of the
    whole. Tier 1: integers, where sums of them are exact, bit for bit, with whole numbers for weights where these are
    the stream's parameters (`torchparity.twins`). Tier 2: noise, noise spread over 40 octaves, constants, and noise
    with a silent chunk, up to the rounding bound: overlap-add in chunks is another order of the same sum, and
    `torchparity.roundoff` bounds every order (`torchparity.rig.streamed_bound`). A second stream beside one that was
    left in the middle must begin anew, two that are fed in turn must both be right, and so must one after
    ``reset()``, with another batch size too. That a stream keeps a view of a chunk is a remark.

    A stream without ``flush()`` that gives as many samples as its factor says (a causal decoder) is compared as far as
    it goes. It may lag: `latency` samples come first that are not compared.

    Parameters
    ----------
    make : nn.Module, object to call, class, or function that makes one
        A stream: called with a chunk (batch, channel, time) it returns a tensor (batch, channel, time′), of no samples
        perhaps; ``flush()``, if there is one, returns the rest, ``reset()`` begins anew. Modules and other objects are
        copied for each run; what can be called without arguments is taken to make a fresh stream.
    like : layer, Chain, nn.Module or str, optional
        The offline layer. Words, as "convt k16 s8", are filled with the one weight of the stream that has the shape
        of the kernel, else with what `torchparity.probe` finds when the whole signal is one chunk; the latter also if
        nothing is given: then only chunks are compared with the whole.
    dtype : {'float64', 'float32', 'bfloat16', 'float16'}, optional
        The module's own by default.
    device : str
    seed : int
    lengths : sequence of int, optional
        Of the signals.
    chunks : sequence of int, optional
        Sizes of chunks, each for a run of its own, in place of the list above.
    latency : int, optional
        Output samples by which the stream lags behind the offline layer; found, if it is not given, and said in the
        description.

    Returns
    -------
    Verdict
        `reason` has the chunks and the first wrong sample, `where` its place after the border of its chunk, and
        `looks_like` the mistake that explains what was seen (`torchparity.seams`).

    Raises
    ------
    NotAnalysable
        If there is no reference, or no bound on its rounding.
    ValueError, TypeError
        If an option is not one of those allowed.

    Examples
    --------
    >>> from torchparity.nn import StreamingConvTranspose1d
    >>> conv = nn.ConvTranspose1d(1, 1, 4, stride=2)
    >>> check_stream(StreamingConvTranspose1d(conv), like=conv).ok
    True
    >>> check_stream(lambda chunk: conv(chunk)[..., : 2 * chunk.shape[-1]], like=conv).looks_like
    'state not kept between chunks: every chunk is treated as a signal of its own'
    """
    dtype = own_dtype(make, DTYPES) if dtype is None else as_choice("dtype", dtype, DTYPES)
    seed, a, new = as_integer("seed", seed, 0), arithmetic(dtype), maker(make, dtype, device)
    sizes = None if chunks is None else [as_integer("chunk", n, 1) for n in chunks]
    flushed = has_flush(stream := new())
    try:
        job, words = _reference(new, stream, as_chain(like), dtype, seed, device)
    except Broken as broken:
        return Verdict("wrong", 0.0, None, dtype, device, broken.description, "", Coverage(), reason=str(broken))
    times = _times(job, lengths)
    given = None if latency is None else as_integer("latency", latency, 0)
    rig = Rig(
        new,
        job,
        a,
        device,
        _latency(job, new, a, device, seed, max(times)) if given is None else given,
        given is not None,
    )
    remarks = [] if flushed else ["no flush(): what the stream holds back at the end was not compared"]
    seen = list(examined(rig, seed, times, sizes, remarks))
    words += f", in chunks{f', {rig.latency} output samples later' if rig.latency else ''}"
    return _verdict(seen, rig, words, tuple(remarks))


def _reference(new: Make, stream: Any, promised: Chain | None, dtype: str, seed: int, device: str) -> tuple[Job, str]:
    """Return what to compare with, and that in words."""
    words, outlined = "", promised is not None and any(isinstance(stage, Outline) for stage in promised.stages)
    if outlined and promised is not None and isinstance(stream, nn.Module):
        held = bound_by_shape(promised.stages, subject(stream).weights)
        if held is not None:
            promised, outlined, words = Chain(held.stages), False, ", with the stream's own weights"
    if outlined and not has_flush(stream):
        hint = "hand over the offline module, or a layer with its weights"
        raise NotAnalysable(complaint("like", "words, for a stream without flush()", "a layer with weights", hint))
    channels = own_channels(stream, 0) or getattr(stream, "in_channels", None)
    found = plan(partial(whole, new), promised, dtype=dtype, channels=channels, seed=seed, device=device)
    job = found.jobs[0]
    if not job.bounded:
        hint = "check the linear layers one by one"
        raise NotAnalysable(complaint("like", job.words, "layers whose rounding is bounded", hint))
    return job, found.description.removesuffix(", as promised") + words


def _times(job: Job, lengths: Sequence[int] | None) -> list[int]:
    """Return the lengths of signals: those given, else some about the reach of the kernel; where it fits."""
    if lengths is not None and not len(lengths):
        raise ValueError(complaint("lengths", "none", "at least one input length", "leave it out for the usual ones"))
    extent = job.extent
    usual = (1, extent, extent + 1, 2 * extent + 3, 4 * extent + 9)
    every = sorted({as_integer("length", t, 1) for t in (usual if lengths is None else lengths)})
    legal = [t for t in every if _legal(job, t) and (lengths is not None or job.products(t) <= _DEAR)]
    if not legal:
        raise ValueError(complaint("lengths", every, "lengths for which there is an output", "take longer ones"))
    return legal


def _legal(job: Job, time: int) -> bool:
    try:
        return bool(job.reference(np.zeros((1, job.channels, time))).shape[-1])
    except ValueError:
        return False


def _latency(job: Job, new: Make, a: Arithmetic, device: str, seed: int, time: int) -> int:
    """Return the least delay at which a signal in one chunk comes out as it is due; 0 if there is none."""
    case, whole = Case("normal", (1, job.channels, time), a.name, seed), Rig(new, job, a, device)
    expected, limit = whole.due(case)
    try:
        y = whole.take(case, [time]).y
    except (Refused, Misbehaved):  # told by the cases themselves
        return 0
    for late in range(min(y.shape[-1], math.ceil(job.extent * job.layer.factor) + 1)):
        n = min(y.shape[-1] - late, expected.shape[-1])
        off = np.abs(y[..., late : late + n] - expected[..., :n]) if y.shape[:-1] == expected.shape[:-1] else np.inf
        if np.all(off <= limit.E[..., :n]) and np.any(limit.S[..., :n] > limit.E[..., :n]):
            return late
    return 0


def _verdict(seen: Sequence[Seen], rig: Rig, words: str, remarks: tuple[str, ...]) -> Verdict:
    coverage = _coverage(seen)
    worst = max(seen, key=lambda s: (-STATUSES.index(s.status), s.ratio))
    status, reason = worst.status, worst.reason
    if status in PASSED and (not coverage.outputs or coverage.zero_share == 1):
        status = "vacuous"
        reason = "nothing was compared" if not coverage.outputs else "every output is zero whatever the layer does"
    if status in PASSED and status != "exact":
        status, reason = "within bound", ""
    if worst.looks_like and reason:
        reason += f"; looks like: {worst.looks_like}"
    index, code = (None, "") if status in ("exact", "vacuous") else (worst.index, worst.code)
    arithmetic_of = {"arithmetic": rig.a.words, "where": worst.where, "looks_like": worst.looks_like}
    return Verdict(
        status,
        worst.ratio,
        index,
        rig.a.dtype,
        rig.device,
        words,
        code,
        coverage,
        reason=reason,
        remarks=remarks,
        **arithmetic_of,
    )


def _coverage(seen: Sequence[Seen]) -> Coverage:
    real = [s for s in seen if s.case.kind in REAL]
    drawn = sum(s.outputs for s in real)
    kinds, cuts = Counter(s.case.kind for s in seen if s.outputs), Counter(s.cut for s in seen if s.outputs)
    tiers = (0, *([1] if kinds["integer"] else []), *([2] if drawn else []))
    strata = (*((kind, kinds[kind]) for kind in KINDS if kinds[kind]), *cuts.items())
    outputs, zeros = sum(s.outputs for s in seen), sum(s.zeros for s in real)
    return Coverage(tiers, len(seen), outputs, zeros / drawn if drawn else 0.0, strata)
