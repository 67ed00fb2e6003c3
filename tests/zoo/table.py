"""What every decoder of the zoo is, read from its package's source by hand: none of it is traced or measured.

`chain` are the layers that raise the rate on the way to the waveform, in the order of the signal, with the padding
that the layer itself has (EnCodec and its kin trim by slicing, behind the layer); of several ways that lead there, the
one of the finest grid. `branches` raise it on other ways. `inner` is what resamples besides, and leaves no line: a
factor and its inverse around an activation, or around a U-Net; its encoder; an STFT in front of an iSTFT.

The grid is sr over the longest period of anything inside: of a decoder its whole factor; of a U-Net, whose output is
as long as its input, output samples per step of its slowest rate.
"""

from __future__ import annotations

from torch import Tensor

from tests.zoo import makers
from tests.zoo.row import Cited, Row

TRANSFORMERS, DIFFUSERS, ENCODEC = "transformers==5.23.0", "diffusers==0.42.1", "encodec==0.1.1"
DEMUCS, OPENUNMIX, SNAC, VOCOS = "demucs==4.1.0", "openunmix==1.3.0", "snac==1.2.1", "vocos==0.1.0"


def frames_first(x: Tensor) -> tuple[Tensor, ...]:
    """Lay out as (batch, time, channel)."""
    return (x.transpose(1, 2),)


def mel_and_noise(x: Tensor) -> tuple[Tensor, ...]:
    """Lay out UnivNet's two inputs, 100 mel bands and 64 channels of noise, as (batch, time, channel)."""
    return x[:, :100].transpose(1, 2), x[:, 100:].transpose(1, 2)


def hf(path: str, line: int, words: str) -> Cited:
    """Cite a model of transformers, whose folder and module have one name: as ``"dac/modeling"``."""
    folder, kind = path.split("/")
    return Cited(f"transformers/models/{folder}/{kind}_{folder}.py", line, words)


UP, SIZES = "upsample_rates: list[int] | tuple[int, ...] = ", "upsample_kernel_sizes: list[int] | tuple[int, ...] = "
SAME = "padding=(kernel_size - upsample_rate) // 2"

SEANET = "convt k16 s8 | convt k10 s5 | convt k8 s4 | convt k4 s2"
HIFIGAN = "convt k16 s8 p4 | convt k16 s8 p4 | convt k4 s2 p1 | convt k4 s2 p1"
DECODER = "convt k8 s4 | convt k8 s4 | convt k8 s4 | convt k8 s4"

OOBLECK = "diffusers/models/autoencoders/autoencoder_oobleck.py"
SEANET_LINES = (
    Cited("encodec/modules/seanet.py", 175, "ratios: tp.List[int] = [8, 5, 4, 2]"),
    Cited("encodec/modules/seanet.py", 206, "kernel_size=ratio * 2, stride=ratio"),
    Cited("encodec/modules/conv.py", 233, "padding_total = kernel_size - stride"),
)

