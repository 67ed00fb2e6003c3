"""Reading a recording (WAV, FLAC, OGG) as one channel. Needs soundfile (``pip install dspref[audio]``)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from dspref.arrays import Array, complaint


def read_recording(path: str | Path, *, sr: int | None = None) -> tuple[Array, int]:
    """Return the samples (time,) of a mono recording and its rate in Hz, resampled to `sr` if given.

    Raises
    ------
    ValueError
        If the file is missing, closed to us, empty, truncated, not audio, or has more than one channel, or if
        soundfile is not installed.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise ValueError(complaint("recording", f"{path}, which is no file", "a WAV, FLAC or OGG file"))
        if path.stat().st_size == 0:
            raise ValueError(complaint("recording", f"{path}, which is empty (0 bytes)", "a WAV, FLAC or OGG file"))
    except OSError as error:  # a directory above may be closed
        raise ValueError(complaint("recording", f"{path}: {error.strerror}", "a file that can be read")) from None
    samples, rate = _decode(path)
    if samples.shape[1] != 1:
        hint = "mix it down to mono first"
        raise ValueError(complaint("recording", f"{path} with {samples.shape[1]} channels", "one channel", hint))
    if samples.shape[0] == 0:
        raise ValueError(complaint("recording", f"{path} with no samples", "at least one sample"))
    mono = samples[:, 0]
    if not np.isfinite(mono).all():
        raise ValueError(complaint("recording", f"{path} with NaN or infinite samples", "finite samples"))
    return (mono, rate) if sr is None else (_resample(mono, rate, sr), sr)


def _decode(path: Path) -> tuple[Array, int]:
    try:
        import soundfile
    except ModuleNotFoundError as error:
        hint = "pip install 'dspref[audio]'"
        raise ValueError(complaint("reading recordings", "no soundfile", "soundfile installed", hint)) from error
    try:
        with soundfile.SoundFile(path) as file:
            declared, rate = file.frames, int(file.samplerate)
            samples = file.read(dtype="float64", always_2d=True)
    except soundfile.LibsndfileError as error:
        got = f"{path}: {error.error_string}"
        raise ValueError(complaint("recording", got, "a readable WAV, FLAC or OGG file", "is it audio?")) from error
    if len(samples) < max(declared, _promised_frames(path)):
        got = f"{path}, truncated: {len(samples)} of {max(declared, _promised_frames(path))} samples"
        raise ValueError(complaint("recording", got, "a whole file", "copy it again"))
    return np.asarray(samples), rate


def _promised_frames(path: Path) -> int:
    """Return the number of frames a WAV header promises; decoders quietly read what is there."""
    head = path.read_bytes()[:65536]
    fmt, data = head.find(b"fmt "), head.find(b"data")
    if head[:4] != b"RIFF" or fmt < 0 or data < 0:
        return 0
    block = int.from_bytes(head[fmt + 20 : fmt + 22], "little")
    size = int.from_bytes(head[data + 4 : data + 8], "little")
    return 0 if size in (0, 0xFFFFFFFF) or block == 0 else size // block


def _resample(x: Array, rate: int, sr: int) -> Array:
    from scipy.signal import resample_poly

    ratio = Fraction(sr, rate)
    return np.asarray(resample_poly(x, ratio.numerator, ratio.denominator))
