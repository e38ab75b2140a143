"""The model and real brokers agree: generated scenarios played on both.

`make test` plays 50 on each version, `make faults` 500. A disagreement prints its scenario: measure which rule is
wrong, mend the model, and keep the scenario among the known ones, which are played each time. The scenarios come from
`random` and not from Hypothesis, whose strength is to shrink: what takes seconds of real time is not shrunk.
"""

import os
import random
from itertools import islice

import pytest

from dlxctl.sim.versions import nearest
from tests.brokers import RunningBroker
from tests.differential.compare import compare
from tests.differential.known import KNOWN
from tests.differential.outcome import Played, at_its_time, predicted
from tests.differential.scenario import SLOT, Data, renamed, scenario

FULL = os.environ.get("DLXCTL_FAULTS") == "full"
SEED = os.environ.get("DLXCTL_FAULT_SEED", "1")
WANTED, BATCH = (500 if FULL else 50), 55


@pytest.mark.timeout(3600 if FULL else 300)
def test_generated_scenarios_end_as_the_model_says(broker: RunningBroker, vhost: str) -> None:
    """Where each message is, its death history, what was refused and what is stuck: the same on both."""
    told, wrong = 0, []
    for number in range(4 * (WANTED // BATCH + 1)):
        if told < WANTED:
            batch = _telling(f"{SEED}.{number}", broker, min(BATCH, 2 * (WANTED - told)))
            batch += () if number else KNOWN.values()
            more, disagreeing = compare(broker, [renamed(data, f"s{i}.") for i, data in enumerate(batch)])
            told, wrong = told + more, wrong + disagreeing
            print(f"{told} scenarios on {broker.version}, {len(wrong)} differ, DLXCTL_FAULT_SEED={SEED}", flush=True)
    assert told >= WANTED, "too many scenarios hung on milliseconds: is the machine that busy?"
    assert not wrong, f"{len(wrong)} of {told} on {broker.version}, DLXCTL_FAULT_SEED={SEED}:\n" + "\n\n".join(wrong)


def _telling(seed: str, broker: RunningBroker, many: int) -> list[Data]:
    """Scenarios in which something dies, and which do not hang on milliseconds as far as one can tell before."""
    chance = random.Random(seed)
    drawn = (scenario(chance) for _ in range(many * 40))
    return list(islice((data for data in drawn if _promising(data, broker)), many))


def _promising(data: Data, broker: RunningBroker) -> bool:
    slots = len(data["operations"])
    end = slots * SLOT * 1000 + 2500
    left = {name: [end, end + 5, end + 10] for name, _, _ in data["queues"]}
    played = Played(times=[slot * SLOT * 1000 for slot in range(slots)], left_times=left, at_end=end + 20)
    release = nearest(broker.release)
    outcome = at_its_time(data, release, played)
    dead = any(seen and seen[1]["x-death"] for queue in outcome.left.values() for seen in queue)
    tells = dead or bool(outcome.stuck) or False in outcome.results
    return tells and predicted(data, release, played) is not None
