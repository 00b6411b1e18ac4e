"""What an app declares, and what it is told when it declares something else."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from types import MappingProxyType, ModuleType
from typing import Any

import pytest

import manyhands as mh
from manyhands import app
from manyhands.errors import AppError, KeyNotString, NotSerialisable
from manyhands.fields import encode_tree


@pytest.fixture(autouse=True)
def application() -> Iterator[app.Application]:
    """An app of this test's own."""
    yield app.begin()
    app.begin()


def test_defaults_are_kept_encoded(application: app.Application) -> None:
    defaults = {"counter": 0, "user": {"name": "Bob", "tags": ["a"]}}
    mh.init_state(defaults)
    encoded = encode_tree(defaults)
    defaults["counter"] = 5
    assert application.defaults == encoded


def test_any_mapping_may_hold_the_defaults(application: app.Application) -> None:
    mh.init_state(MappingProxyType({"a": MappingProxyType({"b": 1})}))
    assert application.defaults == encode_tree({"a": {"b": 1}})


def test_of_several_calls_the_last_one_counts_and_a_warning_says_so(
    application: app.Application, caplog: pytest.LogCaptureFixture
) -> None:
    mh.init_state({"a": 1})
    assert not caplog.records
    mh.init_state({"b": 2})
    assert application.defaults == encode_tree({"b": 2})
    assert [(one.levelno, one.name) for one in caplog.records] == [(logging.WARNING, "manyhands.app")]
    assert "what the last call gave" in caplog.text


def test_defaults_that_are_no_dict_are_refused() -> None:
    with pytest.raises(
        AppError, match=r"init_state expected a dict such as \{'counter': 0\}, got \['counter'\] \(list\)"
    ):
        mh.init_state(["counter"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("defaults", "where"), [({1: 2}, "at the top level"), ({"a": {"b": {1: 2}}}, r'\["a"\]\["b"\]')]
)
def test_a_key_that_is_no_string_is_refused_where_it_stands(defaults: Any, where: str) -> None:
    with pytest.raises(KeyNotString, match=f"got 1 .int. .*{where}"):
        mh.init_state(defaults)


@pytest.mark.parametrize("value", [object(), print, [object()], {"d": [{1: 2}]}, "\ud800"])
def test_a_default_that_cannot_be_stored_is_refused_with_its_path(application: app.Application, value: Any) -> None:
    mh.init_state({"kept": 1})
    with pytest.raises(NotSerialisable, match=r'state\["a"\]\["b"\]'):
        mh.init_state({"a": {"b": value}})
    assert application.defaults == encode_tree({"kept": 1})


def test_modules_are_kept_in_order_and_each_once(application: app.Application) -> None:
    mh.init_handlers(sys)
    mh.init_handlers([os, sys])
    mh.init_handlers(module for module in (os, logging))
    assert application.modules == [sys, os, logging]


@pytest.mark.parametrize("wrong", ["os", None, 5, os.path.join, [os, "sys"], {"os": os}])
def test_anything_but_modules_is_refused_and_none_of_them_is_kept(application: app.Application, wrong: Any) -> None:
    with pytest.raises(mh.ManyHandsError, match="init_handlers expected a module or a list of modules, got ") as caught:
        mh.init_handlers(wrong)
    assert "import the module that holds the handlers" in str(caught.value)
    assert application.modules == []


def test_what_it_got_is_shown_in_short() -> None:
    with pytest.raises(AppError) as caught:
        mh.init_state("x" * 1000)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 250


def test_a_new_app_begins_with_nothing_declared() -> None:
    mh.init_state({"a": 1})
    mh.init_handlers(ModuleType("more"))
    begun = app.begin()
    assert (begun.defaults, begun.modules) == (None, [])
    assert app.current() is begun


def test_what_an_app_imports_is_exactly_this() -> None:
    declaring = ["computed", "init_handlers", "init_state"]
    values = ["pack_bytes", "pack_file", "property", "register_type", "session_verifier"]
    classes, tables = ["Cancelled", "ManyHandsError", "Session", "State"], ["shared", "table_page"]
    assert mh.__all__ == [*classes, *declaring, *values, *tables]
    assert mh.property is mh.computed
    assert mh.init_handlers([]) is None
