"""Group commit and ringing, with a store and a broker that answer when the test says so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import gevent
import pytest
from gevent.event import Event as Signal
from wsproto.connection import Connection as Reader
from wsproto.connection import ConnectionType
from wsproto.events import CloseConnection, TextMessage

from manyhands.errors import Unavailable
from manyhands.settings import Settings
from manyhands.store.contract import Letter, Receipt, Verdict
from manyhands.store.memory import MemoryStore
from manyhands.updates import Outcome, encode_update, splice
from manyhands.wire import SUBPROTOCOL_JSON
from manyhands_gateway import accepter as accepter_module
from manyhands_gateway import ringer as ringer_module
from manyhands_gateway.accepter import Accepter
from manyhands_gateway.arrivals import Arrival
from manyhands_gateway.backlog import Backlog
from manyhands_gateway.connection import Connection
from manyhands_gateway.delivery import Delivery
from manyhands_gateway.meter import Meter
from manyhands_gateway.ringer import BATCH, Ringer

ARRIVAL = Arrival("increment", 0.0, Meter(), None)


class Mailboxes:
    """Stands for a store: keeps what it is given, and answers when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[int | None]] = []
        self.answers = Signal()
        self.answers.set()
        self.error: Exception | None = None
        self.receipt = Receipt(Verdict.ACCEPTED, 1)

    def accept(self, letters: Sequence[Letter]) -> Sequence[Receipt]:
        self.batches.append([letter.n for letter in letters])
        self.answers.wait()
        if self.error:
            raise self.error
        verdict, ring, retry_after = self.receipt.verdict, self.receipt.ring, self.receipt.retry_after
        return [Receipt(verdict, letter.n or 1, ring=ring, retry_after=retry_after) for letter in letters]


class Bell:
    """Stands for Celery."""

    def __init__(self) -> None:
        self.tasks: list[list[tuple[str, int]]] = []
        self.away = False

    def ring(self, bells: list[tuple[str, int]], version: None = None, queue: str = "") -> None:
        if self.away:
            raise Unavailable("broker", "away")
        self.tasks.append(bells)


class Socket:
    def __init__(self) -> None:
        self.written, self.writes = b"", 0

    def send(self, data: bytes, *_: object) -> int:
        self.written += data
        self.writes += 1
        return len(data)

    def shutdown(self, _: int) -> None: ...


class Parts:
    """An accepter with all around it."""

    def __init__(self) -> None:
        self.mailboxes, self.bell = Mailboxes(), Bell()
        self.ringer = Ringer(self.bell)
        self.backlog = Backlog(MemoryStore(Settings()), limit=10**6)
        self.accepter = Accepter(self.mailboxes, self.ringer, self.backlog)  # type: ignore[arg-type]
        self.sockets: dict[Connection, Socket] = {}
        self.accepter.start()
        self.ringer.start()

    def connect(self) -> Connection:
        socket = Socket()
        connection = Connection(socket, SUBPROTOCOL_JSON, Settings())
        self.sockets[connection] = socket
        return connection

    def read(self, connection: Connection) -> list[str]:
        """Give what a browser has read, as words."""
        reader = Reader(ConnectionType.CLIENT)
        reader.receive_data(self.sockets[connection].written)
        return [word(event) for event in reader.events()]


def word(event: object) -> str:
    if isinstance(event, CloseConnection):
        return f"close {event.code}"
    assert isinstance(event, TextMessage)
    envelope = json.loads(event.data)
    words = (envelope["type"], envelope.get("code"), str(envelope.get("n", envelope.get("seq"))))
    return " ".join(filter(None, words))


@pytest.fixture
def parts() -> Iterator[Parts]:
    made = Parts()
    yield made
    made.accepter.stop()
    made.ringer.stop(0)


def letter(n: int | None, session: str = "s") -> Letter:
    return Letter(session, "c", n, b"body")


def update(seq: int) -> Delivery:
    return Delivery(splice(encode_update([], [], "c", seq, Outcome(ok=True)), seq))


def settle() -> None:
    """Let every greenlet run until all wait."""
    for _ in range(5):
        gevent.idle()


def test_letters_that_arrive_while_a_pipeline_is_in_flight_go_with_the_next_one(parts: Parts) -> None:
    connection = parts.connect()
    parts.mailboxes.answers.clear()
    parts.accepter.submit(connection, letter(1), ARRIVAL)
    settle()
    for n in range(2, 100):
        parts.accepter.submit(connection, letter(n), ARRIVAL)
    settle()
    parts.mailboxes.answers.set()
    settle()
    assert parts.mailboxes.batches == [[1], list(range(2, 100))]
    assert parts.read(connection) == [f"accepted {n}" for n in range(1, 100)]


def test_no_update_overtakes_the_receipts_of_a_pipeline_in_flight(parts: Parts) -> None:
    connection, other = parts.connect(), parts.connect()
    parts.mailboxes.answers.clear()
    parts.accepter.submit(connection, letter(1), ARRIVAL)
    settle()
    for one in (connection, other):
        one.deliver(update(1))
    assert parts.read(connection) == []
    assert parts.read(other) == ["update 1"]
    parts.mailboxes.answers.set()
    settle()
    assert parts.read(connection) == ["accepted 1", "update 1"]


