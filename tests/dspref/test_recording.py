"""Reading recordings: what is read, and how everything else is refused."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dspref.arrays import Array
from dspref.recording import read_recording


@pytest.fixture
def tone() -> Array:
    return 0.5 * np.sin(2 * np.pi * 100 * np.arange(8000) / 8000)


@pytest.mark.parametrize(("suffix", "subtype"), [("wav", "PCM_16"), ("wav", "FLOAT"), ("flac", "PCM_24")])
def test_wav_and_flac_are_read(tmp_path: Path, tone: Array, suffix: str, subtype: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone, 8000, subtype=subtype)
    samples, sr = read_recording(path)
    assert sr == 8000
    assert samples == pytest.approx(tone, abs=2.0**-15)


def test_a_recording_can_be_resampled(tmp_path: Path, tone: Array) -> None:
    soundfile.write(tmp_path / "tone.wav", tone, 8000, subtype="DOUBLE")
    samples, sr = read_recording(tmp_path / "tone.wav", sr=4000)
    assert (sr, samples.size) == (4000, 4000)
    assert samples[100:-100] == pytest.approx(tone[::2][100:-100], abs=2e-3)


def _written(folder: Path, kind: str) -> Path:
    path = folder / f"{kind}.wav"
    if kind == "zero bytes":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("this is not audio " * 20)
    elif kind == "no samples":
        soundfile.write(path, np.zeros(0), 8000)
    elif kind == "stereo":
        soundfile.write(path, np.zeros((100, 2)), 8000)
    elif kind == "nan":
        soundfile.write(path, np.full(100, np.nan), 8000, subtype="DOUBLE")
    elif kind == "truncated":
        soundfile.write(path, np.ones(1000) / 2, 8000)
        path.write_bytes(path.read_bytes()[:1044])
    elif kind == "header only":
        path.write_bytes(b"RIFF" + struct.pack("<I", 36) + b"WAVE")
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "which is no file"),
        ("folder", "which is no file"),
        ("zero bytes", r"which is empty \(0 bytes\)"),
        ("text", "allowed: a readable WAV, FLAC or OGG file.*is it audio"),
        ("header only", "allowed: a readable WAV, FLAC or OGG file"),
        ("no samples", "with no samples; allowed: at least one sample"),
        ("stereo", "with 2 channels; allowed: one channel.*mix it down to mono"),
        ("nan", "NaN or infinite samples"),
        ("truncated", "truncated: 500 of 1000 samples; allowed: a whole file"),
    ],
)
def test_what_is_no_whole_mono_recording_is_refused(tmp_path: Path, kind: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_recording(_written(tmp_path, kind))


def test_a_recording_in_a_closed_directory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", denied)
    with pytest.raises(ValueError, match=r"recording: got /closed/x\.wav: Permission denied; allowed: a file that"):
        read_recording("/closed/x.wav")
