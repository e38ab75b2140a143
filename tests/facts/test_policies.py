"""Policies.

Which applies, and what it amounts to together with arguments.
"""

from tests.facts.conftest import Fact
from tests.facts.lab import Lab


def test_a_key_of_another_type_voids_a_policy(lab: Lab, fact: Fact) -> None:
    """A classic queue whose policy has a dead-letter exchange, and a delivery limit, which only quorum queues know.
    Found: where a rejected message is."""
    work, dlq = lab.name(), lab.queue()
    lab.policy(work, delivery_limit=5, dead_letter_exchange="", dead_letter_routing_key=dlq)
    lab.queue("classic", name=work)
    lab.publish("", work)
    lab.take(work).reject(requeue=False)
    fact("nowhere", lab.fate({"dead-letter queue": dlq}, "nowhere"))


def test_a_policy_dead_letters(lab: Lab, fact: Fact) -> None:
    """The same without the delivery limit."""
    work, dlq = lab.name(), lab.queue()
    lab.policy(work, dead_letter_exchange="", dead_letter_routing_key=dlq)
    lab.queue("classic", name=work)
    lab.publish("", work)
    lab.take(work).reject(requeue=False)
    fact("dead-letter queue", lab.fate({"dead-letter queue": dlq}, "dead-letter queue"))


def test_the_lower_number_wins(lab: Lab, fact: Fact) -> None:
    """`max-length` is 1 by argument and 3 by policy; and the other way round. Found: how many of 5 are kept."""
    found = []
    for argument, policy in ((1, 3), (3, 1)):
        name = lab.name()
        lab.policy(name, max_length=policy)
        lab.queue("classic", name=name, max_length=argument)
        for _ in range(5):
            lab.publish("", name)
        found.append(str(lab.becomes(name, 1)))
    fact("1, 1", ", ".join(found))


def test_an_argument_goes_before_a_policy(lab: Lab, fact: Fact) -> None:
    """The dead-letter routing key is given by argument and by policy. Found: which of them holds."""
    work, by_argument, by_policy = lab.name(), lab.queue(), lab.queue()
    lab.policy(work, dead_letter_exchange="", dead_letter_routing_key=by_policy)
    lab.queue(name=work, dead_letter_exchange="", dead_letter_routing_key=by_argument)
    lab.publish("", work)
    lab.take(work).reject(requeue=False)
    fact("argument", lab.fate({"argument": by_argument, "policy": by_policy}, "argument"))


def test_only_the_highest_priority_applies(lab: Lab, fact: Fact) -> None:
    """Two policies match: the one with priority 1 has a length limit of 1, that with 2 a TTL. Found: how many of 3
    messages are kept."""
    name = lab.name()
    lab.policy(name, priority=1, max_length=1)
    lab.policy(name, priority=2, message_ttl=600_000)
    lab.queue("classic", name=name)
    for _ in range(3):
        lab.publish("", name)
    fact("3", lab.depth(name))


def test_ties_of_priority(lab: Lab, fact: Fact) -> None:
    """Two policies with one priority match, twelve times, with the names in the order in which they are made. Found:
    which of the two applies."""
    applied = set()
    for _ in range(12):
        work, first, second = lab.name(), lab.queue(), lab.queue()
        lab.policy(work, dead_letter_exchange="", dead_letter_routing_key=first)
        lab.policy(work, dead_letter_exchange="", dead_letter_routing_key=second)
        lab.queue(name=work)
        lab.publish("", work)
        lab.take(work).reject(requeue=False)
        applied.add(lab.fate({"first": first, "second": second}, "one"))
    fact("now this, now that", applied.pop() if len(applied) == 1 else "now this, now that")


def test_policies_for_one_type(lab: Lab, fact: Fact) -> None:
    """A policy with `apply-to: quorum_queues`."""
    expected = {"3.10": "400", "4.0": "accepted", "4.3": "accepted"}
    fact(expected, lab.refusal(lambda: lab.policy(lab.name(), apply_to="quorum_queues", max_length=1)))


def test_policies_set_a_consumer_timeout(lab: Lab, fact: Fact) -> None:
    """A policy with `consumer-timeout`."""
    expected = {"3.10": "400", "4.0": "accepted", "4.3": "accepted"}
    fact(expected, lab.refusal(lambda: lab.policy(lab.name(), consumer_timeout=60_000)))


def test_policies_set_delayed_retries(lab: Lab, fact: Fact) -> None:
    """A policy with `delayed-retry-type`, `-min` and `-max`."""
    expected = {"3.10": "400", "4.0": "400", "4.3": "accepted"}
    fact(expected, lab.refusal(lambda: lab.policy(
        lab.name(), delayed_retry_type="failed", delayed_retry_min=10, delayed_retry_max=20)))  # fmt: skip
