"""Strangers' modules: what they take, in which layout, and which of their outputs is the signal."""

from collections import OrderedDict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dspref import NotAnalysable
from torchparity import report
from torchparity.adapt import Adapted, Call, adapt
from torchparity.audit import audit
from torchparity.examples import examples

WAVES = torch.randn(3, 4, 40, generator=torch.Generator().manual_seed(0))


class Returning(nn.Module):
    """Upsamples by two, and returns it in some wrapping."""

    def __init__(self, wrap: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.up, self.wrap = nn.ConvTranspose1d(4, 1, 4, 2, 1), wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(torch.as_tensor(self.up(x)))


@dataclass
class Output:
    """As transformers' ModelOutput: fields, some of them empty."""

    waveform: Tensor
    hidden: tuple[Tensor, ...] | None = None


Pair = namedtuple("Pair", ["audio", "length"])


@pytest.mark.parametrize(
    ("wrap", "name"),
    [
        (lambda y: y[:, 0], ""),
        (lambda y: y.transpose(1, 2), ""),
        (lambda y: y[:, None], ""),
        (lambda y: (y, y.shape[-1]), "0"),
        (lambda y: [None, y[..., ::2], y], "2"),
        (lambda y: {"lengths": torch.tensor([y.shape[-1]]), "wave": y}, "wave"),
        (lambda y: OrderedDict(tokens=y.long(), wave=y[:, 0]), "wave"),
        (lambda y: Output(y, (y[..., ::2],)), "waveform"),
        (lambda y: Pair(y, torch.tensor(3)), "audio"),
        (lambda y: {"outer": ({"inner": y},)}, "outer.0.inner"),
        (lambda y: (y, y), "0"),
        (lambda y: (y, y + 0j), "0"),
        (lambda y: (y, y @ y.transpose(1, 2)), "0"),
    ],
)
def test_the_signal_is_found_in_containers_of_any_kind(wrap: Callable[[Tensor], Any], name: str) -> None:
    module = Returning(wrap)
    found = adapt(module)
    assert isinstance(found.module, Adapted)
    assert found.module.answer.name == name
    with torch.no_grad():
        assert torch.equal(found.module(WAVES), module.up(WAVES))
    assert any(f"output '{name}'" in remark for remark in found.remarks) == bool(name)


def test_one_dimension_is_time() -> None:
    found = adapt(Returning(lambda y: y[0, 0]))
    assert found.module(WAVES).shape == (1, 1, 80)


def test_sources_become_channels() -> None:
    found = adapt(Returning(lambda y: torch.stack([y, -y], 1)))
    y = found.module(WAVES)
    assert y.shape == (3, 2, 80)
    assert torch.equal(y[:, 0], -y[:, 1])


def test_a_module_of_the_plain_kind_is_left_as_it_is() -> None:
    module = Returning(lambda y: y)
    assert adapt(module).module is module


def test_several_outputs_are_refused_by_name_and_one_can_be_picked() -> None:
    module = Returning(lambda y: {"left": y, "right": {"wet": y + 1, "dry": y - 1}})
    with pytest.raises(NotAnalysable, match=r"got left, right\.wet, right\.dry; allowed: one\. Hint: .*--pick left"):
        adapt(module)
    found = adapt(module, output="right.wet").module
    assert torch.equal(found(WAVES), module.up(WAVES) + 1)
    with pytest.raises(NotAnalysable, match=r"output: got 'right.wett'.*did you mean 'right.wet'"):
        adapt(module, output="right.wett")


def test_the_highest_rate_wins() -> None:
    module = Returning(lambda y: {"envelope": y[..., ::2], "wave": y})
    found = adapt(module).module
    assert isinstance(found, Adapted)
    assert found.answer.name == "wave"


class Channels(nn.Module):
    """Takes (batch, time, channel), as SpeechT5's HiFi-GAN does."""

    def __init__(self, normed: nn.Module) -> None:
        super().__init__()
        self.first, self.up = normed, nn.ConvTranspose1d(4, 1, 4, 2, 1)

    def forward(self, spectrogram: Tensor) -> Tensor:
        return torch.as_tensor(self.up(self.first(spectrogram).transpose(1, 2)))


@pytest.mark.parametrize("first", [nn.Identity(), nn.Linear(4, 4), nn.Sequential(nn.Linear(6, 4))])
def test_the_layout_is_guessed(first: nn.Module) -> None:
    module = Channels(first)
    found = adapt(module)
    assert found.remarks == ("input laid out as (batch, time, channel)",)
    x = torch.randn(2, found.channels, 10)
    with torch.no_grad():
        assert torch.equal(found.module(x), module(x.transpose(1, 2)))


def test_a_layout_that_is_said_is_the_only_one_tried() -> None:
    with pytest.raises(NotAnalysable, match="input of shape"):
        adapt(Channels(nn.Identity()), layout="BCT")


class Flat(nn.Module):
    """Takes (batch, time)."""

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 2:
            raise ValueError(x.shape)
        return x[:, None].repeat_interleave(3, -1)


def test_a_signal_without_channels() -> None:
    found = adapt(Flat())
    assert found.remarks == ("input laid out as (batch, time)",)
    assert found.module(torch.ones(2, 1, 5)).shape == (2, 1, 15)


class Picky(nn.Module):
    """Takes multiples of 512 alone."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] % 512:
            raise ValueError("not a multiple of 512")
        return x.repeat_interleave(2, -1)


def test_lengths_are_tried_until_one_is_taken() -> None:
    assert adapt(Picky()).length == 512


class Vocoder(nn.Module):
    """Takes a mel spectrum, tokens, a mask and a speaker."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.up = nn.Embedding(8, 3), nn.ConvTranspose1d(3, 1, 4, 2, 1)

    def forward(self, mel: Tensor, tokens: Tensor, mask: Tensor, speaker: Tensor) -> Tensor:
        x = (mel + self.tokens(tokens)) * mask[..., None] + speaker
        return torch.as_tensor(self.up(x.transpose(1, 2)))


def vocoder_arguments(length: int) -> dict[str, Any]:
    return {
        "mel": torch.randn(1, length, 3),
        "tokens": torch.arange(length)[None] * 7 % 8,
        "mask": torch.ones(1, length),
        "speaker": torch.randn(1, 1, 3),
    }


def test_a_module_of_many_arguments_says_which_and_takes_examples() -> None:
    with pytest.raises(NotAnalysable, match=r"got 4: mel, tokens, mask, speaker; allowed: one tensor.*--inputs PLACE"):
        adapt(Vocoder())
    module = Vocoder()
    found = adapt(module, inputs=vocoder_arguments)
    assert found.channels == 3 + 1
    assert found.remarks == ("inputs that carry the signal: mel, tokens; as given: mask, speaker",)
    x = torch.randn(1, 4, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ones = found.module(torch.ones(1, 4, 32))
        assert not torch.equal(found.module(x), ones)
        assert torch.allclose(ones[..., 10:12], ones[..., 20:22])  # one token, one level: steady


def test_tokens_are_dealt_to_equal_shares_of_a_gaussian() -> None:
    fed = examples(lambda length: torch.arange(length)[None] % 5)
    x = torch.randn(1, 1, 20000, generator=torch.Generator().manual_seed(0))
    (tokens,), _ = fed(x)
    counts = torch.bincount(tokens.flatten(), minlength=5)
    assert fed.places[0].values == (0, 1, 2, 3, 4)
    assert (counts - 4000).abs().max() < 5 * (20000 * 0.2 * 0.8) ** 0.5
    assert torch.equal(tokens.flatten().sort().values, tokens.flatten()[x.flatten().argsort()])


class Denoiser(nn.Module):
    """Adds what it makes of a spectrogram to noisy audio at another rate, as diffusion vocoders do."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(3, 1, 8, 4, 2)

    def forward(self, audio: Tensor, mel: Tensor, step: Tensor) -> Tensor:
        return torch.tanh(audio + self.up(mel) + step)


def test_what_grows_at_another_rate_is_held_and_makes_no_contradiction() -> None:
    def inputs(length: int) -> dict[str, Tensor]:
        return {"audio": torch.randn(1, 1, 4 * length), "mel": torch.randn(1, 3, length), "step": torch.ones(1)}

    fed = examples(inputs)
    assert (fed.driven, fed.held, fed.left) == (("mel",), ("audio",), ("step",))
    args = fed(torch.ones(1, 3, 8))[1]
    assert args["audio"].shape == (1, 1, 32)
    assert not args["audio"].any()
    found = audit(Denoiser(), call=Call(inputs=inputs), measured_only=True)
    assert report.to_dict(found)["verdict"]["status"] == "explained"
    assert "held at 0, for it grows at another rate: audio" in found.remarks[0]


def test_time_may_be_the_first_axis() -> None:
    fed = examples(lambda length: torch.randn(length, 3))
    (mel,), _ = fed(torch.arange(12.0).reshape(1, 3, 4))
    assert mel.tolist() == [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda length: torch.randn(1, 3, 100), r"length of 32: got 0: \(1, 3, 100\); allowed: at least one with 32"),
        (lambda length: torch.ones(1, length, dtype=torch.long), "got 0: .*allowed: at least one with 32 samples"),
        (lambda length: "mel", "got str; allowed: a function"),
        (lambda length: {1: torch.ones(1, length)}, "got dict"),
        (lambda length: length.nonsense, "got AttributeError"),
        (lambda: None, "got TypeError"),
    ],
)
def test_examples_that_carry_no_signal_are_refused(function: Callable[..., Any], words: str) -> None:
    with pytest.raises(NotAnalysable, match=words):
        adapt(Flat(), inputs=function)


def test_examples_leave_the_random_state_and_are_the_same_each_time() -> None:
    module, x = Vocoder(), torch.zeros(1, 4, 32)
    state = torch.get_rng_state()
    found = adapt(module, inputs=vocoder_arguments).module
    with torch.no_grad():
        assert torch.equal(found(x), found(x))
    assert torch.equal(torch.get_rng_state(), state)


class Padded(nn.Module):
    """Says which lengths it takes, as Demucs does: multiples of 256."""

    @staticmethod
    def valid_length(length: int) -> int:
        return -(-length // 256) * 256

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(1, 1, -1, 256).flatten(2).repeat_interleave(2, -1)


def test_lengths_that_a_module_says_are_kept_to() -> None:
    found = adapt(Padded())
    assert found.length == 256
    assert found.module is not None
