"""Both stores keep the protocol, against a real SQLite and a real Redis: the same tests on each.

`DLXCTL_TEST_SQL_URL` names another database for SqlStore, e.g. postgresql+psycopg://user@host/name.
"""

import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlxctl.celery.idempotency import Busy, Finished, Granted, RedisStore, SqlStore, Store
from tests.redis_server import redis_url
from tests.workers import wait_until

LEASE_S, SHORT_S = 60.0, 0.2


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis."""
    with redis_url(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(params=["sql", "redis", "redis-text"])
def store(request: pytest.FixtureRequest, tmp_path: Path, redis_server: str) -> Store:
    """One of the stores, empty as far as this test's keys go."""
    if request.param == "sql":
        made = SqlStore(os.environ.get("DLXCTL_TEST_SQL_URL") or f"sqlite:///{tmp_path / 'once.db'}")
        made.create_table()
        return made
    if request.param == "redis":
        return RedisStore(redis_server)
    import redis

    return RedisStore(redis.Redis.from_url(redis_server, decode_responses=True))


@pytest.fixture
def key() -> str:
    """A key that no other test has; long, and not ASCII."""
    return f"charge ☃ {uuid.uuid4().hex} {'x' * 150}"


def test_a_key_is_granted_to_one_at_a_time(store: Store, key: str) -> None:
    """While the lease lasts the second is told how long; released, the key is free."""
    assert store.claim(key, "one", LEASE_S) == Granted()
    busy = store.claim(key, "two", LEASE_S)
    assert isinstance(busy, Busy)
    assert 0 < busy.for_s <= LEASE_S
    store.release(key, "one")
    assert store.claim(key, "two", LEASE_S) == Granted()


def test_what_is_done_stays_done_with_its_result(store: Store, key: str) -> None:
    """Whoever asks later gets the result, also after somebody tried to release it."""
    store.claim(key, "one", LEASE_S)
    assert store.done(key, "one", '{"paid": "5 €"}', LEASE_S)
    store.release(key, "one")
    assert store.claim(key, "two", LEASE_S) == Finished(result='{"paid": "5 €"}')


def test_a_dead_owner_loses_the_key_when_his_lease_is_over(store: Store, key: str) -> None:
    """Then the next one gets it, and the late one is told, should he live after all, that he was not alone."""
    store.claim(key, "dead", SHORT_S)
    wait_until(lambda: store.claim(key, "next", LEASE_S) == Granted(), 5)
    store.release(key, "dead")
    assert isinstance(store.claim(key, "third", LEASE_S), Busy)
    assert not store.done(key, "dead", "1", LEASE_S)
    assert store.claim(key, "third", LEASE_S) == Finished(result="1")


def test_done_after_a_lease_that_nobody_took_over(store: Store, key: str) -> None:
    """Work that took longer than its lease is still marked, and was done once."""
    for name in (key, f"{key}.clock"):
        store.claim(name, "slow", SHORT_S)
    wait_until(lambda: store.claim(f"{key}.clock", "next", LEASE_S) == Granted(), 5)
    assert store.done(key, "slow", "2", LEASE_S)
    assert store.claim(key, "next", LEASE_S) == Finished(result="2")


def test_a_mark_is_forgotten_after_its_time(store: Store, key: str) -> None:
    """Then the work may be done again: marks are kept longer than dead letters wait."""
    store.claim(key, "one", LEASE_S)
    store.done(key, "one", "1", SHORT_S)
    assert isinstance(store.claim(key, "two", LEASE_S), Finished)
    wait_until(lambda: store.claim(key, "two", LEASE_S) == Granted(), 5)


def test_of_many_at_once_one_gets_the_key(store: Store, key: str) -> None:
    """Sixteen threads claim at the same moment; one is granted, the rest are busy."""
    barrier, claims = threading.Barrier(16), []

    def claim(owner: str) -> None:
        barrier.wait()
        claims.append(store.claim(key, owner, LEASE_S))

    threads = [threading.Thread(target=claim, args=(f"owner {number}",)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(claim).__name__ for claim in claims) == ["Busy"] * 15 + ["Granted"]


def test_sweeping_takes_what_is_over_and_nothing_else(tmp_path: Path) -> None:
    """Redis forgets by itself; from a database rows are deleted when somebody says so."""
    now = [1_000.0]
    store = SqlStore(f"sqlite:///{tmp_path / 'once.db'}", clock=lambda: now[0])
    store.create_table()
    store.create_table()
    for key, keep_s in {"old": 10.0, "young": 1_000.0}.items():
        store.claim(key, "one", LEASE_S)
        store.done(key, "one", "1", keep_s)
    now[0] += 500
    assert (store.sweep(), store.sweep()) == (1, 0)
    assert isinstance(store.claim("young", "two", LEASE_S), Finished)
    assert store.claim("old", "two", LEASE_S) == Granted()
