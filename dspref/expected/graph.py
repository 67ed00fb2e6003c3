"""Networks as graphs: places with a name, each of which does one thing to earlier places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from dspref.arrays import as_choice, complaint
from dspref.chain import Pointwise
from dspref.expected.filters import Fixed
from dspref.expected.network import Concat, Drawn, Gate, Step, Sum, Unknown

INPUT = "input"
"""Name of what comes in."""

JOINS = ("sum", "concat")

STEPS = "Drawn, Fixed, Pointwise, Gate, Sum, Concat or Unknown"

Op: TypeAlias = Drawn | Fixed | Pointwise | Gate | Unknown | str
"""What a place does; "sum" and "concat" join several."""


@dataclass(frozen=True)
class Node:
    """One place of a network.

    Parameters
    ----------
    name : str
        Its own, as "decoder.0.2"; "input" is what comes in.
    op : Drawn, Fixed, Pointwise, Gate, Unknown, "sum" or "concat"
    inputs : tuple of str
        Names of earlier places: one, or for "sum" and "concat" two or more, the same one more than once if it counts
        so; for Unknown, as many as it has.

    Raises
    ------
    TypeError
        If inputs are no names, or the step is of no known kind.
    ValueError
        If it has other inputs than the step takes.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.inputs, tuple) or not all(isinstance(name, str) for name in self.inputs):
            raise TypeError(complaint(f"inputs of {self.name}", repr(self.inputs), "a tuple of names", 'as ("input",)'))
        if isinstance(self.op, str):
            as_choice("join", self.op, JOINS)
            fits, allowed = len(self.inputs) > 1, "two or more"
        elif isinstance(self.op, Unknown):
            fits, allowed = bool(self.inputs), "one or more"
        elif isinstance(self.op, (Drawn, Fixed, Pointwise, Gate)):
            fits, allowed = len(self.inputs) == 1, "one"
        else:
            raise TypeError(complaint("step", repr(self.op), STEPS))
        if not fits:
            raise ValueError(complaint(f"inputs of {self.name}", self.inputs, allowed))


@dataclass(frozen=True)
class Network:
    """Places in an order in which each comes after its inputs; the last one is the output.

    Parameters
    ----------
    nodes : tuple of Node

    Raises
    ------
    TypeError
        If places are no `Node`.
    ValueError
        If a name is not its own, or an input is not an earlier place.

    Examples
    --------
    >>> net = network([Drawn("conv", 1, 8, 3), Pointwise("relu"), Sum(((), (Drawn("conv", 8, 8, 1),)))])
    >>> [(node.name, node.inputs) for node in net.nodes]
    [('1', ('input',)), ('2', ('1',)), ('3.2.1', ('2',)), ('3', ('2', '3.2.1'))]
    """

    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.nodes, tuple) or not all(isinstance(node, Node) for node in self.nodes):
            raise TypeError(
                complaint("nodes", repr(self.nodes), "a tuple of Node", "for steps in a row: network(steps)")
            )
        known = {INPUT}
        for node in self.nodes:
            if node.name in known:
                raise ValueError(complaint("name", node.name, "a name of its own for each place"))
            if missing := [name for name in node.inputs if name not in known]:
                raise ValueError(complaint(f"inputs of {node.name}", missing, "names of earlier places"))
            known.add(node.name)

    @property
    def output(self) -> str:
        """Name of the last place."""
        return self.nodes[-1].name if self.nodes else INPUT

    def before(self, *names: str) -> Network:
        """Return what these places depend on, the last of which becomes the output."""
        for name in set(names) - {INPUT, *(node.name for node in self.nodes)}:
            raise ValueError(complaint("name", name, "a place of the network", f"the last one is {self.output}"))
        needed = set(names)
        for node in reversed(self.nodes):
            needed |= set(node.inputs) if node.name in needed else set()
        return Network(tuple(node for node in self.nodes if node.name in needed))

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)


def network(steps: Network | Iterable[Step]) -> Network:
    """Return steps as a graph; they are named by their numbers: 3.2.1 is step 1 of branch 2 of step 3.

    Parameters
    ----------
    steps : iterable of Step, or Network

    Returns
    -------
    Network

    Raises
    ------
    TypeError
        If there is something else than steps.

    Examples
    --------
    >>> from dspref import Pointwise
    >>> [(node.name, node.inputs) for node in network([Drawn("conv", 1, 8, 3), Pointwise("relu")]).nodes]
    [('1', ('input',)), ('2', ('1',))]
    """
    if not isinstance(steps, Iterable):
        raise TypeError(complaint("steps", repr(steps), f"a Network, or a row of {STEPS}"))
    return steps if isinstance(steps, Network) else Network(tuple(_nodes(steps, INPUT, "")))


def _nodes(steps: Iterable[Step], before: str, prefix: str) -> Iterator[Node]:
    for i, step in enumerate(steps, 1):
        name = f"{prefix}{i}"
        inputs: tuple[str, ...] = (before,)
        if isinstance(step, (Sum, Concat)):
            branches = [list(_nodes(b, before, f"{name}.{j}.")) for j, b in enumerate(step.branches, 1)]
            yield from (node for branch in branches for node in branch)
            inputs = tuple(branch[-1].name if branch else before for branch in branches)
            yield Node(name, "sum" if isinstance(step, Sum) else "concat", inputs)
        elif isinstance(step, str):
            raise TypeError(complaint("step", repr(step), STEPS))
        else:
            yield Node(name, step, inputs)
        before = name
