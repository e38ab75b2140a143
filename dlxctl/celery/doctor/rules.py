"""What doctor finds: one row a rule, with its code; docs/doctor.md has the same table."""

from dataclasses import dataclass

from dlxctl.celery.doctor.outcomes import Outcome
from dlxctl.model.diagnostics import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be: `about` names the object, `remedy` is the line that mends it.

    `tasks` and `outcomes` say whom it hits, and when; both are empty for what concerns a queue or the whole app.
    """

    code: str
    about: str
    cause: str
    remedy: str
    tasks: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


def found(rule: Rule, about: str, cause: str, remedy: str) -> Finding:
    """A finding that concerns no outcome of a task."""
    return Finding(code=rule.code, about=about, cause=cause, remedy=remedy)


LOSES = Rule(
    code="DLX901",
    title="Failures of tasks are lost",
    explanation="Celery acknowledges the message, or the broker drops it: nothing is left of the task.",
)
LOOPS = Rule(
    code="DLX902",
    title="Failures of tasks come back for ever",
    explanation="The message is requeued, or kills the worker that holds it, and nothing ends that.",
)
STICKS = Rule(
    code="DLX903",
    title="Failures of tasks stick in their queue",
    explanation="A quorum queue that dead-letters at least once keeps what its dead-letter exchange does not take. "
    "No consumer sees it, and it counts for the queue's length.",
)
KILLS = Rule(
    code="DLX904",
    title="A message ends the worker's main process",
    explanation="All that this worker holds is delivered again, and counted; the message then ends the next worker.",
)
ENDLESS = Rule(
    code="DLX905",
    title="Nothing stops a task that kills its worker",
    explanation="RabbitMQ before 4.0 gives a quorum queue no delivery limit of its own.",
)
NO_ROAD = Rule(
    code="DLX910",
    title="A work queue leads to no dead-letter queue",
    explanation="The broker drops what is rejected there, or gives it back for ever.",
)
REFUSED = Rule(
    code="DLX911",
    title="The broker would refuse the worker's declaration",
    explanation="406 PRECONDITION_FAILED: the worker ends at its start, and a producer's `apply_async` raises.",
)
MISSING = Rule(
    code="DLX912",
    title="A queue of the settings is not on the broker",
    explanation="With `no_declare` the worker ends (404), and a producer publishes to nowhere without an error.",
)
CREATED = Rule(
    code="DLX913",
    title="Celery would create a queue without a dead-letter exchange",
    explanation="For a name that is not in `task_queues`, or because the queue is not on the broker.",
)
UNTYPED = Rule(
    code="DLX914",
    title="The settings do not say that a queue is quorum",
    explanation="Celery tells quorum queues from its settings alone. Otherwise a worker uses a QoS that they refuse: "
    "on RabbitMQ up to 4.0 it reconnects for ever (540 NOT_IMPLEMENTED).",
)
EATS = Rule(
    code="DLX915",
    title="A worker would eat dead letters, or messages that wait for their retry",
    explanation="A worker started without `-Q` consumes every queue of `task_queues`.",
)
DEFAULT = Rule(
    code="DLX916",
    title="The default queue is no work queue",
    explanation="Tasks without a route are published to a queue that no worker consumes, or not at all.",
)
ROUTE = Rule(
    code="DLX917",
    title="The route of a task leads nowhere",
    explanation="`apply_async` raises, or the task goes where no worker takes it.",
)
CONFIRMS = Rule(
    code="DLX918",
    title="Publisher confirms are off",
    explanation="A publish to a missing exchange or a full queue is lost without an error.",
)
TIMEOUT = Rule(
    code="DLX920",
    title="A worker may hold a message longer than the broker waits",
    explanation="RabbitMQ 4.0 closes the channel (406) and the worker ends; 4.3 delivers the message again while the "
    "task still runs. The default is 30 minutes.",
)
UNENFORCED = Rule(
    code="DLX921",
    title="A time limit that the pool does not enforce",
    explanation="Only pools of processes enforce time limits.",
)
TRANSIENT = Rule(
    code="DLX922",
    title="This Celery's control queues are refused by this RabbitMQ",
    explanation="RabbitMQ 4.3 denies transient queues that are not exclusive, and Celery before 5.7 declares two.",
)
DELAY = Rule(
    code="DLX923",
    title="A task with a countdown or an ETA is lost",
    explanation="With a quorum queue in its settings Celery 5.5 and later sends it to `celery_delayed_27`, unless the "
    "queue's exchange is direct. Where that exchange is missing, they vanish.",
)
STALE = Rule(
    code="DLX924",
    title="The Celery settings are not those of the topology file",
    explanation="Retries and dead letters take the roads of the settings.",
)
ELSEWHERE = Rule(
    code="DLX925",
    title="The app talks to another broker",
    explanation="Nothing that is said of queues holds for the app then.",
)
ROADLESS = Rule(
    code="DLX926",
    title="dlxctl's part of the worker does not know the queues",
    explanation="With `RetryTask` or dlxctl's consumer a worker does not start then.",
)
PROBE = Rule(
    code="DLX930",
    title="The probe did not arrive",
    explanation="`--probe` sends a task that fails through each work queue, and waits for it in the dead-letter queue.",
)

RULES = (
    LOSES, LOOPS, STICKS, KILLS, ENDLESS, NO_ROAD, REFUSED, MISSING, CREATED, UNTYPED, EATS, DEFAULT, ROUTE, CONFIRMS,
    TIMEOUT, UNENFORCED, TRANSIENT, DELAY, STALE, ELSEWHERE, ROADLESS, PROBE,
)  # fmt: skip
