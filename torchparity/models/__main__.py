"""``python -m torchparity.models``: the article's Table 1, its sizes beside ours; ``… eight``: Figs. 1 and 9 again."""

import warnings
from pathlib import Path

import click
from joblib import Parallel, delayed
from rich.console import Console

from dspref.console import with_exit_codes
from torchparity.known import EIGHT
from torchparity.models.eight.page import check_folder, write
from torchparity.models.eight.subject import DRAWS, subject
from torchparity.models.table1 import table_1


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(context: click.Context) -> None:
    """Print the article's Table 1, its sizes beside ours."""
    if context.invoked_subcommand is None:
        click.echo(table_1(), nl=False)


@main.command()
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder.")
@click.option(
    "--beside", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of the article's figures."
)
@click.option("--draws", default=DRAWS, show_default=True, type=click.IntRange(min=2), help="Of each network.")
@click.option("-j", "--jobs", default=2, show_default=True, type=click.IntRange(min=1), help="Processes.")
@with_exit_codes
def eight(output: Path, beside: Path | None, draws: int, jobs: int) -> None:
    """Feed the article's eight networks with white noise: Figs. 1 and 9 again, with tones and valleys expected.

    Writes eight.md and figures/eight.png; given the article's figures, each picture beside its own, too.
    """
    if beside is not None:
        check_folder(beside)
    warnings.filterwarnings("ignore", "A worker stopped", UserWarning)  # joblib renews those whose memory grows
    work = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(subject)(name, draws=draws, folder=beside) for name in EIGHT
    )
    subjects = []
    with Console(stderr=True).status("starting") as status:
        for place, each in enumerate(work, 1):
            status.update(f"{place} of {len(EIGHT)} networks: {each.name}")
            subjects.append(each)
    for path in write(subjects, output, article=beside):
        click.echo(f"written: {path}", err=True)


if __name__ == "__main__":
    main(prog_name="python -m torchparity.models")
