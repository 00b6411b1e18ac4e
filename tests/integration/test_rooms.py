"""Rooms the whole way: sessions that share state, on several gateways and workers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from manyhands import keys
from manyhands.keys import Keys
from manyhands.settings import Settings
from manyhands.store.redis_store import RedisStore
from manyhands.store.rooms import RoomTake, RoomTaken
from support.browser import Tab
from support.fleet import Fleet
from support.waiting import wait_until

APP = str(Path(__file__).parent.parent / "apps" / "rooms")
LEASE = 1.0
FleetOf = Callable[..., Fleet]


@pytest.fixture(scope="module")
def fleet(module_fleet_of: Callable[..., Fleet]) -> Fleet:
    """Two gateways and two workers for all tests of this module; each test has rooms of its own."""
    return module_fleet_of(app=APP, gateways=2, workers=2)


@pytest.fixture
def open_tab(fleet: Fleet) -> Iterator[Callable[..., Tab]]:
    """A factory of tabs, each of a session of its own unless a token is given; `gateway` says which of the two."""
    with contextlib.ExitStack() as stack:
        yield lambda gateway=0, **options: stack.enter_context(Tab(fleet.urls[gateway], **options))


Open = Callable[..., Tab]


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    """A room of the test's own."""
    return f"{request.node.name[5:100]}".replace("[", "-").replace("]", "")


def read(tab: Tab, room: str) -> Any:
    return tab.call("read", room)["result"]


def seen(tab: Tab, room: str) -> Any:
    return tab.rooms.get(room, {})


# --- handlers ---


@pytest.mark.parametrize("handler", ["count", "count_async", "count_unawaited"])
def test_of_many_sessions_that_count_in_a_room_none_is_lost(open_tab: Open, room: str, handler: str) -> None:
    tabs = [open_tab(at % 2) for at in range(8)]
    numbers = [(tab, tab.fire(handler, room)) for _ in range(10) for tab in tabs]
    for tab, n in numbers:
        assert tab.wait_done(n, 30)["ok"]
    assert read(tabs[0], room) == {"n": 80}


def test_a_handler_that_raises_keeps_what_it_assigned_in_the_room(open_tab: Open, room: str) -> None:
    tab = open_tab()
    assert tab.call("write_and_fail", room)["error"]["code"] == "handler_failed"
    assert read(open_tab(1), room) == {"x": "kept"}


def test_a_value_that_cannot_be_stored_names_the_room_and_the_rest_is_kept(open_tab: Open, room: str) -> None:
    tab = open_tab()
    error = tab.call("write_object", room)["error"]
    assert error["code"] == "not_serialisable"
    assert f'state["@{room}"]["bad"]' in error["message"]
    assert read(tab, room) == {"good": 1}


def test_rooms_are_taken_in_the_order_of_their_names(open_tab: Open, room: str, fleet: Fleet) -> None:
    tab = open_tab()
    names = [f"{room}.a", f"{room}.b"]
    assert tab.call("in_order", [*names, names[0], names[1]])["ok"]
    assert tab.call("in_order", names[::-1])["error"]["code"] == "handler_failed"
    wait_until(lambda: "takes its rooms in the order of their names" in fleet.log, 5, "the reason in the log")
    assert [read(tab, name)["n"] for name in names] == [2, 3]


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 129, 5, None])
def test_a_bad_name_is_refused_and_said_so(open_tab: Open, fleet: Fleet, name: object) -> None:
    tab = open_tab()
    for handler in ("bad_name", "join", "leave"):
        assert tab.call(handler, name)["error"]["code"] == "handler_failed"
    wait_until(lambda: "a room's name is 1 to 128 of the letters" in fleet.log, 5, "the reason in the log")


def test_a_thread_of_the_apps_own_is_told_that_no_handler_runs_there(open_tab: Open) -> None:
    result = open_tab().call("in_a_thread")["result"]
    assert "where no handler runs" in result[0]


