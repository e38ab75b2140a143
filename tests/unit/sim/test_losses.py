"""The ten ways in which RabbitMQ is known to lose messages: the model loses them too, and check tells beforehand."""

from collections.abc import Mapping
from typing import Any

import pytest

from dlxctl.model.topology import Binding, BrokerObject, Exchange, Policy, Queue, QueueType, Topology
from dlxctl.ops.prove import of_definitions
from dlxctl.sim.message import Death, Message, Reason
from dlxctl.sim.steps import Cause, Kind, Settle
from dlxctl.sim.versions import BY_NAME, RELEASES
from dlxctl.sim.walk import Ending, Event, Trip, Turn, walk
from dlxctl.sim.world import World

ALL = frozenset(release.name for release in RELEASES)
POISON = Message(
    id="poison", routing_key="dlq", failures=21,
    deaths=(Death(queue="work", reason=Reason.DELIVERY_LIMIT, exchange="", routing_key="work"),),
)  # fmt: skip
"""What a worker's crashes made of a message by the time it is in its dead-letter queue."""


def queue(name: str, type_: QueueType = QueueType.QUORUM, **arguments: Any) -> Queue:
    """A queue; `dead_letter_exchange` stands for `x-dead-letter-exchange`."""
    return Queue(
        name=name, type=type_, arguments={f"x-{key.replace('_', '-')}": value for key, value in arguments.items()}
    )


def topology(*objects: BrokerObject) -> Topology:
    return Topology.of("/", *objects)


def to(name: str) -> dict[str, Any]:
    """Dead-letter straight into the queue `name`."""
    return {"dead_letter_exchange": "", "dead_letter_routing_key": name}


WORK = queue("work", **to("dlq"))
RETRIED = topology(queue("work", delivery_limit=3, **to("retry")), queue("retry", message_ttl=1000, **to("work")))
TWO_HOPS = topology(
    queue("work", QueueType.CLASSIC, **to("r1")),
    queue("r1", QueueType.CLASSIC, message_ttl=100, **to("r2")),
    queue("r2", QueueType.CLASSIC, message_ttl=100, **to("work")),
)
VOID = topology(
    queue("work", QueueType.CLASSIC),
    queue("dlq", delivery_limit=1_000_000),
    Policy(name="p", pattern="^work$", definition={
        "dead-letter-exchange": "", "dead-letter-routing-key": "dlq", "delivery-limit": 5,
    }),
)  # fmt: skip


def found(topology: Topology) -> dict[str, str]:
    """code -> cause, of all that check says."""
    return {diagnostic.code: diagnostic.cause for diagnostic in of_definitions(topology)}


def looks(release: str, dlq: Mapping[str, Any], how: Settle, message: Message = POISON) -> int | None:
    """With which look the dead letter is gone; None when it survives fifty."""
    world = World(topology(queue("dlq", **dlq)), BY_NAME[release])
    world.place("dlq", message)
    for look in range(1, 51):
        delivery = world.get("dlq")
        assert delivery is not None
        world.settle(delivery, how)
        if not world.where("poison"):
            return look
    return None


def endings(topology: Topology, *turns: Turn) -> dict[str, tuple[Ending, Cause | None]]:
    """release -> how a message of queue `work` ends."""
    trip = Trip(queue="work", turns=turns, rests=frozenset({"dlq"}))
    walks = {release.name: walk(topology, trip, release) for release in RELEASES}
    return {name: (each.ending, each.cause) for name, each in walks.items()}


LOST_AS_CYCLE = (Ending.DROPPED, Cause.CYCLE)


def test_l1_one_kill_of_a_client_that_holds_poison_messages() -> None:
    """On 4.3 alone they are gone: the count that killed them in the work queue came along."""
    assert {name: looks(name, {}, Settle.CRASH) for name in ALL} == {"3.10": None, "4.0": 21, "4.3": 1}


def test_l2_one_look_at_a_poison_message() -> None:
    """Even a nack destroys it on 4.3, and check says that once is enough."""
    assert {name: looks(name, {}, Settle.NACK) for name in ALL} == {"3.10": None, "4.0": 21, "4.3": 1}
    assert 'queue "dlq" loses a dead letter that is looked at once' in found(topology(WORK, queue("dlq")))["DLX403"]


def test_l3_looks_at_a_message_that_was_only_rejected() -> None:
    """21 on 4.0; on 4.3 nacks are free and failed deliveries are not, one of which the rejection was."""
    rejected = Message(id="poison", routing_key="dlq", failures=1)
    assert {name: looks(name, {}, Settle.NACK, rejected) for name in ALL} == {"3.10": None, "4.0": 21, "4.3": None}
    assert {name: looks(name, {}, Settle.RETURN, rejected) for name in ALL} == {"3.10": None, "4.0": 21, "4.3": 20}


def test_a_high_limit_makes_looking_safe() -> None:
    """A million on every version; check has nothing to say then."""
    safe = {"delivery_limit": 1_000_000}
    assert {looks(name, safe, how) for name in ALL for how in (Settle.NACK, Settle.CRASH)} == {None}
    assert found(topology(WORK, queue("dlq", **safe))) == {}


@pytest.mark.parametrize("event", [Event.CRASH, Event.EXPIRE, Event.LIMIT])
def test_l4_a_death_without_rejection_enters_a_retry_tier(event: Event) -> None:
    """It comes back, and is dropped as a cycle on every version; check shows the walk."""
    assert endings(RETRIED, Turn(event, None)) == dict.fromkeys(ALL, LOST_AS_CYCLE)
    cause = found(RETRIED)["DLX401"]
    assert 'expired in "work", expired in "retry", and then dropped' in cause
    assert "(RabbitMQ 3.10, 4.0, 4.3)" in cause


