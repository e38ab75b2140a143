"""The walk of a message on a queue whose retries RabbitMQ 4.3 delays itself."""

from dlxctl.ops.trace import Subject, trace
from dlxctl.render.trace import trace_lines
from dlxctl.spec import load
from dlxctl.spec.dump import dump

TEXT = """
version: 1
topology: shop
retry: {standard: {backend: native, delays: [1s, 2s], attempts: 3}}
dead_letter: {dead: }
queues: {orders: {retry: standard, dead_letter: dead}}
"""


def test_a_native_retry_waits_in_its_queue_as_long_as_the_broker_says() -> None:
    """At 0, 1, 3 and 5 s, as real workers were measured to run it; then RetryTask publishes the dead letter."""
    lines = list(trace_lines(trace(Subject(layout=load(TEXT)), "orders", events="", release="4.3")))
    told = [line.split(None, 2) for line in lines if "attempt" in line or "holds it back" in line]
    assert [(at, text) for at, _, text in told] == [
        ("0s", "attempt 1 fails; RetryTask gives it back"), ("0s", "the broker holds it back for 1s"),
        ("1s", "attempt 2 fails; RetryTask gives it back"), ("1s", "the broker holds it back for 2s"),
        ("3s", "attempt 3 fails; RetryTask gives it back"), ("3s", "the broker holds it back for 2s"),
        ("5s", "attempt 4 fails; RetryTask publishes it to dlx, routing key dead"),
    ]  # fmt: skip


def test_workers_that_die_use_up_the_attempts() -> None:
    """Then the broker itself dead-letters the message, after as many deaths as a task has runs."""
    walk = trace(Subject(layout=load(TEXT)), "orders", events="crash*", release="4.3")
    assert (walk.ending, walk.queue, walk.at_ms) == ("dead", "dead", 5_000)


def test_a_native_ladder_is_written_as_it_was_read() -> None:
    """A file that dlxctl writes keeps the backend."""
    layout = load(TEXT)
    assert load(dump(layout)) == layout
