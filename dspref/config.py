"""Read the config.json that the HiFi-GAN family shares."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any

from dspref.architecture_words import snake_vocoder
from dspref.arrays import NotAnalysable, complaint, did_you_mean
from dspref.chain import Chain
from dspref.presets import vocoder
from dspref.spec import LARGEST, parse

ACTIVATION, LAST = "activation", "use_tanh_at_final"

SNAKES = ("snake", "snakebeta")
"""Maps that may stand in place of HiFi-GAN's leaky ReLU."""

RATES, KERNELS, SR = "upsample_rates", "upsample_kernel_sizes", "sampling_rate"

HOPS = ("hop_size", "hop_length")
"""Keys that say the whole factor, output samples per frame."""


@dataclass(frozen=True)
class Generator:
    """What a config.json says of a generator.

    Attributes
    ----------
    chain : Chain
    sr : Fraction or None
        Output rate in Hz, None if the file says none.
    remarks : tuple of str
        What the file says and the chain does not.
    """

    chain: Chain
    sr: Fraction | None
    remarks: tuple[str, ...] = ()


def read_config(path: str | PathLike[str]) -> tuple[Chain, Fraction | None]:
    """Read a generator's layers and output rate from its config.json.

    The keys `upsample_rates`, `upsample_kernel_sizes` and `sampling_rate` may stand at any depth.

    Parameters
    ----------
    path : path

    Returns
    -------
    (Chain, Fraction or None)
        The layers as HiFi-GAN has them (see `dspref.presets.vocoder`), or BigVGAN if `activation` is "snake" or
        "snakebeta"; and the output rate in Hz, None if the file says none.

    Raises
    ------
    ValueError
        Says what the file lacks, or holds instead.
    NotAnalysable
        If the hop that the file says is not the product of the rates: something else upsamples too.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> text = '{"upsample_rates": [8, 8], "upsample_kernel_sizes": [16, 16], "sampling_rate": 16000}'
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "config.json")
    ...     _ = path.write_text(text)
    ...     chain, sr = read_config(path)
    >>> chain.factor, sr
    (64, Fraction(16000, 1))
    """
    found = read_generator(path)
    return found.chain, found.sr


def read_generator(path: str | PathLike[str]) -> Generator:
    """Read a generator's layers and output rate as `read_config` does, and what of the file the chain doesn't say.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> text = '{"upsample_rates": [4], "upsample_kernel_sizes": [8], "activation": "snake"}'
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "config.json")
    ...     _ = path.write_text(text)
    ...     found = read_generator(path)
    >>> found.chain.stages[2].name
    'snake'
    """
    found = list(_pairs(_load(Path(path))))
    keys = tuple(dict.fromkeys(key for key, _ in found))
    missing = [name for name in (RATES, KERNELS) if name not in keys]
    if missing:
        others = [key for key in keys if key not in (RATES, KERNELS, SR)]
        hints = " ".join(hint for name in missing if (hint := did_you_mean(name, others)))
        got = f"the keys {', '.join(keys[:20])}{', …' if len(keys) > 20 else ''}" if keys else "no keys"
        raise _refusal(path, " and ".join(missing), got, f"both {RATES} and {KERNELS}, at any depth", hints)
    rates, kernels = (_integers(path, name, _single(path, name, found)) for name in (RATES, KERNELS))
    if len(rates) != len(kernels):
        got = f"{len(rates)} rates and {len(kernels)} kernel sizes"
        raise _refusal(path, f"{RATES} and {KERNELS}", got, "lists of equal length")
    for rate, kernel in zip(rates, kernels, strict=True):
        if kernel < rate:
            got = f"kernel {kernel} with rate {rate}"
            raise _refusal(path, KERNELS, got, "kernels no shorter than their rate", "(k − s)//2 is the padding")
    _check_hop(path, math.prod(rates), found)
    sr = _rate(path, _single(path, SR, found)) if SR in keys else None
    maps = _values(ACTIVATION, found)
    snake = len(maps) == 1 and maps[0] in SNAKES
    chain = parse((snake_vocoder if snake else vocoder)(rates, kernels))
    return Generator(chain, sr, tuple(_remarks(maps, _values(LAST, found))))


