"""Weights from a file, into a module: all of them, or none; and never one of two."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dspref.arrays import complaint, did_you_mean
from torchparity.nn.utils.states import MARK, as_kept, is_order, plain_names
from torchparity.weightfiles import file_and_place, read

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
    cured : bool
        Whether weights were met of layers that the module keeps tone-free, and the table's did not.
    """

    path: tuple[str, ...]
    prefix: str
    added: str
    table: Mapping[str, Tensor]
    renamed: bool
    matching: int
    dropped: int
    cured: bool = False

    @property
    def place(self) -> str:
        """Where in the file the weights are, as "state_dict.net_g": the keys that lead there, and the prefix."""
        return ".".join((*self.path, *([self.prefix.removesuffix(".")] if self.prefix else [])))

    @property
    def rank(self) -> tuple[int, int, int, str]:
        """The more keys fit the better; of equals, the least that is taken off or put before."""
        return -self.matching, len(self.path), len(self.prefix + self.added), f"{self.place} {self.added}"

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
        if self.cured:
            found.append("weights of layers that are not tone-free: they are projected, as any that training finds")
        return tuple(found)


def load_checkpoint(module: nn.Module, file: str | Path) -> tuple[str, ...]:
    """Load the weights of a file into a module: every key must be there, with the module's shapes, and no other.

    Parameters
    ----------
    module : nn.Module
        Is changed only if all fits.
    file : path
        .safetensors; or .pt, .pth, .bin, .ckpt, which are unpickled with ``weights_only=True``. The table that fits
        best is taken, at whatever depth it stands, as under "state_dict" or "generator". Where several with other
        weights fit wholly, as of a generator and its moving average, FILE:PREFIX says which: "ema.pt:net_g".

    Returns
    -------
    tuple of str
        What was done to make it fit: prefixes, depth, weight norm, numbers of another kind.

    Raises
    ------
    ValueError
        If the file is no such file, needs code to be unpickled, or has other keys or shapes, which it lists; if several
        sets of weights fit; if weights are sparse, quantized, without values, or complex where the module is real.

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
    path, chosen = file_and_place(file)
    due = module.state_dict()
    fits = sorted(
        (fit for where, table in _tables(read(path)) for fit in _fits(where, table, module, due)), key=lambda f: f.rank
    )
    if not fits or not due:
        what = f"weights of {type(module).__name__}" if not due else f"checkpoint {path}"
        raise ValueError(complaint(what, "none", "a table of tensors by name", "as module.state_dict()"))
    best = _best(fits, due, path) if chosen is None else _chosen(fits, chosen, path)
    _check(best, due, path)
    module.load_state_dict({key: best.table[key] for key in due}, strict=True)
    return (*best.remarks, *_converted(best, due))


def _best(fits: Sequence[Fit], due: Mapping[str, Tensor], path: Path) -> Fit:
    """Return the table that fits best; refuse to choose between tables that fit wholly and hold other weights."""
    best, whole = fits[0], [fit for fit in fits if fit.matching == len(due)]
    rivals = [fit for fit in whole[1:] if not all(_same(fit.table[key], best.table[key]) for key in due)]
    if rivals:
        places = [fit.place for fit in (best, *rivals)]
        got = f"{len(places)} sets of weights that all fit, under {_listed([repr(each) for each in places])}"
        hint = " or ".join(f"--checkpoint '{path}:{each}'" for each in places[:SHOWN])
        raise ValueError(complaint(f"checkpoint {path}", got, "one, or FILE:PREFIX, which chooses one", hint))
    return best


def _same(v: Tensor, w: Tensor) -> bool:
    return v is w or (not (_unlike_numbers(v) or _unlike_numbers(w)) and v.dtype == w.dtype and torch.equal(v, w))


def _chosen(fits: Sequence[Fit], place: str, path: Path) -> Fit:
    """Return the table at a place that the user names."""
    found = next((fit for fit in fits if fit.place == place), None)
    if found is None:
        there = list(dict.fromkeys(fit.place for fit in fits))
        allowed = _listed([repr(each) for each in there])
        raise ValueError(complaint(f"prefix in {path}", repr(place), allowed, did_you_mean(place, there)))
    return found


def _tables(content: Any) -> Iterator[tuple[tuple[str, ...], Mapping[str, Tensor]]]:
    """Yield every table of tensors, at whatever depth, with the keys that lead to it: each once, if it holds itself."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), content)]
    seen: set[int] = set()
    while waiting:
        path, inner = waiting.pop()
        if not isinstance(inner, Mapping) or id(inner) in seen:
            continue
        seen.add(id(inner))
        table = {key: v for key, v in inner.items() if isinstance(key, str) and isinstance(v, Tensor)}
        if table:
            yield path, table
        waiting += [((*path, str(key)), deeper) for key, deeper in reversed(list(inner.items()))]