ZOO = (
    Row(
        "transformers EnCodec 24k", TRANSFORMERS, makers.encodec_24k, 128, SEANET, 320, 24000, 320,
        (hf("encodec/configuration", 88, "sampling_rate: int = 24_000"),
         hf("encodec/configuration", 96, "= (8, 5, 4, 2)"),
         hf("encodec/modeling", 332, "kernel_size=ratio * 2, stride=ratio"),
         hf("encodec/modeling", 231, "hidden_states.shape[-1] - padding_right")),
        note="weight norm; causal: k - s samples are cut at the right; an LSTM before the first layer",
    ),
    Row(
        "transformers EnCodec 32k", TRANSFORMERS, makers.encodec_32k, 128, SEANET.replace("k4 s2", "k8 s4"), 640,
        32000, 640, (hf("encodec/modeling", 332, "kernel_size=ratio * 2, stride=ratio"),),
        note="weight norm; cut at both sides; ratios and rate as published with MusicGen, not in the package",
    ),
    Row(
        "transformers DAC", TRANSFORMERS, makers.dac, 128, "convt k16 s8 p4 | convt k16 s8 p4 | convt k8 s4 p2 | "
        "convt k4 s2 p1", 512, 16000, 512,
        (hf("dac/configuration", 56, "= (2, 4, 8, 8)"), hf("dac/configuration", 64, "sampling_rate: int = 16000"),
         hf("dac/modeling", 248, "kernel_size=2 * stride"), hf("dac/modeling", 250, "math.ceil(stride / 2)")),
    ),
    Row(
        "transformers X-Codec's DAC", TRANSFORMERS, makers.xcodec, 256, "convt k16 s8 p4 | convt k10 s5 p3 op1 | "
        "convt k8 s4 p2 | convt k4 s2 p1", 320, 16000, 320,
        (hf("xcodec/configuration", 71, '"upsampling_ratios": [8, 5, 4, 2]'),
         hf("xcodec/configuration", 79, "sample_rate: int = 16000"), hf("dac/modeling", 248, "kernel_size=2 * stride"),
         hf("dac/modeling", 250, "math.ceil(stride / 2)"), hf("xcodec/modeling", 475, "(stride % 2,)")),
        note="output_padding is set to s mod 2 after the layers were made",
    ),
    Row(
        "transformers SpeechT5 HiFi-GAN", TRANSFORMERS, makers.speecht5, 80, " | ".join(["convt k8 s4 p2"] * 4), 256,
        16000, 256,
        (hf("speecht5/configuration", 268, "sampling_rate: int = 16000"),
         hf("speecht5/configuration", 270, UP + "(4, 4, 4, 4)"),
         hf("speecht5/configuration", 271, SIZES + "(8, 8, 8, 8)"), hf("speecht5/modeling", 2978, SAME)),
        arguments=frames_first, note="(batch, time, channel); returns (batch, time)",
    ),
    Row(
        "transformers VITS's HiFi-GAN", TRANSFORMERS, makers.vits, 192, HIFIGAN, 256, 16000, 256,
        (hf("vits/configuration", 134, UP + "(8, 8, 2, 2)"), hf("vits/configuration", 135, SIZES + "(16, 16, 4, 4)"),
         hf("vits/configuration", 156, "sampling_rate: int = 16_000"), hf("vits/modeling", 487, SAME)),
    ),
    Row(
        "transformers UnivNet", TRANSFORMERS, makers.univnet, 164, "convt k16 s8 p4 | convt k16 s8 p4 | convt k8 s4 p2",
        256, 24000, 256,
        (hf("univnet/feature_extraction", 42, "defaults to 24000"), hf("univnet/configuration", 81, "= (8, 8, 4)"),
         hf("univnet/modeling", 380, "2 * self.stride"), hf("univnet/modeling", 382, "self.stride // 2"),
         hf("univnet/modeling", 312, "unfold(2, hop_size"), hf("univnet/modeling", 450, "hop_length * stride")),
        arguments=mel_and_noise, output="waveforms",
        branches=(("unsqueeze x8", 4), ("unsqueeze x64", 4), ("unsqueeze x256", 4)),
        inner=(("unfold x1/8", 4), ("unfold x1/64", 4), ("unfold x1/256", 4)),
        note="4 location-variable convolutions a stage, with kernels held for 8, 64 and 256 samples: on the same grid",
    ),
    Row(
        "transformers Mimi", TRANSFORMERS, makers.mimi, 64, "convt k4 s2 g64 | convt k16 s8 | convt k12 s6 | "
        "convt k10 s5 | convt k8 s4", 1920, 24000, 1920,
        (hf("mimi/configuration", 91, "sampling_rate: int = 24_000"), hf("mimi/configuration", 131, "[8, 6, 5, 4]"),
         hf("mimi/configuration", 124, "sliding_window: int = 250"),
         hf("mimi/modeling", 1292, "kernel_size=2 * config.latent_stride"),
         hf("mimi/modeling", 902, "kernel_size=ratio * 2, stride=ratio"),
         hf("mimi/modeling", 441, "hidden_states.shape[-1] - self.padding_right")), output="audio_values",
        shorter=2,
        note="causal; a transformer behind the first layer; groups are as many as channels (512 at full width)",
    ),
    Row(
        "transformers FastSpeech2Conformer HiFi-GAN", TRANSFORMERS, makers.fastspeech2, 80, HIFIGAN, 256, 22050, 256,
        (hf("fastspeech2_conformer/configuration", 312, UP + "(8, 8, 2, 2)"),
         hf("fastspeech2_conformer/configuration", 313, SIZES + "(16, 16, 4, 4)"),
         hf("fastspeech2_conformer/modeling", 1384, SAME)),
        arguments=frames_first, note="the package does not say its rate: 22 050 Hz as published (LJSpeech)",
    ),
    Row(
        "transformers SeamlessM4T HiFi-GAN", TRANSFORMERS, makers.seamless, 64, "convt k11 s5 p3 | convt k8 s4 p2 | "
        "convt k8 s4 p2 | convt k4 s2 p1 | convt k4 s2 p1", 320, 16000, 320,
        (hf("seamless_m4t/configuration", 216, "sampling_rate: int = 16000"),
         hf("seamless_m4t/configuration", 218, UP + "(5, 4, 4, 2, 2)"),
         hf("seamless_m4t/configuration", 219, SIZES + "(11, 8, 8, 4, 4)"), hf("seamless_m4t/modeling", 2069, SAME)),
    ),
    Row(
        "transformers Qwen2.5-Omni BigVGAN", TRANSFORMERS, makers.bigvgan, 80, "convt k11 s5 p3 | convt k7 s3 p2 | "
        "convt k4 s2 p1 | convt k4 s2 p1 | convt k4 s2 p1 | convt k4 s2 p1", 240, 24000, 240,
        (hf("qwen2_5_omni/configuration", 478, UP + "(5, 3, 2, 2, 2, 2)"),
         hf("qwen2_5_omni/configuration", 479, SIZES + "(11, 7, 4, 4, 4, 4)"),
         hf("qwen2_5_omni/modeling", 3355, "(kernel_size - stride) // 2"),
         hf("qwen2_5_omni/modeling", 3137, "self.ratio * F.conv_transpose1d"),
         hf("qwen2_5_omni/modeling", 3169, "F.conv1d(hidden_states, self.filter"),
         hf("qwen2_5_omni/modeling", 3268, "Qwen2_5OmniAntiAliasedActivation1d(activation"),
         hf("qwen2_5_omni/modeling", 3371, "activation_post = Qwen2_5OmniAntiAliasedActivation1d")),
        inner=(("convt k12 s2", 109), ("conv k12 s2", 109)),
        note="6 stages of 3 blocks of 6 activations, and one: each between upsampling by 2 and its inverse; "
        "the package does not say its rate: 24 000 Hz as published",
    ),
    Row(
        "diffusers Oobleck", DIFFUSERS, makers.oobleck, 64, "convt k16 s8 p4 | convt k16 s8 p4 | convt k8 s4 p2 | "
        "convt k8 s4 p2 | convt k4 s2 p1", 2048, 44100, 2048,
        (Cited(OOBLECK, 326, "downsampling_ratios=[2, 4, 4, 8, 8]"), Cited(OOBLECK, 331, "sampling_rate=44100"),
         Cited(OOBLECK, 127, "kernel_size=2 * stride"), Cited(OOBLECK, 129, "math.ceil(stride / 2)")),
        note="old-style weight norm; stereo",
    ),
    Row(
        "encodec 24k", ENCODEC, makers.encodec_own_24k, 128, SEANET, 320, 24000, 320,
        (Cited("encodec/model.py", 272, "sample_rate = 24_000"), *SEANET_LINES),
        note="old-style weight norm; causal",
    ),
    Row(
        "encodec 48k", ENCODEC, makers.encodec_own_48k, 128, SEANET, 320, 48000, 320,
        (Cited("encodec/model.py", 292, "sample_rate = 48_000"), *SEANET_LINES),
        note="group norm over all time; stereo",
    ),
    Row(
        "snac 44k", SNAC, makers.snac, 64, "convt k14 s7 p4 op1 | convt k14 s7 p4 op1 | convt k6 s3 p2 op1 | "
        "convt k6 s3 p2 op1", 441, 44100, 441,
        (Cited("snac/snac.py", 17, "sampling_rate=44100"), Cited("snac/snac.py", 22, "decoder_rates=[7, 7, 3, 3]"),
         Cited("snac/layers.py", 140, "kernel_size=2 * stride"), Cited("snac/layers.py", 142, "math.ceil(stride / 2)"),
         Cited("snac/layers.py", 143, "output_padding=stride % 2")),
        hidden=(("Snake1d", 29),), note="odd factors; noise blocks and attention windows are switched off; "
        "activations are scripted",
    ),
    Row(
        "vocos 24k", VOCOS, makers.vocos, 100, "convt k1024 s256", 256, 24000, 256,
        (Cited("vocos/spectral_ops.py", 48, "pad = (self.win_length - self.hop_length) // 2"),
         Cited("vocos/spectral_ops.py", 56, "torch.fft.irfft"), Cited("vocos/spectral_ops.py", 61, "fold(")),
        note="irfft and fold, not torch.istft: frames of 1024 added every 256 are a transposed convolution of unit "
        "kernels; sizes and rate as published (24 kHz)",
    ),
    Row(
        "demucs Demucs", DEMUCS, makers.demucs, 2, f"{DECODER} | convt k8 s4 | convt k8 s4", 1, 44100, 2048,
        (Cited("demucs/demucs.py", 228, "depth=6"), Cited("demucs/demucs.py", 232, "kernel_size=8"),
         Cited("demucs/demucs.py", 233, "stride=4"), Cited("demucs/demucs.py", 254, "samplerate=44100"),
         Cited("demucs/demucs.py", 332, "nn.Conv1d(in_channels, channels, kernel_size, stride)"),
         Cited("demucs/demucs.py", 360, "kernel_size, stride, padding=padding"),
         Cited("demucs/demucs.py", 416, "resample_frac(x, 1, 2)"),
         Cited("demucs/demucs.py", 432, "resample_frac(x, 2, 1)")),
        inner=(("shuffle x2 k53", 1), ("conv k104 s2", 1), ("conv k8 s4", 6)),
        note="×2, down by 4096, up by 4096, ÷2: the slowest rate is 2·44 100/4096 Hz; julius resamples by windowed "
        "sincs of 24 zeros at 0.945 of the band, 2·ceil(24/0.945) + 1 and 2·ceil(48/0.945) + 2 taps",
        silent="a constant is its own mean, which the model takes off; in noise the last layers' combs alone stand",
    ),
    Row(
        "demucs HDemucs", DEMUCS, makers.hdemucs, 2, f"convt k4 s2 | {DECODER} | convt k8 s4", 1, 44100, 2048,
        (Cited("demucs/hdemucs.py", 374, "nfft=4096"), Cited("demucs/hdemucs.py", 380, "depth=6"),
         Cited("demucs/hdemucs.py", 391, "kernel_size=8"), Cited("demucs/hdemucs.py", 392, "time_stride=2"),
         Cited("demucs/hdemucs.py", 393, "stride=4"), Cited("demucs/hdemucs.py", 409, "samplerate=44100"),
         Cited("demucs/hdemucs.py", 468, "nfft // 4"), Cited("demucs/hdemucs.py", 508, "freqs <= kernel_size"),
         Cited("demucs/hdemucs.py", 503, "time_stride * 2"), Cited("demucs/spec.py", 38, "th.istft")),
        branches=(("istft x1024 k4096", 1),), inner=(("stft x1/1024", 1), ("conv k8 s4", 5), ("conv k4 s2", 1)),
        note="both branches meet at hop 1024, and go down once more by 2",
    ),
    Row(
        "demucs HTDemucs", DEMUCS, makers.htdemucs, 2, "istft x1024 k4096 p2048", 1, 44100, 1024,
        (Cited("demucs/htdemucs.py", 65, "nfft=4096"), Cited("demucs/htdemucs.py", 71, "depth=4"),
         Cited("demucs/htdemucs.py", 80, "kernel_size=8"), Cited("demucs/htdemucs.py", 82, "stride=4"),
         Cited("demucs/htdemucs.py", 130, "samplerate=44100"), Cited("demucs/htdemucs.py", 238, "nfft // 4"),
         Cited("demucs/spec.py", 38, "th.istft")),
        branches=(("convt k8 s4", 4),),
        inner=(("stft x1/1024", 1), ("conv k8 s4", 4), ("unsqueeze x8", 1), ("reshape x1/8", 1)),
        note="waveform branch down by 256 and up; spectral branch at hop 1024; they are summed at the end; "
        "its transformer takes 8 bands of a frame as 8 steps",
        drifts="the positions that its transformer adds are absolute (demucs/transformer.py)",
    ),
    Row(
        "openunmix", OPENUNMIX, makers.openunmix, 2, "istft x1024 k4096 p2048", 1, 44100, 1024,
        (Cited("openunmix/model.py", 203, "44100.0"), Cited("openunmix/model.py", 204, "n_fft: int = 4096"),
         Cited("openunmix/model.py", 205, "n_hop: int = 1024"), Cited("openunmix/transforms.py", 106, "torch.stft"),
         Cited("openunmix/transforms.py", 168, "torch.istft")),
        inner=(("TorchSTFT x1/1024", 1),), note="a mask of the spectrogram; centred",
        silent="Hann windows at a quarter of their length overlap evenly: masks make no line in either",
    ),
)  # fmt: skip
