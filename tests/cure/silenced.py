"""Does theory know what branches have in common? ``python -m tests.cure.silenced [width [seeds]]`` tells.

A residual block adds branches of one signal. EnCodec has one block behind each layer, of two branches with a drawn
convolution on either: with one of them silent in all blocks nothing is added but what a tone-free layer is the sum of.
Weights are otherwise those of the decoder as it is. A width of 1 is a quarter of that as published.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from dspref.arrays import Array
from tests.cure.foreseen import foreseen
from tests.cure.ledgered import cure
from tests.cure.measured import noisy
from tests.cure.subjects import SUBJECTS, Subject, made

BLOCKS = (4, 7, 10, 13)
SILENT = {
    "as it is": (),
    "shortcuts silent": tuple(f"layers.{block}.shortcut.conv" for block in BLOCKS),
    "inner branches silent": tuple(f"layers.{block}.block.3.conv" for block in BLOCKS),
}
HEAD = f"{'':21} layer  seen     ±  theory   apart    ±\n"


def encodec(width: int) -> Subject:
    """Return EnCodec of so many quarters of its channels."""
    subject = next(each for each in SUBJECTS if each.name == "EnCodec 24k, a quarter")
    return replace(subject, row=replace(subject.row, make=lambda: _decoder(width)))


def _decoder(width: int) -> nn.Module:
    from transformers import EncodecConfig, EncodecModel

    decoder: nn.Module = EncodecModel(EncodecConfig(num_filters=8 * width)).decoder
    return decoder


@torch.no_grad()
def silence(module: nn.Module, names: Sequence[str]) -> None:
    """Set convolutions with weight norm to zero."""
    for name in names:
        layer = module.get_submodule(name)
        layer.parametrizations["weight"].original0.zero_()  # type: ignore[index, union-attr]
        layer.bias.zero_()  # type: ignore[operator]


def powers(subject: Subject, silent: Sequence[str], seeds: int) -> Array:
    """Return the mean height of each layer's lines for each seed, as ratios of powers."""
    found = []
    for seed in range(seeds):
        module = made(subject, seed)
        silence(module, silent)
        cure(subject, module)
        found.append([10 ** (lines.mean / 10) for lines in noisy(subject.row, module, seed)])
    return np.array(found)


def rows(subject: Subject, name: str, seeds: int) -> list[str]:
    """Return what was seen beside what theory says, in dB; standard errors are those of the mean over seeds."""
    seen, told = powers(subject, SILENT[name], seeds), foreseen(subject, SILENT[name])
    theory = np.array(told.noise) + np.array(told.line)
    mean = seen.mean(axis=0)
    error = 10 / np.log(10) * seen.std(axis=0, ddof=1) / np.sqrt(seeds) / mean
    levels, due = 10 * np.log10(mean), 10 * np.log10(theory)
    table = zip(levels, error, due, strict=True)
    return [f"{name:21} {i:5} {a:5.1f} {e:5.1f} {b:7.1f} {a - b:7.1f} {e:4.1f}" for i, (a, e, b) in enumerate(table, 1)]


def main(width: int = 1, seeds: int = 60) -> None:
    """Print the table, one network after another."""
    sys.stdout.write(HEAD)
    for name in SILENT:
        sys.stdout.write("\n".join(rows(encodec(width), name, seeds)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
