"""A network while it is being read: places that know their size, and what two views of one kernel amount to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from dspref.chain import Pointwise
from dspref.expected.filters import Fixed
from dspref.expected.graph import Op
from dspref.expected.network import Drawn, Unknown


@dataclass(frozen=True, eq=False)
class Kernel:
    """Where a kernel is from.

    Attributes
    ----------
    weight : Tensor
        As the forward used it, outputs first, or inputs first for a transposed convolution.
    bias : Tensor or None
    sources : frozenset of str
        Names of the parameters that it was made of.
    recipe : int
        How it was made of them.
    owner : nn.Module
        The module that ran.
    path : str
        Its name.
    start : int
        First channel of those used, of all that the kernel makes.
    order : {'crd', 'dcr'}
        Of the channels, for a sub-pixel convolution.
    also : Kernel or None
        Another, of as many channels, that is drawn alike.
    computed : bool
        Whether it is more than a parameter, or one under a norm, times a number.
    """

    weight: Tensor
    bias: Tensor | None
    sources: frozenset[str]
    recipe: int
    owner: nn.Module
    path: str
    start: int = 0
    order: str = "crd"
    also: Kernel | None = None
    computed: bool = False

    @property
    def key(self) -> tuple[Any, ...]:
        """What makes a kernel the same."""
        return (self.recipe, self.start, self.order, self.also and self.also.key)


@dataclass(frozen=True, eq=False)
class Draft:
    """One place: (channels, time) samples, numbered from `base` on; `dark` if nothing is predicted there.

    `noted` is what was noted on the way, of the network as a whole.
    """

    name: str
    op: Op
    inputs: tuple[Draft, ...]
    channels: int
    time: int
    base: int
    kernel: Kernel | None = None
    dark: bool = False
    noted: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of samples."""
        return self.channels * self.time


@dataclass
class Drafts:
    """All places seen, each once: the same thing done twice to the same place is one place."""

    places: list[Draft] = field(default_factory=list)
    known: dict[Any, Draft] = field(default_factory=dict)
    noted: dict[str, str] = field(default_factory=dict)

    def add(
        self, name: str, op: Op, inputs: Iterable[Draft], channels: int, time: int, kernel: Kernel | None = None
    ) -> Draft:
        """Return the place that does `op` to others."""
        inputs = tuple(inputs)
        own = (kernel and kernel.key, name if not inputs else "")
        key = (op, tuple(map(id, inputs)), channels, time, own)
        if key not in self.known:
            base = self.places[-1].base + self.places[-1].size if self.places else 0
            dark = isinstance(op, Unknown) or any(each.dark for each in inputs)
            self.known[key] = Draft(name, op, inputs, channels, time, base, kernel, dark, self.noted)
            self.places.append(self.known[key])
        return self.known[key]

    def mapped(self, name: str, op: Op, x: Draft) -> Draft:
        """Return the place that maps single samples; side by side, channels are mapped alike."""
        if x.op == "concat":
            return self.add(x.name, "concat", [self.mapped(name, op, each) for each in x.inputs], x.channels, x.time)
        return self.add(name, op, [x], x.channels, x.time)

    def part(self, x: Draft, start: int, stop: int) -> Draft | None:
        """Return some channels of a place as a place of its own, None if they are no such thing.

        Outputs of one convolution are independent given its input: a part of them is a convolution of fewer.
        """
        if (start, stop) == (0, x.channels):
            return x
        if isinstance(x.op, Drawn) and x.kernel is not None and x.op.groups == 1 and x.op.op != "shuffle":
            kernel = replace(x.kernel, start=x.kernel.start + start)
            return self.add(x.name, replace(x.op, outputs=stop - start), x.inputs, stop - start, x.time, kernel)
        if not (x.inputs and _channelwise(x.op)):
            return None
        inputs = [self.part(each, start, stop) for each in x.inputs]
        found = [each for each in inputs if each is not None]
        return self.add(x.name, x.op, found, stop - start, x.time) if len(found) == len(inputs) else None

    def shuffled(self, x: Draft, L: int, order: str) -> Draft | None:
        """Return a place whose channels are interleaved, None if no convolution stands before.

        Maps of samples may stand between: they do the same before and after.
        """
        channels, time = x.channels // L, x.time * L
        if isinstance(x.op, Drawn) and x.kernel is not None and (x.op.op, x.op.factor) == ("conv", 1):
            op = Drawn("shuffle", x.op.inputs, channels, x.op.length, L, x.op.dilation, x.op.padding, x.op.groups)
            return self.add(x.name, op, x.inputs, channels, time, replace(x.kernel, order=order))
        if not isinstance(x.op, Pointwise) or x.op.name == "glu":
            return None
        before = self.shuffled(x.inputs[0], L, order)
        return before and self.add(x.name, x.op, [before], channels, time)

    def merged(self, x: Draft, y: Draft) -> Draft | None:
        """Return two places as one of all their channels, None if they are not alike, or not independent.

        They are, if they are convolutions of one input, drawn alike, or different parts of one, or sums of such.
        """
        if x is y or (x.channels, x.time) != (y.channels, y.time):
            return None
        channels = 2 * x.channels
        if isinstance(x.op, Drawn) and x.op == y.op and x.inputs == y.inputs and x.kernel and y.kernel:
            kernel = replace(x.kernel, also=y.kernel)
            if x.kernel.sources & y.kernel.sources:
                kernel = replace(x.kernel, start=min(x.kernel.start, y.kernel.start))
            if kernel.also is None and abs(x.kernel.start - y.kernel.start) != x.channels:
                return None
            name = x.name if x.name == y.name else f"{x.name}+{y.name}"
            return self.add(name, replace(x.op, outputs=channels), x.inputs, channels, x.time, kernel)
        if not (_channelwise(x.op) and x.op == y.op and len(x.inputs) == len(y.inputs)):
            return None
        pairs = [self.merged(a, b) for a, b in zip(x.inputs, y.inputs, strict=True)]
        inputs = [each for each in pairs if each is not None]
        return self.add(x.name, x.op, inputs, channels, x.time) if len(inputs) == len(pairs) else None


def _channelwise(op: Op) -> bool:
    """Return whether each channel is treated alike, and alone."""
    return op == "sum" or isinstance(op, Fixed) or (isinstance(op, Pointwise) and op.name != "glu")


def reached(output: Draft) -> Iterator[Draft]:
    """Yield the places that an output depends on, each after its inputs; those without inputs are what comes in."""
    seen: set[int] = set()
    stack = [(output, False)]
    while stack:
        x, done = stack.pop()
        if done:
            yield x
        elif id(x) not in seen:
            seen.add(id(x))
            stack += [(x, True), *((each, False) for each in reversed(x.inputs))]
