"""What export, discard, park and restore did, as counts: text, JSON, journal and exit code are made of it."""

from dataclasses import dataclass, field
from enum import StrEnum

from dlxctl.errors import ExitCode


class Taking(StrEnum):
    """The commands that take dead letters out of a queue or put them back; the value is the command's name."""

    EXPORT = "export"
    DISCARD = "discard"
    PARK = "park"
    RESTORE = "restore"


VERBS = {Taking.EXPORT: "exported", Taking.DISCARD: "discarded", Taking.PARK: "parked", Taking.RESTORE: "restored"}


@dataclass(slots=True, kw_only=True)
class TakenReport:
    """Counts of messages. `found` in the queue, or in the archive for restore; `looked_at`; `done`: what the command is
    called after; `held`: chosen, and not done for a reason in `notes`; `copied`: stayed, by a copy at the tail."""

    command: Taking
    run_id: str
    queue: str
    file: str = ""
    found: int = 0
    looked_at: int = 0
    done: int = 0
    held: int = 0
    copied: int = 0
    interrupted: bool = False
    dry_run: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """As the journal says."""
        return "interrupted" if self.interrupted else "complete"

    @property
    def exit_code(self) -> ExitCode:
        if self.interrupted:
            return ExitCode.INTERRUPTED
        return ExitCode.PARTIAL if self.held else ExitCode.OK
