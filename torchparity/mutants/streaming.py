"""Streaming faults: a layer that is fed in chunks, and forgets, repeats or mixes up what lies between them.

``wrong(chunk, p)`` returns what is given for a chunk, and for None the rest; ``p.memory`` is the stream's own. The
right stream keeps all of its input, computes the whole again, and gives what is final.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor

from torchparity.mutants import behaviour, channels, kernels
from torchparity.mutants.correct import correct, kernel, pads_of
from torchparity.mutants.likes import conv, convt, filtering, linear, shuffle
from torchparity.mutants.registry import Like, Mutant, mutant, register

Chunk: TypeAlias = Tensor | None
Compute: TypeAlias = Callable[[Tensor, Any], Tensor]

STREAMED: dict[str, Like] = {
    "convt": convt(taps=6, stride=2, padding=2, output_padding=0),
    "conv": conv(),
    "shuffle": shuffle(),
    "filter": filtering(),
    "linear": linear(),
}
"""Layers that give exactly their factor times the samples they take, so that no length tells of a fault."""

KERNELS = {name: like for name, like in STREAMED.items() if name != "linear"}


def geometry(p: Any) -> tuple[int, int, int]:
    """Return (L, first, last): input n reaches outputs Ln + first … Ln + last, before any decimation."""
    if p.op == "convt":
        return p.stride, -p.padding, p.dilation * (kernel(p).shape[-1] - 1) - p.padding
    if p.op == "filter":
        return p.factor, -p.offset, kernel(p).shape[-1] - 1 - p.offset
    if p.op == "linear":
        return p.factor, -(p.factor // 2), (3 * p.factor - 2) // 2
    left, reach = pads_of(p)[0], p.dilation * (kernel(p).shape[-1] - 1)
    L = getattr(p, "factor", 1)
    return L, (left - reach) * L, (left + 1) * L - 1


def final(p: Any, time: int) -> int:
    """Return how many outputs no later input reaches."""
    L, first, _ = geometry(p)
    return max(0, -(-(L * time + first) // getattr(p, "stride", 1)) if p.op == "conv" else L * time + first)


def taken(chunk: Chunk, p: Any) -> tuple[Tensor, int, int | None]:
    """Remember a chunk; return all the input, and which outputs are due now: from … to, None for the end."""
    m = p.memory
    if chunk is not None:
        m["starts"] = [*m.get("starts", []), m["past"].shape[-1] if "past" in m else 0]
        m["past"] = torch.cat([m["past"], chunk], -1) if "past" in m else chunk.clone()
    start = m.get("given", 0)
    stop = None if chunk is None else max(start, final(p, m["past"].shape[-1]))
    m["given"] = stop
    return m["past"], start, stop


def streamed(chunk: Chunk, p: Any, compute: Compute = correct) -> Tensor:
    """Return what is due now of the whole, as it is computed."""
    past, start, stop = taken(chunk, p)
    if stop == start:
        return nothing(past, p)
    return compute(past, p)[..., start:stop]


def nothing(x: Tensor, p: Any) -> Tensor:
    """Return an output of no samples."""
    long = torch.cat([x, x.new_zeros(*x.shape[:-1], 64)], -1)
    return correct(long, p)[..., :0]


def alone(chunk: Tensor, p: Any) -> Tensor:
    """Return the output for a chunk as if it were the whole."""
    return correct(chunk, p) if chunk.shape[-1] else nothing(chunk, p)


def forgotten(chunk: Chunk, p: Any, forget: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Return what is due now, if what lies before the due samples is changed by `forget` (past, their first input)."""
    past, start, stop = taken(chunk, p)
    if stop == start:
        return nothing(past, p)
    L, _, last = geometry(p)
    first = max(0, -(-(start * (p.stride if p.op == "conv" else 1) - last) // L))
    return correct(forget(past, first), p)[..., start:stop]


@mutant("stateless causal chunks", STREAMED, direction="streaming")
def stateless(chunk: Chunk, p: Any) -> Tensor:
    """Treat every chunk as a signal of its own: a click at every seam."""
    if chunk is None:
        return nothing(p.memory["last"], p)
    p.memory["last"] = chunk
    return alone(chunk, p)


@mutant(
    "tail beyond the chunk cut off",
    fault="stateless causal chunks",
    direction="streaming",
    convt=convt(taps=6, stride=2, padding=0, output_padding=0),
)
def tail_cut_off(chunk: Chunk, p: Any) -> Tensor:
    """Give s samples for each of the chunk's, and throw the tail away."""
    if chunk is None:
        return nothing(p.memory["last"], p)
    p.memory["last"] = chunk
    return alone(chunk, p)[..., : p.stride * chunk.shape[-1]]


@mutant("history one sample short", STREAMED, direction="streaming")
def history_short(chunk: Chunk, p: Any) -> Tensor:
    """Keep one sample too few."""

    def forget(past: Tensor, first: int) -> Tensor:
        n = torch.arange(past.shape[-1])
        kept = (n > first) | (n >= p.memory["starts"][-1]) | (first == 0)
        return torch.where(kept, past, 0)

    return forgotten(chunk, p, forget)


@mutant("history of the last chunk only", KERNELS, direction="streaming")
def history_of_one_chunk(chunk: Chunk, p: Any) -> Tensor:
    """Look back into the chunk before, however short it was."""

    def forget(past: Tensor, first: int) -> Tensor:
        kept = torch.arange(past.shape[-1]) >= p.memory["starts"][-2:][0]
        return torch.where(kept, past, 0)

    return forgotten(chunk, p, forget)


@mutant("history in fp16", STREAMED, fault="half accumulate", direction="streaming")
def history_in_half(chunk: Chunk, p: Any) -> Tensor:
    """Keep the state in half precision."""

    def forget(past: Tensor, first: int) -> Tensor:
        old = torch.arange(past.shape[-1]) < p.memory["starts"][-1]
        return torch.where(old, past.half().to(past.dtype), past)

    return forgotten(chunk, p, forget)


@mutant("history off by 3e-7", KERNELS, fault="relative error 3e-7", direction="streaming")
def history_scaled(chunk: Chunk, p: Any) -> Tensor:
    """Multiply the state where it is only to be kept."""

    def forget(past: Tensor, first: int) -> Tensor:
        return torch.where(torch.arange(past.shape[-1]) < p.memory["starts"][-1], past * (1 + 3e-7), past)

    return forgotten(chunk, p, forget)


@mutant("end never given", STREAMED, direction="streaming")
def end_never_given(chunk: Chunk, p: Any) -> Tensor:
    """Give nothing at the end."""
    y = streamed(chunk, p)
    return y[..., :0] if chunk is None else y


@mutant("end of zeros", STREAMED, direction="streaming")
def end_of_zeros(chunk: Chunk, p: Any) -> Tensor:
    """Give the right number of samples at the end, and nothing in them."""
    y = streamed(chunk, p)
    return 0 * y if chunk is None else y


@mutant("bias in the overlap twice", fault="bias doubled", direction="streaming", convt=STREAMED["convt"])
def bias_in_the_overlap(chunk: Chunk, p: Any) -> Tensor:
    """Keep the tail with its bias, and add it to stamps that have theirs."""
    overlap = kernel(p).shape[-1] - p.stride
    y, m = streamed(chunk, p).clone(), p.memory
    if len(m["starts"]) > 1 and chunk is not None and p.bias is not None:
        y[..., :overlap] += p.bias[:, None]
    return y


@mutant("state kept after reset", STREAMED, direction="streaming")
def state_kept(chunk: Chunk, p: Any) -> Tensor:
    """Begin a new signal with the end of the one before."""
    y = streamed(chunk, p).clone()
    before = p.kept.get("last") if len(p.memory["starts"]) == 1 and chunk is not None else None
    if chunk is not None and chunk.shape[-1]:
        p.kept["last"] = chunk[:1, :1, -1:].clone()
    return y if before is None else y + before


@mutant("state shared by all streams", STREAMED, direction="streaming")
def state_shared(chunk: Chunk, p: Any) -> Tensor:
    """Keep the state in the class, where each stream is to have its own."""
    y = streamed(chunk, p).clone()
    before = p.shared.get("last") if len(p.memory["starts"]) == 1 and chunk is not None else None
    if chunk is not None and chunk.shape[-1]:
        p.shared["last"] = chunk[:1, :1, -1:].clone()
    if chunk is None:
        p.shared.clear()
    return y if before is None else y + before


@mutant("decimation begun anew in every chunk", direction="streaming", conv=conv(stride=2))
def decimation_begun_anew(chunk: Chunk, p: Any) -> Tensor:
    """Forget where in the stride a chunk begins."""
    past, _, _ = taken(chunk, p)
    start, stop = p.memory.get("low", 0), None if chunk is None else max(0, past.shape[-1] + geometry(p)[1])
    p.memory["low"] = max(start, stop or 0)
    return correct(past, p, stride=1)[..., start:stop][..., :: p.stride] if stop != start else nothing(past, p)


@mutant("output_padding given with every chunk", direction="streaming", convt=convt(taps=6, stride=3, output_padding=1))
def output_padding_every_time(chunk: Chunk, p: Any) -> Tensor:
    """Lengthen every chunk."""
    y = streamed(chunk, p)
    return y if chunk is None else torch.nn.functional.pad(y, (0, p.output_padding))


@mutant("first sample of a chunk off by 1e-6", STREAMED, fault="one edge sample off by 1e-6", direction="streaming")
def seam_off(chunk: Chunk, p: Any) -> Tensor:
    """Have a little more at every seam."""
    y = streamed(chunk, p).clone()
    if len(p.memory["starts"]) > 1:
        y[..., :1] += 1e-6
    return y


@mutant(
    "last sample of a chunk longer than 32 wrong",
    STREAMED,
    fault="last sample wrong for lengths > 32",
    direction="streaming",
)
def long_chunk_wrong(chunk: Chunk, p: Any) -> Tensor:
    """Go wrong in the last, incomplete vector of a loop that is unrolled by 32."""
    y = streamed(chunk, p).clone()
    if chunk is not None and chunk.shape[-1] > 32:
        y[..., -1:] = y[..., -2:-1]
    return y


@mutant("chunk scaled in place", STREAMED, fault="mutated in place", direction="streaming")
def chunk_scaled(chunk: Chunk, p: Any) -> Tensor:
    """Scale the caller's chunk."""
    y = streamed(chunk, p)
    if chunk is not None:
        chunk *= 0.5
    return y


@mutant("dither of 1e-6", STREAMED, fault="non-determinism", direction="streaming")
def dithered(chunk: Chunk, p: Any) -> Tensor:
    """Add noise far below hearing."""
    y = streamed(chunk, p)
    return y + 1e-6 * torch.randn_like(y)


@mutant("chunks of one sample skipped", STREAMED, direction="streaming")
def single_samples_skipped(chunk: Chunk, p: Any) -> Tensor:
    """Take a chunk of one sample for silence."""
    return streamed(0 * chunk if chunk is not None and chunk.shape[-1] == 1 else chunk, p)


Row: TypeAlias = tuple[str, str, Compute, Mapping[str, Like]]

LIFTED: tuple[Row, ...] = (
    ("kernel flipped", "", kernels.kernel_flipped, KERNELS),
    ("phases swapped", "", kernels.phases_of_taps_swapped, {"convt": KERNELS["convt"], "filter": filtering(taps=9)}),
    ("phases swapped", "", kernels.phases_of_channels_swapped, {"shuffle": shuffle()}),
    ("DCR order", "DCR against CRD channel order", channels.other_order, {"shuffle": shuffle()}),
    ("padding off by one", "", kernels.crop_off_by_one, {"convt": convt()}),
    ("padding off by one", "", kernels.pads_off_by_one, {"conv": conv(), "shuffle": shuffle()}),
    (
        "output_padding filled with zeros",
        "output_padding implemented as input padding",
        kernels.output_padding_filled_with_zeros,
        {"convt": convt(padding=3, output_padding=2)},
    ),
    (
        "inputs dealt to groups in turn",
        "groups' channels mixed",
        channels.inputs_dealt_in_turn,
        {"convt": convt(groups=2), "conv": conv(groups=2), "shuffle": shuffle(groups=2)},
    ),
    ("bias dropped", "", channels.bias_dropped, {"convt": convt(), "conv": conv(), "shuffle": shuffle()}),
    (
        "taps beyond 16 dropped",
        "",
        kernels.taps_dropped,
        {"convt": convt(taps=20, stride=5), "conv": conv(taps=19, padding=9)},
    ),
    ("TF32 where fp32 was promised", "", behaviour.in_tf32, KERNELS),
)
"""Forward faults in a stream: title, reported fault (else the title), wrong computation, layers."""


def _lift_all(rows: tuple[Row, ...]) -> None:
    for title, fault, wrong, likes in rows:
        for operator, like in likes.items():
            lifted = partial(streamed, compute=wrong)
            register(Mutant(operator, title, lifted, like, fault=fault or title, direction="streaming"))


_lift_all(LIFTED)
