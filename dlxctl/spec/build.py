"""Form -> Layout: defaults applied, times in milliseconds, names filled in. Cannot fail on a valid form."""

from collections.abc import Mapping

from dlxctl.model.diagnostics import Place
from dlxctl.model.layout import (
    Backend,
    CeleryOptions,
    DeadLetterQueue,
    Ladder,
    Layout,
    Naming,
    Path,
    PublicExchange,
    QueueBinding,
    SettingsMode,
    WorkQueue,
)
from dlxctl.model.topology import QueueType
from dlxctl.spec.model import DefaultsForm, QueueForm, TopologyForm


def layout_of(form: TopologyForm, *, source: str, places: Mapping[Path, Place]) -> Layout:
    """The layout of a form; names that refer to nothing are kept, for `references` to report."""
    return Layout(
        name=form.topology,
        vhost=form.vhost,
        ladders={
            name: Ladder(
                name=name,
                delays_ms=tuple(ladder.delays),
                attempts=ladder.attempts,
                backend=Backend(ladder.backend),
            )
            for name, ladder in form.retry.items()
        },
        dead_letter_queues={
            name: DeadLetterQueue(name=name, retention_ms=q.retention, max_length=q.max_length, parking=q.parking)
            for name, q in form.dead_letter.items()
        },
        exchanges={
            name: PublicExchange(name=name, type=e.type, durable=e.durable, arguments=e.arguments)
            for name, e in form.exchanges.items()
        },
        work_queues={name: _work_queue(name, queue, form.defaults) for name, queue in form.queues.items()},
        settings=SettingsMode(form.settings),
        naming=Naming(dlx=form.naming.dlx, retry=form.naming.retry),
        celery=CeleryOptions(**dict(form.celery)),
        cluster_name=form.cluster_name,
        source=source,
        places=places,
    )


def _work_queue(name: str, form: QueueForm, defaults: DefaultsForm) -> WorkQueue:
    """An explicit null is kept: it says "none", where silence takes the default."""
    said = form.model_fields_set
    return WorkQueue(
        name=name,
        type=QueueType(form.type or defaults.type),
        retry=form.retry if "retry" in said else defaults.retry,
        dead_letter=form.dead_letter if "dead_letter" in said else defaults.dead_letter,
        delivery_limit=form.delivery_limit,
        max_length=form.max_length,
        overflow=form.overflow,
        single_active_consumer=form.single_active_consumer,
        consumer_timeout_ms=form.consumer_timeout,
        priority=form.priority,
        bindings=tuple(
            QueueBinding(exchange=b.exchange, routing_key=b.routing_key, arguments=b.arguments) for b in form.bindings
        ),
        tasks=tuple(form.tasks),
        arguments=form.arguments,
    )
