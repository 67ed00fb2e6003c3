"""Weights from a file, into a module: all of them, or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from dspref.arrays import complaint, did_you_mean
from torchparity.weightfiles import read

SHOWN = 8
"""Keys of each kind that a refusal lists."""

RENAMED = (
    (".parametrizations.weight.original0", ".weight_g"),
    (".parametrizations.weight.original1", ".weight_v"),
)
"""Weight norm, by its newer interface and by its older one."""


@dataclass(frozen=True)
class Fit:
    """One table of weights in a file, held against a module.

    Attributes
    ----------
    path : tuple of str
        Keys that lead to it, as ("state_dict",).
    prefix : str
        Of its keys, which those of the module lack.
    added : str
        Of the module's keys, which those of the table lack.
    table : mapping
        By the module's keys, as far as they are there; others by their own.
    renamed : bool
        Whether weight norm of the other interface was met.
    matching : int
        Keys that the module has too, with tensors of its shapes.
    dropped : int
        Keys left out, since they lack the prefix: those of other networks.
    """

    path: tuple[str, ...]
    prefix: str
    added: str
    table: Mapping[str, Tensor]
    renamed: bool
    matching: int
    dropped: int

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was done to make it fit."""
        found = [f"weights found under {' / '.join(self.path)}"] if self.path else []
        if self.prefix:
            rest = f"; {self.dropped} keys without it are left out" if self.dropped else ""
            found.append(f"prefix '{self.prefix}' of the checkpoint's keys is stripped{rest}")
        if self.added:
            found.append(f"prefix '{self.added}' is put before the checkpoint's keys")
        if self.renamed:
            found.append("weight norm by another interface: weight_g and weight_v are original0 and original1")
        return tuple(found)


def load_checkpoint(module: nn.Module, file: str | Path) -> tuple[str, ...]:
    """Load the weights of a file into a module: every key must be there, with the module's shapes, and no other.

    Parameters
    ----------
    module : nn.Module
        Is changed only if all fits.
    file : path
        .safetensors; or .pt, .pth, .bin, .ckpt, which are unpickled with ``weights_only=True``. The table that fits
        best is taken, at whatever depth it stands, as under "state_dict" or "generator".

    Returns
    -------
    tuple of str
        What was done to make it fit: prefixes, depth, weight norm.

    Raises
    ------
    ValueError
        If the file is no such file, needs code to be unpickled, or has other keys or shapes, which it lists.

    Examples
    --------
    >>> import tempfile
    >>> import torch
    >>> layer = nn.Conv1d(1, 2, 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     torch.save({"model": {f"module.{k}": v for k, v in layer.state_dict().items()}}, f"{folder}/a.pt")
    ...     load_checkpoint(nn.Conv1d(1, 2, 3), f"{folder}/a.pt")
    ('weights found under model', "prefix 'module.' of the checkpoint's keys is stripped")
    """
    path = Path(file)
    due = module.state_dict()
    fits = [_fit(place, table, due) for place, table in _tables(read(path))]
    if not fits or not due:
        what = f"weights of {type(module).__name__}" if not due else f"checkpoint {path}"
        raise ValueError(complaint(what, "none", "a table of tensors by name", "as module.state_dict()"))
    best = max(fits, key=lambda fit: (fit.matching, -len(fit.path)))
    _check(best, due, path)
    module.load_state_dict({key: best.table[key] for key in due}, strict=True)
    return best.remarks


def _tables(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Mapping[str, Tensor]]]:
    """Yield every table of tensors, at whatever depth, with the keys that lead to it."""
    if not isinstance(content, Mapping):
        return
    table = {key: v for key, v in content.items() if isinstance(key, str) and isinstance(v, Tensor)}
    if table:
        yield path, table
    for key, inner in content.items():
        yield from _tables(inner, (*path, str(key)))


def _fit(path: tuple[str, ...], table: Mapping[str, Tensor], due: Mapping[str, Tensor]) -> Fit:
    """Return the table with the prefix, and the names of weight norm, by which most keys fit."""
    keys, renamed = _as_named(table, due)
    best = max(_prefixes(keys, due), key=lambda way: (_matching(_stripped(keys, *way), due), -len(way[0] + way[1])))
    found = _stripped(keys, *best)
    return Fit(path, *best, found, renamed, _matching(found, due), len(keys) - len(found))


def _as_named(table: Mapping[str, Tensor], due: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], bool]:
    """Return the table with weight norm by the names that the module has, and whether any were others."""
    found, renamed = dict(table), False
    for names in RENAMED:
        for theirs, ours in (names, names[::-1]):
            if not any(key.endswith(theirs) for key in due) and any(key.endswith(ours) for key in due):
                renamed = renamed or any(key.endswith(theirs) for key in found)
                found = {_ending(key, theirs, ours): v for key, v in found.items()}
    return found, renamed


def _ending(key: str, old: str, new: str) -> str:
    return key.removesuffix(old) + new if key.endswith(old) else key


def _prefixes(keys: Mapping[str, Tensor], due: Mapping[str, Tensor]) -> set[tuple[str, str]]:
    """Return the prefixes to strip, or to put before, that make some key one of the module's."""
    ends = {("", "")}
    for there, wanted, place in ((keys, due, 0), (due, keys, 1)):
        for key in there:
            parts = key.split(".")
            for n in range(1, len(parts)):
                if ".".join(parts[n:]) in wanted:
                    prefix = ".".join(parts[:n]) + "."
                    ends.add((prefix, "") if place == 0 else ("", prefix))
    return ends


def _stripped(keys: Mapping[str, Tensor], prefix: str, added: str) -> dict[str, Tensor]:
    return {added + key.removeprefix(prefix): v for key, v in keys.items() if key.startswith(prefix)}


def _matching(found: Mapping[str, Tensor], due: Mapping[str, Tensor]) -> int:
    return sum(key in due and v.shape == due[key].shape for key, v in found.items())


def _check(fit: Fit, due: Mapping[str, Tensor], path: Path) -> None:
    """Refuse weights that are missing, too many, or of another shape, and list them."""
    missing = [key for key in due if key not in fit.table]
    extra = [key for key in fit.table if key not in due]
    shapes = [
        f"{key} {tuple(fit.table[key].shape)} for {tuple(v.shape)}"
        for key, v in due.items()
        if key in fit.table and fit.table[key].shape != v.shape
    ]
    parts = {"missing": missing, "unexpected": extra, "of another shape": shapes}
    told = [f"{len(names)} {what}: {_listed(names)}" for what, names in parts.items() if names]
    if told:
        near = did_you_mean(missing[0], extra) if missing and extra else ""
        hint = near or "build the module as it was when the weights were saved"
        got = f"{fit.matching} of {len(due)} keys fit; " + "; ".join(told)
        raise ValueError(complaint(f"keys of {path}", got, "the module's keys and shapes, all of them", hint))


def _listed(names: list[str]) -> str:
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
