"""The modules of the studio's pages, in Node.js as far as they need no browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.node import run_node

TESTS = sorted((Path(__file__).parent / "studio").glob("*.test.js"))


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_the_modules_pass_their_own_tests(file: Path) -> None:
    run_node("--test", str(file))
