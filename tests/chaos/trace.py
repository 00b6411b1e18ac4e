"""What handlers wrote down outside of all that can fail: which run of which event began and returned, and when."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.faults import Fault


@dataclass(frozen=True, slots=True)
class Note:
    """One line: `began` or `did`."""

    word: str
    session: str
    client: str
    n: int
    pid: int
    at: float


@dataclass(frozen=True, slots=True)
class Takeover:
    """One event that was begun again after its worker had died, been stopped or told to go."""

    fault: Fault
    client: str
    n: int
    seconds: float
    #: Whether another fault befell the fleet in these seconds, or shortly before.
    disturbed: bool


#: Seconds for which a fault is felt: Celery's consumers take so long to come back to a broker.
FELT = 5.0


class Trace:
    """The notes of one round, by event."""

    def __init__(self, file: Path, sessions: Iterable[str]) -> None:
        wanted = set(sessions)
        self.began: dict[tuple[str, int], list[Note]] = defaultdict(list)
        self.did: dict[tuple[str, int], list[Note]] = defaultdict(list)
        for line in file.read_text().splitlines():
            word, session, client, n, pid, at = line.split()
            if session in wanted:
                note = Note(word, session, client, int(n), int(pid), float(at))
                (self.began if word == "began" else self.did)[note.client, note.n].append(note)

    @property
    def runs_repeated(self) -> int:
        """How many runs there were beyond the first of each event."""
        return sum(len(notes) - 1 for notes in self.began.values())

    def takeovers(self, faults: Sequence[Fault]) -> list[Takeover]:
        """Find the runs that took over from a worker that a fault befell, with the time this took."""
        found = []
        for (client, n), notes in self.began.items():
            for before, after in itertools.pairwise(notes):
                causes = [one for one in faults if one.pid == before.pid and before.at <= one.at <= after.at]
                for fault in causes[:1]:
                    others = [one for one in faults if one is not fault and fault.at - FELT < one.over < after.at]
                    found.append(Takeover(fault, client, n, after.at - fault.at, bool(others)))
        return found
