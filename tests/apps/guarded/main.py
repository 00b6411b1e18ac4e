"""An app that lets sessions in or not, as the handshake's header X-Verify asks for."""

import asyncio
import os
import threading
from pathlib import Path

import manyhands as mh

mh.init_state({"counter": 0, "private": "for those who were let in"})


@mh.session_verifier
def by_header(headers, cookies):
    if os.environ.get("VERIFIED_LOG"):
        with Path(os.environ["VERIFIED_LOG"]).open("a") as file:
            file.write(f"{headers.get('X-Verify')} {sorted(cookies.items())} Cookie={'Cookie' in headers}\n")
    match headers.get("X-Verify"):
        case "no":
            return False
        case "raise":
            raise PermissionError("not you")
        case "exit":
            raise SystemExit(3)
        case "hang":
            threading.Event().wait()
        case "zero":
            return 0
    return None


if os.environ.get("ASYNC_TOO"):

    @mh.session_verifier
    async def by_cookie(cookies):
        await asyncio.sleep(0)
        return cookies.get("banned") != "yes"


def increment(state):
    state["counter"] += 1


def who(session):
    return session
