"""Replaces the upsampling layers of a model by others of the same lengths and delays."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from dspref.arrays import as_choice, complaint
from torchparity.nn.kinds import KINDS
from torchparity.nn.rehearsal import MODES, Rehearsal, again, rehearsed
from torchparity.nn.sites import Site, sites
from torchparity.nn.twin import Twin, check_there, check_ties, settle, twin

__all__ = ["ReplaceReport", "Replaced", "replace_upsampling"]


@dataclass(frozen=True)
class Replaced:
    """A layer that was replaced.

    Attributes
    ----------
    name : str
        Of the module that has the new weight now.
    old, new : str
        Types and sizes; k: taps, s: factor.
    error : float
        ‖h − h′‖/‖h‖ of the taps at the output rate, before and after, over all channels; 0 where they are equal.
    bias_error : float
        The same of the biases of all phases.
    ends : (int, int)
        How many outputs at both ends are other ones, since an interpolation holds its ends.
    note : str
        What a user may not expect: borders, norms, buffers and attributes that are gone, frozen parameters, hooks.
    """

    name: str
    old: str
    new: str
    error: float
    bias_error: float = 0.0
    ends: tuple[int, int] = (0, 0)
    note: str = ""


@dataclass(frozen=True)
class ReplaceReport:
    """What `replace_upsampling` did.

    Attributes
    ----------
    kind : str
    rows : tuple of Replaced
    kept : tuple of (str, str)
        What else upsamples, and why it was left as it is.
    checked : bool
        Whether the model was run, before and after, to see that all lengths are kept.
    trained : bool
        Whether in training mode too: some models want other inputs there.
    """

    kind: str
    rows: tuple[Replaced, ...]
    kept: tuple[tuple[str, str], ...] = ()
    checked: bool = True
    trained: bool = True

    def __str__(self) -> str:
        """Return a table, and below it notes and what was left."""
        head = ("layer", "was", "is", "fit error")
        cells = [head, *((r.name, r.old, r.new, f"{r.error:.2g}") for r in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]
        notes = _by_words([(row.name, note) for row in self.rows for note in row.note.split("; ") if note])
        left = [f"left as it is: {words}" for words in _by_words(self.kept)]
        unseen = ["on these inputs the model does not run in training mode: what it does there was not seen"]
        if not self.checked:
            unseen = [
                "the model was not run: give inputs= to have its lengths checked, and functions that upsample listed"
            ]
        unseen = [] if self.checked and self.trained else unseen
        return "\n".join([*(lines if self.rows else ["nothing was replaced"]), *notes, *left, *unseen])


def _by_words(said: Sequence[tuple[str, str]]) -> list[str]:
    """Return what is said of layers, once of all of which it is said."""
    names: dict[str, list[str]] = {}
    for name, words in said:
        names.setdefault(words, []).append(name)
    return [f"{', '.join(each)}: {words}" for words, each in names.items()]


def replace_upsampling(
    model: nn.Module, kind: str, *, only: Sequence[str] | None = None, inputs: Any = None
) -> ReplaceReport:
    """Replace every upsampling layer of a model by one of another kind, of the same lengths and delays.

    Each layer has taps h at the output rate, see `torchparity.nn.canonical`. "transposed" and "subpixel" layers take
    any taps: the model computes what it did. "nearest" and "linear" ones, which make no tones whatever is learned, have
    taps g ∗ w, g those of the interpolation: w is the least-squares fit, and the report says how near it is. It is a
    start for training. One bias for each phase becomes their mean.

    Replaced are `nn.ConvTranspose1d`, `torchparity.nn.SubpixelConv1d`, `NearestConv1d`, `LinearConv1d` and
    `FilterConv1d`; and pairs of modules: `nn.Upsample`, `Interpolate1d` or `FilterInterp1d` with an `nn.Conv1d` behind,
    and `nn.Conv1d` with a `PixelShuffle1d` behind, one after the other in an `nn.Sequential` or by a run of the model.
    A pair becomes one layer in the place of the convolution, and an `nn.Identity`. Zeros lie beyond the ends of a
    signal, but linear interpolation holds its first and last sample: the report says how many outputs at each end are
    other ones for that.

    The model is checked as a whole before any of it is changed, and run on copies, in evaluation and in training mode:
    all modules must give the lengths they gave. dtype, device, mode of training and ``requires_grad`` are kept. Weight
    norm and other parametrizations are computed into the weight, and gone; layers of two modules that become one of
    their own kind keep them. Hooks of a user go over; attributes and buffers do not, and are reported. Make the
    optimizer afterwards: parameters are new ones.

    Parameters
    ----------
    model : nn.Module
        Changed in place.
    kind : {'nearest', 'linear', 'subpixel', 'transposed'}
    only : sequence of str, optional
        Dotted names, as ``model.named_modules()`` has them, of the layers to replace: of two modules either. By default
        all are. The others are listed in the report.
    inputs : tensor, tuple or function, optional
        An example of the arguments of its forward, or what makes them for a length. By default
        zeros (1, channels, 32) are tried, of the channels that the layer declared first takes, and other layouts of
        these. If none runs, what stands behind what is known of Sequentials alone, and functions are not seen.

    Returns
    -------
    ReplaceReport

    Raises
    ------
    ValueError
        If the kind or a name is unknown, nothing upsamples, or one of the layers cannot be replaced: a kernel shorter
        than the factor where a kernel is fitted, lengths that the kind does not make, borders other than zeros, weights
        that are shared or not initialised, code around it that reads its sizes, as what crops by itself does.
    TypeError
        If the model is none, or scripted or traced.
    NotAnalysable
        If the forward does not run on the inputs that are given.

    Examples
    --------
    >>> decoder = nn.Sequential(nn.Conv1d(4, 8, 3), nn.ReLU(), nn.ConvTranspose1d(8, 4, 8, stride=4, padding=2))
    >>> print(replace_upsampling(decoder, "subpixel"))
    layer  was                    is                    fit error
    2      ConvTranspose1d k8 s4  SubpixelConv1d k3 s4  0
    """
    as_choice("kind", kind, KINDS)
    check_there(model)
    seen, why_not = rehearsed(model, inputs)
    found, left = sites(model, () if seen is None else seen.records)
    _check_some(found, left, why_not)
    named = found if only is None else _named(found, only)
    due = [site for site in named if site.other is not None or site.family != kind]
    why = {False: "is not one of the layers in only", True: "is of this kind"}
    kept = [(site.name, f"{site.words} {why[site in named]}") for site in found if site not in due]
    twins = _twins(model, due, kind, seen)
    if seen is not None:
        _check_lengths(model, twins, seen)
    for t in twins:
        settle(t)
    _put(model, twins)
    rows = tuple(Replaced(t.site.name, t.old, t.new, *t.errors, t.ends, t.note) for t in twins)
    return ReplaceReport(kind, rows, (*kept, *left), seen is not None, seen is None or len(seen.modes) == len(MODES))


def _check_some(found: Sequence[Site], left: Sequence[tuple[str, str]], why_not: str) -> None:
    if not found:
        got = "; ".join(f"{name}: {why}" for name, why in left) or "none"
        allowed = "transposed and sub-pixel convolutions, fused layers, or interpolations with a Conv1d behind"
        hint = "a shuffle is known by its class, torchparity.nn.PixelShuffle1d" if got == "none" else ""
        if why_not:
            got = f"{got}, but the model could not be run: {why_not}"
            hint = "give inputs=, an example of the arguments of its forward"
        raise ValueError(complaint("upsampling layers", got, allowed, hint))


def _named(found: Sequence[Site], only: Sequence[str]) -> list[Site]:
    """Return the sites that have these names; refuse a name that none has."""
    if isinstance(only, str):
        raise TypeError(complaint("only", repr(only), "a sequence of names", f"only=[{only!r}]"))
    known = [site.name for site in found]
    if strange := sorted(set(only) - {name for site in found for name in site.names}):
        raise ValueError(complaint("only", ", ".join(map(repr, strange)), f"names among {', '.join(map(repr, known))}"))
    return [site for site in found if not set(only).isdisjoint(site.names)]


def _twins(model: nn.Module, due: Sequence[Site], kind: str, seen: Rehearsal | None) -> list[Twin]:
    """Return what is to replace what; refuse all if one is refused."""
    made, refused = [], dict[str, list[str]]()
    for site in due:
        try:
            check_ties(model, site)
            _check_read(site, seen)
            made.append(twin(site, kind))
        except (ValueError, TypeError) as error:
            refused.setdefault(str(error), []).append(site.name or "the model")
    if refused:
        got = " ".join(f"{', '.join(names)}: {why}" for why, names in refused.items())
        got = f"{'some that cannot' if made else 'none that can'} be: {got}"
        hint = f"name those that can be: only={[t.site.name for t in made]}" if made else ""
        raise ValueError(complaint(f"layers to replace by {kind}", got, "none of these reasons", hint))
    return made


def _check_read(site: Site, seen: Rehearsal | None) -> None:
    """Refuse a layer that cannot be taken out, and one whose sizes are read while the model runs."""
    if not all(site.names):
        raise ValueError(complaint("model", "the layer itself", "a model around it", "put it into an nn.Sequential"))
    read = set() if seen is None else seen.sizes_read(site.names)
    if "output_size" in read:
        raise ValueError(complaint("call", "output_size", "a length that does not depend on the call"))
    if read:
        hint = "what crops by them would crop otherwise; replace the module around the layer yourself"
        raise ValueError(complaint("sizes read elsewhere", ", ".join(sorted(read)), "none", hint))


def _check_lengths(model: nn.Module, twins: Sequence[Twin], seen: Rehearsal) -> None:
    """Run copies with copies of the new layers; refuse if anything has another length then."""

    def change(one: nn.Module) -> None:
        _put(one, [replace(t, layer=copy.deepcopy(t.layer)) for t in twins])

    within = {name for t in twins for name in t.site.inner}
    for before, after in zip(seen.shapes, again(model, seen, change), strict=True):
        for name, shapes in before.items():
            compared = name in after and name not in within and "parametrizations" not in name.split(".")
            if compared and after[name] != shapes:
                got = f"{after[name]} where {shapes} were"
                raise ValueError(complaint(f"shapes behind {name or 'the model'}", got, "the lengths it had"))


def _put(model: nn.Module, twins: Sequence[Twin]) -> None:
    """Put new layers wherever the old ones are: of the model, or a copy of it."""
    new: dict[int, nn.Module] = {}
    for t in twins:
        new[id(model.get_submodule(t.site.name))] = t.layer
        new |= {id(model.get_submodule(name)): nn.Identity() for name in t.site.others}
    for parent in list(model.modules()):
        for key, child in parent._modules.items():
            if id(child) in new:
                parent._modules[key] = new[id(child)]
