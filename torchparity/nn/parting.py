"""A layer that is computed in parts, of its signals, output channels, or blocks of time, and its gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product

import torch
from torch import Tensor

LEAST, MOST = 5 << 18, 8
"""Numbers of working memory that are worth a part of their own, and parts: each reads its input or its taps again."""

SPARING = torch.backends.cpu.get_cpu_capability() != "AVX512"
"""Whether two layers hold less where no backward pass follows: oneDNN copies y for them, with AVX-512 u and w.

As seen on x86, in single precision; that Torch finds no AVX-512 says it of others, too.
"""


def window(time: int, low: int, high: int) -> tuple[slice, int, int]:
    """Return what there is of the samples from `low` to `high`, the zeros at both ends of it, and where `low` is then.

    Examples
    --------
    >>> window(10, -2, 4), window(10, 3, 8)
    ((slice(0, 4, None), 2, 0), (slice(3, 8, None), 0, 0))
    """
    first = min(max(low, 0), time - 1)
    last = max(min(high, time), first + 1)
    padding = max(first - low, high - last, 0)
    return slice(first, last), padding, low - first + padding


def parts(
    x: Tensor,
    w: Tensor,
    blocks: range,
    L: int,
    *,
    groups: int,
    sums: float,
    copies: float,
    spare: tuple[float, float] | None = None,
) -> Iterator[tuple[slice, slice, int, int]]:
    """Yield what is worked on at a time: output channels, signals, and blocks of L outputs.

    Two layers hold u, L times x, beside y, or its gradient beside that of u. Here there are sums, so many of the size
    of y, and copies of w (taps and their gradients, oneDNN's layouts): what there is more of is divided, so that it
    takes about a quarter of that, and once w; on a CPU, as far as `MOST` parts go.

    `spare` are the sums and copies that are there at once where two layers hold u and twice y. These, y, and oneDNN's
    copy of x are to take half of that, if so many parts do it: they have u/2, in which of x and w one is whole.
    """
    B, O, X, W = len(x), len(w), x.numel(), w.numel()
    u, v = L * X, B * O * len(blocks) * L
    by_channel = v < W and groups == 1
    n = _many(sums * v + copies * W, (u + v) // 4 + W, LEAST)
    if spare is not None:
        held, taps = spare[0] * v, spare[1] * W
        divided, room = (held + taps, u / 2 - X) if by_channel else (held + X, u / 2 - taps)
        if 0 < divided <= MOST * room:
            n = max(n, _many(divided, room, LEAST // 4))
    n = n if x.device.type == "cpu" else 1
    if by_channel:
        signals, channels, spans = 1, n, 1
    else:
        signals, channels = max(min(n, B), 1), 1
        if spare is not None and B:  # none has more signals than its share
            signals = min(-(-B // (B // signals)), MOST)
        spans = -(-n // signals)
    times = _ranges(blocks.start, blocks.stop, spans)
    for o, b, t in product(_ranges(0, O, channels, 16), _ranges(0, B, signals), times):
        yield slice(*o), slice(*b), *t


def _many(work: float, room: float, least: int) -> int:
    """Return in how many parts work fits into room, as far as they are worth it."""
    return max(min(math.ceil(int(work) / room), int(work) // least, MOST), 1)


def _ranges(start: int, stop: int, parts: int, whole: int = 1) -> list[tuple[int, int]]:
    """Return a range in about so many parts, all but the last of them multiples of a number."""
    each = max(-(-(stop - start) // (parts * whole)) * whole, 1)
    return [(i, min(i + each, stop)) for i in range(start, stop, each)]


def split(t: Tensor, axis: int, *sizes: int) -> Tensor:
    """Return a view with an axis in several."""
    view: Tensor = t.unflatten(axis, sizes)  # type: ignore[no-untyped-call]
    return view


def plus_part(dx: Tensor | None, part: Tensor, x: Tensor, b: slice, seen: slice) -> Tensor:
    """Return a gradient by x with what a part adds to it."""
    if dx is None:
        if part.shape == x.shape:
            return part
        dx = torch.zeros_like(x)
    dx[b][..., seen] += part
    return dx


def plus(total: Tensor | None, part: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Return a sum in a precision; None is nothing."""
    if total is None or part is None:
        return total if part is None else part.to(dtype)
    return total + part


def derivable(
    f: Callable[..., Tensor], given: Sequence[Tensor], wanted: Sequence[bool], g: Tensor
) -> list[Tensor | None]:
    """Return the gradients of a function, by those of its operands that want them, in a way that has gradients.

    By views of them: an operand may have been computed from another, and what goes through it is not asked for.
    """
    if not any(wanted):
        return [None] * len(given)
    with torch.enable_grad():
        given = [t.view_as(t) for t in given]
        by = [t for t, wants in zip(given, wanted, strict=True) if wants]
        found = iter(torch.autograd.grad(f(*given), by, g, create_graph=True))
    return [next(found) if wants else None for wants in wanted]
