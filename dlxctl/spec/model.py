"""The form of topology.yaml as pydantic models: keys, types, limits, and the words of the JSON Schema.

Only form is checked here, never what refers to what. Null for a whole entry (`default:`) means all defaults.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from dlxctl.spec import rules
from dlxctl.spec.scalars import DlxName, Duration, Name, Owner, Text, TierPattern, as_text, problem

MAX_LENGTH = 2**53 - 1


def empty_when_null(value: Any) -> Any:
    """`orders:` with nothing after it is an entry that takes every default."""
    return {} if value is None else value


class Section(BaseModel):
    """What all mappings of the file share: no unknown keys, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class LadderForm(Section):
    """A retry ladder: through which delays a failed task comes back, and how often."""

    delays: list[Duration] = Field(min_length=1, max_length=20)
    """Strictly growing delays, one retry tier each, shared by all queues; natively the shortest and the longest."""
    attempts: int = Field(ge=1, le=1000)
    """Retries before the message goes to the dead-letter queue; the last delay repeats."""
    backend: Literal["tiers", "native"] = "tiers"
    """tiers (default): a queue for each delay. native: quorum queues of RabbitMQ 4.3 delay retries themselves."""


class DeadLetterForm(Section):
    """A dead-letter queue: where what still fails comes to rest, until it is replayed."""

    retention: Duration | None = None
    """How long a dead letter stays before it moves to `parking`; without it, for ever."""
    max_length: int | None = Field(default=None, ge=1, le=MAX_LENGTH)
    """Most messages it takes; when it is full, failures wait in their work queues."""
    parking: Name | None = None
    """Name of its parking queue, the last stop; created too."""


class ExchangeForm(Section):
    """An exchange that applications publish to."""

    type: Annotated[str, Field(pattern="^(direct|fanout|topic|headers|x-.+)$")]
    """direct, fanout, topic, headers, or a plugin's x-..."""
    durable: bool = True
    """Whether it survives a restart of the broker."""
    auto_delete: bool = False
    """Whether it is deleted when the last thing that was bound to it goes."""
    internal: bool = False
    """Whether only other exchanges and dead-lettering reach it, and no publisher."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the exchange, such as alternate-exchange, passed on as they are."""


class BindingForm(Section):
    """A binding of the queue to an exchange."""

    exchange: Text
    """An exchange declared under `exchanges`, or one that RabbitMQ always has, such as amq.topic."""
    routing_key: Text = ""
    """The routing key, or for a topic exchange the pattern."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the binding; a headers exchange matches on them."""


class QueueForm(Section):
    """A work queue: tasks are consumed from it, and its failures go through its ladder to its dead-letter queue."""

    type: Literal["quorum", "classic"] | None = None
    """quorum (default) is replicated and counts deliveries; classic has priorities."""
    retry: Text | None = None
    """Name of its retry ladder; null for none."""
    dead_letter: Text | None = None
    """Name of its dead-letter queue; null lets failed messages vanish."""
    delivery_limit: int | None = Field(default=None, ge=0, le=MAX_LENGTH)
    """Poison guard, quorum only: how often a message may be returned by a dying worker. Not failures of a task."""
    max_length: int | None = Field(default=None, ge=1, le=MAX_LENGTH)
    """Most messages that it holds."""
    overflow: Literal["drop-head", "reject-publish", "reject-publish-dlx"] | None = None
    """What happens when it is full; quorum queues with a dead-letter queue default to reject-publish."""
    single_active_consumer: bool = False
    """Whether one consumer at a time gets the messages, which keeps their order."""
    consumer_timeout: Duration | None = None
    """How long a worker may hold a message unacknowledged; RabbitMQ 4.0 and later."""
    priority: int | None = Field(default=None, ge=1, le=255)
    """Highest message priority, classic only; costs memory for each level."""
    bindings: list[BindingForm] = Field(default_factory=list)
    """Exchanges from which it takes messages; by its name it can always be published to."""
    tasks: list[Annotated[str, BeforeValidator(as_text), Field(min_length=1)]] = Field(default_factory=list)
    """Celery task names or globs that are routed to it."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Other queue arguments (x-...), verbatim. They can never be changed on a queue that exists."""


class VerbatimQueueForm(Section):
    """A queue that is kept as it is, and that no worker consumes."""

    type: Literal["classic", "quorum", "stream"] = "classic"
    """Queue type; here the default is RabbitMQ's, classic."""
    durable: bool = True
    """Whether it survives a restart of the broker; only a classic queue may not."""
    auto_delete: bool = False
    """Whether it is deleted when its last consumer goes; classic only."""
    bindings: list[BindingForm] = Field(default_factory=list)
    """Exchanges from which it takes messages."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Its arguments (x-...), except x-queue-type."""

    @model_validator(mode="after")
    def _fits_its_type(self) -> "VerbatimQueueForm":
        """RabbitMQ refuses any other quorum queue or stream."""
        if self.type != "classic" and (not self.durable or self.auto_delete):
            cause = f"a {self.type} queue is always durable, and never deleted by itself."
            raise problem(rules.WRONG_VALUE, cause, "Remove durable and auto_delete.")
        return self


