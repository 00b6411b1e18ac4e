"""A campaign: rounds of load and faults on one fleet, each checked once quiet, and a table of what was survived."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chaos.checks import Checker, Findings
from chaos.driver import Load
from chaos.faults import Fault, Injector
from chaos.fleet import Fleet
from chaos.trace import Takeover, Trace

#: Seconds of load of one round. Sessions of a round are new, so that states stay small.
ROUND = 60.0
#: Seconds in which everything that was accepted must have ended once the faults are over.
QUIET_WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a campaign."""

    seed: int
    seconds: float
    sessions: int = 16
    #: Events a second, of all sessions together.
    rate: float = 50.0
    workers: int = 3
    own_broker: bool = False


@dataclass(slots=True)
class Report:
    """What a campaign has come to."""

    plan: Plan
    findings: Findings = field(default_factory=Findings)
    faults: list[Fault] = field(default_factory=list)
    takeovers: list[Takeover] = field(default_factory=list)
    runs_repeated: int = 0
    seconds: float = 0.0

    @property
    def kinds(self) -> Counter[str]:
        """How many faults of each kind there were."""
        return Counter(fault.kind for fault in self.faults)


def run(plan: Plan, directory: Path, say: Callable[[str], object] = print) -> Report:
    """Run a campaign; it ends early with the round that found a violation."""
    report, began = Report(plan), time.monotonic()
    with Fleet(directory, workers=plan.workers, own_broker=plan.own_broker).running() as fleet:
        injector = Injector(fleet, plan.seed)
        rounds = max(1, round(plan.seconds / ROUND))
        for number in range(rounds):
            _play_round(report, fleet, injector, number, plan.seconds / rounds)
            say(f"round {number + 1} of {rounds}: {report.findings.accepted} events accepted, "
                f"{len(injector.done)} faults, {len(report.findings.violations)} violations")  # fmt: skip
            if report.findings.violations:
                break
    report.faults, report.seconds = injector.done, time.monotonic() - began
    return report


def _play_round(report: Report, fleet: Fleet, injector: Injector, number: int, seconds: float) -> None:
    plan = report.plan
    load = Load(f"r{number}", fleet.urls, plan.seed, plan.sessions, plan.rate)
    load.start()
    injector.torment(load, seconds)
    fleet.wait_until_whole()
    load.finish(QUIET_WITHIN)
    report.findings += Checker(fleet, load).check()
    load.close()
    trace = Trace(fleet.trace, (session.id for session in load.sessions))
    report.takeovers += trace.takeovers(injector.done)
    report.runs_repeated += trace.runs_repeated


def table(report: Report) -> str:
    """Write the figures and the faults survived."""
    found = report.findings
    lines = [f"seed {report.plan.seed}, {report.seconds:.0f} s, {len(report.faults)} faults", ""]
    lines += [f"  {times:5}  {kind}" for kind, times in sorted(report.kinds.items())]
    lines += [
        "",
        f"  {found.accepted:5}  events accepted",
        f"  {found.lost:5}  lost",
        f"  {found.repeated:5}  applied twice",
        f"  {found.out_of_order:5}  out of order",
        f"  {found.sent_again:5}  sendings repeated by browsers",
        f"  {report.runs_repeated:5}  runs begun again, of which {len(report.takeovers)} after their worker's fault",
    ]
    for words, ones in (("", report.takeovers), (" with no other fault near", _undisturbed(report))):
        if ones:
            slowest = max(ones, key=lambda one: one.seconds)
            lines.append(f"  {slowest.seconds:5.2f}  seconds the slowest takeover{words} ({slowest.fault.kind})")
    if found.violations:
        lines += ["", f"{len(found.violations)} VIOLATIONS", *(f"  {text}" for text in found.violations[:40])]
    return "\n".join(lines)


def _undisturbed(report: Report) -> list[Takeover]:
    return [one for one in report.takeovers if not one.disturbed]
