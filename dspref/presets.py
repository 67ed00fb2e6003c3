"""Known architectures, as words: what decides where their lines are.

Residual stacks, skip connections and weight norm keep rates and so are not written.
"""

from __future__ import annotations

from dspref.architecture_words import ARTICLE, RATES_KEPT, Preset, double, repeated, vocoder
from dspref.arrays import as_choice
from dspref.systems import SYSTEMS

__all__ = ["PRESETS", "Preset", "preset", "vocoder"]

_ALL = (
    Preset(
        "melgan",
        f"conv k7 p3 | {double('leaky 0.2', (8, 8, 2, 2))} | leaky 0.2 | conv k7 p3 | tanh",
        22050,
        f"{ARTICLE}: lengths 16,16,4,4, strides 8,8,2,2, 22 kHz; the rest as in descriptinc/melgan-neurips",
        RATES_KEPT,
    ),
    Preset(
        "demucs",
        " | ".join(["conv k3 p1 | glu | convt k8 s4 | relu"] * 5 + ["conv k3 p1 | glu | convt k8 s4"]),
        44100,
        f"{ARTICLE}: six layers of length 8, stride 4, 44.1 kHz; GLU and ReLU as in facebookresearch/demucs",
        "decoder only; skip connections, which add the encoder's offsets, are not written",
    ),
    Preset(
        "hifigan",
        vocoder((8, 8, 2, 2), (16, 16, 4, 4)),
        22050,
        "jik876/hifi-gan, models.py, configuration V1",
        RATES_KEPT,
    ),
    Preset(
        "rvc-40k",
        vocoder((10, 10, 2, 2), (16, 16, 4, 4)),
        40000,
        "RVC-Project/Retrieval-based-Voice-Conversion-WebUI, configs/v1/40k.json",
        f"{RATES_KEPT}; nor is the harmonic source, which enters between the layers",
    ),
    Preset(
        "encodec-24k",
        "conv k7 | " + " | ".join(f"elu | convt k{2 * s} s{s}" for s in (8, 5, 4, 2)) + " | elu | conv k7",
        24000,
        "facebookresearch/encodec, modules/seanet.py: ratios 8,5,4,2, length 2s; 24 kHz model",
        "decoder only; causal padding and trimming, the LSTM and residual stacks are not written: all keep the grid",
    ),
    Preset(
        "dac-44k",
        f"conv k7 p3 | {double('snake', (8, 8, 4, 2))} | snake | conv k7 p3 | tanh",
        44100,
        "descriptinc/descript-audio-codec: decoder rates 8,8,4,2, length 2s, padding ⌈s/2⌉; 44.1 kHz model",
        f"decoder only; {RATES_KEPT}",
    ),
    Preset(
        "encodec-32k",
        f"conv k7 p3 | {double('elu', (8, 5, 4, 4))} | elu | conv k7 p3",
        32000,
        "facebookresearch/audiocraft, config/model/encodec/encodec_large_nq4_s640.yaml: ratios 8,5,4,4; length 2s "
        "as in its modules/seanet.py; MusicGen, 32 kHz",
        "decoder only; the LSTM and residual stacks are not written: they keep the rate",
    ),
    Preset(
        "stable-audio",
        f"conv k7 p3 | {double('snake', (8, 8, 4, 4, 2))} | snake | conv k7 p3",
        44100,
        "Stability-AI/stable-audio-tools, configs/model_configs/autoencoders/stable_audio_2_0_vae.json: strides "
        "2,4,4,8,8; length 2s as in its OobleckDecoder; 44.1 kHz",
        f"decoder only; {RATES_KEPT}",
    ),
    Preset(
        "waveglow",
        "convt k128 s32 | conv k1 | tanh | conv k1 | unsqueeze x8",
        22050,
        "NVIDIA/waveglow, glow.py and config.json: n_group 8, conditioning by a transposed convolution of length 1024, "
        "stride 256; 22.05 kHz",
        "flows run on groups of 8 samples, at sr/8: the unsqueeze makes lines at multiples of 2756.25 Hz. The noise "
        "enters behind layer 1, which is the conditioning: convt k1024 s256 and the squeeze by 8 that follows it are "
        "together a convt k128 s32. Couplings are written as tanh: their other convolutions keep the rate",
    ),
    Preset(
        "blow",
        " | ".join(["conv k3 p1 | relu | conv k1 | unsqueeze x2"] * 8),
        16000,
        "joansj/blow, src/train.py and src/models/blow.py: 8 blocks of flows, each behind a squeeze by 2; 16 kHz",
        "flows of a block are written as one coupling: all keep the rate",
    ),
    Preset(
        "istftnet",
        f"{vocoder((8, 8), (16, 16)).removesuffix(' | tanh')} | istft x4 k16 p8",
        22050,
        "Kaneko et al., ICASSP 2022, arXiv 2203.02395: C8C8I, HiFi-GAN V1 whose last two stages are an iSTFT of "
        "length 16, hop 4; 22.05 kHz",
        f"{RATES_KEPT}; nor are exp and sin, which make the bins",
    ),
    Preset(
        "vocos-24k",
        "conv k7 p3 | gelu | conv k1 | istft x256 k1024 p512",
        24000,
        "gemelo-ai/vocos, configs/vocos.yaml: n_fft 1024, hop 256, centred; 24 kHz",
        "ConvNeXt blocks are written as gelu, exp, cos and sin of the head not at all: they keep the rate",
    ),
    Preset(
        "mb-melgan",
        f"conv k7 p3 | {double('leaky 0.2', (8, 4, 2))} | leaky 0.2 | conv k7 p3 | tanh | pqmf x4 k63",
        22050,
        "kan-bayashi/ParallelWaveGAN, egs/ljspeech/voc1/conf/multi_band_melgan.v2.yaml: scales 8,4,2, 4 bands, "
        "22.05 kHz; layers/pqmf.py: 62 + 1 taps",
        RATES_KEPT,
    ),
    Preset("fig6-nearest", repeated("nearest x2 | conv k9 p4", 3), 32000, f"{ARTICLE}, Fig. 6", "input at 4 kHz"),
    Preset("fig6-linear", repeated("linear x2 | conv k9 p4", 3), 32000, f"{ARTICLE}, Fig. 6", "input at 4 kHz"),
    Preset("fig7-subpixel", repeated("shuffle x2 k3 p1", 3), 32000, f"{ARTICLE}, Fig. 7", "input at 4 kHz"),
    Preset("fig8-transposed", repeated("convt k4 s2 p1", 3), 32000, f"{ARTICLE}, Fig. 8, left", "input at 4 kHz"),
    Preset("fig8-linear", repeated("linear x2", 3), 32000, f"{ARTICLE}, Fig. 8, right", "input at 4 kHz"),
)

PRESETS: dict[str, Preset] = {known.name: known for known in (*_ALL, *SYSTEMS)}
"""Known architectures by name."""


def preset(name: str) -> Preset:
    """Return a known architecture.

    Parameters
    ----------
    name : str
        As "melgan"; ``dspref presets`` lists them.

    Returns
    -------
    Preset
        Chain, rate in Hz, and source.

    Raises
    ------
    ValueError
        If there is none of that name; the message says which there are.

    Examples
    --------
    >>> preset("melgan").chain.factor
    256
    """
    return PRESETS[as_choice("preset", name, PRESETS)]
