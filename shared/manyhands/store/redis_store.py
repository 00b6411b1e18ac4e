"""Sessions in Redis: each act one Lua script, each a single round trip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgpack
from redis import exceptions as errors
from redis.exceptions import NoScriptError, RedisError, ResponseError

from manyhands.abilities import Abilities
from manyhands.errors import LargeMissing, StoreRefused, TurnLost, Unavailable
from manyhands.keys import PARTITIONS, Keys
from manyhands.settings import Settings
from manyhands.store import limits, replies, waiting
from manyhands.store.commands import Part, SessionCommands, pack, pack_script
from manyhands.store.contract import Announcement, Fields, Letter, Overdue, Receipt, Session, Waiting, Welcome
from manyhands.store.info import encode_info
from manyhands.store.line import Lines
from manyhands.store.redis_client import connect
from manyhands.store.redis_large import RedisLarge
from manyhands.store.redis_rooms import RedisRooms
from manyhands.store.replies import pack_wanted
from manyhands.store.scripts_loader import Script, load_script
from manyhands.store.stream import RedisStream
from manyhands.store.turns import Begin, Commit, Committed, Elsewhere, Refresh, Turn, Wanted

#: Tries of a command whose connection fails: every script that is sent more than once may safely run twice.
ATTEMPTS = 3

PASSING_ERRORS = (
    *(errors.AuthenticationError, errors.ReadOnlyError, errors.OutOfMemoryError),
    *(errors.ClusterDownError, errors.TryAgainError, errors.MasterDownError),
)
PASSING_CODES = ("LOADING", "READONLY", "MASTERDOWN", "OOM", "BUSY", "MISCONF", "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN")


class RedisStore(RedisLarge):
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
        #: Whether Redis has been told of start.lua, which it forgets together with the others.
        self._knows_start = False
        self._commands = SessionCommands(self.keys, self._life, self._lease)
        self.rooms = RedisRooms(self.keys, self._pipeline)

    @classmethod
    def from_settings(cls, settings: Settings) -> RedisStore:
        """Make a store; nothing is sent before the first act."""
        return cls(settings)

    @property
    def round_trips(self) -> int:
        """How often this process has waited for answers to scripts."""
        return self._lines.round_trips

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
        info = encode_info(session.headers, session.cookies)
        self._run("create", session.id, session.defaults, session.version, info)

    def delete(self, session: str) -> None:
        """End a session with all that it holds."""
        self._run("delete", session)

    def accept(self, letters: Sequence[Letter]) -> Sequence[Receipt]:
        """Append each letter to its session's mailbox, durably and in order, in one round trip."""
        script, settings = load_script("accept"), self.settings
        limited = (settings.mailbox_limit, settings.rate_limit, settings.rate_burst, limits.CLIENT_GAPS)
        calls = [
            (script, one.session, (one.client, "" if one.n is None else one.n, one.body, one.queue, *limited))
            for one in letters
        ]
        # A letter without a number of its own must not be sent twice.
        attempts = 1 if any(one.n is None for one in letters) else ATTEMPTS
        return [replies.read_receipt(answer) for answer in self._pipeline(calls, attempts)]

    def welcome(
        self, session: str, client: str, seq: int | None, abilities: Abilities | None = None
    ) -> Welcome | None:
        """Read what a browser needs; None for an unknown or expired session."""
        arrow, plain = (int(abilities.arrow), int(not abilities.add)) if abilities else (0, 0)
        answer = self._run("welcome", session, client, "" if seq is None else seq, arrow, plain)
        if answer is None:
            return None
        number, defaults, version, info, highest, pending, ended, updates, fields, rooms = answer
        return Welcome(
            session=replies.read_session(session, defaults, version, info),
            seq=int(number),
            highest_n=int(highest),
            pending=[int(n) for n in pending],
            ended=ended,
            updates=updates,
            fields=None if updates is not None else replies.read_fields(fields),
            rooms=(rooms or b"").decode().split(),
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
        turn = self.begin_all([Begin(session, token)])[0]
        assert not isinstance(turn, Elsewhere), "a caller that serves any queue was sent elsewhere"
        return turn

    def begin_all(self, begins: Sequence[Begin], queues: Sequence[str] = ()) -> Sequence[Turn | Elsewhere | None]:
        """Take several sessions' turns in one round trip. `queues`: those that the caller serves; none: any."""
        # Single spaces: two in a row are the common queue, whose name is empty.
        script, served = load_script("begin"), f" {' '.join(queues)} " if queues else ""
        calls = [
            (script, one.session, (one.token, int(one.starts), int(one.about is not None), served, wanted))
            for one, wanted in zip(begins, [pack_wanted(one.wanted) for one in begins], strict=True)
        ]
        if not self._knows_start and not all(one.starts for one in begins):
            # Nobody waits for the answer to a start, so Redis is told of the script before.
            self._send([pack("SCRIPT", "LOAD", load_script("start").text)], ATTEMPTS)
            self._knows_start = True
        answers = self._pipeline(calls)
        return [replies.read_begun(one, answer) for one, answer in zip(begins, answers, strict=True)]

    def commit(self, commit: Commit) -> Committed:
        """Write. Raises `TurnLost` when the run was given up, `LargeMissing` where it refers to what is not here."""
        answer = self.commit_all([commit])[0]
        if isinstance(answer, (TurnLost, LargeMissing)):
            raise answer
        return answer

    def commit_all(self, commits: Sequence[Commit]) -> Sequence[Committed | TurnLost | LargeMissing]:
        """Write several commits of different runs, in one round trip."""
        script = load_script("commit")
        answers = self._calls([(script, self._pack_commit(one)) for one in commits])
        return [replies.read_committed(one, answer) for one, answer in zip(commits, answers, strict=True)]

    def stream(self) -> RedisStream:
        """Make a stream of commits, for one thread at a time."""
        return RedisStream(self._lines, self._pack_commit, self._pack_start, replies.read_committed)

    def _pack_commit(self, commit: Commit) -> bytes:
        arguments = replies.commit_arguments(commit, self._commands.channel(commit.session))
        return self._commands.pack(load_script("commit"), commit.session, arguments)

    def _pack_start(self, session: str, token: str) -> bytes:
        return pack_script(load_script("start"), [self.keys.meta(session)], [token])

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
        return [replies.read_refresh(answer) for answer in answers]

    def read(self, session: str, wanted: Wanted) -> tuple[Fields, bool]:
        """Read fields of a session's state, and tell whether these are all. An unknown session has none."""
        fields, whole = self._run("read", session, pack_wanted(wanted))
        return replies.read_fields(fields), bool(whole)

    def ring_overdue(self, served_before: Mapping[str, int | None], idle: bool) -> Sequence[Overdue]:
        """Find sessions whose lease ran out or whose doorbell got lost, and mark them rung."""
        queues = [part for queue, ms in served_before.items() for part in (queue, ms or 0)]
        arguments = (limits.BELL_LOST if idle else "", limits.OVERDUE_AT_ONCE, *queues)
        lost_before, bells, leases = self._call(load_script("overdue"), self._all_partitions, arguments)
        found: dict[str, tuple[list[bytes], list[bytes]]] = {}
        for kind, members in enumerate((bells, leases)):
            for member in members:
                found.setdefault(member.partition(b" ")[0].decode(), ([], []))[kind].append(member)
        of_queue = dict(zip(served_before, lost_before, strict=True))
        script = load_script("ring_again")
        calls = [
            (script, session, (self._lost_before(rung, of_queue), len(rung), *rung, *ended))
            for session, (rung, ended) in found.items()
        ]
        rings = zip(found, self._pipeline(calls), strict=True)
        return [Overdue(session, one[0], one[1].decode()) for session, one in rings if one is not None]

    @staticmethod
    def _lost_before(bells: Sequence[bytes], of_queue: Mapping[str, int]) -> int:
        # Of a session whose lease ran out and whose bell was not found, the bell is not lost.
        return max((of_queue.get(bell.partition(b" ")[2].decode(), 0) for bell in bells), default=0)

    def watch(self, queues: Sequence[str] = (), *, idle: bool = False) -> bool:
        """Tell whether the caller is the one who looks for overdue runs in this second, of all who serve its queues."""
        key = self.keys.reaper(",".join(sorted(queues)), idle=idle)
        found = self._guard(lambda: self._client.set(key, b"1", nx=True, px=limits.REAPER_INTERVAL))
        return bool(found)

    def others_listen(self, channel: str, pattern: str) -> bool:
        """Tell whether a worker process listens on another channel than this one, of those that a pattern fits."""
        listening = self._guard(lambda: self._client.pubsub_channels(pattern))
        return any(one.decode() != channel for one in listening)

    # --- scripts ---

    def _run(self, name: str, session: str, *arguments: Any) -> Any:
        return self._pipeline([(load_script(name), session, arguments)])[0]

    def _pipeline(self, calls: Iterable[tuple[Script, str, Sequence[Any]]], attempts: int = ATTEMPTS) -> list[Any]:
        pack_call = self._commands.pack
        return self._calls([(one, pack_call(one, session, arguments)) for one, session, arguments in calls], attempts)

    def _command(self, *parts: Part) -> Any:
        answer = self._send([pack(*parts)], ATTEMPTS)[0]
        if isinstance(answer, RedisError):
            raise _describe(answer) from answer
        return answer

    def _call(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        return self._calls([(script, pack_script(script, keys, arguments))])[0]

    def _calls(self, calls: Sequence[tuple[Script, bytes]], attempts: int = ATTEMPTS) -> list[Any]:
        """Run packed calls of scripts in one round trip; one more where Redis has forgotten the scripts."""
        if not calls:
            return []
        answers = self._send([packed for _, packed in calls], attempts)
        forgotten = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if forgotten:
            texts = {load_script("start").text, *(calls[index][0].text for index in forgotten)}
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
