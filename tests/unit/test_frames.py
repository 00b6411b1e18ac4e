"""Frames to envelopes: what is refused, and that nothing a browser sends costs more than its size."""

from __future__ import annotations

import contextlib
import json
import math
import time
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyhands.errors import BadFrame
from manyhands.wire import MAX_NESTING, SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK
from manyhands_gateway.frames import MAX_CONTAINERS, MAX_ELEMENTS, decode_frame, encode_frame, transcode


def refused(data: str | bytes) -> str:
    subprotocol = SUBPROTOCOL_JSON if isinstance(data, str) else SUBPROTOCOL_MSGPACK
    with pytest.raises(BadFrame) as caught:
        decode_frame(data, subprotocol)
    return caught.value.message


def packed(value: object) -> bytes:
    return bytes(msgpack.packb(value))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1).filter(lambda key: key != "$bytes"), inner),
    max_leaves=30,
)


@given(VALUES)
def test_a_value_survives_msgpack(value: Any) -> None:
    assert decode_frame(encode_frame(value, SUBPROTOCOL_MSGPACK), SUBPROTOCOL_MSGPACK) == value


@given(VALUES.filter(lambda value: "inf" not in repr(value)))
def test_a_value_survives_json_with_its_bytes(value: Any) -> None:
    assert decode_frame(encode_frame(value, SUBPROTOCOL_JSON).decode(), SUBPROTOCOL_JSON) == value


@given(st.text() | st.binary())
def test_any_frame_is_decoded_or_refused(data: str | bytes) -> None:
    with contextlib.suppress(BadFrame):
        decode_frame(data, SUBPROTOCOL_JSON if isinstance(data, str) else SUBPROTOCOL_MSGPACK)


def test_bytes_travel_in_json_as_base64_however_the_key_is_written() -> None:
    assert decode_frame('{"a":[{"$bytes":"AAE="}]}', SUBPROTOCOL_JSON) == {"a": [b"\x00\x01"]}
    assert decode_frame('{"\\u0024bytes":"AAE="}', SUBPROTOCOL_JSON) == b"\x00\x01"


def test_nan_and_infinities_become_null_in_json_only() -> None:
    assert json.loads(encode_frame([math.nan, -math.inf, b"a"], SUBPROTOCOL_JSON)) == [None, None, {"$bytes": "YQ=="}]
    assert math.isnan(decode_frame(encode_frame(math.nan, SUBPROTOCOL_MSGPACK), SUBPROTOCOL_MSGPACK))


def test_an_envelope_of_ours_is_transcoded_as_it_is() -> None:
    envelope = {"type": "update", "set": [[["é"], "☃"]], "big": 2**53 - 1}
    assert json.loads(transcode(packed(envelope))) == envelope


@pytest.mark.parametrize(
    ("data", "subprotocol"), [("{}", SUBPROTOCOL_MSGPACK), (b"{}", SUBPROTOCOL_JSON), (b"\x80", SUBPROTOCOL_JSON)]
)
def test_a_frame_of_the_other_kind_is_refused(data: str | bytes, subprotocol: str) -> None:
    with pytest.raises(BadFrame, match="frames, got"):
        decode_frame(data, subprotocol)


@pytest.mark.parametrize("text", ["", "{", "hello", "{'a': 1}", '{"a":1}x', "[1,]", '"\x01"', "9" * 5000])
def test_what_is_not_json_is_refused(text: str) -> None:
    assert "not JSON" in refused(text)


@pytest.mark.parametrize("text", ["NaN", '{"payload":NaN}', "[Infinity]", "[-Infinity]"])
def test_json_has_no_nan(text: str) -> None:
    assert "JSON has no" in refused(text)


@pytest.mark.parametrize("text", ["1e999", "[-1e999]", '{"payload":1E+400}', "9" * 400 + ".0"])
def test_json_has_no_number_beyond_its_range(text: str) -> None:
    assert "a number is beyond" in refused(text)


def test_large_and_tiny_numbers_are_taken() -> None:
    assert decode_frame("[1e308,-1e308,1e-999]", SUBPROTOCOL_JSON) == [1e308, -1e308, 0.0]


@pytest.mark.parametrize("text", ['"\\ud800"', '{"\\uDC00":1}', '[{"a":"x\\udfffy"}]', '"\\ude00\\ud83d"'])
def test_lone_surrogates_are_refused(text: str) -> None:
    assert "surrogate" in refused(text)


def test_surrogate_pairs_are_text() -> None:
    assert decode_frame('"\\ud83d\\ude00"', SUBPROTOCOL_JSON) == "😀"


@pytest.mark.parametrize("text", ['{"$bytes":"%"}', '{"$bytes":1}', '{"$bytes":"AAA"}', '{"$bytes":"é"}'])
def test_bad_base64_is_refused(text: str) -> None:
    assert "base64" in refused(text)


@pytest.mark.parametrize("data", ['{"n":1,"n":2}', b"\x82\xa1n\x01\xa1n\x02"])
def test_a_key_that_comes_twice_is_refused(data: str | bytes) -> None:
    assert "twice" in refused(data)