def _remarks(maps: list[Any], last: list[Any]) -> Iterator[str]:
    """Yield what the file says of maps and the chain doesn't."""
    if len(maps) == 1 and maps[0] in SNAKES:
        yield f"{ACTIVATION} {_short(maps[0])}: snake with its parameters at 1, as they begin"
        yield "the ×2 up and down around each snake, which keeps the grid, is not written"
    elif maps:
        yield f"{ACTIVATION} {', '.join(map(_short, maps))} is not read: the maps are those of HiFi-GAN, leaky 0.1"
    if False in last:
        yield f"{LAST} false: the last map, a clamp, is written as tanh"


def _values(name: str, found: list[tuple[str, Any]]) -> list[Any]:
    """Return the values of a key at all places, each once."""
    values: list[Any] = []
    for key, content in found:
        if key == name and content not in values:
            values.append(content)
    return values


def _check_hop(path: str | PathLike[str], factor: int, found: list[tuple[str, Any]]) -> None:
    """Refuse a generator whose layers do not make up its hop, where the file says one hop."""
    for name in HOPS:
        values = {content for key, content in found if key == name and type(content) is int}
        if len(values) == 1 and values != {factor}:
            got = f"{values.pop()}, but {RATES} multiply to {factor}"
            allowed = f"a hop of {factor} samples, all of it made by {RATES}"
            hint = "an iSTFT head or another upsampler follows, which this reader doesn't know; write --spec"
            raise NotAnalysable(complaint(f"{path}: {name}", got, allowed, hint))


def _refusal(path: str | PathLike[str], what: str, got: object, allowed: str, hint: str = "") -> ValueError:
    return ValueError(complaint(f"{path}: {what}", got, allowed, hint))


def _load(path: Path) -> Any:
    """Return the JSON of a file, its objects as tuples of pairs, so that no key hides another."""
    allowed = "a config.json of the HiFi-GAN family"
    try:
        content = json.loads(path.read_text("utf-8-sig"), object_pairs_hook=lambda pairs: tuple(pairs))
    except FileNotFoundError:
        raise _refusal(path, "config", "no such file", allowed) from None
    except IsADirectoryError:
        raise _refusal(path, "config", "a directory", allowed, "name the file in it") from None
    except OSError as error:
        raise _refusal(path, "config", error.strerror, "a file that can be read") from None
    except json.JSONDecodeError as error:
        if not error.doc.strip():
            raise _refusal(path, "config", "an empty file", allowed) from None
        where = f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise _refusal(path, "JSON", where, allowed) from None
    except (ValueError, RecursionError) as error:
        raise _refusal(path, "JSON", error, allowed) from None
    if not isinstance(content, tuple):
        raise _refusal(path, "JSON", f"{_kind(content)} at the top", "an object { … }")
    return content


def _pairs(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key and value, at any depth."""
    waiting = [content]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, tuple):
            yield from inner
            waiting += [item for _, item in inner]
        elif isinstance(inner, list):
            waiting += inner


def _single(path: str | PathLike[str], name: str, found: list[tuple[str, Any]]) -> Any:
    """Return the value of a key that may stand twice, but not with two values."""
    values = [content for key, content in found if key == name]
    for other in values[1:]:
        if other != values[0]:
            got = f"{json.dumps(values[0])} and {json.dumps(other)}"
            raise _refusal(path, f"{name}, found {len(values)} times", got, "one value", "leave one, or write --spec")
    return values[0]


def _integers(path: str | PathLike[str], name: str, content: Any) -> list[int]:
    whole = isinstance(content, list) and content and all(type(item) is int and 0 < item <= LARGEST for item in content)
    if not whole:
        raise _refusal(path, name, _short(content), f"a list of integers, 1 … {LARGEST}", "as [8, 8, 2, 2]")
    return list(content)


def _rate(path: str | PathLike[str], content: Any) -> Fraction:
    if type(content) not in (int, float) or not 0 < content < float("inf"):
        raise _refusal(path, SR, _short(content), "a number of hertz > 0", "as 22050")
    return Fraction(str(content))


def _kind(content: Any) -> str:
    return {list: "a list", str: "a string", int: "a number", float: "a number"}.get(type(content)) or json.dumps(
        content
    )


def _short(content: Any) -> str:
    """Return a value as JSON has it, objects by their kind, cut to a line."""
    text = "an object" if isinstance(content, tuple) else json.dumps(content)
    return text if len(text) <= 60 else f"{text[:59]}…"
