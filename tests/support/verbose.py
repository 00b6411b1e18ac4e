"""`manyhands …` with every logger of every library at its most talkative: `python -m support.verbose gateway`."""

from __future__ import annotations

import logging
import sys

if __name__ == "__main__":
    if sys.argv[1] == "gateway":
        from gevent import monkey

        monkey.patch_all()
    logging.basicConfig(level=1, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    # Whoever would be quieter, or silent, is not.
    logging.Logger.setLevel = lambda *_: None  # type: ignore[method-assign]
    logging.Logger.isEnabledFor = lambda *_: True  # type: ignore[method-assign]

    from manyhands.cli import main

    sys.exit(main(sys.argv[1:]))
