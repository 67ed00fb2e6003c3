"""The table of decoders agrees with the packages' own lines, with itself, and with the extra ``zoo``."""

import sys
import tomllib
from importlib.util import find_spec
from math import prod
from pathlib import Path

import pytest

from dspref.spec import parse, spec
from tests.zoo.row import Row
from tests.zoo.standin import torchaudio
from tests.zoo.table import ZOO

ROOT = Path(__file__).resolve().parents[2]

BY_NAME = pytest.mark.parametrize("row", ZOO, ids=lambda row: row.name)

HZ = {
    "transformers EnCodec 24k": 75, "transformers EnCodec 32k": 50, "transformers DAC": 31.25,
    "transformers X-Codec's DAC": 50, "transformers SpeechT5 HiFi-GAN": 62.5, "transformers VITS's HiFi-GAN": 62.5,
    "transformers UnivNet": 93.75, "transformers Mimi": 12.5,
    "transformers FastSpeech2Conformer HiFi-GAN": 86.1328125, "transformers SeamlessM4T HiFi-GAN": 50,
    "transformers Qwen2.5-Omni BigVGAN": 100, "diffusers Oobleck": 21.533203125, "encodec 24k": 75, "encodec 48k": 150,
    "snac 44k": 100, "vocos 24k": 93.75, "demucs Demucs": 21.533203125, "demucs HDemucs": 21.533203125,
    "demucs HTDemucs": 43.06640625, "openunmix": 43.06640625,
}  # fmt: skip


def test_grids_are_these() -> None:
    assert {row.name: float(row.grid_hz) for row in ZOO} == HZ
    assert len(ZOO) >= 14


@BY_NAME
def test_chains_are_words_and_make_the_factor_and_the_grid(row: Row) -> None:
    """A decoder raises the rate by its factor; a U-Net comes back to it by its period, Demucs at twice its rate."""
    chain = parse(row.chain)
    assert spec(chain) == row.chain
    inside = prod(int(word.split("s")[-1]) for word, _ in row.inner if word.startswith("conv k104"))
    assert chain.factor == row.period * inside
    assert row.factor in (1, row.period)


@BY_NAME
def test_the_packages_lines_say_so(row: Row) -> None:
    if row.absent:
        pytest.skip(row.absent)
    for cited in row.source:
        package, _, path = cited.file.partition("/")
        found = find_spec(package)
        assert found is not None
        assert found.origin is not None
        line = (Path(found.origin).parent / path).read_text(encoding="utf-8").splitlines()[cited.line - 1]
        assert cited.words in line, (cited, line)


def test_the_extra_pins_these_versions() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert sorted(set(extras["zoo"])) == sorted({row.package for row in ZOO})


def test_what_is_asked_of_the_stand_in_is_imported_and_raises_when_it_is_called() -> None:
    before = set(sys.modules)
    with torchaudio():
        from torchaudio.transforms import Resample
    if "torchaudio" in before:
        pytest.skip("torchaudio itself is at hand")
    with pytest.raises(RuntimeError, match=r"torchaudio\.transforms\.Resample was called"):
        Resample(44100, 22050)
    assert "torchaudio" not in sys.modules
