"""The site, built once for all tests of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site.build import Built, build, built_pages


@pytest.fixture(scope="session")
def built() -> Built:
    return build(Path(__file__).resolve().parents[2] / "docs")


@pytest.fixture(scope="session")
def pages(built: Built) -> dict[str, str]:
    return built_pages(built.folder)
