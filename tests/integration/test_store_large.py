"""Large values and uploads, the same for Redis and for memory: what is held, who may read it, and when it is gone."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest

from manyhands import codec, fields
from manyhands.errors import LargeMissing, TurnLost
from manyhands.keys import Keys
from manyhands.references import CHUNK, DIGEST, Content, Reference, is_large, read_reference, refer
from manyhands.settings import Settings
from manyhands.store import limits
from manyhands.store.contract import Letter, Session, Store
from manyhands.store.large_contract import Upload, UploadVerdict
from manyhands.store.memory import MemoryStore
from manyhands.store.redis_store import RedisStore
from manyhands.store.turns import Commit, Ending
from support.redis_server import RedisServer

Make = Callable[..., Store]


@pytest.fixture
def store(make_store: Make) -> Store:
    store = make_store(max_upload=2 * CHUNK)
    store.create(Session("s", "d", "v"))
    return store


def large(store: Store, value: object, session: str = "s") -> tuple[bytes, Content]:
    """Give the reference of a value, and its content."""
    key = store.secret(session)
    assert key is not None
    encoded = codec.encode_with_view(value)
    assert is_large(encoded)
    return refer(session, encoded, key)


def write(store: Store, n: int, *ops: tuple[str, bytes, bytes], token: str | None = None) -> None:
    """Run an event that writes."""
    store.accept([Letter("s", "c", n, b"body")])
    token = token or f"t{n:05}"
    assert store.begin("s", token)
    store.commit(Commit("s", token, 1, Ending.FINAL, ops=ops, client="c", n=n))


def leaf(name: str, value: bytes) -> tuple[str, bytes, bytes]:
    return ("L", fields.encode_path((name,)), value)


def delete(name: str) -> tuple[str, bytes, bytes]:
    return ("U", fields.encode_path((name,)), b"")


def read(store: Store, reference: Reference, session: str = "s") -> bytes | None:
    chunks = store.read_chunks(session, reference.digest, 0, -(-reference.size // CHUNK))
    return None if None in chunks else b"".join(chunk for chunk in chunks if chunk)


def is_here(store: Store, reference: Reference) -> bool:
    return store.blob("s", reference.digest) is not None and read(store, reference) is not None


def test_what_was_held_is_read_back_chunk_by_chunk(store: Store) -> None:
    reference, content = large(store, secrets.token_bytes(2 * CHUNK + 5))
    assert store.hold("s", [content])
    write(store, 1, leaf("a", reference))
    assert read(store, read_reference(reference)) == content.data
    assert store.read_chunks("s", content.digest, 3, 1) == [None]
    found = store.blob("s", content.digest)
    assert found == (content.reference, content.blob)


def test_a_reference_to_what_is_not_here_is_refused_and_nothing_is_written(store: Store) -> None:
    reference, content = large(store, "x" * CHUNK)
    with pytest.raises(LargeMissing) as caught:
        write(store, 1, leaf("b", codec.encode(1)), leaf("a", reference))
    assert caught.value.digests == (content.digest,)
    welcome = store.welcome("s", "c", None)
    assert welcome is not None
    assert (welcome.fields, welcome.pending) == ({}, [1])
    # Held meanwhile, the very same commit goes through.
    assert store.hold("s", [content])
    commit = Commit("s", "t00001", 1, Ending.FINAL, ops=[leaf("a", reference)], client="c", n=1)
    assert store.commit(commit).version == 1
    assert is_here(store, content.reference)


def test_a_stream_says_of_a_refused_reference_that_it_was_not_written(store: Store) -> None:
    reference, _ = large(store, "x" * CHUNK)
    store.accept([Letter("s", "c", 1, b"body")])
    assert store.begin("s", "t")
    stream = store.stream()
    commit = Commit("s", "t", 1, Ending.FINAL, ops=[leaf("a", reference)], client="c", n=1)
    stream.commit(commit)
    assert stream.settle() == [(commit, None)]


def test_what_two_fields_refer_to_stays_until_neither_does(store: Store) -> None:
    reference, content = large(store, secrets.token_bytes(limits.RETIRED_BYTES + 1))
    store.hold("s", [content])
    write(store, 1, leaf("a", reference))
    write(store, 2, leaf("b", reference))
    write(store, 3, leaf("a", codec.encode(1)))
    assert is_here(store, content.reference)
    write(store, 4, delete("b"))
    assert store.blob("s", content.digest) is None
    assert read(store, content.reference) is None


def test_a_dict_that_is_assigned_drops_what_lay_below_it(store: Store) -> None:
    reference, content = large(store, secrets.token_bytes(limits.RETIRED_BYTES + 1))
    store.hold("s", [content])
    below = fields.encode_path(("a", "b"))
    write(store, 1, *fields.encode_assignment(("a",), {"c": 1}, over_dict=False), ("B", below, reference))
    assert is_here(store, content.reference)
    write(store, 2, *fields.encode_assignment(("a",), {}, over_dict=False))
    assert not is_here(store, content.reference)


def test_what_was_replaced_can_be_read_for_a_while_and_be_assigned_again(store: Store) -> None:
    reference, content = large(store, "x" * CHUNK)
    store.hold("s", [content])
    write(store, 1, leaf("a", reference))
    write(store, 2, leaf("a", codec.encode(1)))
    assert is_here(store, content.reference)
    write(store, 3, leaf("b", reference))
    assert is_here(store, content.reference)


def test_of_what_was_replaced_only_the_latest_is_kept(store: Store) -> None:
    contents = []
    for n in range(1, 6):
        reference, content = large(store, secrets.token_bytes(limits.RETIRED_BYTES // 3))
        store.hold("s", [content])
        write(store, n, leaf("a", reference))
        contents.append(content)
    assert [is_here(store, one.reference) for one in contents] == [False, False, True, True, True]


def test_a_commit_that_is_repeated_counts_once(store: Store) -> None:
    reference, content = large(store, secrets.token_bytes(limits.RETIRED_BYTES + 1))
    store.hold("s", [content])
    store.accept([Letter("s", "c", 1, b"body")])
    store.begin("s", "t")
    commit = Commit("s", "t", 1, Ending.FINAL, ops=[leaf("a", reference)], client="c", n=1)
    assert store.commit(commit) == store.commit(commit)
    write(store, 2, delete("a"))
    assert not is_here(store, content.reference)


def test_a_secret_stays_and_differs_from_session_to_session(store: Store) -> None:
    store.create(Session("other", "d", "v"))
    assert store.secret("s") == store.secret("s") != store.secret("other")
    assert store.secret("nobody") is None
    reference, content = large(store, "x" * CHUNK)
    assert not store.hold("nobody", [content])
    store.hold("s", [content])
    assert store.blob("other", content.digest) is None
    assert store.read_chunks("other", content.digest, 0, 1) == [None]
    assert read_reference(reference).digest != large(store, "x" * CHUNK, "other")[1].digest


def test_with_its_session_everything_is_gone(store: Store) -> None:
    reference, content = large(store, "x" * CHUNK)
    store.hold("s", [content])
    write(store, 1, leaf("a", reference))
    store.delete("s")
    assert read(store, content.reference) is None
    assert store.blob("s", content.digest) is None
    with pytest.raises(TurnLost):
        store.commit(Commit("s", "t", 1, Ending.FINAL, ops=[leaf("a", reference)], client="c", n=1))


def test_an_upload_comes_chunk_by_chunk_and_each_only_once(store: Store) -> None:
    upload, data = secrets.token_bytes(DIGEST), secrets.token_bytes(CHUNK + 7)
    assert store.upload("s", upload) is None
    assert store.put_upload("s", upload, 0, data[:CHUNK]) is None
    assert store.begin_upload("s", upload, len(data)) is UploadVerdict.BEGUN
    assert store.begin_upload("s", upload, len(data)) is UploadVerdict.BEGUN
    assert store.upload("s", upload) == Upload(len(data), 0)
    # Neither a part of a chunk, nor one that is not the next, nor more than was said.
    for offset, chunk in ((0, data[:5]), (CHUNK, data[CHUNK:]), (0, data[: CHUNK + 1])):
        assert store.put_upload("s", upload, offset, chunk) == 0
    assert store.put_upload("s", upload, 0, data[:CHUNK]) == CHUNK
    assert store.put_upload("s", upload, 0, data[:CHUNK]) == CHUNK
    assert store.put_upload("s", upload, CHUNK, data[CHUNK:] + b"x") == CHUNK
    assert store.put_upload("s", upload, CHUNK, data[CHUNK:]) == len(data)
    found = store.upload("s", upload)
    assert found is not None
    assert found.is_whole
    assert read(store, Reference(upload, len(data))) == data
    assert store.blob("s", upload) is None
    store.free_uploads("s", [upload, upload])
    assert store.upload("s", upload) is None
    assert store.read_chunks("s", upload, 0, 2) == [None, None]


def test_an_upload_is_no_value_that_a_field_may_refer_to(store: Store) -> None:
    upload = secrets.token_bytes(DIGEST)
    store.begin_upload("s", upload, 5)
    store.put_upload("s", upload, 0, b"12345")
    forged = codec.REFERENCE_MARK + upload + (5).to_bytes(8, "big") + b"\xc0"
    with pytest.raises(LargeMissing):
        write(store, 1, leaf("a", forged))


def test_a_session_has_only_so_many_uploads_and_bytes_of_them(store: Store) -> None:
    many = [secrets.token_bytes(DIGEST) for _ in range(limits.UPLOADS + 1)]
    verdicts = [store.begin_upload("s", one, 1) for one in many]
    assert verdicts == [UploadVerdict.BEGUN] * limits.UPLOADS + [UploadVerdict.FULL]
    store.free_uploads("s", many)
    big = [store.begin_upload("s", one, 2 * CHUNK) for one in many[:3]]
    assert big == [UploadVerdict.BEGUN, UploadVerdict.BEGUN, UploadVerdict.FULL]
    assert store.begin_upload("nobody", many[0], 1) is UploadVerdict.UNKNOWN_SESSION


def test_what_nothing_refers_to_is_forgotten_after_a_while() -> None:
    now = 1000.0
    store = MemoryStore(Settings(), clock=lambda: now)
    store.create(Session("s", "d", "v"))
    reference, content = large(store, "x" * CHUNK)
    _, pending = large(store, "y" * CHUNK)
    store.hold("s", [content, pending])
    store.begin_upload("s", b"u" * DIGEST, 5)
    write(store, 1, leaf("a", reference))
    now += limits.LOOSE_FOR / 1000 + 1
    store.keep(["s"])
    assert is_here(store, content.reference)
    assert store.blob("s", pending.digest) is None
    assert store.upload("s", b"u" * DIGEST) is None


def test_in_redis_too_what_nothing_refers_to_is_forgotten_after_a_while(
    redis_server: RedisServer, namespace: str
) -> None:
    store = RedisStore(Settings(redis_url=redis_server.url, namespace=namespace))
    store.create(Session("s", "d", "v"))
    reference, content = large(store, "x" * CHUNK)
    _, pending = large(store, "y" * CHUNK)
    upload = b"u" * DIGEST
    store.hold("s", [content, pending])
    store.begin_upload("s", upload, 5)
    write(store, 1, leaf("a", reference))
    # As if they had been written so long ago.
    client, held = redis_server.client(), Keys(namespace).held("s")
    for digest in (content.digest, pending.digest, upload):
        refs, kind, since, rest = client.hget(held, digest).split(b" ", 3)  # type: ignore[union-attr]
        long_ago = str(int(since) - limits.LOOSE_FOR - 1).encode()
        client.hset(held, digest, b" ".join((refs, kind, long_ago, rest)))  # type: ignore[arg-type]
    store.keep(["s"])
    assert is_here(store, content.reference)
    assert store.blob("s", pending.digest) is None
    assert store.upload("s", upload) is None
    client.close()
    store.close()


def test_its_keys_live_as_long_as_the_session(redis_server: RedisServer, namespace: str) -> None:
    store = RedisStore(Settings(redis_url=redis_server.url, namespace=namespace))
    store.create(Session("s", "d", "v"))
    store.begin_upload("s", b"u" * DIGEST, 5)
    store.put_upload("s", b"u" * DIGEST, 0, b"12345")
    with redis_server.client() as client:
        keys = Keys(namespace)
        for key in (keys.large("s"), keys.held("s")):
            assert abs(client.pttl(key) - client.pttl(keys.meta("s"))) < 60_000  # type: ignore[operator]
    store.close()
