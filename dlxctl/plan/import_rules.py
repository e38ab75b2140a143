"""What an imported file does not hold, and why: one row a rule, with its code; docs/import.md has the same table.

A warning is left out by design. An error could not be held: import says so and exits 4.
"""

from dataclasses import dataclass

from dlxctl.model.diagnostics import Rule, Severity


def _left_out(code: str, title: str, explanation: str) -> Rule:
    return Rule(code=code, title=title, explanation=explanation, severity=Severity.WARNING)


CELERY = _left_out(
    "DLX840",
    "Celery's own",
    "`celery_delayed_*`, events and remote control: Celery declares them itself whenever it needs them.",
)
PASSING = _left_out(
    "DLX841", "Belongs to a connection", "Exclusive and MQTT queues come and go with their clients, who declare them."
)
OTHERS = _left_out(
    "DLX842",
    "Of another topology, or dlxctl's own",
    "What another topology's owner exchange marks stands in that topology's file. Marks and locks are made by apply.",
)
BESIDE = _left_out(
    "DLX843",
    "No part of a topology",
    "Users, permissions, parameters (shovels, federation, limits) and operator policies: other hands keep them, and "
    "they carry secrets.",
)
NAME = Rule(
    code="DLX845",
    title="A name that no client may declare",
    explanation="`amq.*` is RabbitMQ's own; control characters and more than 255 bytes do not go into the file.",
)
VALUE = Rule(
    code="DLX846",
    title="A value that cannot be declared through the management API, or written down",
    explanation="null among arguments, a policy that sets nothing, a type of exchange or of apply-to that is unknown.",
)
END = Rule(
    code="DLX847",
    title="A binding to or from what is not there or not held",
    explanation="Applying a binding without its ends would fail.",
)
DIFFERS = Rule(
    code="DLX848",
    title="The file would make it otherwise",
    explanation="The file was expanded and compared with what was read; this object is not the same. Most likely "
    "somebody has changed by hand what dlxctl made.",
)

RULES = (CELERY, PASSING, OTHERS, BESIDE, NAME, VALUE, END, DIFFERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One object that the file does not hold, or not as it is; `cause` in some words, '' for none."""

    rule: Rule
    kind: str
    name: str
    cause: str = ""

    @property
    def lost(self) -> bool:
        """Whether it could not be held, rather than was left out by design."""
        return self.rule.severity is Severity.ERROR
