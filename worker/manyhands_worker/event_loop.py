"""One event loop per process, on a thread of its own, for every `async` handler."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

log = logging.getLogger("manyhands.turns")


class EventLoop:
    """The loop and its thread. Nothing of ours blocks it: commits are made on other threads."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="manyhands-loop", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def call(self, function: Callable[[], object]) -> None:
        """Call a function on the loop's thread, soon."""
        self.loop.call_soon_threadsafe(function)

    def stop(self, within: float) -> None:
        """Cancel what still runs, and end the thread; waits so many seconds for handlers that will not be cancelled."""
        self.call(self.loop.stop)
        self._thread.join(within)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while self._is_thrown_out():
            pass
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def _is_thrown_out(self) -> bool:
        """Run until `stop`; True where something else has ended it, and it must go on."""
        try:
            self.loop.run_forever()
        except (SystemExit, KeyboardInterrupt) as error:
            # asyncio lets these end the loop, whichever of its tasks raises them. It has told whoever awaits the task.
            log.error("a task of the app's raised %s; the event loop goes on", type(error).__name__, exc_info=error)
            return True
        return False