@pytest.mark.parametrize("deep", ["[" * 200 + "]" * 200, '{"a":' * 200 + "1" + "}" * 200, "[" * 150_000])
def test_deep_json_is_refused(deep: str) -> None:
    assert "nested" in refused(deep)


@pytest.mark.parametrize("levels", [101, 600, 5000, 1_000_000])
def test_deep_msgpack_is_refused(levels: int) -> None:
    assert "nested" in refused(b"\x91" * levels + b"\xc0")
    assert "nested" in refused(b"\x81\xa1a" * levels + b"\xc0")


def test_nesting_up_to_the_limit_is_taken() -> None:
    value: object = 1
    for _ in range(MAX_NESTING):
        value = [value]
    assert decode_frame(packed(value), SUBPROTOCOL_MSGPACK) == value
    assert decode_frame(json.dumps(value), SUBPROTOCOL_JSON) == value


@pytest.mark.parametrize("levels", [6, 50, 5000])
def test_a_lower_limit_of_nesting_is_kept_and_named(levels: int) -> None:
    for data, subprotocol in (("[" * levels + "]" * levels, SUBPROTOCOL_JSON), (b"\x91" * levels, SUBPROTOCOL_MSGPACK)):
        with pytest.raises(BadFrame, match="at most 5 levels"):
            decode_frame(data + b"\xc0" if isinstance(data, bytes) else data, subprotocol, 5)
    assert decode_frame("[[[[[1]]]]]", SUBPROTOCOL_JSON, 5) == [[[[[1]]]]]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x93\x01",
        b"\xa5abc",
        packed({"a": 1}) + b"\x00",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ],
)
def test_what_is_not_msgpack_is_refused(data: bytes) -> None:
    assert "not msgpack" in refused(data)


@pytest.mark.parametrize("data", [packed({1: 2}), packed({b"a": 1}), b"\x81\xc0\x01"])
def test_keys_that_are_no_strings_are_refused(data: bytes) -> None:
    assert "key" in refused(data)


@pytest.mark.parametrize("data", [b"\xa2\xff\xfe", b"\xa3\xed\xa0\x80"])
def test_text_that_is_no_utf8_is_refused(data: bytes) -> None:
    assert "UTF-8" in refused(data)


@pytest.mark.parametrize(
    "value", [msgpack.ExtType(1, b"x"), msgpack.Timestamp(1), [msgpack.Timestamp(2)], {"a": msgpack.Timestamp(3)}]
)
def test_extension_types_are_refused(value: object) -> None:
    assert "extension" in refused(packed(value))


def test_headers_that_claim_more_than_follows_cost_no_time_and_no_memory() -> None:
    claim = b"\xdd" + (10_000_000).to_bytes(4, "big")
    began = time.thread_time()
    refused(claim * 500 + b"\xc0" * 10_000_000)
    # Building what the headers claim takes over 100 ms and 40 GB of addresses; skimming takes about 20 ms.
    assert time.thread_time() - began < 1.0


def array(count: int, one: bytes) -> bytes:
    return b"\xdd" + count.to_bytes(4, "big") + one * count


def sequence(count: int, one: str) -> str:
    return "[" + ",".join([one] * count) + "]"


@pytest.mark.parametrize(
    "data",
    [
        array(9_000_000, b"\x80"),
        array(9_000_000, b"\x90"),
        array(9_000_000, b"\xc0"),
        array(20, array(MAX_ELEMENTS // 10, b"\xc0")),
        array(MAX_CONTAINERS, b"\x81\xa1a" + b"\x92\x01\x02"),
        sequence(3_000_000, "{}"),
        sequence(3_000_000, "[]"),
        sequence(5_000_000, "1"),
        sequence(3_000_000, '""'),
        sequence(150_000, '{"a":1,"b":2,"c":3,"d":4}'),
        '["' + "\\\\" * 100_001 + '",' + sequence(3_000_000, "{}") + "]",
    ],
    ids=lambda data: repr(data[:8]),
)
def test_more_maps_lists_and_values_than_may_be_are_refused_before_they_are_built(data: str | bytes) -> None:
    began = time.thread_time()
    assert f"at most {MAX_CONTAINERS} maps and lists, and {MAX_ELEMENTS} keys and values" in refused(data)
    # Building them takes up to 10 s and 750 MB.
    assert time.thread_time() - began < 2.0


def test_as_many_as_may_be_are_taken() -> None:
    lists = MAX_CONTAINERS - 1
    assert len(decode_frame(array(lists, b"\x90"), SUBPROTOCOL_MSGPACK)) == lists
    assert len(decode_frame(sequence(lists, "{}"), SUBPROTOCOL_JSON)) == lists
    assert len(decode_frame(array(MAX_ELEMENTS, b"\xc0"), SUBPROTOCOL_MSGPACK)) == MAX_ELEMENTS
    assert len(decode_frame(sequence(MAX_ELEMENTS, "1"), SUBPROTOCOL_JSON)) == MAX_ELEMENTS


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text('[]{},:"\\\\n', max_size=9), max_size=5))
def test_text_may_hold_as_many_brackets_as_it_likes(texts: list[str]) -> None:
    value = [*texts, '[{,:\\"' * (MAX_ELEMENTS // 4), *texts]
    assert decode_frame(json.dumps(value), SUBPROTOCOL_JSON) == value
