"""A tab of a test: fires events, and has what a browser would have."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

import msgpack

from manyhands.client.states import States, replace_references
from manyhands.errors import ClientClosed, ManyHandsError, SessionRefused
from manyhands.testing.ends import End, Error, Update
from manyhands.wire import BLOB_PATH, Close, Key, Type

if TYPE_CHECKING:
    from manyhands.testing.app import Core
    from manyhands_gateway.conversation import Conversation

Found = TypeVar("Found")


class Fired:
    """An event that was fired, and may run on."""

    def __init__(self, tab: Tab, handler: str, n: int) -> None:
        self._tab, self.handler, self.n = tab, handler, n
        #: Set at once: the gateway answers before `start` returns.
        self.accepted = False
        self._updates: list[Update] = []
        self._mail: list[Mapping[str, Any]] = []
        self._end: End | None = None

    @property
    def updates(self) -> list[Update]:
        """What it has sent so far."""
        return list(self._updates)

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._end is not None

    def wait(self, *, check: bool = False, timeout: float | None = None) -> End:
        """Wait for its end. `check`, `timeout`: see `Tab.fire`."""
        about = f"the event {self.n} for {self.handler} has not ended"
        self._tab.wait_until(lambda: self.ended, timeout=timeout, what=about)
        assert self._end is not None
        return self._end.check() if check else self._end

    def cancel(self) -> None:
        """Ask for its end, as a browser does."""
        self._tab.cancel(self.n)

    def _take(self, envelope: Mapping[str, Any]) -> None:
        self._updates.append(Update.of(envelope))
        self._mail += envelope[Key.MAIL]
        if envelope[Key.DONE]:
            error = envelope[Key.ERROR]
            self._finish(
                envelope[Key.OK], envelope[Key.RESULT],
                None if error is None else Error(error[Key.CODE], error[Key.MESSAGE]),
            )  # fmt: skip

    def _refuse(self, code: str, message: str) -> None:
        self._finish(False, None, Error(code, message))

    def _finish(self, ok: bool, result: Any, error: Error | None) -> None:
        output, exception = self._tab._captured(self.n)
        self._end = End(
            self.handler, self.n, self.accepted, ok, result, error, self._mail, self.updates, output, exception
        )


class Tab:
    """One page that is open. Every tab of a session gets all of its updates."""

    def __init__(self, core: Core, session: str | None, headers: Mapping[str, str], cookies: Mapping[str, str]) -> None:
        self._core, self._headers, self._cookies = core, dict(headers), dict(cookies)
        self._client = uuid.uuid4().hex
        self._n = 0
        self._fired: dict[int, Fired] = {}
        self._closed: tuple[int, str] | None = None
        #: The session's token: whoever has it may open another tab of it.
        self.session = session
        self._states = States(self._fetch_all)
        self._conversation = self._connect()

    # --- what the browser has ---

    @property
    def state(self) -> Mapping[str, Any]:
        """The session's state as browsers have it: plain data, without what begins with an underscore."""
        with self._core.changed:
            return self._states.own.data

    @property
    def shared(self) -> Mapping[str, Mapping[str, Any]]:
        """The states of the rooms that the session has joined, by their names."""
        with self._core.changed:
            return self._states.shared

    def fetch(self, url: str) -> bytes:
        """Get a large file of which the state has the URL. Raises `LookupError` when it has been replaced."""
        with self._core.changed:
            return self._core.blob(*_names_in(url))

    @property
    def session_id(self) -> str:
        """What handlers get as `session["id"]`."""
        return self._conversation.session

    # --- what it does ---

    def fire(
        self, handler: str, payload: object = None, context: Mapping[str, Any] | None = None, *,
        check: bool = False, timeout: float | None = None,
    ) -> End:  # fmt: skip
        """Fire an event, and wait for its end.

        `context`: as in the protocol, `{"event", "target", "repeaters"}`. With `check`, raises `EventFailed` unless it
        ends well. Raises `TimeoutError` after so many seconds; those of the app unless given.
        """
        return self.start(handler, payload, context).wait(check=check, timeout=timeout)

    def start(self, handler: str, payload: object = None, context: Mapping[str, Any] | None = None) -> Fired:
        """Fire an event, and go on while its handler runs."""
        with self._core.changed:
            self._n += 1
            fired = self._fired[self._n] = Fired(self, handler, self._n)
            envelope = {Key.TYPE: Type.EVENT, Key.N: self._n, Key.HANDLER: handler, Key.PAYLOAD: payload}
            self._send(envelope if context is None else {**envelope, Key.CONTEXT: dict(context)})
        return fired

    def cancel(self, n: int) -> None:
        """Ask for the end of an event of this tab."""
        with self._core.changed:
            self._send({Key.TYPE: Type.CANCEL, Key.N: n})

    def wait_until(
        self, condition: Callable[[], Found], *,
        timeout: float | None = None, what: str = "what was waited for is not so",
    ) -> Found:  # fmt: skip
        """Wait until a condition is true, which is looked at after each update. Raises `TimeoutError`."""
        seconds = self._core.timeout if timeout is None else timeout
        with self._core.changed:
            found = self._core.changed.wait_for(lambda: condition() or self._closed, seconds)
            if found and found is not self._closed:
                return found  # type: ignore[return-value]
            if self._closed:
                raise ClientClosed(f"{what}, and the tab is closed: {self._closed[1]}")
        raise TimeoutError(f"{what} within {seconds:g} s; `timeout` may be longer")

    def reload(self) -> None:
        """Load the page again: the session stays, and its whole state is read from the store."""
        with self._core.changed:
            self._conversation.leave()
            self._states.forget()
            self._conversation = self._connect()

    def close(self) -> None:
        """Close the tab. What it has fired runs on."""
        with self._core.changed:
            self._conversation.leave()
            self._closed = self._closed or (0, "by the test")

    # --- to and from the gateway ---

    def _connect(self) -> Conversation:
        self._conversation = self._core.connect(self._headers, self._cookies, self._deliver, self._close)
        known = {} if self.session is None else {Key.SESSION: self.session}
        self._send({Key.TYPE: Type.HELLO, Key.CLIENT: self._client, **known})
        return self._conversation

    def _send(self, envelope: Mapping[Key, object]) -> None:
        if self._closed:
            raise ClientClosed(f"the tab is closed: {self._closed[1]}")
        try:
            frame: Any = msgpack.packb(envelope)
        except (TypeError, ValueError, OverflowError) as error:
            raise TypeError(
                "payload and context are what a browser can send: None, bool, int, float, str, bytes, and lists and "
                f"dicts of them; {error}"
            ) from error
        # A test's own capture may have taken the standard streams back, or another app been used since.
        self._core.worker.take_process()
        self._conversation.receive(bytes(frame))

    def _close(self, code: int, reason: str) -> None:
        self._closed = code, reason
        if code == Close.REFUSED:
            raise SessionRefused(reason)
        if self.session is None or self._states.own.seq is None:
            raise ClientClosed(reason)

    def _deliver(self, frame: bytes) -> None:
        envelope = msgpack.unpackb(frame, strict_map_key=False)
        match envelope[Key.TYPE]:
            case Type.WELCOME:
                self.session = envelope[Key.SESSION]
                self._n = max(self._n, envelope[Key.N])
                self._states.welcome(envelope)
            case Type.ACCEPTED:
                self._fired[envelope[Key.N]].accepted = True
            case Type.REJECTED if envelope[Key.N] is None:
                raise ManyHandsError(envelope[Key.MESSAGE])
            case Type.REJECTED:
                self._fired.pop(envelope[Key.N])._refuse(envelope[Key.CODE], envelope[Key.MESSAGE])
            case Type.UPDATE:
                self._take(envelope)

    def _take(self, envelope: Mapping[str, Any]) -> None:
        self._states.copy_of(envelope).apply(envelope)
        event = envelope.get(Key.EVENT)
        if event is None or event[Key.CLIENT] != self._client:
            return
        fired = self._fired.get(event[Key.N])
        if fired is not None:
            changes = [(path, self._fetch_all(value)) for path, value in envelope[Key.SET]]
            fired._take({**envelope, Key.SET: changes})
            if fired.ended:
                del self._fired[fired.n]

    def _captured(self, n: int) -> tuple[str, BaseException | None]:
        return self._core.captured.take((self._client, n))

    def _fetch_all(self, value: Any) -> Any:
        return replace_references(value, self._fetch)

    def _fetch(self, reference: Mapping[str, Any]) -> Any:
        try:
            data = self._core.blob(*_names_in(reference[Key.BLOB]))
        except LookupError:
            # A newer value has taken its place; its update is on its way.
            return dict(reference)
        return data if reference[Key.TYPE] != "application/json" else msgpack.unpackb(data, strict_map_key=False)


def _names_in(url: str) -> tuple[str, bytes]:
    session, _, digest = url.removeprefix(f"{BLOB_PATH}/").rpartition("/")
    try:
        return unquote(session), bytes.fromhex(digest)
    except ValueError:
        raise LookupError(f"{url!r} is no URL of a large value") from None
