"""The memory behind ages: when a queue is looked into again, and when never more."""

from collections import deque

import pytest

from dlxctl.broker.memory_link import MemoryBroker, StoredMessage
from dlxctl.model.headers import DELIVERY_COUNT, DIED_AT
from dlxctl.ops.health import LOOK_EVERY_S, MOST_RETURNS, Ages, Health, QueueHealth, Role
from tests import amqp_values as amqp
from tests.letters import delivery


def dead(died_at: int, returns: int = 0) -> StoredMessage:
    """A dead letter that came back so often."""
    headers = [amqp.entry(DIED_AT.encode(), amqp.integer(died_at))]
    if returns:
        headers.append(amqp.entry(DELIVERY_COUNT.encode(), amqp.integer(returns)))
    found = delivery(*headers)
    return StoredMessage(header=found.header, body=found.body)


def test_a_message_that_came_back_too_often_is_left_alone() -> None:
    """At the delivery limit the broker would drop it; its age is still told, until the queue was empty once."""
    now = [1_000.0]
    ages = Ages(clock=lambda: now[0])
    broker = MemoryBroker(queues={"dead": deque([dead(900), dead(400, MOST_RETURNS)])})
    assert ages.due("dead")
    ages.look(broker.link(), "dead")
    now[0] += LOOK_EVERY_S
    assert (ages.due("dead"), ages.oldest_s("dead")) == (False, 660.0)
    ages.emptied("dead")
    assert (ages.due("dead"), ages.oldest_s("dead")) == (True, None)


@pytest.mark.parametrize(("waited", "due"), [(0.0, False), (LOOK_EVERY_S - 1, False), (LOOK_EVERY_S, True)])
def test_a_queue_is_looked_into_once_a_minute(waited: float, due: bool) -> None:
    """However often somebody asks."""
    now = [0.0]
    ages = Ages(clock=lambda: now[0])
    ages.look(MemoryBroker(queues={"dead": deque([dead(0, 1)])}).link(), "dead")
    now[0] += waited
    assert ages.due("dead") is due


def test_what_died_in_the_future_has_no_negative_age() -> None:
    """Clocks of workers differ."""
    ages = Ages(clock=lambda: 100.0)
    ages.look(MemoryBroker(queues={"dead": deque([dead(130)])}).link(), "dead")
    assert ages.oldest_s("dead") == 0.0


def test_the_totals_are_of_dead_letter_queues_alone() -> None:
    """What was parked, or waits in a tier, is no dead letter that somebody should look at."""
    health = Health(
        queues=(
            QueueHealth(name="orders", role=Role.WORK, ready=5, consumers=1),
            QueueHealth(name="dead", role=Role.DEAD_LETTER, ready=2, consumers=0, oldest_s=10.0),
            QueueHealth(name="gone", role=Role.DEAD_LETTER, ready=None, consumers=None),
            QueueHealth(name="other", role=Role.DEAD_LETTER, ready=1, consumers=0, oldest_s=70.0),
            QueueHealth(name="parked", role=Role.PARKING, ready=9, consumers=0, oldest_s=900.0),
        )
    )
    assert (health.dead_letters, health.oldest_dead_letter_s, health.missing) == (3, 70.0, ("gone",))
    assert Health(queues=()).oldest_dead_letter_s is None
