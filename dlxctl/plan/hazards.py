"""What can lose or disturb something: the closed set of hazards, each with the word that `--allow` takes.

The words are stable. Nothing here decides whether a hazard is there; `guards` and the use cases do.
"""

from enum import StrEnum


class Hazard(StrEnum):
    """A hazard; its meaning is in `MEANINGS`."""

    MIGRATE = "migrate"


MEANINGS: dict[Hazard, str] = {
    Hazard.MIGRATE: "an object differs in what cannot change in place; it is made anew, and its messages carried over",
}
"""What each hazard is: one row of docs/plan-and-apply.md, and the help of --allow."""
