"""What stands behind what in a model: read off runs of it, or off its Sequentials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from torch import nn

from torchparity.followed import Record

ELSEWHERE = "?"
"""What stands before or behind a layer, if it is no layer."""

Edges = dict[str, set[str]]
"""Names of modules, by the name of one."""


def links(parts: Mapping[str, nn.Module], records: Sequence[Record]) -> tuple[Edges, Edges]:
    """Return, for each module, those whose results it takes, and those that take its own, in any of the runs.

    Parameters
    ----------
    parts : mapping of str to nn.Module
        All modules of a model, by their names.
    records : sequence of Record
        Runs of it.

    Examples
    --------
    >>> net = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv1d(1, 1, 3))
    >>> before, behind = links(dict(net.named_modules()), ())
    >>> before["1"], behind["1"]
    ({'0'}, {'?'})
    """
    ran = {call.where for record in records for call in record.calls}
    edges = {(a, b) for a, b in _by_order(parts) if not {a, b} & ran}
    edges |= {edge for record in records for edge in _by_run(record)}
    before, behind = ({name: set[str]() for name in (*parts, ELSEWHERE)} for _ in range(2))
    for a, b in edges:
        behind[a].add(b)
        before[b].add(a)
    return before, behind


def _by_run(record: Record) -> Iterator[tuple[str, str]]:
    """Yield which module's tensors are taken by which, in one run."""
    made = [record.calls[node.call].where for node in record.nodes]
    for call in record.calls:
        yield from ((made[n], call.where) for n in call.takes if made[n] != call.where)
    if record.output is not None:
        yield made[record.output], ELSEWHERE


def _by_order(parts: Mapping[str, nn.Module]) -> Iterator[tuple[str, str]]:
    """Yield what stands behind what in Sequentials, and elsewhere that it is not known."""
    names = {id(m): name for name, m in parts.items()}
    for parent in parts.values():
        children = [names[id(m)] for m in parent.children() if not isinstance(m, nn.Identity)]
        if isinstance(parent, nn.Sequential) and type(parent).forward is nn.Sequential.forward:
            children = [
                names[id(m)] for m in parent._modules.values() if m is not None and not isinstance(m, nn.Identity)
            ]
            yield from pairwise((ELSEWHERE, *children, ELSEWHERE))
        else:
            yield from (edge for name in children for edge in ((ELSEWHERE, name), (name, ELSEWHERE)))
