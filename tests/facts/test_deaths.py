"""Dead-lettering.

What the broker does with a message that is rejected, expires or is over its limit, and what it writes on it.
"""

from typing import Any

from tests.facts.conftest import Fact
from tests.facts.lab import Lab


def test_a_tier_gives_back_by_name(lab: Lab, fact: Fact) -> None:
    """A queue with a TTL, the default exchange as its dead-letter exchange and no dead-letter routing key gives a
    message back to the queue that its routing key names."""
    work, exchange = lab.queue(), lab.exchange("fanout")
    tier = lab.queue(message_ttl=20, dead_letter_exchange="")
    lab.bind(tier, exchange)
    lab.publish(exchange, work)
    fact("work queue", lab.fate({"work queue": work}, "work queue"))


def test_a_rejected_message_may_go_round(lab: Lab, fact: Fact) -> None:
    """Work queue, rejected, retry queue, expired, back: not a cycle to RabbitMQ, because one death was a rejection."""
    work, tier = _loop(lab)
    lab.publish("", work)
    lab.take(work).reject(requeue=False)
    fact("work queue", lab.fate({"work queue": work}, "work queue"))
    assert lab.depth(tier) == 0


def test_a_message_over_its_limit_may_not_go_round(lab: Lab, fact: Fact) -> None:
    """Work queue, over its delivery limit, retry queue, expired, back: dropped as a cycle."""
    work, tier = _loop(lab, delivery_limit=0)
    lab.publish("", work)
    lab.take(work).reject(requeue=True)
    assert lab.becomes(work, 0) == 0
    assert lab.becomes(tier, 0) == 0
    fact("nowhere", lab.fate({"work queue": work}, "nowhere"))


def test_a_missing_dead_letter_exchange_drops(lab: Lab, fact: Fact) -> None:
    """A rejected message whose dead-letter exchange does not exist, by default (at most once)."""
    work = lab.queue(dead_letter_exchange="does-not-exist")
    lab.publish("", work)
    lab.take(work).reject(requeue=False)
    fact("nowhere", lab.fate({"work queue": work}, "nowhere"))


def test_at_least_once_keeps_what_it_cannot_deliver(lab: Lab, fact: Fact) -> None:
    """The same with at-least-once dead-lettering: it stays, out of sight of consumers and of the count of a passive
    declare, and fills the queue. Found: what a publisher is told at a length limit of 1."""
    work = lab.queue(dead_letter_exchange="does-not-exist", dead_letter_strategy="at-least-once",
                     overflow="reject-publish", max_length=1)  # fmt: skip
    lab.publish("", work)
    lab.take(work).reject(requeue=False)
    assert lab.becomes(work, 0) == 0
    answers = [lab.publish("", work) for _ in range(4)]
    fact("nacked", answers[-1])


def test_an_alternate_exchange_catches_dead_letters(lab: Lab, fact: Fact) -> None:
    """A dead letter that no binding of its dead-letter exchange takes goes to the alternate exchange of that."""
    net, caught = lab.exchange("fanout"), lab.queue()
    lab.bind(caught, net)
    dlx = lab.exchange(arguments={"alternate-exchange": net})
    work = lab.queue(dead_letter_exchange=dlx, dead_letter_routing_key="nobody")
    lab.publish("", work)
    lab.take(work).reject(requeue=False)
    fact("alternate exchange", lab.fate({"alternate exchange": caught}, "alternate exchange"))


def test_an_internal_exchange_takes_dead_letters(lab: Lab, fact: Fact) -> None:
    """A dead-letter exchange may be internal."""
    dlx, dlq = lab.exchange("fanout", internal=True), lab.queue()
    lab.bind(dlq, dlx)
    work = lab.queue(dead_letter_exchange=dlx)
    lab.publish("", work)
    lab.take(work).reject(requeue=False)
    fact("dead-letter queue", lab.fate({"dead-letter queue": dlq}, "dead-letter queue"))


def test_the_order_of_deaths(lab: Lab, fact: Fact) -> None:
    """`x-death` after three deaths in the queues 1, 2, 3: the newest is first on all."""
    last = lab.queue()
    third = lab.queue(message_ttl=10, dead_letter_exchange="", dead_letter_routing_key=last)
    second = lab.queue(message_ttl=10, dead_letter_exchange="", dead_letter_routing_key=third)
    first = lab.queue(dead_letter_exchange="", dead_letter_routing_key=second)
    lab.publish("", first)
    lab.take(first).reject(requeue=False)
    deaths = [death["queue"] for death in lab.take(last).headers["x-death"]]
    names = {first: "1", second: "2", third: "3"}
    fact({"3.10": "3 1 2", "4.0": "3 2 1", "4.3": "3 2 1"}, " ".join(names[name] for name in deaths))


def test_the_first_death_may_be_the_tier(lab: Lab, fact: Fact) -> None:
    """`x-first-death-queue` of a message that was delayed before it failed names the delay, not its work queue."""
    work, dlq = _work(lab)
    tier = lab.queue(message_ttl=10, dead_letter_exchange="")
    exchange = lab.exchange("fanout")
    lab.bind(tier, exchange)
    lab.publish(exchange, work)
    lab.take(work).reject(requeue=False)
    found = lab.take(dlq).headers["x-first-death-queue"]
    fact("the delay", {tier: "the delay", work: "the work queue"}[found])


