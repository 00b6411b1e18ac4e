"""Become another program that the kernel kills when the process that started it dies. Run as a script.

```
python -I -S tether.py PARENT PROGRAM ARGUMENT…
```

The kernel's parent-death signal (Linux, prctl(2)) is set by the process that shall receive it and survives `exec`, so
this script sets it on itself and then becomes PROGRAM. The usual alternative, `preexec_fn`, runs Python between
fork and exec, which can deadlock as soon as the parent has a second thread.

The signal is sent when the *thread* that started the child ends: start children from the main thread. It is SIGKILL,
since a child that ignores a milder one would outlive its parent; a Redis loses nothing by it, as what it has written is
in the kernel's hands. Elsewhere than on Linux the script only becomes PROGRAM.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

#: PR_SET_PDEATHSIG of <linux/prctl.h>.
SET_PARENT_DEATH_SIGNAL = 1


def tethered(command: Sequence[str]) -> list[str]:
    """Give the command line that runs `command` for as long as the calling process lives."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def die_with(parent: int) -> None:
    """Let the kernel kill the calling process when its parent dies. A fork forgets it: ask again in its child."""
    if sys.platform == "linux":
        import ctypes

        libc = ctypes.CDLL(None)
        libc.prctl(SET_PARENT_DEATH_SIGNAL, ctypes.c_ulong(signal.SIGKILL), *[ctypes.c_ulong(0)] * 3)
        # The parent may have died before prctl was called; then no signal will come.
        if os.getppid() != parent:
            sys.exit(1)


def _become(parent: int, command: Sequence[str]) -> None:
    die_with(parent)
    os.execvp(command[0], list(command))


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
