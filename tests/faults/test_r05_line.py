"""R5: the connection is reset, closed by an administrator, half-open, slow, or cannot be had again for a while."""

import pytest

from tests.faults.conftest import FULL, Judge
from tests.faults.proxy import Proxy
from tests.faults.scene import DEAD, Scene

FAULT = "R5"
LETTERS = 1_500
MIDDLE = 500_000


def close_connections(scene: Scene) -> None:
    """As an administrator does: by the management API."""
    path = f"vhosts/{scene.reach.vhost}/connections"

    def names() -> list[str]:
        return [one["name"] for one in scene.broker.api("GET", path)]

    scene.until(lambda: bool(names()), "the API knows the connections")
    for name in names():
        scene.broker.api("DELETE", f"connections/{name.replace(' ', '%20').replace('>', '%3E')}")


@pytest.mark.parametrize("how", ["reset", "closed"])
def test_a_run_outlives_its_connection(scene: Scene, judge: Judge, proxy: Proxy, how: str) -> None:
    """It connects again, goes on and ends with 0; what may be a duplicate is flagged."""
    scene.declare()
    scene.fill(LETTERS)
    process = scene.frozen(proxy, after=MIDDLE)
    if how == "reset":
        proxy.reset()
    else:
        close_connections(scene)
    proxy.silent = False
    done = scene.ended(process)
    assert (done.code, scene.depth(DEAD)) == (0, 0), done
    assert done.report["reconnects"] == 1, done
    assert "connecting again" in done.errors
    assert judge(kills=1).moved >= LETTERS


def test_a_broker_that_stays_away_ends_the_run(scene: Scene, judge: Judge, proxy: Proxy) -> None:
    """Exit 6 when the patience is over; the next run does the rest."""
    scene.declare()
    scene.fill(LETTERS)
    process = scene.frozen(proxy, "--reconnect-timeout", 1, after=MIDDLE)
    proxy.refusing = True
    proxy.reset()
    proxy.silent = False
    done = scene.ended(process, timeout=20)
    assert done.code == 6, done
    scene.resume()
    assert judge(kills=1).moved >= LETTERS


def test_a_slow_link_is_only_slow(scene: Scene, judge: Judge, proxy: Proxy) -> None:
    """Latency and a narrow line lose nothing and double nothing."""
    scene.declare()
    scene.fill(300)
    proxy.latency_s, proxy.bytes_per_s = 0.03, 1_000_000
    done = scene.replay(url=scene.through(proxy))
    assert (done.code, done.report["moved"], done.report["reconnects"]) == (0, 300, 0), done
    assert judge().moved == 300


if FULL:

    def test_a_half_open_connection_is_noticed(scene: Scene, judge: Judge, proxy: Proxy) -> None:
        """Nobody closes it and nothing comes any more: heartbeats end it, and the run goes on or ends with 6."""
        scene.declare()
        scene.fill(LETTERS)
        process = scene.frozen(proxy, after=MIDDLE)
        proxy.strand()
        proxy.silent = False
        done = scene.ended(process, timeout=240)
        assert done.code in (0, 6), done
        proxy.reset()
        scene.resume()
        assert judge(kills=1).moved >= LETTERS
