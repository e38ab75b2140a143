"""Celery.

Rules of its configuration that need no broker; what becomes of failing tasks is measured in tests/celery_failures.
"""

from typing import Any

import pytest
from celery import Celery
from celery.exceptions import QueueNotFound
from celery.utils.quorum_queues import detect_quorum_queues
from kombu import entity

from tests.facts.conftest import Fact

Queue: Any = entity.Queue
Exchange: Any = entity.Exchange
"""kombu has no types."""


def _app(*queues: Queue, **settings: object) -> Celery:
    app = Celery("facts", broker="amqp://", set_as_current=False)
    app.conf.update(task_queues=list(queues), task_default_queue="a", **settings)
    return app


def test_a_worker_consumes_every_task_queue(fact: Fact) -> None:
    """What a worker without `-Q` consumes, of the `task_queues` a and b."""
    fact("a b", " ".join(sorted(_app(Queue("a"), Queue("b")).amqp.queues.consume_from)))


def test_unknown_queues_are_made(fact: Fact) -> None:
    """The arguments of a queue that a route names and `task_queues` does not: it gets no dead-letter exchange."""
    route = _app(Queue("a")).amqp.router.route({"queue": "typo"}, "task")
    fact("None", route["queue"].queue_arguments)


def test_unknown_queues_can_be_refused(fact: Fact) -> None:
    """The same with `task_create_missing_queues = False`."""
    with pytest.raises(QueueNotFound) as refused:
        _app(Queue("a"), task_create_missing_queues=False).amqp.router.route({"queue": "typo"}, "task")
    fact("QueueNotFound", refused.typename)


def test_quorum_is_what_the_configuration_says(fact: Fact) -> None:
    """Whether Celery sees a quorum queue without and with `x-queue-type` in its configuration; it asks no broker."""
    bare, typed = Queue("a"), Queue("a", queue_arguments={"x-queue-type": "quorum"})
    fact("False True", " ".join(str(detect_quorum_queues(_app(queue), "amqp")[0]) for queue in (bare, typed)))


def test_a_queue_without_exchange_gets_one(fact: Fact) -> None:
    """The exchange of a queue of `task_queues` that names none, when the default queue is a: one more to declare."""
    fact("a", _app(Queue("a"), Queue("b")).amqp.queues["b"].exchange.name)


def test_kombu_counts_a_ttl_in_seconds(fact: Fact) -> None:
    """`kombu.Queue(message_ttl=30)` as `x-message-ttl`: it is of seconds, and made into milliseconds."""
    from kombu.transport.base import to_rabbitmq_queue_arguments

    fact("30000", to_rabbitmq_queue_arguments({}, message_ttl=30)["x-message-ttl"])


def test_the_last_configuration_wins_entirely(fact: Fact) -> None:
    """`config_from_object` twice, the first with `task_acks_late`. Found: its value."""
    app = Celery("facts", set_as_current=False)
    app.config_from_object({"task_acks_late": True})
    app.config_from_object({"task_default_queue": "b"})
    fact("False", app.conf.task_acks_late)


def test_failures_are_acknowledged_by_default(fact: Fact) -> None:
    """`task_acks_on_failure_or_timeout` when nothing is set: a failed task is acknowledged, and gone."""
    fact("True", Celery("facts", set_as_current=False).conf.task_acks_on_failure_or_timeout)


def test_tasks_are_acknowledged_early_by_default(fact: Fact) -> None:
    """`task_acks_late` when nothing is set."""
    fact("False", Celery("facts", set_as_current=False).conf.task_acks_late)


def test_direct_exchanges_are_left_out(fact: Fact) -> None:
    """The exchange of the published message when a queue's own exchange is direct: the default exchange, `''`."""
    sent: list[str] = []

    class Producer:
        auto_declare = False

        def publish(self, body: object, exchange: str = "?", **_: object) -> None:
            sent.append(repr(exchange))

    app = _app(Queue("a", Exchange("named", type="direct"), routing_key="k"))
    app.amqp.send_task_message(Producer(), "task", app.amqp.as_task_v2("id", "task"), queue="a")
    fact("''", sent[0])
