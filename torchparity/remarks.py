"""What a check remarks, and for what it refuses what is asked: in the words of what the user said."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from dspref.arrays import NotAnalysable, complaint
from torchparity.arithmetic import Arithmetic
from torchparity.calls import own_channels

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
