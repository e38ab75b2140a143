"""What `check` can find by the model: the DLX4xx rows of docs/checks.md."""

from dlxctl.model.diagnostics import Rule, Severity

LOST = Rule(
    code="DLX401",
    title="A failing message can be lost",
    explanation="Walked through the model of RabbitMQ's dead-lettering, a message of this queue is dropped by the "
    "broker, which says nothing. The finding names the walk and the releases; `dlxctl trace` shows it step by step.",
)
STUCK = Rule(
    code="DLX402",
    title="A failing message can get stuck",
    explanation="With at-least-once dead-lettering a message that has nowhere to go stays in its queue, where no "
    "consumer and no passive declare sees it, and counts against the queue's length.",
)
LOOKING = Rule(
    code="DLX403",
    title="Looking at dead letters destroys them",
    explanation="Each message that is given back counts against the delivery limit of a quorum queue, 20 by default "
    "from 4.0 on; 4.3 carries the count along with a dead letter, so that the first look can be one too many.",
    severity=Severity.WARNING,
)
ROUND = Rule(
    code="DLX404",
    title="A failing message can go round for ever",
    explanation="Nothing ends its retries: it never comes to rest in a queue where somebody would find it.",
    severity=Severity.WARNING,
)
UNBOUND = Rule(
    code="DLX405",
    title="An exchange that leads nowhere",
    explanation="Nothing is bound to it and it has no alternate exchange: what is published or shovelled to it is "
    "dropped, and confirmed, unless the publisher says `mandatory`. Only for definitions; else see DLX342.",
    severity=Severity.WARNING,
)
NO_DLX = Rule(
    code="DLX406",
    title="A queue that drops its failures",
    explanation="It has no dead-letter exchange, by argument or by a policy that its type can take, and no other queue "
    "dead-letters into it. Only for definitions; else see DLX313.",
    severity=Severity.WARNING,
)
KEPT = Rule(
    code="DLX407",
    title="A queue that is kept verbatim can lose its messages",
    explanation="As DLX401 and DLX402, for a queue under `verbatim`: it was like that before dlxctl came, and applying "
    "the file makes it no worse. The finding names the walk.",
    severity=Severity.WARNING,
)
RULES = (LOST, STUCK, LOOKING, ROUND, UNBOUND, NO_DLX, KEPT)
