"""Form -> Layout: defaults applied, times in milliseconds, names filled in. Cannot fail on a valid form."""

from collections.abc import Iterable, Mapping

from dlxctl.model.diagnostics import Place
from dlxctl.model.layout import (
    Backend,
    CeleryOptions,
    DeadLetterQueue,
    ExchangeBinding,
    Ladder,
    Layout,
    Naming,
    Path,
    PublicExchange,
    QueueBinding,
    SettingsMode,
    Verbatim,
    VerbatimQueue,
    WorkQueue,
)
from dlxctl.model.topology import Policy, QueueType
from dlxctl.spec.model import BindingForm, DefaultsForm, QueueForm, TopologyForm, VerbatimForm


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
        exchanges={name: PublicExchange(name=name, **dict(exchange)) for name, exchange in form.exchanges.items()},
        work_queues={name: _work_queue(name, queue, form.defaults) for name, queue in form.queues.items()},
        verbatim=_verbatim(form.verbatim),
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
        bindings=_bindings(form.bindings),
        tasks=tuple(form.tasks),
        arguments=form.arguments,
    )


def _bindings(forms: Iterable[BindingForm]) -> tuple[QueueBinding, ...]:
    return tuple(QueueBinding(**dict(form)) for form in forms)


def _verbatim(form: VerbatimForm) -> Verbatim:
    return Verbatim(
        queues={
            name: VerbatimQueue(
                name=name,
                type=QueueType(queue.type),
                durable=queue.durable,
                auto_delete=queue.auto_delete,
                bindings=_bindings(queue.bindings),
                arguments=queue.arguments,
            )
            for name, queue in form.queues.items()
        },
        bindings=tuple(ExchangeBinding(**dict(binding)) for binding in form.bindings),
        policies={name: Policy(name=name, **dict(policy)) for name, policy in form.policies.items()},
    )
