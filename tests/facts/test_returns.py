"""Giving messages back.

Delivery counts and limits of quorum queues, and where a message is that was given back.
"""

from tests.facts.conftest import Fact
from tests.facts.lab import Lab, Taken


def _reject(taken: Taken) -> None:
    taken.reject(requeue=True)


def test_the_default_delivery_limit(lab: Lab, fact: Fact) -> None:
    """How often a message of a quorum queue with nothing set can be rejected with requeue, of 25 times."""
    work = lab.queue()
    lab.publish("", work)
    fact({"3.10": "25", "4.0": "20", "4.3": "20"}, lab.survives(work, _reject, 25))


def test_a_limit_of_minus_one(lab: Lab, fact: Fact) -> None:
    """The same with `x-delivery-limit: -1`."""
    work = lab.queue(delivery_limit=-1)
    lab.publish("", work)
    fact({"3.10": "0", "4.0": "25", "4.3": "25"}, lab.survives(work, _reject, 25))


def test_a_million_is_enough(lab: Lab, fact: Fact) -> None:
    """The same with `x-delivery-limit: 1000000`: what dlxctl gives every dead-letter queue."""
    work = lab.queue(delivery_limit=1_000_000)
    lab.publish("", work)
    fact("25", lab.survives(work, _reject, 25))


def test_nack_counts(lab: Lab, fact: Fact) -> None:
    """How often a message can be nacked with requeue (of 5) when the delivery limit is 1."""
    work = lab.queue(delivery_limit=1)
    lab.publish("", work)
    fact({"3.10": "1", "4.0": "1", "4.3": "5"}, lab.survives(work, Taken.nack, 5))


def test_a_closed_channel_counts(lab: Lab, fact: Fact) -> None:
    """The same when the channel that holds it is closed, as when a worker dies."""
    work = lab.queue(delivery_limit=1)
    lab.publish("", work)
    fact("1", lab.survives(work, Taken.close, 5))


def test_the_count_goes_along_with_a_dead_letter(lab: Lab, fact: Fact) -> None:
    """A message over the delivery limit of its work queue (1) lies in a quorum queue with the same limit. Found: how
    often (of 1) it can be nacked there, which any look at it does."""
    dlq = lab.queue(delivery_limit=1)
    work = lab.queue(delivery_limit=1, dead_letter_exchange="", dead_letter_routing_key=dlq)
    lab.publish("", work)
    lab.survives(work, _reject, 3)
    fact({"3.10": "1", "4.0": "1", "4.3": "0"}, lab.survives(dlq, Taken.nack, 1))


def test_classic_queues_put_back_in_place(lab: Lab, fact: Fact) -> None:
    """The first of three messages of a classic queue is taken and nacked. Found: which is the next."""
    fact("1", _next_after_nack(lab, "classic"))


def test_quorum_queues_put_back(lab: Lab, fact: Fact) -> None:
    """The same with a quorum queue."""
    fact({"3.10": "2", "4.0": "1", "4.3": "1"}, _next_after_nack(lab, "quorum"))


def test_what_was_given_back_says_redelivered(lab: Lab, fact: Fact) -> None:
    """`redelivered` on a message that was nacked."""
    work = lab.queue()
    lab.publish("", work)
    lab.take(work).nack()
    fact("True", lab.take(work).redelivered)


def test_quorum_priorities(lab: Lab, fact: Fact) -> None:
    """A message with priority 0 and then one with 9 are published to a quorum queue. Found: which comes first."""
    work = lab.queue()
    for priority in (0, 9):
        lab.publish("", work, str(priority), priority=priority)
    fact({"3.10": "0", "4.0": "9", "4.3": "9"}, lab.take(work).body)


def _next_after_nack(lab: Lab, kind: str) -> str:
    work = lab.queue(kind)
    for body in "123":
        lab.publish("", work, body)
    lab.take(work).nack()
    lab.becomes(work, 3)
    return lab.take(work).body