def test_a_handler_waits_for_one_that_has_the_room(open_tab: Open, room: str, tmp_path: Path) -> None:
    first, second = open_tab(), open_tab(1)
    told = tmp_path / "told"
    keeping = first.fire("keep", [room, str(told)])
    wait_until(lambda: Path(f"{told}.has").exists(), 10, "the room's keeper")
    # It is detached after its turn, and with it the room is free.
    assert second.call("count", room)["ok"]
    told.touch()
    assert first.wait_done(keeping)["ok"]
    assert read(first, room).keys() == {"keeper", "kept", "n"}


def test_a_detached_handler_streams_into_a_room_and_sees_what_others_do_there(open_tab: Open, room: str) -> None:
    first, second = open_tab(), open_tab(1)
    second.call("join", room)
    streaming = first.fire("stream", [room, 30])
    second.wait_for(lambda: seen(second, room).get("words", 0) > 3)
    assert second.call("stop", room)["ok"]
    assert first.wait_done(streaming)["ok"]
    first.wait_for(lambda: first.state["seen"] is True)
    second.wait_for(lambda: seen(second, room).get("ended"))
    assert second.rooms[room]["stop"] is True


# --- browsers ---


@pytest.mark.parametrize("subprotocol", ["manyhands.1.json", "manyhands.1.msgpack"])
def test_a_chat_of_three_sessions_on_two_gateways(open_tab: Open, room: str, subprotocol: str) -> None:
    names = ("Ada", "Bob", "Cy")
    tabs = [open_tab(at % 2, subprotocol=subprotocol) for at in range(3)]
    for tab, name in zip(tabs, names, strict=True):
        assert tab.call("enter", [room, name])["ok"]
    said = [tab.fire("say", [room, f"{n}"]) for n in range(5) for tab in tabs]
    for at, n in enumerate(said):
        assert tabs[at % 3].wait_done(n)["ok"]
    for tab in tabs:
        tab.wait_for(lambda tab=tab: len(seen(tab, room).get("messages", [])) == 15)
        assert tab.rooms[room] == tabs[0].rooms[room]
        assert sorted(tab.rooms[room]["members"].values()) == list(names)
        assert "_last" not in tab.rooms[room]
    # Each session's own messages stand in the order in which it said them.
    for tab, name in zip(tabs, names, strict=True):
        mine = [text for text in tab.rooms[room]["messages"] if text.startswith(name)]
        assert mine == [f"{name}: {n}" for n in range(5)]
    tabs[2].call("go", room)
    tabs[0].wait_for(lambda: len(tabs[0].rooms[room]["members"]) == 2)


def test_who_joins_gets_what_is_there_and_who_leaves_forgets_it(open_tab: Open, room: str) -> None:
    writer, reader = open_tab(), open_tab(1)
    writer.call("count", room)
    reader.call("join", room)
    reader.wait_for(lambda: reader.rooms.get(room) == {"n": 1})
    writer.call("count", room)
    reader.wait_for(lambda: reader.rooms[room] == {"n": 2})
    reader.call("leave", room)
    reader.wait_for(lambda: room not in reader.rooms)
    writer.call("count", room)
    reader.call("join", room)
    reader.wait_for(lambda: reader.rooms.get(room) == {"n": 3})
    assert room not in writer.rooms


def test_every_tab_of_a_session_follows_what_one_of_them_joined(open_tab: Open, room: str) -> None:
    first = open_tab()
    second = open_tab(1, token=first.token)
    first.call("join", room)
    open_tab().call("count", room)
    for tab in (first, second):
        tab.wait_for(lambda tab=tab: tab.rooms.get(room) == {"n": 1})
    second.call("leave", room)
    first.wait_for(lambda: room not in first.rooms)


