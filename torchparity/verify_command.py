"""The command ``torchparity verify``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from dspref.console import FINDINGS, emit, form_option, output_option, with_exit_codes, writable
from dspref.spec import parse, spec
from dspref.tables import WIDTH
from torchparity.apart import apart
from torchparity.audit_command import require_torch
from torchparity.isolation import Lost, as_seconds

if TYPE_CHECKING:
    from torchparity.verdict import Verdict

FORMATS = ("text", "json", "md", "junit", "sarif")
HALF = ("bfloat16", "float16")


@click.command()
@click.argument("target")
@click.option("--like", metavar="SPEC", help="What it should be: 'nearest x4', 'convt k16 s8 p4', ...")
@click.option("--ref", metavar="TARGET", help="What it should be: a module to describe, or a layer of dspref.")
@click.option("--dtype", type=click.Choice(["float64", "float32", *HALF]), help="By default that of its weights.")
@click.option("--autocast", type=click.Choice(HALF), help="Run under torch.autocast.")
@click.option("--tf32", is_flag=True, help="Allow TF32, and expect its rounding.")
@click.option("-d", "--device", default="cpu", show_default=True, help="As Torch names it.")
@click.option("--gradients/--no-gradients", default=True, show_default=True, help="Compare gradients too.")
@click.option("--stream", is_flag=True, help="It takes chunks, and keeps a state between them.")
@click.option("--channels", type=click.IntRange(1), help="Of the input, where nothing says.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, help="Of weights and inputs [0].")
@click.option("--grid", type=click.Choice(["small", "full"]), default="small", show_default=True, help="Input lengths.")
@click.option("--time-limit", type=click.FloatRange(1), default=60.0, show_default=True, help="Of one call, in s.")
@click.option("--isolate/--no-isolate", default=True, show_default=True, help="Run in a process of its own.")
@form_option(*FORMATS)
@output_option
@with_exit_codes
def verify(
    target: str, like: str | None, ref: str | None, form: str, output: str | None, isolate: bool, **options: Any
) -> None:
    """Check a layer output by output: bit for bit where nothing is rounded, else under the rounding bound.

    TARGET is a module, a function of a signal, what makes one, or an .onnx file. What hangs or kills its process
    gets a verdict, too.

    \b
    torchparity verify my/upsampler.py:Upsampler --like "convt k16 s8 p4"
    torchparity verify torch.nn:Identity --like "nearest x1" --format json
    torchparity verify up.onnx --like nearest:4
    """  # noqa: D301
    from torchparity.formats import FORMATS as files

    file = writable(output)
    as_seconds("--time-limit", options["time_limit"])
    require_torch()
    refuse_both(like, ref)
    verdict = run_isolated(target, like, ref, options) if isolate else checked(target, like, ref, options)
    pages: dict[str, Callable[[], str]] = {
        "text": lambda: f"{verdict.to_text(WIDTH)}\n",
        "json": verdict.to_json,
        "md": verdict.to_markdown,
        **{name: lambda write=write: write([(target, verdict)]) for name, write in files.items()},  # type: ignore[misc]
    }
    emit(pages[form](), file)
    if not verdict.ok:
        raise click.exceptions.Exit(FINDINGS)


def refuse_both(like: str | None, ref: str | None) -> None:
    """Refuse words that can't be read, and two references, before anything is loaded."""
    if like is not None and ref is not None:
        raise click.UsageError("--like and --ref: got both; allowed: one of them.")
    if like is not None:
        parse(like)


def run_isolated(target: str, like: str | None, ref: str | None, options: dict[str, Any]) -> Verdict:
    """Return the verdict from a process that may hang or die; Torch is loaded there, and not here."""
    found = apart(target, lambda: checked(target, like, ref, options), seconds=options["time_limit"])
    if isinstance(found, Lost):
        from torchparity.parity import lost

        words = ref if like is None else spec(parse(like))
        found = with_target(lost(found, options["dtype"], options["device"], words), target, options)
    return found


def checked(target: str, like: str | None, ref: str | None, options: dict[str, Any]) -> Verdict:
    """Return the verdict on a target."""
    import torch

    from torchparity.parity import check
    from torchparity.streams import check_stream
    from torchparity.target import load_layer, load_maker

    torch.manual_seed(options["seed"])
    promised = like if ref is None else load_layer(ref)
    if options["stream"]:
        kept = {name: options[name] for name in ("dtype", "device", "seed")}
        found = check_stream(load_maker(target), promised, **kept)
    else:
        kept = {name: value for name, value in options.items() if name not in ("stream", "time_limit")}
        found = check(load_layer(target), promised, **kept)
    return with_target(found, target, options)


def with_target(verdict: Verdict, target: str, options: dict[str, Any]) -> Verdict:
    """Return the verdict with a line to paste that loads the target first."""
    from torchparity.target import loading

    return replace(verdict, repro=loading(verdict.repro, target, options["seed"], stream=options["stream"]))
