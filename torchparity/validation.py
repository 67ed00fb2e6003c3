"""The parity of one device: every arithmetic and every setting of it, forward and backward.

The cases are those of a campaign (`torchparity.draws`), and are compared by the same code (`torchparity.trials`).
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from itertools import product
from time import perf_counter

import torch

from dspref.provenance import commit
from torchparity.devices import as_device, device_name, one_thread, settings
from torchparity.draws import DTYPES, KINDS, draw_case
from torchparity.tally import Tally, total
from torchparity.trials import tallied
from torchparity.validation_record import Record, Setting


def settings_of(device: str) -> tuple[Setting, ...]:
    """Return every setting that makes a difference on a device: on a CPU, its arithmetics alone.

    Examples
    --------
    >>> len(settings_of("cpu")), len(settings_of("cuda"))
    (4, 20)
    """
    if torch.device(device).type != "cuda":
        return tuple(Setting(dtype) for dtype in DTYPES)
    switches = product((True, False), (False, True))
    return tuple(Setting(dtype, *pair) for pair, dtype in product(switches, (*DTYPES, "tf32")))


def validate(
    device: str, *, cases: int, seed: int = 0, kinds: Sequence[str] = KINDS, only: Sequence[Setting] | None = None
) -> Record:
    """Run the parity suite on a device, in each of its settings, and put its switches back as they were.

    Parameters
    ----------
    device : str
        As "cpu" or "cuda".
    cases : int
        Of each setting: the same layers, inputs and gradients in all of them.
    seed : int
    kinds : sequence of str
    only : sequence of Setting, optional
        Instead of all of `settings_of` the device.

    Raises
    ------
    ValueError
        If the device is not there.

    Examples
    --------
    >>> record = validate("cpu", cases=3, kinds=["nearest"], only=[Setting("float32")])
    >>> record.ok, record.tally.cases
    (True, 3)
    """
    as_device(device)
    start = perf_counter()
    chosen = settings_of(device) if only is None else tuple(only)
    tallies = {setting: _run(device, setting, cases, seed, kinds) for setting in chosen}
    seconds = perf_counter() - start
    return Record(device, device_name(device), versions(device), commit(), cases, seed, tallies, seconds)


def _run(device: str, setting: Setting, cases: int, seed: int, kinds: Sequence[str]) -> Tally:
    """Return what one setting shows."""
    drawn = (draw_case(i, seed, kinds=kinds, dtypes=(setting.arithmetic,)) for i in range(cases))
    tf32 = setting.arithmetic == "tf32"
    with one_thread(), settings(tf32=tf32, deterministic=setting.deterministic, benchmark=setting.benchmark):
        return total(tallied(each, device) for each in drawn)


def versions(device: str) -> dict[str, str]:
    """Return the versions of everything that computes.

    Examples
    --------
    >>> list(versions("cpu"))
    ['python', 'torch', 'numpy']
    """
    found = {"python": platform.python_version(), "torch": torch.__version__, "numpy": version("numpy")}
    if torch.device(device).type == "cuda":
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        found |= {"cuda": str(torch.version.cuda), "cudnn": str(cudnn)}
    return found
