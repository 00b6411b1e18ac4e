"""Session tokens: only ours are taken, of this namespace, signed by any key that is listed."""

from __future__ import annotations

import itertools

import pytest

from manyhands.errors import SettingError
from manyhands.settings import Settings
from manyhands_gateway import tokens as tokens_module
from manyhands_gateway.tokens import Tokens, new_session_id, public_name

OLD, NEW = "an old key of 16+ characters", "a new key of 16+ characters"


def tokens(*keys: str, namespace: str = "mh") -> Tokens:
    return Tokens(Settings(secret_keys=keys, namespace=namespace))


def test_a_token_names_its_session() -> None:
    session = new_session_id()
    assert tokens(OLD).verify(tokens(OLD).sign(session)) == session


def test_session_ids_hold_128_bits_and_go_into_urls() -> None:
    ids = {new_session_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(one) == 22 and one.replace("-", "").replace("_", "").isalnum() for one in ids)


def test_a_session_id_that_apps_use_as_a_key_of_the_state_is_not_private(monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter(["_a", "_b", "c_"])
    monkeypatch.setattr(tokens_module.secrets, "token_urlsafe", lambda _: next(made))
    assert new_session_id() == "c_"


def test_tokens_of_an_old_key_are_taken_while_it_is_listed() -> None:
    token = tokens(OLD).sign("s")
    assert tokens(NEW, OLD).verify(token) == "s"
    assert tokens(NEW).verify(token) is None


def test_the_newest_key_signs() -> None:
    token = tokens(NEW, OLD).sign("s")
    assert tokens(NEW).verify(token) == "s"
    assert tokens(OLD).verify(token) is None


def test_keys_change_in_three_steps_without_a_moment_in_which_a_token_is_refused() -> None:
    steps = [(OLD,), (OLD, NEW), (NEW, OLD), (NEW,)]
    for before, after in itertools.pairwise(steps):
        # While a deploy goes on, either side meets tokens of the other.
        assert tokens(*after).verify(tokens(*before).sign("s")) == "s"
        assert tokens(*before).verify(tokens(*after).sign("s")) == "s"
    # In two, gateways that have not been restarted refuse what the others sign.
    assert tokens(OLD).verify(tokens(NEW, OLD).sign("s")) is None


def test_a_public_name_tells_sessions_apart_and_opens_none() -> None:
    assert public_name("a") != public_name("b")
    assert tokens(OLD).verify(public_name("a")) is None


def test_a_token_of_another_namespace_is_foreign() -> None:
    assert tokens(OLD, namespace="other").verify(tokens(OLD).sign("s")) is None


@pytest.mark.parametrize("forged", ["", "s", "s.", ".x", "s.AAAA", "é.x", "s" * 1_000_000, "s\x00.x", "\ud800"])
def test_a_forged_token_is_refused(forged: str) -> None:
    assert tokens(OLD).verify(forged) is None


def test_a_token_with_one_letter_changed_is_refused() -> None:
    token = tokens(OLD).sign("session")
    for index in range(len(token) - 1):
        changed = token[:index] + ("A" if token[index] != "A" else "B") + token[index + 1 :]
        assert tokens(OLD).verify(changed) is None


def test_without_a_key_there_is_a_clear_word() -> None:
    with pytest.raises(SettingError, match="MANYHANDS_SECRET_KEY"):
        tokens()