def test_a_reload_finds_the_rooms_that_its_session_has_joined(open_tab: Open, room: str) -> None:
    tab = open_tab()
    tab.call("enter", [room, "Ada"])
    tab.call("say", [room, "hello"])
    for gateway in (0, 1):
        again = open_tab(gateway, token=tab.token)
        assert again.rooms[room]["messages"] == ["Ada: hello"]
        assert again.welcomes[0]["shared"][room]["seq"] == 2
        assert "_last" not in again.rooms[room]
    tab.call("leave", room)
    assert "shared" not in open_tab(1, token=tab.token).welcomes[0]


def test_a_browser_that_comes_back_gets_the_updates_of_the_room_that_it_missed(
    open_tab: Open, room: str, fleet: Fleet
) -> None:
    tab, other = open_tab(), open_tab()
    tab.call("join", room)
    other.call("count", room)
    tab.wait_for(lambda: tab.rooms.get(room) == {"n": 1})
    tab.drop()
    for _ in range(3):
        other.call("count", room)
    tab.reconnect(fleet.urls[1])
    assert "state" not in tab.welcomes[-1]["shared"][room]
    tab.wait_for(lambda: tab.rooms[room] == {"n": 4})
    assert [one["seq"] for one in tab.room_updates if "set" in one][-3:] == [2, 3, 4]


def test_a_browser_that_was_away_while_another_tab_joined_and_left_knows(
    open_tab: Open, room: str, fleet: Fleet
) -> None:
    tab = open_tab()
    other = open_tab(token=tab.token)
    other.call("join", f"{room}.old")
    tab.wait_for(lambda: f"{room}.old" in tab.rooms)
    tab.drop()
    other.call("join", f"{room}.new")
    other.call("leave", f"{room}.old")
    tab.reconnect(fleet.urls[1])
    assert set(tab.rooms) == {f"{room}.new"}


def test_what_pub_sub_lost_of_a_room_is_filled_from_its_log(open_tab: Open, room: str, fleet: Fleet) -> None:
    tab, writer = open_tab(), open_tab(1)
    tab.call("join", room)
    writer.call("count", room)
    tab.wait_for(lambda: tab.rooms.get(room) == {"n": 1})
    with Redis.from_url(fleet.processes.environ["REDIS_URL"]) as client:
        for _ in range(3):
            client.client_kill_filter(_type="pubsub")
            writer.call("count", room)
    tab.wait_for(lambda: tab.rooms[room] == {"n": 4})


def test_a_gateway_subscribes_once_to_a_room_however_many_follow_it(open_tab: Open, room: str, fleet: Fleet) -> None:
    tabs = [open_tab(gateway) for gateway in (0, 0, 0, 1, 1)]
    for tab in tabs:
        tab.call("join", room)
        tab.wait_for(lambda tab=tab: room in tab.rooms)
    environ = fleet.processes.environ
    channel = Keys(environ["MANYHANDS_NAMESPACE"]).updates(keys.room(room))
    with Redis.from_url(environ["REDIS_URL"]) as client:

        def subscribers() -> int:
            ((_, number),) = client.pubsub_numsub(channel)
            return int(number)

        assert subscribers() == 2
        for tab in tabs[:3]:
            tab.call("leave", room)
        wait_until(lambda: subscribers() == 1, 5, "the end of a subscription")
        tabs[3].drop()
        tabs[4].drop()
        wait_until(lambda: subscribers() == 0, 5, "the end of all subscriptions")


def test_a_room_lives_while_a_browser_follows_it(fleet_of: FleetOf, room: str) -> None:
    fleet = fleet_of(app=APP, workers=1, environ={"MANYHANDS_SESSION_TTL": "12"})
    tab = fleet.tab()
    tab.call("join", room)
    assert tab.call("count", room)["ok"]
    with Redis.from_url(fleet.processes.environ["REDIS_URL"]) as client:
        state = Keys(fleet.namespace).state(keys.room(room))
        left = [client.pttl(state)]

        def is_renewed() -> bool:
            left.append(client.pttl(state))
            return left[-1] > left[-2]

        wait_until(is_renewed, 11, "a renewal, without any event")


# --- workers that die ---