def _fits(
    path: tuple[str, ...], table: Mapping[str, Tensor], module: nn.Module, due: Mapping[str, Tensor]
) -> Iterator[Fit]:
    """Yield the table with each prefix by which some key fits, by the names that the module has.

    Weight norm has others by its other interface, and a layer that is kept tone-free has others than it had before.
    """
    keys, renamed = _as_named(table, due)
    for way in _prefixes(keys, {*due, *plain_names(module)}):
        found = _stripped(keys, *way)
        dropped, cured = len(keys) - len(found), as_kept(module, found)
        yield Fit(path, *way, found, renamed, _matching(found, due), dropped, cured)


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


def _prefixes(keys: Collection[str], due: Collection[str]) -> set[tuple[str, str]]:
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
    return sum(key in due and _shape(v) == due[key].shape for key, v in found.items())


def _shape(v: Tensor) -> tuple[int, ...]:
    return () if v.is_nested else tuple(v.shape)


def _unlike_numbers(v: Tensor) -> str:
    """Return why a tensor is no plain array of numbers; "" if it is one."""
    kinds = {"nested": v.is_nested, "quantized": v.is_quantized, "on the meta device, without values": v.is_meta}
    return next((kind for kind, so in kinds.items() if so), "" if v.layout == torch.strided else "sparse")


def _kind(v: Tensor) -> str:
    return "complex" if v.is_complex() else "floating-point" if v.is_floating_point() else "integer"


def _converted(fit: Fit, due: Mapping[str, Tensor]) -> Iterator[str]:
    """Yield a remark on weights of another kind of number than the module's."""
    found: dict[str, list[str]] = {}
    for key, v in due.items():
        if _kind(fit.table[key]) != _kind(v):
            found.setdefault(f"{fit.table[key].dtype} converted to {v.dtype}", []).append(key)
    for words, keys in found.items():
        yield f"{words.replace('torch.', '')}: {_listed(keys)}"


def _check(fit: Fit, due: Mapping[str, Tensor], path: Path) -> None:
    """Refuse weights that are missing, too many, or of another shape, and list them."""
    missing = [key for key in due if key not in fit.table]
    extra = [key for key in fit.table if key not in due]
    shapes = [
        f"{key} {_shape(fit.table[key])} for {tuple(v.shape)}"
        for key, v in due.items()
        if key in fit.table and _shape(fit.table[key]) != v.shape
    ]
    parts = {"missing": missing, "unexpected": extra, "of another shape": shapes}
    told = [f"{len(names)} {what}: {_listed(names)}" for what, names in parts.items() if names]
    if not told:
        _check_kinds(fit, due, path)
    else:
        hint = _hint(missing, extra)
        got = f"{fit.matching} of {len(due)} keys fit; " + "; ".join(told)
        raise ValueError(complaint(f"keys of {path}", got, "the module's keys and shapes, all of them", hint))


PARAMETRIZED = re.compile(r"(^|\.)parametrizations\.[^.]+\.original\d*$")
"""Keys of what a parametrization computes a weight from."""


def _hint(missing: list[str], extra: list[str]) -> str:
    """Return what may help where keys are missing or too many: a parametrization renames a weight."""
    if any(key.endswith(MARK) for key in extra):
        return "the weights are of a tone-free model: tone_free_ this one with the same order, then load"
    if any(map(PARAMETRIZED.search, missing)) and not any(map(PARAMETRIZED.search, extra)):
        return "the weights are of a module without parametrizations: load them before these are registered"
    if any(map(PARAMETRIZED.search, extra)) and not any(map(PARAMETRIZED.search, missing)):
        return "the weights are of a module with parametrizations: register the same ones, and then load"
    near = did_you_mean(missing[0], extra) if missing and extra else ""
    return near or "build the module as it was when the weights were saved"


def _check_kinds(fit: Fit, due: Mapping[str, Tensor], path: Path) -> None:
    """Refuse weights that are no plain arrays, complex where the module is real, or tone-free of another order."""
    for key, v in due.items():
        given = fit.table[key]
        why = _unlike_numbers(given) or ("complex, for real ones" if given.is_complex() and not v.is_complex() else "")
        if why:
            hint = "convert the weights before they are saved, as by dequantize() or to_dense()"
            raise ValueError(complaint(f"weights {key} of {path}", why, f"dense numbers, as {v.dtype}", hint))
        if key.endswith(MARK) and not is_order(given, int(v)):
            hint = "tone_free_ the model with the order of the checkpoint, then load"
            raise ValueError(complaint(f"{key} of {path}", given.item(), f"{int(v)}, the order of the model", hint))


def _listed(names: list[str]) -> str:
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
