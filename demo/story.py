"""The story of `make demo`: five orders fail, travel the retry tiers, die, are looked at, replayed, and succeed.

Every step is asserted: the exit code is 0 only when all of it came true on a real RabbitMQ.
"""

import subprocess
import sys
from itertools import pairwise

from demo.stage import Stage, WrongTurn, stage
from tests.brokers import NoBroker, asked_versions, obtain
from tests.workers import start_worker, wait_until

ORDERS = 5
TIERS = {"retry.1s": 1.0, "retry.2s": 2.0}
"""The tiers of demo/topology.yaml and their delays in seconds."""
SLACK = 0.2
"""Seconds by which a broker's timer and a worker's clock may seem to disagree."""
DLQ = "dead_letter"


def main() -> int:
    """Tell the story; returns the exit code."""
    try:
        broker = obtain(asked_versions()[0])
        with stage(broker) as place:
            print(f"RabbitMQ {broker.version} at {broker.management_url}, vhost {place.vhost}")
            apply(place)
            fail(place)
            look(place)
            replay(place)
    except KeyboardInterrupt:
        print("\nInterrupted; vhost and worker are gone.", file=sys.stderr)
        return 130
    except (NoBroker, WrongTurn, AssertionError, OSError, subprocess.TimeoutExpired) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    print("\nAll of it came true. Next: README.md, then `dlxctl init` for a topology.yaml of your own.")
    return 0


def chapter(title: str) -> None:
    """Say which part of the story follows."""
    print(f"\n--- {title} ---", flush=True)


def expect(true: bool, what: str) -> None:
    """Show what holds. Raises WrongTurn when it does not."""
    if not true:
        raise WrongTurn(f"not so: {what}")
    print(f"  ok: {what}", flush=True)


def apply(place: Stage) -> None:
    """topology.yaml becomes queues, tiers and a dead-letter queue; the second apply has nothing to do."""
    chapter("1. One file says how failures travel; apply makes the broker so")
    print((place.directory / "topology.yaml").read_text())
    place.run("dlxctl check topology.yaml")
    place.run("dlxctl apply topology.yaml --yes")
    place.run("dlxctl plan topology.yaml --exit-code")
    print("  ok: a second look finds nothing to change (exit code 0)")
    place.run("dlxctl celery topology.yaml -o celery_topology.py")


def fail(place: Stage) -> None:
    """Five orders fail at once, again after each tier, and then lie in the dead-letter queue."""
    chapter(f"2. A worker with a bug: {ORDERS} orders fail and travel the retry tiers")
    seen: set[str] = set()

    def all_dead() -> bool:
        seen.update(tier for tier in TIERS if place.depth(tier))
        return place.depth(DLQ) >= ORDERS

    print("\n$ celery -A shop worker &")
    with start_worker(place.directory, "shop", environment=place.environment) as worker:
        place.run(f"python shop.py {ORDERS}")
        wait_until(all_dead, 60)
        worker.stop()
    for order in range(1, ORDERS + 1):
        times = [run.at for run in place.runs() if run.order == order]
        print(f"  order {order} failed at " + ", ".join(f"{at - times[0]:.1f} s" for at in times))
        waits = [later - earlier for earlier, later in pairwise(times)]
        delays = TIERS.values()
        if len(waits) != len(delays) or any(w < d - SLACK for w, d in zip(waits, delays, strict=True)):
            raise WrongTurn(f"order {order} was to wait {[*delays]} s, and waited {waits}")
    expect(seen == set(TIERS), f"each was tried {1 + len(TIERS)} times, and lay in {' and '.join(TIERS)} in between")
    expect(place.depth(DLQ) == ORDERS and place.depth("orders") == 0, f"{ORDERS} dead letters, and nothing lost")


def look(place: Stage) -> None:
    """inspect shows what died and why, and leaves it there."""
    chapter("3. What died, and why?")
    text = place.run(f"dlxctl inspect --queue {DLQ}")
    expect(all(word in text for word in ("shop.charge", "KeyError", "orders")), "task, exception and origin are told")
    # A quorum queue counts what is given back a moment after it was.
    wait_until(lambda: place.depth(DLQ) == ORDERS, 10)
    print("  ok: looking disturbed nothing")


def replay(place: Stage) -> None:
    """The bug is fixed; replay puts every dead letter back where it came from, and it succeeds."""
    chapter("4. The bug is fixed, the worker restarted: replay")
    print("\n$ SHOP_FIXED=1 celery -A shop worker &")
    with start_worker(place.directory, "shop", environment=place.environment | {"SHOP_FIXED": "1"}) as worker:
        place.run(f"dlxctl replay --queue {DLQ} --yes")
        wait_until(lambda: sum(run.charged for run in place.runs()) >= ORDERS, 30)
        worker.stop()
    charged = [run.order for run in place.runs() if run.charged]
    expect(sorted(charged) == list(range(1, ORDERS + 1)), f"all {ORDERS} orders were charged, each exactly once")
    expect(place.depth(DLQ) == 0 and place.depth("orders") == 0, "the dead-letter queue is empty, nothing is left over")


if __name__ == "__main__":
    sys.exit(main())
