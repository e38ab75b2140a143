"""What a run of apply did: made, failed, not tried. Partial failure is a value, not an exception alone."""

from dataclasses import dataclass

from dlxctl.errors import DlxctlError, ExitCode
from dlxctl.plan.changes import Change
from dlxctl.plan.value import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`plan` was to be made. `error` is why `failed` could not be; what comes after it was not tried.

    `undone`: changes that were made and taken back, because what they prepared was refused.
    `remaining` is what a fresh look at the broker still found to do, None where there was no look.
    """

    plan: Plan
    made: tuple[Change, ...]
    failed: Change | None = None
    error: DlxctlError | None = None
    remaining: Plan | None = None
    undone: tuple[Change, ...] = ()

    @property
    def not_tried(self) -> tuple[Change, ...]:
        """Neither made nor failed; what was made and taken back is in `undone`."""
        known = {id(change) for change in (*self.made, *self.undone, self.failed)}
        return tuple(change for change in self.plan.changes if id(change) not in known)

    @property
    def exit_code(self) -> ExitCode:
        done = self.error is None and self.remaining is not None and self.remaining.clean
        return ExitCode.OK if done else ExitCode.PARTIAL
