"""Commits that are sent at once and answered later: a worker does not wait for each before its next handler begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import RedisError

from manyhands.errors import LargeMissing, TurnLost
from manyhands.store.line import BROKEN, Line, Lines
from manyhands.store.turns import Commit, Committed


class RedisStream:
    """For one thread at a time. Whatever happens to the connection, `settle` says of each commit what is known."""

    def __init__(
        self,
        lines: Lines,
        pack_commit: Callable[[Commit], bytes],
        pack_start: Callable[[str, str], bytes],
        read: Callable[[Commit, Sequence[Any]], Committed | TurnLost | LargeMissing],
    ) -> None:
        """`pack_start` packs the note that the handler of a run, `(session, token)`, begins."""
        self._lines, self._pack_commit, self._pack_start, self._read = lines, pack_commit, pack_start, read
        self._line: Line | None = None
        #: What was packed and not yet sent.
        self._packed: list[bytes] = []
        #: What was packed since the last `settle`; None stands for a start.
        self._unanswered: list[Commit | None] = []
        self._failed = False

    def commit(self, commit: Commit) -> None:
        """Send a commit with the next `flush`."""
        self._packed.append(self._pack_commit(commit))
        self._unanswered.append(commit)

    def start(self, session: str, token: str) -> None:
        """Note with the next `flush` that a run's handler begins."""
        self._packed.append(self._pack_start(session, token))
        self._unanswered.append(None)

    def flush(self) -> bool:
        """Send what was packed, without waiting; False when it can't be sent: then `settle`."""
        packed, self._packed = self._packed, []
        if packed and not self._failed:
            try:
                self._line = self._line or self._lines.take()
                self._line.send(b"".join(packed), len(packed))
            except BROKEN:
                self._failed = True
        return not self._failed

    def settle(self) -> list[tuple[Commit, Committed | TurnLost | None]]:
        """Wait for all answers. None where it is unknown whether the commit was written: send it once more."""
        unanswered, self._unanswered = self._unanswered, []
        if not unanswered:
            return []
        self.flush()
        answers = self._read_answers(len(unanswered))
        self._failed = False
        known = zip(unanswered, answers, strict=True)
        return [(commit, self._understand(commit, answer)) for commit, answer in known if commit]

    def close(self) -> None:
        """Give the connection up, whatever is still to be answered."""
        self._packed.clear()
        self._unanswered.clear()
        line, self._line = self._line, None
        if line is not None:
            self._lines.give_back(line, broken=True)

    def _understand(self, commit: Commit, answer: Any) -> Committed | TurnLost | None:
        # An error is Redis' answer to a script that it has forgotten, or while it loads or is full.
        if answer is None or isinstance(answer, RedisError):
            return None
        understood = self._read(commit, answer)
        # Sent again, it is told so with the cause.
        return None if isinstance(understood, LargeMissing) else understood

    def _read_answers(self, count: int) -> list[Any]:
        answers: list[Any] = []
        line, self._line = self._line, None
        if line is not None:
            try:
                answers = [None] * count if self._failed else line.read()
            except BROKEN:
                self._failed = True
            self._lines.give_back(line, broken=self._failed)
        return answers + [None] * (count - len(answers))
