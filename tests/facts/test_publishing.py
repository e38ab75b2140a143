"""Publishing.

What a publisher with confirms is told.
"""

from tests.facts.conftest import Fact
from tests.facts.lab import Lab


def test_unroutable_is_confirmed(lab: Lab, fact: Fact) -> None:
    """A message that no queue takes, published without `mandatory`."""
    fact("acked", lab.publish("", lab.name()))


def test_unroutable_and_mandatory_is_returned(lab: Lab, fact: Fact) -> None:
    """The same with `mandatory`."""
    fact("returned", lab.publish("", lab.name(), mandatory=True))


def test_an_alternate_exchange_satisfies_mandatory(lab: Lab, fact: Fact) -> None:
    """`mandatory`, no queue takes it, but one of the alternate exchange does."""
    net, caught = lab.exchange("fanout"), lab.queue()
    lab.bind(caught, net)
    fact("acked", lab.publish(lab.exchange(arguments={"alternate-exchange": net}), "nobody", mandatory=True))
    assert lab.depth(caught) == 1


def test_a_missing_exchange_closes_the_channel(lab: Lab, fact: Fact) -> None:
    """Published to an exchange that does not exist."""
    fact("404", lab.publish(lab.name(), "k"))


def test_an_internal_exchange_refuses(lab: Lab, fact: Fact) -> None:
    """Published to an internal exchange: dlxctl's marks of ownership hang on one."""
    fact("403", lab.publish(lab.exchange(internal=True), "k"))


def test_a_full_queue_nacks(lab: Lab, fact: Fact) -> None:
    """A classic queue with `max-length` 1 and `reject-publish` that has one."""
    full = lab.queue("classic", max_length=1, overflow="reject-publish")
    lab.publish("", full)
    fact("nacked", lab.publish("", full))


def test_a_full_queue_with_drop_head_confirms(lab: Lab, fact: Fact) -> None:
    """The same with `drop-head`. Found: what the publisher is told, and which message is left."""
    full = lab.queue("classic", max_length=1, overflow="drop-head")
    lab.publish("", full, "old")
    fact("acked, new", f"{lab.publish('', full, 'new')}, {lab.take(full).body}")


def test_a_binding_with_nothing_but_x_match_takes_all(lab: Lab, fact: Fact) -> None:
    """A message without headers, published to a headers exchange whose one binding has only `x-match: all`."""
    queue, exchange = lab.queue(), lab.exchange("headers")
    lab.bind(queue, exchange, arguments={"x-match": "all"})
    lab.publish(exchange, "")
    fact("routed", lab.fate({"routed": queue}, "routed"))


def test_an_expiration_must_be_digits(lab: Lab, fact: Fact) -> None:
    """`expiration: 1.5`."""
    fact("406", lab.publish("", lab.queue(), expiration="1.5"))
