"""What a check remarks, and for what it refuses what is asked: in the words of what the user said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from torch import nn

from dspref.arrays import NotAnalysable, complaint
from torchparity.arithmetic import Arithmetic
from torchparity.binding import arrays_of
from torchparity.calls import own_channels
from torchparity.gradients import differentiable
from torchparity.job import Job
from torchparity.subjects import Subject

_REFUSED = re.compile(r"input (.+?) refused: (.+)", re.DOTALL)


def folded(remarks: Iterable[str]) -> tuple[str, ...]:
    """Return remarks once each; forms of input that are refused for one reason in one remark.

    Examples
    --------
    >>> folded(["input sliced refused: TypeError: no", "", "a view", "input expanded refused: TypeError: no"])
    ('input sliced, expanded refused: TypeError: no', 'a view')
    """
    forms: dict[str, dict[str, None]] = {}
    for remark in remarks:
        found = _REFUSED.fullmatch(remark)
        forms.setdefault(found[2] if found else remark, {}).update({found[1]: None} if found else {})
    refused = {why: f"input {', '.join(names)} refused: {why}" for why, names in forms.items() if names}
    return tuple(refused.get(text, text) for text in forms if text)


def about_tf32(a: Arithmetic, device: str) -> tuple[str, ...]:
    """Return the remark that a device rounds no operands to TF32.

    Examples
    --------
    >>> from torchparity.arithmetic import ARITHMETICS
    >>> about_tf32(ARITHMETICS["tf32"], "cpu")
    ('a CPU has no TF32: its errors were held to a bound wider than they need',)
    """
    wide = a.name == "tf32" and device.partition(":")[0] == "cpu"
    return ("a CPU has no TF32: its errors were held to a bound wider than they need",) if wide else ()


def about_module(f: Any) -> Iterator[str]:
    """Yield remarks on what a module has that a check does not look at: a state between chunks, hooks on parameters.

    Examples
    --------
    >>> from torch import nn
    >>> list(about_module(nn.Conv1d(1, 1, 1)))
    []
    """
    kept = [name for name in ("flush", "reset") if callable(getattr(f, name, None))]
    if kept:
        hint = "it was checked as a layer for whole signals; a stream is checked by --stream, or check_stream"
        yield f"it has {' and '.join(f'{name}()' for name in kept)}: {hint}"
    named = f.named_parameters() if isinstance(f, nn.Module) else ()
    hooked = [name for name, p in named if p._backward_hooks]
    if hooked:
        yield f"hooks on {', '.join(hooked)} were not run: a check computes on a copy, which has none"


def left_out(jobs: Sequence[Job], s: Subject, *, gradients: bool, formed: bool) -> tuple[str, ...]:
    """Return what was not compared, in words."""
    words = [job.words for job in jobs if not job.bounded]
    if gradients and not s.trains:
        words.append("gradients, which it does not know")
    if gradients and s.trains:
        words += [f"gradients of {job.words}" for job in jobs if job.bounded and not differentiable(job)]
        words += [text for job in jobs for text in _not_held(job, s)]
    words += [] if formed else ["memory layouts, for each of which it would be compiled anew"]
    return tuple(dict.fromkeys(words))


def _not_held(job: Job, s: Subject) -> Iterator[str]:
    """Yield the gradients of a layer's weights that no parameter holds as they are, if there are weights at all."""
    module = isinstance(job.run, nn.Module)
    weights = any(True for _ in job.run.parameters()) if isinstance(job.run, nn.Module) else bool(s.weights)
    if weights and differentiable(job):
        why = "" if module else ", which a function has in itself"
        yield from (
            f"gradient by the {name} of {job.words}{why}" for name in arrays_of(job.layer) if name not in job.held
        )


def refuse_dtype(f: Any, dtype: str | None) -> None:
    """Refuse a dtype other than that of a file, which computes in no other.

    Examples
    --------
    >>> refuse_dtype(lambda x: x, "float16")
    """
    held, words = getattr(f, "dtype", None), getattr(f, "words", "it")
    if dtype is not None and isinstance(held, str) and held != dtype:
        raise ValueError(complaint("dtype", dtype, f"{held}, in which {words} computes", "export it in another"))


def about_channels(f: Any, channels: int | None, error: NotAnalysable) -> Exception:
    """Return why a module cannot be looked at: the number of channels that was asked for, if it takes another.

    Examples
    --------
    >>> from torch import nn
    >>> about_channels(nn.Sequential(nn.Conv1d(8, 1, 1)), 3, NotAnalysable("long words"))
    ValueError('channels: got 3; allowed: 8, which the layer takes. Hint: leave it out.')
    """
    own = own_channels(f, 0)
    if not own or channels in (None, own):
        return error
    return ValueError(complaint("channels", channels, f"{own}, which the layer takes", "leave it out"))