def test_l4b_the_same_after_a_rejection() -> None:
    """3.10 keeps it, since it has turned its history round; 4.0 and 4.3 drop it."""
    turns = (Turn(Event.REJECT, 2), Turn(Event.LIMIT))
    ends = endings(RETRIED, *turns)
    assert (ends["3.10"], ends["4.0"], ends["4.3"]) == ((Ending.WORKED, None), LOST_AS_CYCLE, LOST_AS_CYCLE)


def test_l5_more_laps_of_rejection_than_the_limit() -> None:
    """On 4.3 the next nack is over the limit, and its death a cycle; check says so of 4.3."""
    laps = topology(queue("work", **to("retry")), queue("retry", message_ttl=1000, **to("work")))
    ends = endings(laps, Turn(Event.REJECT, 25), Turn(Event.REQUEUE))
    assert (ends["3.10"], ends["4.0"], ends["4.3"]) == ((Ending.WORKED, None), (Ending.WORKED, None), LOST_AS_CYCLE)
    assert "4.3" in found(laps)["DLX401"]


def test_l6_a_cycle_of_rejections_with_two_hops() -> None:
    """3.10 loses the message on its second lap; the others go round for ever, which check tells too."""
    ends = endings(TWO_HOPS, Turn(Event.REJECT, 3))
    assert (ends["3.10"], ends["4.0"], ends["4.3"]) == (LOST_AS_CYCLE, (Ending.WORKED, None), (Ending.WORKED, None))
    assert "(RabbitMQ 4.0, 4.3)" in found(TWO_HOPS)["DLX404"]
    assert {"DLX401", "DLX404"} <= set(found(TWO_HOPS))


def test_l7_a_shovel_that_fails_again_and_again() -> None:
    """Each restart gives all its messages back: after 21 the queue is empty, and check warns of that queue."""
    fresh = Message(id="poison", routing_key="dlq")
    assert {name: looks(name, {}, Settle.CRASH, fresh) for name in ALL} == {"3.10": None, "4.0": 21, "4.3": 21}
    assert "DLX403" in found(topology(WORK, queue("dlq")))


def test_l8_a_publish_that_reaches_nothing() -> None:
    """It is dropped though it was confirmed; check names exchanges that lead nowhere."""
    nowhere = topology(WORK, queue("dlq", delivery_limit=1_000_000), Exchange(name="out"))
    world = World(nowhere, BY_NAME["4.3"])
    world.publish(Message(id="m", exchange="out", routing_key="k"))
    assert [(step.kind, step.cause) for step in world.steps[1:]] == [(Kind.DROPPED, Cause.NO_ROUTE)]
    assert found(nowhere) == {"DLX405": 'exchange "out" has neither a binding nor an alternate exchange.'}


def test_l9_a_policy_with_a_key_that_the_type_does_not_know() -> None:
    """The whole policy is void and rejects are lost; check finds that the queue has no dead-letter exchange."""
    assert endings(VOID, Turn(Event.REJECT)) == dict.fromkeys(ALL, (Ending.DROPPED, Cause.NO_DLX))
    assert 'queue "work" has no dead-letter exchange' in found(VOID)["DLX406"]


def test_l10_a_delivery_limit_of_minus_one() -> None:
    """On 3.10 it drops at the first return; on the others it is no limit. Check names 3.10."""
    unlimited = {"delivery_limit": -1}
    assert {name: looks(name, unlimited, Settle.NACK) for name in ALL} == {"3.10": 1, "4.0": None, "4.3": None}
    assert found(topology(WORK, queue("dlq", **unlimited)))["DLX403"].endswith("looked at once (RabbitMQ 3.10).")


def test_a_dead_letter_that_cannot_be_placed_is_stuck() -> None:
    """At least once, without a binding: neither lost nor to be had; at most once it is lost."""
    road = {"dead_letter_exchange": "dlx", "dead_letter_strategy": "at-least-once"}
    stuck = topology(queue("work", overflow="reject-publish", **road), Exchange(name="dlx"))
    assert endings(stuck, Turn(Event.REJECT)) == dict.fromkeys(ALL, (Ending.STUCK, Cause.NO_ROUTE))
    assert "DLX402" in found(stuck)
    fallen_back = topology(queue("work", **road), Exchange(name="dlx"), Binding(source="dlx", destination="gone"))
    assert endings(fallen_back, Turn(Event.REJECT)) == dict.fromkeys(ALL, (Ending.DROPPED, Cause.NO_ROUTE))


@pytest.mark.parametrize("type_", [QueueType.CLASSIC, QueueType.QUORUM])
@pytest.mark.parametrize("ttl_ms", [0, 1])
def test_a_walk_through_a_queue_without_time_ends(type_: QueueType, ttl_ms: int) -> None:
    """A quorum queue keeps a message for a moment even with a TTL of 0; then it dies there."""
    brief = topology(queue("work", type_, message_ttl=ttl_ms, **to("dlq")), queue("dlq"))
    for turns in ((Turn(Event.EXPIRE, None),), (Turn(Event.REJECT), Turn(Event.EXPIRE, None))):
        ends = endings(brief, *turns)
        assert set(ends) == ALL
        assert {ending for ending, _ in ends.values()} == {Ending.DEAD}