def test_the_last_death_has_headers(lab: Lab, fact: Fact) -> None:
    """`x-last-death-queue` on a dead letter."""
    work, dlq = _work(lab)
    lab.publish("", work)
    lab.take(work).reject(requeue=False)
    found = "x-last-death-queue" in lab.take(dlq).headers
    fact({"3.10": "absent", "4.0": "present", "4.3": "present"}, "present" if found else "absent")


def test_the_expiry_is_taken_away_at_death(lab: Lab, fact: Fact) -> None:
    """The `expiration` of a message that dies is removed and kept in `x-death` as `original-expiration`."""
    work, dlq = _work(lab)
    lab.publish("", work, expiration="60000")
    lab.take(work).reject(requeue=False)
    letter = lab.take(dlq)
    fact("None, 60000", f"{letter.properties.expiration}, {letter.headers['x-death'][0]['original-expiration']}")


def test_death_headers_that_a_client_publishes(lab: Lab, fact: Fact) -> None:
    """A dead letter is published again with its `x-death`, and dies again. Found: the count in `x-death`."""
    work, dlq = _work(lab)
    lab.publish("", work)
    lab.take(work).reject(requeue=False)
    lab.publish("", work, headers=lab.take(dlq).headers)
    lab.take(work).reject(requeue=False)
    fact({"3.10": "2", "4.0": "1", "4.3": "1"}, lab.take(dlq).headers["x-death"][0]["count"])


def test_cc_after_death(lab: Lab, fact: Fact) -> None:
    """The header `CC` of a message that was dead-lettered with a dead-letter routing key."""
    work, dlq = _work(lab)
    lab.publish("", work, headers={"CC": ["nobody"]})
    lab.take(work).reject(requeue=False)
    found = "CC" in lab.take(dlq).headers
    fact({"3.10": "removed", "4.0": "still there", "4.3": "still there"}, "still there" if found else "removed")


def test_a_dead_letter_says_redelivered(lab: Lab, fact: Fact) -> None:
    """`redelivered` on a message that a quorum queue dead-lettered, when it is taken for the first time."""
    work, dlq = _work(lab)
    lab.publish("", work)
    lab.take(work).reject(requeue=False)
    fact({"3.10": "False", "4.0": "True", "4.3": "True"}, lab.take(dlq).redelivered)


def test_a_full_classic_dlq_loses(lab: Lab, fact: Fact) -> None:
    """Five dead letters for a classic queue with `max-length` 2 and `reject-publish`. Found: how many it has."""
    fact("2", _into_bounded(lab, "classic", 2))


def test_a_full_quorum_dlq_takes_dead_letters(lab: Lab, fact: Fact) -> None:
    """The same for a quorum queue: its limit does not hold for dead letters."""
    fact("5", _into_bounded(lab, "quorum", 5))


def test_only_the_head_expires(lab: Lab, fact: Fact) -> None:
    """Messages with an `expiration` of 60 s and 20 ms, after another message of 20 ms in a queue of its own expired.
    Found: how many of the two are in the queue."""
    work, (other, expired) = lab.queue(), _work(lab)
    lab.publish("", work, expiration="60000")
    lab.publish("", work, expiration="20")
    lab.publish("", other, expiration="20")
    lab.take(expired)
    fact("2", lab.depth(work))


def test_an_expiring_queue_takes_its_messages_along(lab: Lab, fact: Fact) -> None:
    """`x-expires` deletes a queue with its messages. Found: where they are dead-lettered."""
    dlq = lab.queue()
    passing = lab.queue("classic", expires=50, dead_letter_exchange="", dead_letter_routing_key=dlq)
    lab.publish("", passing)
    fact("nowhere", lab.fate({"dead-letter queue": dlq}, "nowhere"))
    assert lab.refusal(lambda: lab.depth(passing)) == "404"


def _loop(lab: Lab, **limits: Any) -> tuple[str, str]:
    """A work queue and a retry queue that leads back."""
    work, tier = lab.name(), lab.name()
    lab.queue(name=work, dead_letter_exchange="", dead_letter_routing_key=tier, **limits)
    lab.queue(name=tier, message_ttl=20, dead_letter_exchange="", dead_letter_routing_key=work)
    return work, tier


def _work(lab: Lab) -> tuple[str, str]:
    """A work queue and its dead-letter queue."""
    dlq = lab.queue()
    return lab.queue(dead_letter_exchange="", dead_letter_routing_key=dlq), dlq


def _into_bounded(lab: Lab, kind: str, depth: int) -> int:
    dlq = lab.queue(kind, max_length=2, overflow="reject-publish")
    work = lab.queue(dead_letter_exchange="", dead_letter_routing_key=dlq)
    for _ in range(5):
        lab.publish("", work)
    for _ in range(5):
        lab.take(work).reject(requeue=False)
    return lab.becomes(dlq, depth)
