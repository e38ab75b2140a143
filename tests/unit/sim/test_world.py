"""The model itself: order, time, limits, histories; and that no message is ever unaccounted for."""

import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dlxctl.model.topology import Policy, Queue, QueueType, Topology
from dlxctl.sim.deaths import died, is_cycle
from dlxctl.sim.message import Message, Reason
from dlxctl.sim.settings import Settings, settings_of
from dlxctl.sim.steps import Cause, Kind, Settle
from dlxctl.sim.versions import BY_NAME, NEWEST, RELEASES, Release
from dlxctl.sim.world import World
from tests.differential.scenario import scenario, topology_of

QUORUM, CLASSIC = QueueType.QUORUM, QueueType.CLASSIC


def one(type_: QueueType = CLASSIC, release: Release = NEWEST, **arguments: Any) -> World:
    """A world with a queue `q`, which dead-letters to `dead`."""
    named = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
    road = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    queue = Queue(name="q", type=type_, arguments=road | named)
    return World(Topology.of("/", queue, Queue(name="dead")), release)


def publish(world: World, *ids: str, **given: Any) -> None:
    for id_ in ids:
        world.publish(Message(id=id_, routing_key="q", **given))


def ids(world: World, queue: str) -> str:
    return "".join(message.id for message in world.messages(queue))


def taken(world: World, queue: str = "q") -> Any:
    delivery = world.get(queue)
    assert delivery is not None
    return delivery


def test_a_message_expires_at_the_head_only() -> None:
    """One with a longer time keeps a shorter one behind it; when it is taken, that one is found to be over time."""
    world = one()
    publish(world, "a", expiration_ms=3000)
    publish(world, "b", expiration_ms=300)
    world.advance(1000)
    assert ids(world, "q") == "ab"
    taken(world)
    assert (ids(world, "q"), ids(world, "dead")) == ("", "b")


def test_the_shorter_time_to_live_holds() -> None:
    """Of the queue's and the message's own; a quorum queue gives even 0 ms one."""
    for type_, ttl, at_ms in ((CLASSIC, 0, 0), (QUORUM, 0, 1), (CLASSIC, 200, 200), (CLASSIC, 900, 500)):
        world = one(type_, message_ttl=500)
        publish(world, "a", expiration_ms=ttl)
        assert (world.next_event_ms() or 0) == at_ms


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_returned_messages(release: Release) -> None:
    """A classic queue puts them back in place, a quorum queue before all others.

    Before 4.3 and without a delivery limit it goes to the end, unless its channel closed.
    """
    unlimited = {} if release.name == "3.10" else {"delivery_limit": -1}
    back = "abc" if release is NEWEST else "bca"
    ends = {Settle.NACK: back, Settle.RETURN: back, Settle.CRASH: "abc"}
    for how, end in ends.items():
        worlds = (one(CLASSIC, release), one(QUORUM, release, delivery_limit=9), one(QUORUM, release, **unlimited))
        for world, order in zip(worlds, ("abc", "abc", end), strict=True):
            publish(world, *"abc")
            world.settle(taken(world), how)
            assert ids(world, "q") == order, how


def test_a_full_queue() -> None:
    """Drop-head kills the oldest. A classic queue refuses at its limit, a quorum queue one later, and for longer."""
    world = one(max_length=2)
    publish(world, *"abc")
    assert (ids(world, "q"), ids(world, "dead")) == ("bc", "a")
    world = one(max_length=2, overflow="reject-publish-dlx")
    publish(world, *"abc")
    assert (ids(world, "q"), ids(world, "dead")) == ("ab", "c")
    world = one(QUORUM, max_length=2, overflow="reject-publish")
    publish(world, *"abcd")
    assert ids(world, "q") == "abc"
    taken(world)
    publish(world, "e")
    assert ids(world, "q") == "bc"
    taken(world)
    publish(world, "f")
    assert ids(world, "q") == "cf"


