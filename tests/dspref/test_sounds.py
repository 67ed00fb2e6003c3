"""Players: what is heard is the signal without its offset, at a safe level; what can't be heard is refused."""

from __future__ import annotations

import base64
import io
import re
import wave

import numpy as np
import pytest

from dspref.arrays import Array
from dspref.sounds import FADE, PEAK_DB, RMS_DB, limit, player


def samples(wav: bytes) -> tuple[Array, int]:
    """Return the samples of a WAV file within ±1, and its rate."""
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767, file.getframerate()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("offset", [0.0, -3.0])
def test_a_sound_is_the_signal_at_a_safe_level(scale: float, offset: float) -> None:
    y = np.random.default_rng(0).normal(size=4000)
    shown = player(scale * (y + offset), 8000)
    heard, sr = samples(shown.wav)
    edge = round(FADE * sr)
    inner = (y - y.mean())[edge:-edge]
    assert sr == 8000
    assert np.abs(heard).max() <= 10 ** (PEAK_DB / 20)
    assert np.sqrt(np.mean(heard**2)) <= 10 ** (RMS_DB / 20)
    gain = scale * 10 ** (shown.gain_db / 20)
    assert np.abs(heard[edge:-edge] - gain * inner).max() <= 1 / 32767 + 1e-9 * gain
    assert (heard[0], heard[-1]) == (0, 0)


def test_the_louder_of_two_limits_counts() -> None:
    click, tone = np.zeros(8000), np.cos(np.arange(8000))
    click[4000] = 1
    assert 20 * np.log10(np.abs(limit(click, 8000)[0]).max()) == pytest.approx(PEAK_DB)
    assert 20 * np.log10(np.sqrt(np.mean(limit(tone, 8000)[0] ** 2))) == pytest.approx(RMS_DB)


def test_the_page_has_the_file_and_its_title_as_text() -> None:
    shown = player(np.cos(np.arange(800)), 8000, title="<b>&")
    (data,) = re.findall('src="data:audio/wav;base64,([^"]+)"', shown._repr_html_())
    assert base64.b64decode(data) == shown.wav
    assert "<figcaption>&lt;b&gt;&amp;; lowered by" in shown._repr_html_()


@pytest.mark.parametrize(
    ("y", "sr", "words"),
    [
        (np.ones(100), 8000, "a constant, or silence"),
        (np.zeros(0), 8000, "a constant, or silence"),
        (np.zeros((2, 100)), 8000, "choose one channel"),
        (np.arange(100.0), 2999, "3000"),
        (np.arange(100.0), 384001, "384000"),
        (np.arange(100.0), 8000.5, "an integer"),
    ],
)
def test_what_nobody_can_hear_is_refused(y: Array, sr: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        player(y, sr)  # type: ignore[arg-type]
