"""``python -m dspref.figures``: store the numbers of all figures anew, for those who change them."""

import click

from dspref.figures import RECORDED, names, picture
from dspref.figures.numbers import store


@click.command()
@click.argument("wanted", metavar="[NAME]...", nargs=-1)
def main(wanted: tuple[str, ...]) -> None:
    """Store the numbers behind figures, of all that no record is drawn from by default."""
    for name in wanted or [name for name in names() if name not in RECORDED]:
        click.echo(f"stored: {store(picture(name))}")


if __name__ == "__main__":
    main(prog_name="python -m dspref.figures")