def test_the_receipts_of_a_pipeline_and_the_updates_behind_them_are_one_write(parts: Parts) -> None:
    connection = parts.connect()
    parts.mailboxes.answers.clear()
    for n in (1, 2, 3):
        parts.accepter.submit(connection, letter(n), ARRIVAL)
    settle()
    connection.deliver(update(1))
    parts.mailboxes.answers.set()
    settle()
    assert parts.read(connection) == ["accepted 1", "accepted 2", "accepted 3", "update 1"]
    assert parts.sockets[connection].writes == 1


def test_when_the_store_is_away_events_are_rejected_with_their_number_and_updates_go_on(parts: Parts) -> None:
    connection = parts.connect()
    parts.mailboxes.error = Unavailable("Redis", "away")
    parts.accepter.submit(connection, letter(4), ARRIVAL)
    parts.accepter.submit(connection, letter(None), ARRIVAL)
    settle()
    connection.deliver(update(1))
    assert parts.read(connection) == ["rejected unavailable 4", "rejected unavailable None", "update 1"]


def test_a_fault_nobody_thought_of_does_not_end_the_accepter(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    connection = parts.connect()
    parts.mailboxes.error = ZeroDivisionError()
    parts.accepter.submit(connection, letter(1), ARRIVAL)
    settle()
    parts.mailboxes.error = None
    parts.accepter.submit(connection, letter(1), ARRIVAL)
    settle()
    assert parts.read(connection) == ["rejected unavailable 1", "accepted 1"]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("verdict", "answer"),
    [
        (Verdict.MAILBOX_FULL, "rejected mailbox_full 1"),
        (Verdict.RATE_LIMITED, "rejected rate_limited 1"),
        (Verdict.TOO_OLD, "rejected bad_frame 1"),
        (Verdict.UNKNOWN_SESSION, "close 4001"),
    ],
)
def test_every_verdict_has_its_answer(parts: Parts, verdict: Verdict, answer: str) -> None:
    connection = parts.connect()
    parts.mailboxes.receipt = Receipt(verdict, 1, retry_after=0.5)
    parts.accepter.submit(connection, letter(1), ARRIVAL)
    settle()
    assert parts.read(connection) == [answer]


def test_what_is_more_than_can_wait_is_rejected_at_once(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepter_module, "MAX_LETTERS", 2)
    connection = parts.connect()
    for n in (1, 2, 3):
        parts.accepter.submit(connection, letter(n), ARRIVAL)
    assert parts.read(connection) == ["rejected unavailable 3"]
    settle()
    assert parts.read(connection)[1:] == ["accepted 1", "accepted 2"]


def test_a_cancel_waits_until_the_event_before_it_has_its_receipt(parts: Parts) -> None:
    connection = parts.connect()
    parts.mailboxes.answers.clear()
    parts.accepter.submit(connection, letter(1), ARRIVAL)
    cancelling = gevent.spawn(connection.wait_settled)
    settle()
    assert not cancelling.dead
    parts.mailboxes.answers.set()
    settle()
    assert cancelling.dead


def test_sessions_are_rung_together_and_at_most_64_with_one_task(parts: Parts) -> None:
    for number in range(BATCH + 6):
        parts.ringer.ring(f"s{number}", number, "")
    settle()
    assert [len(task) for task in parts.bell.tasks] == [BATCH, 6]
    assert parts.bell.tasks[0][0] == ("s0", 0)


def test_an_accepted_event_rings_its_session_where_the_store_says_so(parts: Parts) -> None:
    parts.mailboxes.receipt = Receipt(Verdict.ACCEPTED, 1, ring=77)
    parts.accepter.submit(parts.connect(), letter(1), ARRIVAL)
    settle()
    assert parts.bell.tasks == [[("s", 77)]]


def test_while_the_broker_is_away_rings_are_kept(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ringer_module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(ringer_module, "LAST_PAUSE", 0.001)
    parts.bell.away = True
    parts.ringer.ring("a", 1, "")
    settle()
    parts.ringer.ring("b", 2, "")
    parts.bell.away = False
    with gevent.Timeout(5):
        while not parts.bell.tasks:
            gevent.sleep(0.001)
    assert parts.bell.tasks == [[("a", 1), ("b", 2)]]


def test_before_it_ends_the_ringer_rings_whom_it_still_can(parts: Parts) -> None:
    parts.ringer.ring("a", 1, "")
    parts.ringer.stop(5)
    assert parts.bell.tasks == [[("a", 1)]]


def test_while_four_tasks_are_young_rings_gather_for_the_next_one(parts: Parts) -> None:
    for number in range(4):
        parts.ringer.ring(f"young{number}", number, "")
        settle()
    parts.ringer.ring("a", 1, "")
    parts.ringer.ring("b", 2, "")
    settle()
    assert len(parts.bell.tasks) == 4
    parts.ringer.updated("young2")
    settle()
    assert parts.bell.tasks[4:] == [[("a", 1), ("b", 2)]]


def test_a_task_that_is_young_no_longer_holds_up_none(parts: Parts) -> None:
    for number in range(5):
        parts.ringer.ring(f"s{number}", number, "")
        settle()
    with gevent.Timeout(5):
        while len(parts.bell.tasks) < 5:
            gevent.sleep(0.001)


def test_sessions_of_different_queues_are_rung_apart(parts: Parts) -> None:
    parts.ringer.ring("a", 1, "")
    parts.ringer.ring("b", 2, "gpu")
    parts.ringer.ring("c", 3, "")
    settle()
    assert parts.bell.tasks == [[("a", 1), ("c", 3)], [("b", 2)]]
