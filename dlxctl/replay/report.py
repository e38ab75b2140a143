"""What a replay did, as counts and a few examples: the value that text, JSON and the exit code are made of."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from dlxctl.errors import ExitCode
from dlxctl.replay.origin import Held, Hold

MOST_EXAMPLES = 3


class Outcome(StrEnum):
    """How the run ended."""

    COMPLETE = "complete"
    LIMIT = "limit-reached"
    INTERRUPTED = "interrupted"
    CANARY_FAILED = "canary-failed"
    UNAVAILABLE = "broker-unavailable"
    FAILED = "failed"


@dataclass(slots=True, kw_only=True)
class RunReport:
    """Counts of messages. `found`: ready in the queue when the run began; `remaining`: when it ended, None unknown.

    `unknown`: copies sent whose confirm never came; each is still in the queue and may be in its origin too.
    `left`: not selected. `rotated`: of those that stayed, how many went to the tail of the queue. `parked`: replayed
    too often, moved to the parking queue. `reconnects`: how often the connection was lost and found again.
    `arrived`: new dead letters that came in meanwhile, among them those that died again.
    `held` counts by (why, detail); `examples` has a few ids for each.
    """

    run_id: str
    queue: str
    found: int = 0
    examined: int = 0
    moved: Counter[str] = field(default_factory=Counter)
    held: Counter[Held] = field(default_factory=Counter)
    examples: dict[Held, list[str]] = field(default_factory=dict)
    maybe_duplicates: int = 0
    unknown: int = 0
    left: int = 0
    rotated: int = 0
    parked: int = 0
    reconnects: int = 0
    chord_members: int = 0
    arrived: int = 0
    remaining: int | None = None
    seconds: float = 0.0
    outcome: Outcome = Outcome.COMPLETE
    trouble: str = ""
    dry_run: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def moved_total(self) -> int:
        return self.moved.total()

    @property
    def came_back(self) -> int:
        """Messages that died again and were met again within the run."""
        return sum(count for held, count in self.held.items() if held.why is Hold.CAME_BACK)

    @property
    def held_total(self) -> int:
        """Messages left with a reason that somebody has to look into."""
        return self.held.total() - self.came_back

    def hold(self, held: Held, identity: str, number: int = 1) -> None:
        """Count held messages; a negative number takes some off again."""
        self.held[held] += number
        if self.held[held] <= 0:
            del self.held[held]
        examples = self.examples.setdefault(held, [])
        if identity and identity not in examples and len(examples) < MOST_EXAMPLES:
            examples.append(identity)

    @property
    def exit_code(self) -> ExitCode:
        match self.outcome:
            case Outcome.INTERRUPTED:
                return ExitCode.INTERRUPTED
            case Outcome.UNAVAILABLE:
                return ExitCode.UNAVAILABLE
            case Outcome.FAILED:
                return ExitCode.ERROR
            case Outcome.CANARY_FAILED:
                return ExitCode.PARTIAL
        return ExitCode.PARTIAL if self.held_total else ExitCode.OK
