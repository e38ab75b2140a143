"""Declaring.

What is checked when a queue or an exchange is declared again, and what each type refuses.
"""

from tests.facts.conftest import Fact
from tests.facts.lab import Lab


def test_another_argument_is_refused(lab: Lab, fact: Fact) -> None:
    """A queue declared again with another `x-message-ttl`."""
    name = lab.queue(message_ttl=1000)
    fact("406", lab.refusal(lambda: lab.queue(name=name, message_ttl=2000)))


def test_a_missing_argument_is_refused(lab: Lab, fact: Fact) -> None:
    """Declared again without its `x-message-ttl`."""
    name = lab.queue(message_ttl=1000)
    fact("406", lab.refusal(lambda: lab.queue(name=name)))


def test_an_unknown_argument_is_not_seen(lab: Lab, fact: Fact) -> None:
    """Declared again with another value of an argument that RabbitMQ does not know."""
    name = lab.queue(my_own=1)
    fact("accepted", lab.refusal(lambda: lab.queue(name=name, my_own=2)))


def test_a_ttl_must_be_an_integer(lab: Lab, fact: Fact) -> None:
    """`x-message-ttl` as text."""
    fact("406", lab.refusal(lambda: lab.queue(message_ttl="1000")))


def test_classic_queues_refuse_a_delivery_limit(lab: Lab, fact: Fact) -> None:
    """A classic queue with `x-delivery-limit`."""
    fact("406", lab.refusal(lambda: lab.queue("classic", delivery_limit=5)))


def test_classic_queues_refuse_at_least_once(lab: Lab, fact: Fact) -> None:
    """A classic queue with `x-dead-letter-strategy: at-least-once`."""
    fact(
        "406", lab.refusal(lambda: lab.queue("classic", dead_letter_exchange="", dead_letter_strategy="at-least-once"))
    )


def test_quorum_queues_refuse_priorities(lab: Lab, fact: Fact) -> None:
    """A quorum queue with `x-max-priority`."""
    fact("406", lab.refusal(lambda: lab.queue(max_priority=10)))


def test_a_consumer_timeout_of_a_classic_queue(lab: Lab, fact: Fact) -> None:
    """A classic queue with `x-consumer-timeout`."""
    expected = {"3.10": "accepted", "4.0": "accepted", "4.3": "406"}
    fact(expected, lab.refusal(lambda: lab.queue("classic", consumer_timeout=60_000)))


def test_a_routing_key_needs_its_exchange(lab: Lab, fact: Fact) -> None:
    """`x-dead-letter-routing-key` without `x-dead-letter-exchange`."""
    fact("406", lab.refusal(lambda: lab.queue(dead_letter_routing_key="k")))


def test_an_exclusive_queue_is_a_lock(lab: Lab, fact: Fact) -> None:
    """An exclusive queue that another connection holds, declared: how dlxctl tells that another run is under way."""
    name, other = lab.name(), lab.connect()
    other.channel().queue_declare(name, exclusive=True)
    fact("405", lab.refusal(lambda: lab.connection.channel().queue_declare(name, exclusive=True)))
    other.close()


def test_if_unused_does_not_see_dead_lettering(lab: Lab, fact: Fact) -> None:
    """An exchange that is the dead-letter exchange of a queue and has no binding, deleted with `if-unused`."""
    dlx = lab.exchange()
    lab.queue(dead_letter_exchange=dlx)
    fact("accepted", lab.refusal(lambda: lab.connection.channel().exchange_delete(dlx, if_unused=True)))


def test_definitions_do_not_change_a_queue(lab: Lab, fact: Fact) -> None:
    """Definitions with another `x-message-ttl` of a queue that exists are taken. Found: its TTL of 1000 afterwards."""
    name = lab.queue(message_ttl=1000)
    queue = {"name": name, "durable": True, "auto_delete": False,
             "arguments": {"x-queue-type": "quorum", "x-message-ttl": 2000}}  # fmt: skip
    lab.broker.api("POST", f"definitions/{lab.vhost}", {"queues": [queue], "exchanges": [], "bindings": []})
    fact("1000", lab.broker.api("GET", f"queues/{lab.vhost}/{name}")["arguments"]["x-message-ttl"])
