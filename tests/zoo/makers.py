"""The zoo's decoders, each made from its own package's configuration, with random weights and no download.

Sizes are cut in width alone (channels, hidden sizes, layers that keep the rate); kernels, strides and their order
are the package's.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from tests.zoo.standin import torchaudio


def encodec_24k() -> nn.Module:
    from transformers import EncodecConfig, EncodecModel

    return _part(EncodecModel(EncodecConfig(num_filters=8)), "decoder")


def encodec_32k() -> nn.Module:
    """As published in 32 kHz (MusicGen): the last ratio is 4, and convolutions are not causal."""
    from transformers import EncodecConfig, EncodecModel

    sizes: dict[str, Any] = {"upsampling_ratios": [8, 5, 4, 4], "sampling_rate": 32000, "use_causal_conv": False}
    config = EncodecConfig(num_filters=8, target_bandwidths=[2.2], codebook_size=2048, **sizes)
    return _part(EncodecModel(config), "decoder")


def dac() -> nn.Module:
    from transformers import DacConfig, DacModel

    return _part(DacModel(DacConfig(encoder_hidden_size=8, decoder_hidden_size=128)), "decoder")


def xcodec() -> nn.Module:
    """DAC's decoder as X-Codec takes it: the model sets `output_padding` of its layers after they were made."""
    with torchaudio():
        from transformers import DacConfig, HubertConfig, XcodecConfig, XcodecModel

    ratios = {"downsampling_ratios": [8, 5, 4, 2], "upsampling_ratios": [8, 5, 4, 2]}
    small: dict[str, Any] = {"encoder_hidden_size": 16, "decoder_hidden_size": 128, "hidden_size": 256, **ratios}
    acoustic = DacConfig(**small)
    thin: dict[str, Any] = {"num_hidden_layers": 1, "intermediate_size": 64, "hidden_size": 768}
    config = XcodecConfig(acoustic_model_config=acoustic, semantic_model_config=HubertConfig(**thin))
    return _part(XcodecModel(config), "acoustic_decoder")


def speecht5() -> nn.Module:
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    return _module(SpeechT5HifiGan(SpeechT5HifiGanConfig(upsample_initial_channel=64)))


def vits() -> nn.Module:
    """VITS's HiFi-GAN alone; text, flow and durations are in front of it."""
    from transformers import VitsConfig
    from transformers.models.vits.modeling_vits import VitsHifiGan

    return _module(VitsHifiGan(VitsConfig(upsample_initial_channel=64)))


def univnet() -> nn.Module:
    from transformers import UnivNetConfig, UnivNetModel

    return _module(UnivNetModel(UnivNetConfig(model_hidden_channels=8)))


def mimi() -> nn.Module:
    """Mimi's decoding half: upsampling to 25 Hz, a transformer, and a SEANet decoder."""
    from transformers import MimiConfig, MimiModel

    thin: dict[str, Any] = {
        "num_hidden_layers": 1,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
    }
    return _part(MimiModel(MimiConfig(num_filters=4, hidden_size=64, upsample_groups=64, **thin)), "decoder")


def fastspeech2() -> nn.Module:
    from transformers import FastSpeech2ConformerHifiGan, FastSpeech2ConformerHifiGanConfig

    return _module(FastSpeech2ConformerHifiGan(FastSpeech2ConformerHifiGanConfig(upsample_initial_channel=64)))


def seamless() -> nn.Module:
    from transformers import SeamlessM4TConfig
    from transformers.models.seamless_m4t.modeling_seamless_m4t import SeamlessM4THifiGan

    embeddings: dict[str, Any] = {"unit_embed_dim": 32, "lang_embed_dim": 16, "spkr_embed_dim": 16}
    return _module(SeamlessM4THifiGan(SeamlessM4TConfig(upsample_initial_channel=64, **embeddings)))


def bigvgan() -> nn.Module:
    """BigVGAN as Qwen2.5-Omni has it: 6 upsamplers, and 109 activations between upsampling by 2 and its inverse."""
    from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniBigVGANConfig
    from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniToken2WavBigVGANModel

    return _module(Qwen2_5OmniToken2WavBigVGANModel(Qwen2_5OmniBigVGANConfig(upsample_initial_channel=64)))


def oobleck(channels: int = 8) -> nn.Module:
    with torchaudio():
        from diffusers import AutoencoderOobleck

    return _part(AutoencoderOobleck(encoder_hidden_size=channels, decoder_channels=channels), "decoder")


def encodec_own_24k() -> nn.Module:
    with torchaudio():
        from encodec import EncodecModel

    return _part(EncodecModel.encodec_model_24khz(pretrained=False), "decoder")


def encodec_own_48k() -> nn.Module:
    with torchaudio():
        from encodec import EncodecModel

    return _part(EncodecModel.encodec_model_48khz(pretrained=False), "decoder")


def snac() -> nn.Module:
    """SNAC without its noise blocks and attention windows, as its configuration allows."""
    from snac import SNAC

    return _part(SNAC(encoder_dim=4, decoder_dim=64, noise=False, attn_window_size=None), "decoder")


def vocos() -> nn.Module:
    """Vocos's backbone and iSTFT head, of its 24 kHz configuration."""
    with torchaudio():
        from vocos.heads import ISTFTHead
        from vocos.models import VocosBackbone

    backbone = VocosBackbone(input_channels=100, dim=64, intermediate_dim=128, num_layers=2)
    return nn.Sequential(backbone, ISTFTHead(dim=64, n_fft=1024, hop_length=256, padding="same"))


def demucs() -> nn.Module:
    from demucs.demucs import Demucs

    return _module(Demucs(SOURCES, channels=4))


def hdemucs() -> nn.Module:
    from demucs.hdemucs import HDemucs

    return _module(HDemucs(SOURCES, channels=4))


def htdemucs() -> nn.Module:
    """The length is that of the input: by default every input is padded to the segment of its training."""
    from demucs.htdemucs import HTDemucs

    return _module(HTDemucs(SOURCES, channels=8, t_layers=1, use_train_segment=False))


def openunmix() -> nn.Module:
    with torchaudio():
        from openunmix.model import OpenUnmix, Separator

    targets = {name: OpenUnmix(nb_bins=2049, hidden_size=32, nb_layers=1, max_bin=1487) for name in ("vocals", "drums")}
    return _module(Separator(targets))


SOURCES = ["drums", "bass", "other", "vocals"]


def _part(model: Any, name: str) -> nn.Module:
    return _module(getattr(model, name))


def _module(made: Any) -> nn.Module:
    assert isinstance(made, nn.Module)
    return made.eval()