class ExchangeBindingForm(Section):
    """A binding of an exchange to an exchange."""

    source: Text
    """The exchange from which messages come."""
    destination: Text
    """The exchange to which they go."""
    routing_key: Text = ""
    """The routing key, or for a topic exchange the pattern."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the binding."""


class PolicyForm(Section):
    """A policy, as RabbitMQ has it."""

    pattern: Annotated[str, BeforeValidator(as_text)]
    """Regular expression that is searched in the names."""
    apply_to: Literal["all", "queues", "exchanges", "classic_queues", "quorum_queues", "streams"] = "queues"
    """What it is for."""
    priority: int = 0
    """Of the policies that match, only the one with the highest priority applies."""
    definition: dict[str, Any]
    """Its settings, without x-."""


class VerbatimForm(Section):
    """What is kept as it is, without a role in retries and dead-lettering; `dlxctl import` writes it."""

    queues: dict[Name, VerbatimQueueForm] = Field(default_factory=dict)
    """Queues that no worker consumes."""
    bindings: list[ExchangeBindingForm] = Field(default_factory=list)
    """Bindings between exchanges."""
    policies: dict[Annotated[Text, Field(min_length=1)], PolicyForm] = Field(default_factory=dict)
    """Policies, by name."""


class DefaultsForm(Section):
    """What a work queue has when it says nothing."""

    type: Literal["quorum", "classic"] = "quorum"
    """Queue type."""
    retry: Text | None = None
    """Name of a retry ladder."""
    dead_letter: Text | None = None
    """Name of a dead-letter queue."""


class NamingForm(Section):
    """How the objects are called that dlxctl makes."""

    dlx: DlxName = "dlx"
    """The dead-letter exchange; its alternate exchange is called the same with .unrouted."""
    retry: TierPattern = "retry.{delay}"
    """A retry tier's queue and exchange; {delay} is, for instance, 10s."""


class CeleryForm(Section):
    """Settings for the generated Celery module."""

    default_queue: Text | None = None
    """The work queue of tasks that have no route."""
    declare: bool = False
    """Whether Celery declares the queues itself; apply does it better."""
    native_delay: bool = False
    """Whether to keep Celery's own 28 delay queues for quorum queues."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Other Celery settings, copied into the module as they are."""


Ladders = dict[Text, LadderForm]
DeadLetters = dict[Name, Annotated[DeadLetterForm, BeforeValidator(empty_when_null)]]
Exchanges = dict[Name, ExchangeForm]
Queues = dict[Name, Annotated[QueueForm, BeforeValidator(empty_when_null)]]


class TopologyForm(Section):
    """Retries, dead letters and work queues of a Celery application on RabbitMQ."""

    version: Literal[1]
    """Version of this format: 1."""
    topology: Owner
    """Owner name; marks on the broker what this file manages."""
    vhost: Annotated[Text, Field(min_length=1)] = "/"
    """RabbitMQ virtual host."""
    cluster_name: Text | None = None
    """Name of the only cluster that this file may be applied to; `rabbitmqctl cluster_status` shows it."""
    retry: Annotated[Ladders, BeforeValidator(empty_when_null)] = Field(default_factory=dict)
    """Retry ladders, by name."""
    dead_letter: Annotated[DeadLetters, BeforeValidator(empty_when_null)] = Field(default_factory=dict)
    """Dead-letter queues, by name; the first also takes dead letters that no binding takes."""
    exchanges: Annotated[Exchanges, BeforeValidator(empty_when_null)] = Field(default_factory=dict)
    """Exchanges that applications publish to; the default exchange needs no entry."""
    queues: Annotated[Queues, BeforeValidator(empty_when_null)] = Field(default_factory=dict)
    """Work queues, by name."""
    verbatim: Annotated[VerbatimForm, BeforeValidator(empty_when_null)] = Field(default_factory=VerbatimForm)
    """Queues, bindings between exchanges, and policies that are kept as they are."""
    defaults: Annotated[DefaultsForm, BeforeValidator(empty_when_null)] = Field(default_factory=DefaultsForm)
    """For queues that say nothing."""
    settings: Literal["policy", "arguments"] = "policy"
    """Where settings that may change later are kept: in policies, or in arguments, which can never change."""
    naming: Annotated[NamingForm, BeforeValidator(empty_when_null)] = Field(default_factory=NamingForm)
    """Names of what dlxctl makes."""
    celery: Annotated[CeleryForm, BeforeValidator(empty_when_null)] = Field(default_factory=CeleryForm)
    """For the generated Celery module."""