def test_what_was_written_in_a_room_counts_once_though_the_worker_dies_before_the_session_commits(
    fleet_of: FleetOf, tmp_path: Path, room: str
) -> None:
    fleet = fleet_of(app=APP, workers=1, environ={"MANYHANDS_LEASE": str(LEASE)})
    tab = fleet.tab()
    tab.call("join", room)
    n = tab.fire("die_before_the_session_commits", [room, str(tmp_path / "bomb")])
    tab.wait_for(lambda: tab.rooms.get(room) == {"n": 1})
    wait_until(lambda: fleet.workers[0].code is not None, 10, "the death of the worker")
    fleet.add_worker()
    assert tab.wait_done(n, 20)["ok"]
    assert tab.state["runs"] == "once"
    assert tab.call("read", room)["result"] == {"n": 1}
    assert tab.rooms[room] == {"n": 1}


def test_the_room_of_a_killed_worker_is_free_when_its_lease_has_ended(
    fleet_of: FleetOf, tmp_path: Path, room: str
) -> None:
    environ = {"MANYHANDS_LEASE": str(LEASE), "MANYHANDS_TURN_LIMIT": "60"}
    fleet = fleet_of(app=APP, workers=1, environ=environ)
    first, second = fleet.tab(), fleet.tab()
    told = tmp_path / "told"
    keeping = first.fire("keep", [room, str(told)])
    wait_until(lambda: Path(f"{told}.has").exists(), 10, "the room's keeper")
    fleet.workers[0].kill()
    told.touch()
    fleet.add_worker()
    assert second.call("count", room, 20)["ok"]
    assert first.wait_done(keeping, 20)["ok"]
    assert second.call("read", room)["result"].keys() == {"keeper", "kept", "n"}


@pytest.mark.parametrize("handler", ["count", "count_async", "count_unawaited"])
def test_a_handler_that_waits_for_a_room_can_be_cancelled(
    open_tab: Open, room: str, handler: str, fleet: Fleet
) -> None:
    environ = fleet.processes.environ
    settings = Settings(redis_url=environ["REDIS_URL"], namespace=environ["MANYHANDS_NAMESPACE"], lease=60)
    with contextlib.closing(RedisStore(settings)) as store:
        taken = RoomTake(keys.room(room), "of-the-test", "event")
        assert isinstance(store.rooms.take(taken), RoomTaken)
        tab = open_tab()
        n = tab.fire(handler, room)
        # It waits beside the session's next event.
        tab.wait_accepted(n)
        assert tab.call("join", f"{room}.other")["ok"]
        tab.cancel(n)
        assert tab.wait_done(n)["error"]["code"] == "cancelled"
        store.rooms.leave(taken)
    assert open_tab(1).call("read", room)["result"] == {}


@pytest.mark.parametrize("handler", ["pick", "pick_async"])
def test_an_event_in_a_repeater_over_a_room_finds_the_rooms_value_where_its_session_is_in_the_room(
    open_tab: Open, room: str, handler: str
) -> None:
    one, other = open_tab(), open_tab(1)
    one.call("enter", [room, "Ada"])
    for text in ("hi", "ho"):
        one.call("say", [room, text])

    def picked(tab: Tab, *path: str, key: str) -> Any:
        around = {"state": path, "key": key}
        return tab.wait_done(tab.fire(handler, context={"repeaters": [around]}))["result"]

    assert picked(one, f"@{room}", "messages", key="1") == ["1", "Ada: ho"]
    assert picked(one, f"@{room}", key="messages") == ["messages", ["Ada: hi", "Ada: ho"]]
    assert picked(one, f"@{room}", "messages", key="2") == ["2", None]
    assert picked(one, "@", room, "messages", key="0") == ["0", "Ada: hi"]
    assert picked(one, "@", key=room)[1]["messages"] == ["Ada: hi", "Ada: ho"]
    assert picked(other, f"@{room}", "messages", key="1") == ["1", None]
    assert picked(other, "@", key=room) == [room, None]
