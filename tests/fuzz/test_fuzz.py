"""Whatever the decoders are fed, they give a value or raise the one error that they document."""

from __future__ import annotations

import sys
import types
from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings

from fuzz.findings import FINDINGS, nested_extensions
from fuzz.targets import TARGETS, check
from manyhands import codec
from manyhands.errors import DamagedValue, NotSerialisable
from manyhands.paths import decode_names
from manyhands.wire import MAX_NESTING

#: Inputs of each target; `make fuzz` tries more. They are the same ones in every run.
EXAMPLES = 150


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_is_decoded_or_refused(name: str) -> None:
    @settings(
        max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(TARGETS[name].inputs)
    def every_input(data: Any) -> None:
        check(name, data)

    every_input()


@pytest.mark.parametrize(
    ("name", "data"), [(name, data) for name, _, data in FINDINGS], ids=[why for _, why, _ in FINDINGS]
)
def test_what_broke_a_decoder_once_breaks_it_no_more(name: str, data: Any) -> None:
    check(name, data)


def test_a_value_may_be_nested_as_deeply_in_extension_types_as_in_lists() -> None:
    value: object = None
    for _ in range(MAX_NESTING):
        value = (value,)
    assert codec.encode(value) == codec.encode(codec.decode(nested_extensions(MAX_NESTING)))
    with pytest.raises(DamagedValue, match="at most 100 levels"):
        codec.decode(nested_extensions(MAX_NESTING + 1))


def test_deep_extension_types_are_read_to_their_end() -> None:
    content = b"\x90\xc0"
    for _ in range(20):
        content = b"\x91\xc9" + len(content).to_bytes(4) + b"\x01" + content
    with pytest.raises(DamagedValue, match="more bytes follow"):
        codec.decode(content)


def test_sets_within_sets_cost_no_more_than_their_bytes() -> None:
    value: frozenset[object] = frozenset()
    for level in range(60):
        value = frozenset([level, value])
    # Packed twice at each level, this would take longer than anybody waits.
    assert codec.decode(codec.encode_with_view(value)) == value


def test_reading_a_class_asks_no_module_to_import_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    lazy = types.ModuleType("lazy")
    monkeypatch.setattr(lazy, "__getattr__", asked.append, raising=False)
    monkeypatch.setitem(sys.modules, "lazy", lazy)
    for code in (11, 12):
        with pytest.raises(DamagedValue, match=r"no class lazy\.Thing"):
            codec.decode(msgpack.packb(msgpack.ExtType(code, msgpack.packb(["lazy", "Thing", {}]))))
    assert asked == []


def test_a_number_that_can_not_be_shown_is_refused_by_name() -> None:
    for value in (10**4300, [-(10**4300)], {2**20_000}):
        with pytest.raises(NotSerialisable, match=r'state\["a"\] holds a whole number of \d+ bits'):
            codec.encode_with_view(value, ("a",))
    assert codec.decode(codec.encode_with_view(10**4299)) == 10**4299


def test_names_that_claim_to_be_lists_are_refused_before_they_are_built() -> None:
    with pytest.raises(DamagedValue, match="exceeds max_array_len"):
        decode_names(b"\xdd\x00\x0f\x42\x40" * 500 + b"\xc0" * 1_000_000)