def test_dead_letters_are_dropped_by_a_full_classic_queue_and_taken_by_a_quorum_queue() -> None:
    """At most once: nobody waits for a confirm."""
    for type_, left, kind in ((CLASSIC, 1, Kind.DROPPED), (QUORUM, 2, Kind.ARRIVED)):
        full = {"x-max-length": 1, "x-overflow": "reject-publish"}
        world = World(Topology.of("/", Queue(name="q", arguments={
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead",
        }), Queue(name="dead", type=type_, arguments=full)), NEWEST)  # fmt: skip
        publish(world, *"ab")
        for _ in "ab":
            world.settle(taken(world), Settle.REJECT)
        assert len(world.messages("dead")) == left
        assert world.steps[-1].kind is kind


def test_delivery_limits_count_returns_and_on_4_3_only_failures() -> None:
    """The return over the limit kills; nacks are free on 4.3."""
    for release in RELEASES:
        for how, laps in ((Settle.RETURN, 3), (Settle.CRASH, 3), (Settle.NACK, 3)):
            world = one(QUORUM, release, delivery_limit=2)
            publish(world, "a")
            for _ in range(laps):
                world.settle(taken(world), how)
            free = release.carries_count and how is Settle.NACK
            assert ids(world, "dead") == ("" if free else "a"), (release.name, how)


def test_delayed_retry_grows_to_its_most() -> None:
    """300, 600, 900, 1000, 1000 ms on 4.3; nothing before; nacks are not `failed`."""
    world = one(QUORUM, delayed_retry_type="failed", delayed_retry_min=300, delayed_retry_max=1000)
    publish(world, "a")
    waits = []
    for _ in range(5):
        world.settle(taken(world), Settle.RETURN)
        assert world.get("q") is None
        waits.append((world.next_event_ms() or 0) - world.now_ms)
        world.advance(world.next_event_ms() or 0)
    assert waits == [300, 600, 900, 1000, 1000]
    world.settle(taken(world), Settle.NACK)
    assert world.ready("q")
    old = one(QUORUM, BY_NAME["4.0"], delayed_retry_type="failed", delayed_retry_min=300)
    publish(old, "a")
    old.settle(taken(old), Settle.RETURN)
    assert old.ready("q")


def test_the_order_of_x_death() -> None:
    """Newest first; 3.10 turns the older ones round with each death."""
    for release in RELEASES:
        message = Message(id="m")
        for queue in ("1", "2", "3", "4"):
            message = died(message, queue, Reason.EXPIRED, release)
        order = "".join(death.queue for death in message.deaths)
        assert order == ("4213" if release.name == "3.10" else "4321")
        again = died(message, "1", Reason.EXPIRED, release)
        assert (again.deaths[0].queue, again.deaths[0].count, again.first) == ("1", 2, message.first)


def test_a_rejection_since_then_breaks_the_cycle() -> None:
    """Only what happened since the message was last in that queue counts."""
    message = died(died(Message(id="m"), "q", Reason.EXPIRED, NEWEST), "r", Reason.EXPIRED, NEWEST)
    assert (is_cycle(message, "q"), is_cycle(message, "never")) == (True, False)
    rejected = died(died(Message(id="m"), "q", Reason.EXPIRED, NEWEST), "r", Reason.REJECTED, NEWEST)
    assert not is_cycle(rejected, "q")


def test_the_headers_that_tell_of_deaths() -> None:
    """The original expiration, the first exchange and key, and on 4.x the last death."""
    world = one(release=BY_NAME["4.0"])
    publish(world, "a", expiration_ms=100)
    world.advance(100)
    headers = world.messages("dead")[0].seen_headers(BY_NAME["4.0"])
    assert headers["x-death"] == [{
        "count": 1, "reason": "expired", "queue": "q", "exchange": "", "routing-keys": ["q"],
        "original-expiration": "100",
    }]  # fmt: skip
    assert headers["x-last-death-queue"] == headers["x-first-death-queue"] == "q"
    assert "x-last-death-queue" not in world.messages("dead")[0].seen_headers(BY_NAME["3.10"])


