"""Sessions in Redis: each act one Lua script, each a single round trip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgpack
from redis import exceptions as errors
from redis.exceptions import NoScriptError, RedisError, ResponseError

from manyhands.errors import StoreRefused, TurnLost, Unavailable
from manyhands.keys import PARTITIONS, Keys
from manyhands.settings import Settings
from manyhands.store import limits, waiting
from manyhands.store.commands import SessionCommands, pack, pack_script
from manyhands.store.contract import (
    Announcement,
    Commit,
    Committed,
    Fields,
    Letter,
    Receipt,
    Refresh,
    Session,
    Turn,
    Verdict,
    Waiting,
    Welcome,
)
from manyhands.store.line import Lines
from manyhands.store.redis_client import connect
from manyhands.store.scripts_loader import Script, load_script

Result = TypeVar("Result")

#: Tries of a command whose connection fails: every script that is sent more than once may safely run twice.
ATTEMPTS = 3

PASSING_ERRORS = (
    *(errors.AuthenticationError, errors.ReadOnlyError, errors.OutOfMemoryError),
    *(errors.ClusterDownError, errors.TryAgainError, errors.MasterDownError),
)
PASSING_CODES = ("LOADING", "READONLY", "MASTERDOWN", "OOM", "BUSY", "MISCONF", "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN")


class RedisStore:
    """The store of `store.contract`, in Redis."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keys = Keys(settings.namespace)
        self._life = round(settings.session_ttl * 1000)
        self._lease = round(settings.lease * 1000)
        prefixes = [self.keys.of_partition(partition) for partition in range(PARTITIONS)]
        self._all_partitions = [key for one in prefixes for key in (self.keys.bells(one), self.keys.leases(one))]
        self._client = connect(settings.redis, attempts=ATTEMPTS)
        self._lines = Lines(self._client)
        self._commands = SessionCommands(self.keys, self._life, self._lease)

    @classmethod
    def from_settings(cls, settings: Settings) -> RedisStore:
        """Make a store; nothing is sent before the first act."""
        return cls(settings)

    def close(self) -> None:
        """Close every connection."""
        self._lines.close()
        self._client.close()

    def ping(self) -> None:
        """Raise `Unavailable` unless Redis answers."""
        try:
            self._guard(lambda: self._lines.call([pack("PING")], attempts=1))
        except Unavailable as error:
            url = self.settings.redis
            if url.startswith("rediss://") and "ssl_certfile" not in url and "CERTIFICATE" not in str(error):
                # A server that wants one of its clients' certificates just ends the connection.
                hint = "if it asks its clients for certificates, the URL needs ssl_certfile and ssl_keyfile"
                raise Unavailable("Redis", f"{error.__cause__}; {hint}") from error
            raise

    # --- gateway ---

    def create(self, session: Session) -> None:
        """Create a session. Repeating it changes nothing."""
        info = msgpack.packb([dict(session.headers), dict(session.cookies)])
        self._run("create", session.id, session.defaults, session.version, info)

    def delete(self, session: str) -> None:
        """End a session with all that it holds."""
        self._run("delete", session)

    def accept(self, letters: Sequence[Letter]) -> Sequence[Receipt]:
        """Append each letter to its session's mailbox, durably and in order, in one round trip."""
        script, settings = load_script("accept"), self.settings
        limited = (settings.mailbox_limit, settings.rate_limit, settings.rate_burst, limits.CLIENT_GAPS)
        calls = [
            (script, one.session, (one.client, "" if one.n is None else one.n, one.body, *limited)) for one in letters
        ]
        # A letter without a number of its own must not be sent twice.
        attempts = 1 if any(one.n is None for one in letters) else ATTEMPTS
        return [_receipt(answer) for answer in self._pipeline(calls, attempts)]

    def welcome(self, session: str, client: str, seq: int | None) -> Welcome | None:
        """Read what a browser needs; None for an unknown or expired session."""
        answer = self._run("welcome", session, client, "" if seq is None else seq)
        if answer is None:
            return None
        number, defaults, version, info, highest, pending, ended, updates, fields = answer
        return Welcome(
            session=_session(session, defaults, version, info),
            seq=int(number),
            highest_n=int(highest),
            pending=[int(n) for n in pending],
            ended=ended,
            updates=updates,
            fields=None if updates is not None else _fields(fields),
        )

    def updates_since(self, session: str, seq: int) -> Sequence[bytes] | None:
        """Read the updates after `seq`; None when they are no longer kept."""
        updates: Sequence[bytes] | None = self._run("updates_since", session, seq)
        return updates

    def keep(self, sessions: Sequence[str]) -> Sequence[int | None]:
        """Renew the sessions' lives; give each one's `seq`, None for those that are gone."""
        script = load_script("keep")
        return self._pipeline([(script, session, ()) for session in sessions])

    def cancel(self, session: str, client: str, n: int, update: tuple[bytes, bytes], outcome: bytes) -> bool:
        """End a waiting event with this update, or mark a running one; False for an unknown `n`."""
        bounds = (limits.LOG_ENTRIES, limits.LOG_BYTES, limits.OUTCOMES)
        answer = self._run("cancel", session, client, n, *update, self.keys.updates(session), outcome, *bounds)
        return bool(answer != b"unknown")

    def waiting(self, *, fresh: bool = False) -> Waiting:
        """Count what waits, about once a second for all who ask; a `fresh` count is no older than a tenth of one."""
        interval = limits.FRESH_COUNT_INTERVAL if fresh else limits.COUNT_INTERVAL
        mine = self._guard(lambda: self._client.set(self.keys.counter(interval), b"1", nx=True, px=interval))
        shared = None if mine else self._guard(lambda: self._client.get(self.keys.waiting()))
        if shared is not None:
            return waiting.decode(shared)
        counted = waiting.count(self._call, self.keys, self._all_partitions)
        self._guard(lambda: self._client.set(self.keys.waiting(), waiting.encode(counted), px=limits.COUNT_LIFE))
        return counted

    def announcement(self) -> Announcement | None:
        """Read the newest announcement."""
        announced = self.announcements()
        return announced[0] if announced else None

    def announcements(self) -> Sequence[Announcement]:
        """Read the announcement of every version that has workers, and of the newest; the newest first."""
        versions = self._guard(lambda: self._client.zrevrange(self.keys.versions(), 0, -1))
        if not versions:
            return []
        wanted = [self.keys.announcement(version.decode()) for version in versions]
        found = self._guard(lambda: self._client.mget(wanted))
        return [Announcement(*msgpack.unpackb(one)) for one in found if one is not None]

    def handlers(self) -> frozenset[str]:
        """Read the names of the handlers of every version that is announced."""
        return frozenset(name for one in self.announcements() for name in one.handlers)

    def defaults(self, content_hash: str) -> Fields | None:
        """Read the fields of an app's defaults, and renew their life; None when they are gone."""
        key = self.keys.defaults(content_hash)
        found = self._guard(lambda: self._client.getex(key, px=self._life))
        return None if found is None else msgpack.unpackb(found, strict_map_key=False)

    # --- worker ---

    def announce(self, announcement: Announcement, defaults: Fields, *, started: bool = False) -> None:
        """Announce the app and store its defaults; repeated while the worker lives."""
        keys = self.keys
        names = (keys.announcement(announcement.version), keys.defaults(announcement.defaults))
        encoded = msgpack.packb([announcement.version, announcement.handlers, announcement.defaults])
        arguments = (
            *(announcement.version, encoded, msgpack.packb(defaults), self._life),
            *(limits.VERSION_GONE, limits.NEWEST_VERSION_GONE, int(started)),
        )
        self._call(load_script("announce"), (keys.versions(), keys.seen(), *names), arguments)

    def begin(self, session: str, token: str) -> Turn | None:
        """Take the session's turn for its next event; None when nothing waits or another holds the turn."""
        return _turn(session, token, self._run("begin", session, token))

    def commit(self, commit: Commit) -> Committed:
        """Write. Raises `TurnLost` when the run has been given up."""
        answer = self.commit_all([commit])[0]
        if isinstance(answer, TurnLost):
            raise answer
        return answer

    def commit_all(self, commits: Sequence[Commit]) -> Sequence[Committed | TurnLost]:
        """Write several commits of different runs, in one round trip."""
        script = load_script("commit")
        calls = [(script, one.session, self._commit_arguments(one)) for one in commits]
        answers = self._pipeline(calls)
        return [_committed(one, answer) for one, answer in zip(commits, answers, strict=True)]

    def _commit_arguments(self, commit: Commit) -> tuple[Any, ...]:
        return (
            *(commit.token, commit.k, commit.ending.value, *(commit.update or (b"", b""))),
            *(self.keys.updates(commit.session), commit.client, commit.n, commit.outcome),
            *(commit.next_token or "", commit.version),
            *(limits.LOG_ENTRIES, limits.LOG_BYTES, limits.OUTCOMES, limits.TOUCHED_PATHS),
            *(part for op in commit.ops for part in op),
        )

    def renew(self, runs: Sequence[tuple[str, str]]) -> Sequence[bool]:
        """Renew the leases of `(session, token)` runs; False for those that have been given up."""
        by_partition: dict[str, list[int]] = {}
        for index, (session, _) in enumerate(runs):
            by_partition.setdefault(self.keys.partition(session), []).append(index)
        script = load_script("renew")
        times = (self._lease, max(self._life, 4 * self._lease))
        calls = [
            (script, pack_script(script, [self.keys.leases(prefix)], [*times, *(" ".join(runs[at]) for at in indexes)]))
            for prefix, indexes in by_partition.items()
        ]
        held = [False] * len(runs)
        for indexes, answer in zip(by_partition.values(), self._calls(calls), strict=True):
            for index, one in zip(indexes, answer, strict=True):
                held[index] = bool(one)
        return held

    def refresh_all(self, known: Sequence[tuple[str, int]]) -> Sequence[Refresh | None]:
        """Read what changed in sessions since `(session, version)`, in one round trip; None where nothing did."""
        script = load_script("refresh")
        answers = self._pipeline([(script, session, (version,)) for session, version in known])
        return [_refresh(answer) for answer in answers]

    def ring_overdue(self, served_before: int | None, idle: bool) -> Sequence[tuple[str, int]]:
        """Find sessions whose lease ran out or whose doorbell got lost, mark them rung, and give `(session, ring)`."""
        arguments = (served_before or 0, limits.BELL_LOST if idle else "", limits.OVERDUE_AT_ONCE)
        lost_before, *members = self._call(load_script("overdue"), self._all_partitions, arguments)
        # A member is a session that was rung, or `session token` of a lease.
        leases: dict[str, list[bytes]] = {}
        for member in members:
            session, _, token = member.partition(b" ")
            leases.setdefault(session.decode(), []).extend([member] if token else [])
        script = load_script("ring_again")
        calls = [(script, session, (lost_before, *held)) for session, held in leases.items()]
        rings = self._pipeline(calls)
        return [(session, ring) for session, ring in zip(leases, rings, strict=True) if ring is not None]

    def watch(self) -> bool:
        """Tell whether the caller is the one who looks for overdue runs in this second, of the whole fleet."""
        found = self._guard(lambda: self._client.set(self.keys.reaper(), b"1", nx=True, px=limits.REAPER_INTERVAL))
        return bool(found)

    # --- scripts ---

    def _run(self, name: str, session: str, *arguments: Any) -> Any:
        return self._pipeline([(load_script(name), session, arguments)])[0]

    def _pipeline(self, calls: Iterable[tuple[Script, str, Sequence[Any]]], attempts: int = ATTEMPTS) -> list[Any]:
        pack_call = self._commands.pack
        return self._calls([(one, pack_call(one, session, arguments)) for one, session, arguments in calls], attempts)

    def _call(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        return self._calls([(script, pack_script(script, keys, arguments))])[0]

    def _calls(self, calls: Sequence[tuple[Script, bytes]], attempts: int = ATTEMPTS) -> list[Any]:
        """Run packed calls of scripts in one round trip; one more where Redis has forgotten the scripts."""
        if not calls:
            return []
        answers = self._send([packed for _, packed in calls], attempts)
        forgotten = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if forgotten:
            texts = {calls[index][0].text for index in forgotten}
            self._send([pack("SCRIPT", "LOAD", text) for text in texts], ATTEMPTS)
            again = self._send([calls[index][1] for index in forgotten], attempts)
            for index, answer in zip(forgotten, again, strict=True):
                answers[index] = answer
        for answer in answers:
            if isinstance(answer, RedisError):
                raise _describe(answer) from answer
        return answers

    def _send(self, packed: Sequence[bytes], attempts: int) -> list[Any]:
        answers: list[Any] = self._guard(lambda: self._lines.call(packed, attempts))
        return answers

    def _guard(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except (RedisError, OSError) as error:
            raise _describe(error) from error


def _describe(error: Exception) -> Unavailable:
    # What Redis says of itself while it loads, fails over or is full passes; what it says of a command does not.
    # redis-py takes the code off the texts of errors that it knows, and a script's errors have it in their middle.
    passing = isinstance(error, PASSING_ERRORS) or any(code in str(error) for code in PASSING_CODES)
    if isinstance(error, ResponseError) and not passing:
        return StoreRefused("Redis", error)
    return Unavailable("Redis", error)


def _pairs(flat: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _fields(flat: Sequence[bytes]) -> Fields:
    return dict(_pairs(flat))


def _session(session: str, defaults: bytes, version: bytes, info: bytes) -> Session:
    headers, cookies = msgpack.unpackb(info)
    return Session(session, defaults.decode(), version.decode(), headers, cookies)


def _receipt(answer: Sequence[Any]) -> Receipt:
    verdict, n, duplicate, ring, retry_ms = answer
    return Receipt(
        verdict=Verdict(verdict.decode()),
        n=int(n) if n else None,
        duplicate=bool(duplicate),
        ring=None if ring == b"" else int(ring),
        retry_after=None if retry_ms == b"" else int(retry_ms) / 1000,
    )


def _turn(session: str, token: str, answer: Sequence[Any] | None) -> Turn | None:
    if answer is None:
        return None
    fence, attempt, client, n, body, version, defaults, app_version, info, cancelled, fields = answer
    return Turn(
        session=_session(session, defaults, app_version, info),
        token=token,
        fence=fence,
        attempt=attempt,
        client=client.decode(),
        n=int(n),
        body=body,
        version=int(version),
        fields=None if fields is None else _fields(fields),
        cancelled=bool(cancelled),
    )


def _refresh(answer: Sequence[Any] | None) -> Refresh | None:
    if answer is None:
        return None
    version, touched, fields, cancelled = answer
    paths = None if touched is None else {path: int(at) for path, at in _pairs(touched)}
    events = frozenset((one[8:].decode(), int.from_bytes(one[:8], "big")) for one in cancelled)
    return Refresh(int(version), paths, _fields(fields), events)


def _committed(commit: Commit, answer: Sequence[Any]) -> Committed | TurnLost:
    if answer[0] == b"lost":
        return TurnLost(f"session {commit.session}, client {commit.client}, n {commit.n}")
    seq, version, ring = answer[:3]
    turn = _turn(commit.session, commit.next_token or "", answer[3]) if len(answer) > 3 else None
    return Committed(int(seq), int(version), turn, None if ring == b"" else int(ring))
