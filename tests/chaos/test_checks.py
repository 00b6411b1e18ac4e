"""What the chaos checks would find, if there were anything to find."""

from __future__ import annotations

from pathlib import Path

from chaos.browser import Sent
from chaos.checks import out_of_order
from chaos.faults import Fault
from chaos.trace import Trace


def sent(client: str, n: int, at: float, accepted_at: float, *, plainly: bool = True) -> Sent:
    return Sent(n, "short", [client, n, 0.0], at, connection=1, accepted_at=accepted_at, plainly=plainly)


def complaints(*events: Sent) -> list[str]:
    named = {f"{one.payload[0]}/{one.n}": one for one in events}
    return list(out_of_order(named, list(named)))


def test_events_of_one_connection_are_applied_in_the_order_of_their_numbers() -> None:
    first, second = sent("a", 1, at=1.0, accepted_at=1.5), sent("a", 2, at=1.1, accepted_at=1.6)
    assert complaints(first, second) == []
    assert complaints(second, first) == ["a/1 was applied after ['a', 2] of the same connection"]


def test_what_was_sent_again_may_come_after_what_was_sent_later() -> None:
    again = sent("a", 1, at=1.0, accepted_at=1.5, plainly=False)
    assert complaints(sent("a", 2, at=1.1, accepted_at=1.2), again) == []


def test_what_was_accepted_before_another_tab_sent_its_event_is_applied_before_it() -> None:
    earlier, later = sent("a", 1, at=1.0, accepted_at=1.5), sent("b", 1, at=1.6, accepted_at=1.7)
    between = sent("b", 2, at=1.2, accepted_at=1.9, plainly=False)
    assert complaints(earlier, later, between) == []
    assert len(complaints(later, between, earlier)) == 1


def test_a_takeover_is_timed_from_its_workers_fault_and_told_from_disturbed_ones(tmp_path: Path) -> None:
    file = tmp_path / "trace"
    file.write_text("began s a 1 11 100.0\nbegan s a 1 12 102.5\ndid s a 1 12 102.6\nbegan other a 1 11 101.0\n")
    killed, long_ago = Fault("worker killed", 101.0, 101.0, 11), Fault("Redis killed", 80.0, 81.0)
    trace = Trace(file, ["s"])
    (takeover,) = trace.takeovers([long_ago, killed])
    assert (takeover.seconds, takeover.disturbed, trace.runs_repeated) == (1.5, False, 1)
    (takeover,) = trace.takeovers([killed, Fault("Redis killed", 101.5, 102.0)])
    assert takeover.disturbed