@pytest.mark.parametrize(
    ("arguments", "policies", "wanted"),
    [
        ({"x-max-length": 5}, [("p", 1, {"max-length": 3})], {"max_length": 3}),
        ({"x-dead-letter-exchange": "a"}, [("p", 1, {"dead-letter-exchange": "b"})], {"dlx": "a"}),
        ({}, [("p", 1, {"message-ttl": 9}), ("q", 2, {"max-length": 3})], {"max_length": 3}),
        ({}, [("a", 1, {"max-length": 1}), ("b", 1, {"max-length": 2})], {"max_length": 2}),
        ({}, [("p", 1, {"max-length": 3, "queue-mode": "lazy"})], {}),
        ({"x-delivery-limit": -1}, [("p", 1, {"delivery-limit": 7})], {"delivery_limit": 7}),
        ({"x-dead-letter-strategy": "at-least-once", "x-dead-letter-exchange": ""}, [], {"dlx": ""}),
        ({"x-dead-letter-routing-key": "k"}, [], {}),
        ({"x-delayed-retry-type": "bogus", "x-delayed-retry-min": 5}, [], {}),
    ],
)
def test_effective_settings(
    arguments: dict[str, Any], policies: list[tuple[str, int, dict[str, Any]]], wanted: dict[str, Any]
) -> None:
    """Lowest number, else the argument; one policy, the highest; none that the type cannot take in full."""
    queue = Queue(name="q", type=QUORUM, arguments=arguments)
    made = (Policy(name=name, pattern="q", priority=priority, definition=each) for name, priority, each in policies)
    plain = {"type": QUORUM, "delivery_limit": 20}
    assert settings_of(Topology.of("/", queue, *made), queue, NEWEST) == Settings(**(plain | wanted))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(RELEASES))
@example(24688, RELEASES[0])  # a dead letter that its queue sends again until it is taken, refused
def test_every_copy_is_somewhere(seed: int, release: Release) -> None:
    """Whatever happens: what came to a queue waits there, was worked on, or died there."""
    data = scenario(random.Random(seed))
    world = World(topology_of(data), release)
    for number, operation in enumerate(data["operations"]):
        world.advance(number * 1000)
        match operation:
            case ["publish", exchange, key, headers, expiration]:
                given = Message(id="m", exchange=exchange, routing_key=key, headers=headers, expiration_ms=expiration)
                world.publish(given)
            case ["get", queue, how] if delivery := world.get(queue):
                world.settle(delivery, Settle(how))
    for name, _, _ in data["queues"]:
        here = [step for step in world.steps if step.queue == name]
        came = sum(step.kind is Kind.ARRIVED for step in here)
        if world.settings(name).overflow == "reject-publish-dlx":  # what it refuses dies there without having come
            came += sum(step.kind is Kind.DIED and step.reason is Reason.MAXLEN for step in here)
        gone = sum(step.kind in (Kind.WORKED, Kind.DIED) for step in here)
        assert came == gone + len(world.messages(name))


def test_what_goes_round_without_time_is_stopped() -> None:
    """Two queues of length 0, after a rejection: 3.10 turns the history round, sees that rejection, and goes on."""

    def to(name: str, **more: int) -> dict[str, Any]:
        return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": name, **more}

    queues = (Queue(name="q", arguments=to("b")), Queue(name="b", arguments=to("c", **{"x-max-length": 0})),
              Queue(name="c", arguments=to("b", **{"x-max-length": 0})))  # fmt: skip
    for release in RELEASES:
        world = World(Topology.of("/", *queues), release)
        publish(world, "a")
        world.settle(taken(world), Settle.REJECT)
        assert world.endless is (release.name == "3.10")
        assert release.name == "3.10" or world.steps[-1].cause is Cause.CYCLE
