"""Makes runs of turns, with what they need of the process."""

from __future__ import annotations

from dataclasses import replace

from manyhands.branches import Defaults
from manyhands.fields import dicts_between
from manyhands.known_fields import KnownFields
from manyhands.letters import Body
from manyhands.store.turns import Turn
from manyhands_worker.parts import Parts
from manyhands_worker.run import Run


def known_of(parts: Parts, turn: Turn) -> KnownFields:
    """Give what is known of a session's fields with a turn that brought some."""
    if parts.settings.dev and turn.whole and turn.session.defaults != parts.app.defaults_hash:
        # The session has moved to the app's new defaults, which may lack dicts that it has written into.
        fields = turn.fields or {}
        turn = replace(turn, fields={**fields, **dicts_between(fields, parts.defaults.of(turn.session).fields)})
    return parts.reading.of(turn)


def make_run(parts: Parts, turn: Turn, body: Body, defaults: Defaults, known: KnownFields) -> Run:
    """Make a run on a session's state. Raises `DamagedValue` for a path that can't be read."""
    settings = parts.settings
    return Run(
        turn, body, defaults, known, dev=settings.dev, declared=parts.app.declared,
        values=parts.large.of(turn.session.id), max_value=settings.max_value,
    )  # fmt: skip


def make_empty_run(parts: Parts, turn: Turn, body: Body) -> Run:
    """Make a run on an empty state, of which nothing is written: its session's can't be read."""
    values = parts.large.of(turn.session.id)
    return Run(
        turn, body, Defaults({}, {}), KnownFields({}), dev=True, values=values, max_value=parts.settings.max_value
    )
