"""What the studio knows of Python without running it: where the syntax is wrong, and which names a module has."""

from __future__ import annotations

import ast
import warnings
from typing import Any

#: Beyond it a text is not looked at: Python's parser takes its time.
LONGEST = 500_000


def find_syntax_error(text: str) -> dict[str, Any] | None:
    """Give where and why a module can't be compiled; None if it can."""
    if len(text) > LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            # Of an escape that means nothing, say; they are no errors.
            warnings.simplefilter("ignore")
            # Not parsed alone: a `return` outside of any function is found by the compiler.
            compile(text, "the module", "exec", dont_inherit=True)
    except SyntaxError as error:
        return {"line": error.lineno or 1, "column": error.offset or 1, "message": error.msg}
    except (ValueError, RecursionError, MemoryError) as error:
        return {"line": 1, "column": 1, "message": str(error) or "it is nested too deeply"}
    return None


def append_function(text: str, code: str, name: str) -> tuple[str, str]:
    """Append a function, renamed where its name is taken. Gives the whole text and the function's name."""
    taken = _names(text)
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    newline = "\r\n" if "\r\n" in text else "\n"
    written = code.replace(f"def {name}(", f"def {free}(", 1).replace("\n", newline)
    gap = "" if not text else newline * (2 if text.endswith("\n") else 3)
    return f"{text}{gap}{written}", free


def _names(text: str) -> set[str]:
    """Give the names that a module may define, wherever in it; of a wrong one all words."""
    try:
        tree = _parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(text.replace("(", " ").replace(":", " ").split())
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    named = {one.name for one in ast.walk(tree) if isinstance(one, definitions)}
    named |= {one.id for one in ast.walk(tree) if isinstance(one, ast.Name)}
    return named | {(one.asname or one.name) for one in ast.walk(tree) if isinstance(one, ast.alias)}


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)
