"""Other systems that the article names, as words: speech made, enhanced and widened, and music separated.

Each says where its lengths, factors and rate were read, and what was not to be read.
"""

from __future__ import annotations

from dspref.architecture_words import ARTICLE, Preset, exact, repeated

_WAVE_U_NET = (
    "f90/Wave-U-Net, Config.py and Models/UnetAudioSeparator.py: 12 levels ×2, convolutions of length 5 behind them, "
    "LeakyReLU(0.2), tanh; 22.05 kHz"
)
_SKIPS = "decoder only; skip connections, which add the encoder's offsets, are not written"
_BLOCKS = " | ".join(f"relu | nearest x{s} | conv k3 p1" for s in (2, 2, 2, 3, 5))
_GAN_TTS = f"conv k3 p1 | {_BLOCKS} | conv k3 p1 | tanh"

SYSTEMS = (
    Preset(
        "wavegan",
        f"relu | {repeated(f'{exact(25, 4)} | relu', 4)} | {exact(25, 4)} | tanh",
        16000,
        "chrisdonahue/wavegan, wavegan.py: five transposed convolutions of length 25, stride 4; README: 16 kHz",
        "generator; the dense layer before it makes 16 frames, each by weights of its own. Phase shuffle is a layer of "
        "the discriminator: it shifts feature maps by a random −2 … 2 samples, so that the phase of a line tells it "
        "nothing. It takes no line away and makes none; see 'dspref gradient --preset wavegan'. The code cuts 10 "
        "samples in front and 11 behind, here 11 and 10",
    ),
    Preset(
        "segan",
        f"{repeated(f'{exact(31, 2)} | leaky 0.3', 10)} | {exact(31, 2)} | tanh",
        16000,
        "santi-pdp/segan, generator.py: eleven layers of length 31, stride 2, from 8 frames to 16384 samples, each but "
        "the last before leaky ReLU; ops.py: 0.3; main.py: transposed by default, 16 kHz",
        _SKIPS,
    ),
    Preset(
        "gan-tts",
        _GAN_TTS,
        24000,
        f"paperswithcode.com/method/gan-tts, after Binkowski et al., arXiv 1909.11646: blocks ×2, 2, 2, 3, 5, length "
        f"3; {ARTICLE}: by interpolation; yanggeng1995/GAN-TTS: 24 kHz, 3 taps in front and at the end",
        "of each block the convolution behind the upsampling alone is written: the others, dilated, and blocks ×1 keep "
        "the rate. Which interpolation is not said: nearest is written, and linear has its lines where nearest has. "
        "yanggeng1995/GAN-TTS upsamples by transposed convolutions of length 2s in its place",
    ),
    Preset(
        "spectral-energy",
        _GAN_TTS,
        24000,
        f"{ARTICLE}: nearest neighbour; google-research/google-research, ged_tts/README.md: trained with GAN-TTS's "
        'generator ("same generator"), whose model code is not shared; so sizes and rate are those of gan-tts',
        "the spectral energy distance is a loss, and adds no layer. Its authors have a second generator that ends in "
        "an inverse STFT, whose hop is not in that page: not written",
    ),
    Preset(
        "audio-super-resolution",
        " | relu | ".join(f"shuffle x2 k{k} p{k // 2}" for k in (9, 17, 33, 65, 9)),
        16000,
        "kuleshov/audio-super-res, src/models/audiounet.py: four layers of lengths 9, 17, 33, 65 before ReLU and "
        "shuffle by 2, and a last of length 9 before a shuffle by 2; data/vctk/speaker1/Makefile: 16 kHz",
        f"{_SKIPS}; nor is the input, interpolated by a spline, that is added to the output. ReLU stands before the "
        "shuffle, which is the same",
    ),
    Preset(
        "dense-subpixel",
        repeated("shuffle x2 k3 p1 | leaky 0.25", 6) + " | conv k1",
        16000,
        "ashutosh620/DDAEC, scripts/networks.py (A. Pandey and D. Wang, ICASSP 2020): six sub-pixel convolutions ×2 of "
        "length 3 within frames of 512 samples, PReLU of slope 0.25 at first; scripts/gen_mix.py: 16 kHz",
        f"{_SKIPS}; nor are dense blocks, which keep the rate. Overlap-add every 256 samples, a multiple of 64, keeps "
        "the lines where they are; layer norms with weights of their own at each sample of a frame can add lines at "
        "multiples of 62.5 Hz once they are trained",
    ),
    Preset(
        "wave-u-net",
        f"{repeated('linear x2 | conv k5 p2 | leaky 0.2', 12)} | conv k1 | tanh",
        22050,
        f"{_WAVE_U_NET}; linear interpolation and zeros as padding, models M1 and M2",
        f"{_SKIPS}. TensorFlow's grid has every other sample where an input was, Torch's stands at the quarters: both "
        "droop to nothing at the same places",
    ),
    Preset(
        "wave-u-net-learned",
        f"{repeated('convt k3 s2 p1 | conv k5 | leaky 0.2', 12)} | conv k1 | tanh",
        22050,
        f"{_WAVE_U_NET}; Models/InterpolationLayer.py: between two samples w of one and 1 − w of the other; no "
        "padding; model M5",
        f"{_SKIPS}. Learned interpolation has taps 1 − w, 1, w in each channel: both phases have gain 1, so that an "
        "offset makes no tone whatever is learned: lines are possible places, as those of any layer of such lengths",
    ),
    Preset(
        "attention-wave-u-net",
        f"{repeated('linear x2 | conv k5 p2 | leaky 0.2', 12)} | conv k1 | tanh",
        22050,
        f"{ARTICLE}: R. Giri et al., WASPAA 2019, by interpolation; all else is Wave-U-Net's, see wave-u-net",
        f"{_SKIPS}; nor is attention, which weighs skip connections. Its own levels, lengths and rate were in no "
        "source that could be read: these words say where such a network has its lines, if it has Wave-U-Net's levels",
    ),
)
"""Presets of the systems that the article names besides its own."""
