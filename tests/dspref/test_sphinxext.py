"""Somebody else's documentation cites claims: a small project is built, with an inventory and one id that is none."""

from __future__ import annotations

import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from dspref.cite import statement

CONF = """
project = "somebody else's"
extensions = ["dspref.sphinxext", "sphinx.ext.intersphinx"]
intersphinx_mapping = {"dspref": ("https://docs.example", "objects.inv")}
nitpicky = True
"""

INDEX = """
Our decoder
===========

It is tone-free by :ua:`UA-T5`, see also :ua:`the rule of borders <ua301>` and :ua:`UA101`.

.. ua:: UA-T2

No claim is :ua:`UA-T99`.
"""

HEAD = b"# Sphinx inventory version 2\n# Project: dspref\n# Version: 0\n# The rest is compressed using zlib.\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, str]:
    """Return exit code, errors and page of a build with ``-W``, which goes on where it warns."""
    folder: Path = tmp_path_factory.mktemp("docs")
    (folder / "conf.py").write_text(CONF)
    (folder / "index.rst").write_text(INDEX)
    (folder / "objects.inv").write_bytes(HEAD + zlib.compress(b"ua-t5 std:label -1 claims.html#ua-t5 Tone-free\n"))
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "html",
        str(folder),
        str(folder / "out"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    page = (folder / "out" / "index.html").read_text("utf-8")
    return done.returncode, done.stderr, re.sub(r"\s+", " ", page)


def test_an_id_that_an_inventory_knows_is_a_link(built: tuple[int, str, str]) -> None:
    assert re.search(r'<a class="reference external" href="https://docs\.example/claims\.html#ua-t5"[^>]*>', built[2])
    assert f'<abbr title="{statement("UA-T5").title}">UA-T5</abbr>' in built[2]


def test_other_ids_are_text_with_their_title(built: tuple[int, str, str]) -> None:
    assert f'<abbr title="{statement("UA301").title}">the rule of borders</abbr>' in built[2]
    assert f'<abbr title="{statement("UA101").title}">UA101</abbr>' in built[2]
    assert built[2].count("docs.example") == 1


def test_the_directive_has_the_whole_statement(built: tuple[int, str, str]) -> None:
    text = re.sub(r"<[^>]+>", "", built[2]).replace("“", '"').replace("”", '"')
    row = statement("UA-T2")
    assert f"UA-T2. {row.title}. {row.text}" in text
    assert row.latex in text.replace("&lt;", "<")
    assert "(dspref 0.1.0, claim UA-T2; J. Pons, S. Pascual" in text


def test_an_unknown_id_fails_the_build_and_says_what_may_have_been_meant(built: tuple[int, str, str]) -> None:
    code, errors, page = built
    assert code == 1
    (line,) = [line for line in errors.splitlines() if "index.rst" in line]
    assert "ERROR: claim or rule: got 'UA-T99'; allowed" in line
    assert "did you mean 'UA-T9'" in line
    assert "problematic" in page
