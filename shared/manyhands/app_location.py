"""Where an app is: what APP on a command line, or `MANYHANDS_APP`, names. Nothing is imported to find it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from manyhands.errors import AppNotFound

#: The file that makes a directory an app.
MAIN = "main.py"


@dataclass(frozen=True, slots=True)
class AppLocation:
    """An app that was found; nothing says yet that it can be imported."""

    #: Absolute. Its page, its static files and its own modules lie in it.
    directory: Path
    #: The main module's file.
    file: Path
    #: The name under which the main module is imported.
    module: str

    @property
    def root(self) -> Path:
        """The directory from which `module` is importable: for `my_app.main` the one that holds `my_app`."""
        levels = self.module.count(".") + (self.file.name == "__init__.py")
        return self.file.parents[levels]


def locate(app: str | None) -> AppLocation:
    """Find the app: a directory that holds a main.py, a Python file, or a dotted module.

    None is the current directory. Modules are looked for in the current directory, then on `sys.path`. Raises
    `AppNotFound`.
    """
    try:
        return _locate(app)
    except OSError as error:  # a name that is too long, or a directory that may not be looked into
        raise AppNotFound(app or ".", f"{error.strerror or error}") from error


def _locate(app: str | None) -> AppLocation:
    path = _expand(app or ".")
    if path.is_dir() and (path / MAIN).is_file():
        return _at_file(path / MAIN)
    if path.is_file():
        if path.suffix != ".py":
            raise AppNotFound(str(app), f"{path.resolve()} is not a Python file")
        return _at_file(path)
    found = _find_module(app) if app else None
    if found is None:
        raise AppNotFound(app or ".", _reason(app, path))
    return found


def _expand(app: str) -> Path:
    try:
        return Path(app).expanduser()
    except RuntimeError as error:
        raise AppNotFound(app, f"nobody here has the home directory {Path(app).parts[0]}") from error


def _absolute(file: Path) -> Path:
    # The file itself may be a link to elsewhere (a mounted ConfigMap); the app lies where the link does.
    return file.parent.resolve() / file.name


def _at_file(file: Path) -> AppLocation:
    file = _absolute(file)
    match file.stem:
        case "__init__":
            module = file.parent.name
        case "__main__":
            # That name is taken by the program that runs.
            module = "main"
        case stem:
            module = stem.replace(".", "_")
    return AppLocation(file.parent, file, module)


def _find_module(dotted: str) -> AppLocation | None:
    names = dotted.split(".")
    if not all(name.isidentifier() for name in names):
        return None
    for entry in (Path(), *map(Path, sys.path)):
        for module, file in _candidates(entry, names):
            if file.is_file():
                file = _absolute(file)
                return AppLocation(file.parent, file, module)
    return None


def _candidates(entry: Path, names: list[str]) -> Iterator[tuple[str, Path]]:
    dotted, below = ".".join(names), entry.joinpath(*names)
    yield f"{dotted}.main", below / MAIN
    yield dotted, below / "__init__.py"
    yield dotted, below.with_name(f"{names[-1]}.py")


def _reason(app: str | None, path: Path) -> str:
    if path.is_dir():
        cure = "" if app else "; name the app on the command line or in MANYHANDS_APP"
        return f"the directory {path.resolve()} holds no {MAIN}{cure}"
    if not all(name.isidentifier() for name in str(app).split(".")):
        return f"{path.absolute()} does not exist"
    return f"there is neither {path.absolute()} nor a module {app} in the current directory or on the Python path"
