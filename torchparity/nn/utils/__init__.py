"""Upsampling layers that make no tone, whatever they learn."""

from torchparity.nn.utils.parametrize import remove_tone_free, tone_free
from torchparity.nn.utils.projection import OneBias, ToneFreeRows, ToneFreeTaps
from torchparity.nn.utils.report import ToneFree, ToneFreeReport
from torchparity.nn.utils.whole import project_, tone_free_

__all__ = [
    "OneBias",
    "ToneFree",
    "ToneFreeReport",
    "ToneFreeRows",
    "ToneFreeTaps",
    "project_",
    "remove_tone_free",
    "tone_free",
    "tone_free_",
]
