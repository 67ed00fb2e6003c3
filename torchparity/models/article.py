"""The networks that the article trains and plots, each by one call, at any size.

All convolutions have their weights rescaled as Demucs's are ("so that input and output signals are of the same
magnitude after initialization"), see `torchparity.models.unet.rescale_convolutions`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from torch import nn

from dspref.arrays import as_choice, complaint
from torchparity.models.demucs import Demucs
from torchparity.models.fitted import Fitted
from torchparity.models.unet import UPSAMPLERS, UNet
from torchparity.models.waveunet import WaveUNet

LENGTHS = {"transposed": 8, "nearest": 10, "linear": 10, "subpixel": 3}
"""Lengths of the convolutions of upsampling layers, in samples of the rate at which they run.

A layer of the decoder takes Cᵢ channels to Cᵢ₋₁, and all layers together have P = Σᵢ Cᵢ Cᵢ₋₁ = 6 820 800 pairs of
channels, so that their weights count

    8 P (transposed),    K P (interpolation, a convolution of length K),    4 K P (a convolution of length K, shuffle)

and what else there is 648.6 million. The article gives the transposed layer's length, 8, and no other. Of all lengths
K = 10 behind interpolation alone has 716 million parameters (716.8; 9 has 710.0, 11 has 723.6), as long as millions are
cut off and not rounded, as in Demucs's 648.5, "648M". No length before a shuffle has 729: 3, the length of the
article's Fig. 7, has 730.4, 0.2 % more, and 2 has 703.2. The notebook of Figs. 1 and 9, which may say more, was not to
be read.
"""

MODIFIED = ("transposed", "subpixel")
"""Upsampling layers of the modified networks of Fig. 9."""


def demucs(
    *, channels: int = 100, depth: int = 6, rescale: float = 0.1, audio: int = 2, sources: int = 4, fitted: bool = False
) -> Demucs | Fitted:
    """Return the original Demucs, 648.5 million parameters.

    Parameters
    ----------
    channels, depth, rescale, audio, sources
        See `torchparity.models.demucs.Demucs`.
    fitted : bool
        Whether it takes an input of any length, and gives sources as channels (`Fitted`).

    Returns
    -------
    nn.Module
        (batch, audio, time) ↦ (batch, sources · audio, time).

    Examples
    --------
    >>> import torch
    >>> demucs(channels=2, depth=2, fitted=True)(torch.zeros(1, 2, 1000)).shape
    torch.Size([1, 8, 1000])
    """
    net = Demucs(channels=channels, depth=depth, rescale=rescale, audio=audio, sources=sources)
    return Fitted(net) if fitted else net


def demucs_like(
    kind: str = "transposed",
    *,
    channels: int = 100,
    depth: int = 6,
    rescale: float = 0.1,
    audio: int = 2,
    sources: int = 4,
    length: int | None = None,
    fitted: bool = False,
) -> UNet | Fitted:
    """Return the article's Demucs-like network: Demucs with other upsampling layers, and a longer view.

    703.1 million parameters (transposed), 716.8 (nearest, linear) and 730.4 (subpixel). What it has over Demucs's 648.5
    are two taps more in the encoder's second convolutions (3 in place of 1): 2 · Σᵢ Cᵢ · 2Cᵢ = 54.6 million.

    Parameters
    ----------
    kind : one of `torchparity.models.unet.UPSAMPLERS`
    channels, depth, rescale, audio, sources
        See `torchparity.models.unet.UNet`; the output has sources · audio channels.
    length : int, optional
        Of the upsampling layers' convolutions: `LENGTHS`, if not given.
    fitted : bool
        Whether it takes an input of any length (`Fitted`); else 4^depth divides it.

    Source: J. Pons et al., arXiv 2010.14356, section 6 and Table 1.

    Returns
    -------
    nn.Module
        (batch, audio, time) ↦ (batch, sources · audio, time).

    Raises
    ------
    ValueError
        If the kind is unknown.

    Examples
    --------
    >>> import torch
    >>> demucs_like("nearest", channels=2, depth=2)(torch.zeros(1, 2, 64)).shape
    torch.Size([1, 8, 64])
    """
    net = UNet(
        channels=channels,
        depth=depth,
        kind=as_choice("upsampler", kind, UPSAMPLERS),
        length=LENGTHS[kind] if length is None else length,
        encoder_context=3,
        recurrent=True,
        rescale=rescale,
        audio=audio,
        out=sources * audio,
    )
    return Fitted(net) if fitted else net


def modified(
    kind: str = "transposed",
    *,
    channels: int = 100,
    depth: int = 6,
    rescale: float = 0.1,
    audio: int = 2,
    sources: int = 4,
    fitted: bool = False,
) -> UNet | Fitted:
    """Return the article's modified network: as `demucs_like`, without the ReLUs of the first layer and without biases.

    No offset arises on its way, so that none is replicated: the tones of its figure are much fainter. The LSTM and the
    linear map behind it have no biases either.

    Parameters
    ----------
    kind : one of `MODIFIED`
    channels, depth, rescale, audio, sources, fitted
        As for `demucs_like`.

    Source: J. Pons et al., arXiv 2010.14356, section 5, Fig. 9 and Table 1.

    Returns
    -------
    nn.Module
        (batch, audio, time) ↦ (batch, sources · audio, time).

    Raises
    ------
    ValueError
        If the kind is unknown.

    Examples
    --------
    >>> import torch
    >>> net = modified(channels=2, depth=2)
    >>> bool(net(torch.zeros(1, 2, 64)).any())  # silence stays silence
    False
    """
    net = UNet(
        channels=channels,
        depth=depth,
        kind=as_choice("upsampler", kind, MODIFIED),
        length=LENGTHS[kind],
        bias=False,
        first_relu=False,
        encoder_context=3,
        recurrent=True,
        rescale=rescale,
        audio=audio,
        out=sources * audio,
    )
    return Fitted(net) if fitted else net


def wave_unet(
    *,
    channels: int = 24,
    depth: int = 12,
    kind: str = "linear",
    audio: int = 2,
    sources: int = 4,
    fitted: bool = False,
) -> WaveUNet | Fitted:
    """Return Wave-U-Net with linear interpolation, 10.3 million parameters as its authors' M6.

    Parameters
    ----------
    channels, depth, kind, audio, sources
        See `torchparity.models.waveunet.WaveUNet`.
    fitted : bool
        Whether it takes an input of any length (`Fitted`); else 2^depth divides it.

    Returns
    -------
    nn.Module
        (batch, audio, time) ↦ (batch, sources · audio, time′).

    Examples
    --------
    >>> import torch
    >>> wave_unet(channels=2, depth=3, fitted=True)(torch.zeros(1, 2, 30)).shape
    torch.Size([1, 8, 30])
    """
    net = WaveUNet(channels=channels, depth=depth, kind=kind, audio=audio, sources=sources)
    return Fitted(net) if fitted else net


def openunmix(*, bins: int = 2049, heard: int = 1487, hidden: int = 512, layers: int = 3, audio: int = 2) -> nn.Module:
    """Return OpenUnmix for one source, of the package of that name: magnitudes of a spectrogram to magnitudes.

    Parameters
    ----------
    bins, heard : int
        Bins of the spectrogram, and those that it looks at: up to 16 kHz of 44.1.
    hidden, layers : int
        Width, and layers of its bidirectional LSTM.
    audio : int
        Channels.

    Returns
    -------
    nn.Module

    Raises
    ------
    ValueError
        If the package, or what it imports, is not installed.

    References
    ----------
    F.-R. Stöter, S. Uhlich, A. Liutkus, Y. Mitsufuji, "Open-Unmix", JOSS 2019.
    """
    try:
        package: Any = import_module("openunmix.model")
    except ModuleNotFoundError as error:  # it needs torchaudio in its turn
        hint = f"pip install {error.name}"
        raise ValueError(complaint("openunmix", f"no module {error.name}", "openunmix installed", hint)) from error

    made: nn.Module = package.OpenUnmix(
        nb_bins=bins, nb_channels=audio, hidden_size=hidden, nb_layers=layers, max_bin=heard
    )
    return made


def openunmix_parameters(
    *, bins: int = 2049, heard: int = 1487, hidden: int = 512, layers: int = 3, audio: int = 2
) -> int:
    """Return the parameters of `openunmix`, counted from its description: no package is needed.

    With H = hidden: a map to H channels, bidirectional LSTMs of H/2 units either way, one from their output and
    their input back to H, and one to all bins; three batch norms; and scale and mean of the bins in and out:

        A·F·H + 4H (3H/2 + 2) · layers + 2H·H + H·A·B + 4H + 2·A·B + 2F + 2B,    F = heard, B = bins, A = audio.

    Examples
    --------
    >>> openunmix_parameters()
    8893348
    """
    H, F, B, A = hidden, heard, bins, audio
    lstm = layers * 2 * 4 * (H // 2) * (H + H // 2 + 2)
    return A * F * H + lstm + 2 * H * H + H * A * B + 4 * H + 2 * A * B + 2 * F + 2 * B
