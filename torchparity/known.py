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
        Reference of the rescaling that its weights go through (`torchparity.unet.rescale_convolutions`).
    meta : bool
        Whether it is so large that it is best made without weights.
    """

    place: str
    sr: int
    options: Mapping[str, Any] = field(default_factory=dict)
    rescale: float | None = None
    meta: bool = False

    @property
    def factory(self) -> Callable[[], nn.Module]:
        """What makes it of Torch's random numbers."""
        module, _, name = self.place.partition(":")
        return partial(getattr(import_module(module), name), **self.options)


NETWORKS = {
    "melgan": Known("torchparity.models:melgan", 22050),
    "unet": Known("torchparity.unet:UNet", 44100, {"channels": 16, "depth": 4}, rescale=0.1),
    "decoder": Known("torchparity.unet:decoder", 44100),
    "demucs": Known("torchparity.demucs:Demucs", 44100, meta=True),
}
"""MelGAN of 32 base channels with three residual stacks; the article's U-Net without LSTM, of four layers, 16 channels
in the first; its decoder of three layers, 64 channels in the last; and Demucs with its LSTM at the article's size."""


def network_named(name: str) -> Known:
    """Return a network by its name.

    Examples
    --------
    >>> network_named("melgan").sr
    22050
    """
    return NETWORKS[as_choice("network", name, NETWORKS)]
