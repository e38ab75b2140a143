"""What can lose or disturb something: the closed set of hazards, each with the word that `--allow` takes.

The words are stable. Nothing here decides whether a hazard is there; `guards` and the use cases do.
"""

from dataclasses import dataclass
from enum import StrEnum

from dlxctl.plan.changes import Change, DeleteExchange, DeleteQueue


class Hazard(StrEnum):
    """A hazard; its meaning is in `MEANINGS`."""

    MIGRATE = "migrate"
    CLUSTER = "cluster"
    EMPTY = "empty"
    MANY = "many"
    REFERENCES = "references"
    OPEN = "open"
    CONSUMERS = "consumers"
    MESSAGES = "messages"


MEANINGS: dict[Hazard, str] = {
    Hazard.MIGRATE: "an object differs in what cannot change in place; it is made anew, and its messages carried over",
    Hazard.CLUSTER: "the broker is of another cluster than the file names (`cluster_name`)",
    Hazard.EMPTY: "the file asks for no queue and no exchange, and all that is ours would be deleted",
    Hazard.MANY: "more than 30 % of at least 10 objects of ours would be deleted",
    Hazard.REFERENCES: "what is to be deleted is still named by queues, policies or bindings that stay",
    Hazard.OPEN: "a queue that is to be deleted cannot be closed to publishers first",
    Hazard.CONSUMERS: "a queue that is to be deleted has consumers",
    Hazard.MESSAGES: "a queue that is to be deleted has messages, or it is not known whether it has any",
}
"""What each hazard is: one row of docs/plan-and-apply.md, and the help of --allow."""
ALLOWABLE = tuple(hazard for hazard in Hazard if hazard is not Hazard.MESSAGES)
"""Those that `--allow` takes: no flag deletes messages."""


def hazard_of(change: Change) -> Hazard | None:
    """What making `change` could lose, if apply did not look first; None for what loses nothing."""
    match change:
        case DeleteQueue():
            return Hazard.MESSAGES
        case DeleteExchange():
            return Hazard.REFERENCES
        case _:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Danger:
    """A hazard that is there: `cause` names the objects. Apply refuses (5) before its first change."""

    hazard: Hazard
    cause: str
