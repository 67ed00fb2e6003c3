"""Networks that have a name on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dspref.arrays import as_choice

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Known:
    """A network by name.

    Attributes
    ----------
    place : str
        What makes it, as "pkg.mod:factory"; it is imported when it is asked for.
    sr : int
        Output rate in Hz.
    options : mapping
        What it is told.
    rescale : float, optional
        Reference of the rescaling that its weights go through (`torchparity.models.unet.rescale_convolutions`).
    meta : bool
        Whether it is so large that it is best made without weights.
    small : mapping
        What it is told besides for a network of the same layers, narrow enough to run.
    """

    place: str
    sr: int
    options: Mapping[str, Any] = field(default_factory=dict)
    rescale: float | None = None
    meta: bool = False
    small: Mapping[str, Any] = field(default_factory=dict)

    @property
    def factory(self) -> Callable[..., nn.Module]:
        """What makes it of Torch's random numbers."""
        module, _, name = self.place.partition(":")
        return partial(getattr(import_module(module), name), **self.options)

    @property
    def small_factory(self) -> Callable[..., nn.Module]:
        """What makes it narrow enough to run."""
        return partial(self.factory, **self.small)


NARROW = {"channels": 16, "fitted": True}


def _demucs_like(maker: str, kind: str) -> Known:
    return Known(f"torchparity.models:{maker}", 44100, {"kind": kind}, rescale=0.1, meta=True, small=NARROW)


NETWORKS = {
    "melgan": Known("torchparity.models:melgan", 22050),
    "unet": Known("torchparity.models.unet:UNet", 44100, {"channels": 16, "depth": 4}, rescale=0.1),
    "decoder": Known("torchparity.models.unet:decoder", 44100),
    "demucs": Known("torchparity.models:demucs", 44100, rescale=0.1, meta=True, small=NARROW),
    **{f"demucs-like-{k}": _demucs_like("demucs_like", k) for k in ("transposed", "nearest", "linear", "subpixel")},
    **{f"modified-{k}": _demucs_like("modified", k) for k in ("transposed", "subpixel")},
    "wave-u-net": Known("torchparity.models:wave_unet", 22050, small={"channels": 4, "depth": 10, "fitted": True}),
}
"""MelGAN of 32 base channels with three residual stacks; the article's U-Net without LSTM, of four layers, 16 channels
in the first; its decoder of three layers, 64 channels in the last; and, at the article's sizes, Demucs, the networks
like it, those modified, and Wave-U-Net. Small, those of Demucs have 16 channels in the first of six layers in place of
100, Wave-U-Net has 10 levels of 12 and 4 more channels in each in place of 24, and all take any length."""

EIGHT = {
    "melgan": "Fig. 1, a",
    "demucs-like-transposed": "Fig. 1, b",
    "demucs-like-nearest": "Fig. 1, c",
    "demucs-like-subpixel": "Fig. 1, d",
    "modified-transposed": "Fig. 9, a",
    "modified-subpixel": "Fig. 9, b",
    "demucs-like-linear": "Table 1, linear interpolation",
    "demucs": "Table 1, Demucs",
}
"""The networks that the article plots, and those that it trains, by name, and where they stand in it. Table 1 calls
Fig. 1, b Demucs-like."""


def network_named(name: str) -> Known:
    """Return a network by its name.

    Examples
    --------
    >>> network_named("melgan").sr
    22050
    """
    return NETWORKS[as_choice("network", name, NETWORKS)]
