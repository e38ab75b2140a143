"""Plays scenarios on a broker and holds the model to what came of them."""

import pprint
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from dlxctl.sim.versions import nearest
from tests.brokers import RunningBroker
from tests.differential.outcome import Outcome, predicted
from tests.differential.player import play, stuck_in
from tests.differential.scenario import Data


def compare(broker: RunningBroker, batch: list[Data]) -> tuple[int, list[str]]:
    """How many of the scenarios told something, and those in which model and broker differ, as text.

    What differs is played once more: a wrong rule differs again, a machine that stood still for a moment does not.
    """
    told, wrong = _played(broker, batch)
    if wrong:
        _, wrong = _played(broker, [data for data, _ in wrong])
    return told, [text for _, text in wrong]


def _played(broker: RunningBroker, batch: list[Data]) -> tuple[int, list[tuple[Data, str]]]:
    with _vhost(broker) as vhost:
        return _compare(broker, vhost, batch)


@contextmanager
def _vhost(broker: RunningBroker) -> Iterator[str]:
    """One for each batch: with the queues of many a broker gets slow."""
    name = f"t-differential-{uuid.uuid4().hex[:8]}"
    broker.api("PUT", f"vhosts/{name}", {})
    broker.api("PUT", f"permissions/{name}/{broker.user}", {"configure": ".*", "write": ".*", "read": ".*"})
    try:
        yield name
    finally:
        broker.api("DELETE", f"vhosts/{name}")


def _compare(broker: RunningBroker, vhost: str, batch: list[Data]) -> tuple[int, list[tuple[Data, str]]]:
    played = play(broker, vhost, batch)
    expected = [predicted(data, nearest(broker.release), each) for data, each in zip(batch, played, strict=True)]
    wanted = {queue: count for outcome in expected if outcome for queue, count in outcome.stuck.items()}
    stuck = stuck_in(broker, vhost, wanted)
    told, wrong = 0, list[tuple[Data, str]]()
    for data, outcome, each in zip(batch, expected, played, strict=True):
        if outcome is None:
            continue
        told += 1
        each.outcome.stuck = {name: stuck[name] for name, _, _ in data["queues"] if name in stuck}
        if outcome != each.outcome:
            wrong.append((data, f"{pprint.pformat(data, width=120)}\n{_difference(outcome, each.outcome)}"))
    return told, wrong


def _difference(expected: Outcome, real: Outcome) -> str:
    """Each thing in which they differ, the model's word first."""
    pairs = [(f"result {i}", e, r) for i, (e, r) in enumerate(zip(expected.results, real.results, strict=True))]
    pairs += [(f"left in {queue}", expected.left[queue], real.left[queue]) for queue in real.left]
    pairs.append(("stuck", expected.stuck, real.stuck))
    return "\n".join(f"{what}: model {e}\n    broker {r}" for what, e, r in pairs if e != r)
