"""Imports an app: its handlers, its defaults, and what tells its version from others.

Done once in a worker's life, before it takes turns. In tests, and where a command loads a second app, loading again
forgets what the load before brought in, so that everything runs afresh.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from importlib.util import cache_from_source, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, TracebackType

from manyhands import app as declarations
from manyhands import codec
from manyhands.app import Application
from manyhands.app_files import is_own, own_python_files
from manyhands.app_location import AppLocation
from manyhands.declared import Declared
from manyhands.errors import AppImportError, ManyHandsError
from manyhands.handlers import OUR_PACKAGES, find_handlers
from manyhands.loaded_app import LoadedApp as LoadedApp

#: Bytes of the hashes of code and defaults: enough to tell versions apart, short enough to be read out.
HASH_BYTES = 8
#: Seconds after a file's last change in which code compiled of it is not believed: Python compares whole seconds.
FRESH = 2.0


@dataclass(slots=True, eq=False)
class Traces:
    """What loading an app left in the interpreter."""

    location: AppLocation
    #: Names of the modules that were there before.
    before: frozenset[str]
    #: Its own modules, but for those that are not noted yet since a handler imported them.
    modules: dict[str, ModuleType] = field(default_factory=dict)

    def enter(self) -> None:
        """Put them where imports find them."""
        root, directory = str(self.location.root), str(self.location.directory)
        # The app's own modules come first, whatever they are called; ours are all called manyhands….
        sys.path.insert(0, root)
        if directory != root:
            # In a package `import more_handlers` works too, but its celery.py must not hide Celery.
            sys.path.append(directory)
        sys.modules.update(self.modules)
        # Files may be newer than what the import system last saw of their directory.
        importlib.invalidate_caches()

    def note(self, within: Path) -> None:
        """Note the modules that are the app's, and lie in a directory."""
        # A list: a thread of the app's, or of ours, may import something meanwhile.
        new = [(name, module) for name, module in list(sys.modules.items()) if name not in self.before]
        self.modules.update((name, module) for name, module in new if _is_own(name, within))

    def leave(self) -> None:
        """Take them out again."""
        # Where it lies in a package, what is imported later from beside it may be the tests'.
        self.note(self.location.directory)
        for name in self.modules:
            sys.modules.pop(name, None)
        root, directory = str(self.location.root), str(self.location.directory)
        # Others may have put the same ones there: ours are the first and the last of them.
        if root in sys.path:
            sys.path.remove(root)
        if directory != root and directory in sys.path:
            del sys.path[-1 - sys.path[::-1].index(directory)]


#: Those of the app whose modules imports find, if there is one.
_active: list[Traces] = []


def load(location: AppLocation) -> LoadedApp:
    """Import the app. Raises `AppImportError`, whose cause is what the app raised.

    What the app prints meanwhile goes to `sys.stdout`, which whoever calls may redirect.
    """
    activate(None)
    # Before the import: what is announced as this version must not be newer than what runs.
    version = hash_code(location.directory)
    drop_doubtful_bytecode(location.directory)
    application = declarations.begin()
    main = _import(location)
    declared = _finish(application, location)
    verifiers = tuple(application.verifiers)
    handlers, not_exposed = find_handlers(main, application.modules, location.directory, verifiers)
    defaults = application.defaults or {}
    defaults_hash = hash_defaults(defaults)
    declared = replace(declared, defaults_hash=defaults_hash)
    return LoadedApp(handlers, not_exposed, defaults, defaults_hash, version, verifiers, declared)


def _finish(application: Application, location: AppLocation) -> Declared:
    try:
        return application.finish()
    except ManyHandsError as error:
        # Its own text says all, and no line of the app's is at fault alone.
        raise AppImportError(location.module, error.with_traceback(None)) from error


def hash_code(directory: Path) -> str:
    """Hash the app's Python files: their paths below its directory, and their bytes."""
    digest = blake2b(digest_size=HASH_BYTES)
    for file in own_python_files(directory):
        code = file.read_bytes()
        # With its length, so that no code can look like the next file.
        digest.update(b"%b\0%d\0%b" % (os.fsencode(file.relative_to(directory)), len(code), code))
    return digest.hexdigest()


def drop_doubtful_bytecode(directory: Path) -> None:
    """Remove what was compiled of the app's files right after they were written.

    Python takes it for that of a file saved again in the same second, if that one is as long, and would run old code.
    """
    for file in own_python_files(directory):
        compiled = Path(cache_from_source(file))
        # There may be none; and what can't be removed was not written by a process like this one.
        with contextlib.suppress(OSError):
            if compiled.stat().st_mtime < file.stat().st_mtime + FRESH:
                compiled.unlink()


def hash_defaults(defaults: Mapping[bytes, bytes]) -> str:
    """Hash encoded defaults, in their order, which is that of the state's keys."""
    return blake2b(codec.encode(dict(defaults)), digest_size=HASH_BYTES).hexdigest()


def format_import_error(error: AppImportError) -> str:
    """Write the traceback of what the app raised, from the app's own first line on."""
    cause = error.__cause__ or error
    frames = cause.__traceback__
    while frames and _is_import_machinery(frames):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(cause), cause, frames)).rstrip()


def _is_import_machinery(frames: TracebackType) -> bool:
    name = frames.tb_frame.f_code.co_filename
    return name.startswith("<frozen importlib") or name in (__file__, importlib.__file__)


def activate(traces: Traces | None) -> None:
    """Let imports find the modules of this app, and of no other one; None: of none."""
    if traces is None or traces not in _active:
        while _active:
            _active.pop().leave()
        if traces is not None:
            traces.enter()
            _active.append(traces)


def active() -> Traces | None:
    """Give what the app left that was loaded or activated last."""
    return _active[-1] if _active else None


def _import(location: AppLocation) -> ModuleType:
    traces = Traces(location, frozenset(sys.modules))
    activate(traces)
    try:
        taken = sys.modules.get(location.module)
        if taken is not None:
            _check_file(taken, location)
            del sys.modules[location.module]
        return _import_package(location) if "." in location.module else _import_file(location)
    except (Exception, SystemExit) as error:
        raise AppImportError(location.module, error) from error
    finally:
        traces.note(location.root)


def _import_package(location: AppLocation) -> ModuleType:
    module = importlib.import_module(location.module)
    _check_file(module, location)
    return module


def _import_file(location: AppLocation) -> ModuleType:
    # By its file, not by its name, under which Python might find an installed library.
    spec = spec_from_file_location(location.module, location.file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{location.file} can't be imported as Python")
    module = sys.modules[location.module] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(location.module, None)
        raise
    # As `import` does: a module may put something else in its place.
    return sys.modules.get(location.module, module)


def _check_file(module: ModuleType, location: AppLocation) -> None:
    file = getattr(module, "__file__", None)
    if file is None or Path(file).resolve() != location.file.resolve():
        raise ImportError(
            f"another module named {location.module} is already in use here, from {file or 'Python itself'}; "
            f"rename {location.file.name}"
        )


def _is_own(name: str, directory: Path) -> bool:
    # Importing a library again would break it, so only what lies in the app's directory is ever forgotten.
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is not None and name.partition(".")[0] not in OUR_PACKAGES and is_own(Path(file), directory)
