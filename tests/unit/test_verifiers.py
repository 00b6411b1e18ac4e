"""Session verifiers: what may be declared, and what lets a session in."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from manyhands import app, session_verifier
from manyhands.app_location import locate
from manyhands.errors import AppError, AppImportError, Unavailable
from manyhands.handlers import bind
from manyhands.settings import Settings
from manyhands.store.contract import Announcement
from manyhands.store.memory import MemoryStore
from manyhands.store.turns import Commit, Ending
from manyhands.updates import Outcome, encode_outcome, encode_update
from manyhands.verifiers import VERIFY_SESSION, make_verifier
from manyhands.wire import Failure
from manyhands_gateway import verification
from manyhands_gateway.handler_names import HandlerNames
from manyhands_gateway.verification import Verification
from manyhands_worker.loader import LoadedApp, load
from manyhands_worker.verifying import with_verifying
from support.event_loop import run

SESSION = {"id": "s", "headers": {"X-Team": "blue"}, "cookies": {"a": "1"}}


# --- what may be declared ---


def test_a_verifier_takes_headers_and_cookies_by_name_in_any_order() -> None:
    def check(cookies: Any, *, headers: Any, extra: int = 1) -> None: ...

    assert make_verifier(check).parameters == ("cookies", "headers")
    assert make_verifier(lambda: None).parameters == ()


@pytest.mark.parametrize(
    "wrong", ["def check(session): ...", "def check(headers, user): ...", "def check(headers, /): ..."]
)
def test_an_app_whose_verifier_takes_anything_else_is_not_imported(wrong: str, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(f"import manyhands as mh\n@mh.session_verifier\n{wrong}\n")
    with pytest.raises(AppImportError, match=r"verifier check \(.*main.py, line 2\).*any of headers and cookies"):
        load(locate(str(tmp_path)))


@pytest.mark.parametrize("wrong", [None, 3, "check", dict])
def test_what_is_no_function_is_no_verifier(wrong: Any) -> None:
    with pytest.raises(AppError, match="without parentheses"):
        session_verifier(wrong)


def test_a_generator_is_no_verifier() -> None:
    def check() -> Iterator[None]:
        yield

    with pytest.raises(AppError, match="generator"):
        session_verifier(check)


def app_of(code: str, directory: Path) -> LoadedApp:
    (directory / "main.py").write_text(f"import functools\nimport manyhands as mh\n{code}")
    return load(locate(str(directory)))


def test_verifiers_are_no_handlers_whatever_is_wrapped_around_them(tmp_path: Path) -> None:
    loaded = app_of(
        "def deco(f):\n    @functools.wraps(f)\n    def inner(*a, **k): return f(*a, **k)\n    return inner\n"
        "@mh.session_verifier\ndef plain(): ...\n"
        "@deco\n@mh.session_verifier\ndef wrapped(): ...\n"
        "@mh.session_verifier\n@deco\nasync def inside(cookies): ...\n"
        "def handler(): ...\n",
        tmp_path,
    )
    assert set(loaded.handlers) == {"handler"}
    assert not {"plain", "wrapped", "inside"} & {one.name for one in loaded.not_exposed}
    assert [(one.name, one.parameters, one.is_async) for one in loaded.verifiers] == [
        ("plain", (), False), ("wrapped", (), False), ("inside", ("cookies",), True),
    ]  # fmt: skip


def test_an_app_without_verifiers_has_no_handler_that_verifies(tmp_path: Path) -> None:
    loaded = app_of("def handler(): ...\n", tmp_path)
    assert with_verifying(loaded) is loaded


# --- what lets a session in ---


def verify(*functions: Callable[..., Any]) -> bool:
    """Run verifiers as a worker does."""
    declared = app.begin()
    for function in functions:
        session_verifier(function)
    handler = with_verifying(LoadedApp({}, [], {}, "", "v", tuple(declared.verifiers))).handlers[VERIFY_SESSION]
    args, keywords = bind(handler, None, None, None, SESSION)
    result = handler.function(*args, **keywords)
    return bool(run(result)) if handler.is_async else result is True


async def agrees(headers: dict[str, str], cookies: dict[str, str]) -> bool:
    return headers == {"X-Team": "blue"} and cookies == {"a": "1"}


@pytest.mark.parametrize("answer", [None, True, 0, "", [], {}])
def test_whatever_is_not_false_lets_in(answer: object) -> None:
    assert verify(lambda: answer)
    assert verify(lambda: answer, agrees)


class bool_:  # noqa: N801 - NumPy's own name
    def __init__(self, value: bool) -> None:
        self.value = value

    def __bool__(self) -> bool:
        return self.value


def test_false_refuses_and_so_does_the_one_of_numpy() -> None:
    assert not verify(lambda: False)
    assert not verify(lambda: bool_(False))
    assert verify(lambda: bool_(True))


def test_the_first_refusal_counts_and_nobody_is_asked_after_it() -> None:
    asked: list[str] = []
    assert not verify(lambda: asked.append("first"), lambda: False, lambda: asked.append("third"))
    assert asked == ["first"]


@pytest.mark.parametrize("error", [PermissionError, SystemExit, KeyboardInterrupt])
def test_one_that_raises_refuses_and_is_logged(error: type[BaseException], caplog: pytest.LogCaptureFixture) -> None:
    def check(headers: dict[str, str]) -> None:
        raise error("not you")

    async def check_async() -> None:
        raise error("nor you")

    assert not verify(check)
    if error is PermissionError:  # asyncio itself lets the others through
        assert not verify(check_async)
    assert "check raised, which refuses session s" in caplog.text
    assert "not you" in caplog.text


def test_async_ones_are_awaited_and_plain_ones_beside_them_run_on_a_thread() -> None:
    async def refuses() -> bool:
        return False

    @functools.wraps(refuses)
    def wrapped() -> Any:
        return refuses()

    assert verify(agrees)
    assert not verify(refuses)
    assert not verify(wrapped)
    assert not verify(agrees, lambda: False)
    assert not verify(lambda: True, refuses)


def test_what_can_not_be_awaited_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    async def refuses() -> bool:
        return False

    assert not verify(lambda: refuses())
    assert "async def" in caplog.text


def test_what_one_verifier_does_to_its_dicts_no_other_sees() -> None:
    def spoils(headers: dict[str, str], cookies: dict[str, str]) -> None:
        headers.clear()
        cookies.clear()

    assert verify(spoils, agrees)


# --- the gateway's part ---


class Hub:
    """Gives a signal that nobody sets: as if pub/sub had lost every update."""

    @contextmanager
    def listening(self, session: str) -> Iterator[Signal]:
        yield Signal()


class Worker:
    """Ends the trial, some time after it was rung, with an outcome; None: never."""

    def __init__(self, store: MemoryStore, outcome: Outcome | None) -> None:
        self.store, self.outcome = store, outcome
        self.rung: list[str] = []

    def ring(self, session: str, ring: int, queue: str) -> None:
        self.rung.append(session)
        gevent.spawn(self._end, session)

    def _end(self, session: str) -> None:
        turn = self.store.begin(session, "token")
        assert turn is not None
        assert turn.session.headers == {"X-Team": "blue"}
        if self.outcome is not None:
            self.store.commit(
                Commit(
                    session=session, token="token", k=1, ending=Ending.FINAL, client=turn.client, n=turn.n,
                    update=encode_update([], [], turn.client, turn.n, self.outcome),
                    outcome=encode_outcome(turn.n, self.outcome),
                )
            )  # fmt: skip


ANNOUNCED = [Announcement("new", {}, "d"), Announcement("old", {VERIFY_SESSION: {}, "increment": {}}, "d")]
TRUE, FALSE = b"\xc3", b"\xc2"


def ask(worker: Worker) -> bool:
    hub: Any = Hub()
    ringer: Any = worker
    return Verification(worker.store, hub, ringer).lets_in(ANNOUNCED, {"X-Team": "blue"}, {})


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    monkeypatch.setattr(verification, "LOOK", 0.01)
    monkeypatch.setattr(verification, "VERIFY_WITHIN", 0.3)
    return MemoryStore(Settings())


@pytest.mark.parametrize(("result", "lets_in"), [(TRUE, True), (FALSE, False), (b"\x01", False)])
def test_only_true_lets_in_and_the_session_of_the_trial_is_gone(
    store: MemoryStore, result: bytes, lets_in: bool
) -> None:
    worker = Worker(store, Outcome(ok=True, result=result))
    assert ask(worker) is lets_in
    assert store.keep(worker.rung) == [None]


@pytest.mark.parametrize("outcome", [None, Outcome(ok=False, error=(Failure.WORKER_LOST, "3 workers died"))])
def test_verifiers_that_do_not_decide_let_nobody_in(store: MemoryStore, outcome: Outcome | None) -> None:
    worker = Worker(store, outcome)
    with pytest.raises(Unavailable, match=r"not decided within|3 workers died"):
        ask(worker)
    assert store.keep(worker.rung) == [None]


def test_without_verifiers_nobody_is_asked(store: MemoryStore) -> None:
    worker = Worker(store, None)
    hub: Any = Hub()
    ringer: Any = worker
    assert Verification(store, hub, ringer).lets_in(ANNOUNCED[:1], {}, {})
    assert worker.rung == []


def test_more_sessions_than_there_is_room_for_are_told_to_come_again(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "MAX_VERIFYING", 2)
    hub: Any = Hub()
    ringer: Any = Worker(store, None)
    asked = Verification(store, hub, ringer)
    waiting = [gevent.spawn(asked.lets_in, ANNOUNCED, {"X-Team": "blue"}, {}) for _ in range(3)]
    gevent.joinall(waiting)
    assert sorted("being verified" in str(one.exception) for one in waiting) == [False, False, True]


def test_no_browser_can_fire_the_handler_that_verifies(store: MemoryStore) -> None:
    for one in ANNOUNCED:
        store.announce(one, {})
    names = HandlerNames(store)
    assert names.knows("increment")
    assert not names.knows(VERIFY_SESSION)
    assert names.all() == ["increment"]
