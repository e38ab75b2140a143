"""The error tree and the exit codes: what a command can end with, and how an error speaks.

Every error says what happened, to which object, why, and what to do next. The cli prints `str(error)` and exits
with `error.exit_code`; nothing else decides an exit code. The README's table is checked against it.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells its caller; the meanings stand in `EXIT_MEANINGS`."""

    OK = 0
    ERROR = 1
    USAGE = 2
    CHANGES = 3
    PARTIAL = 4
    REFUSED = 5
    UNAVAILABLE = 6
    LOCKED = 7
    THRESHOLD = 8
    INTERRUPTED = 130


EXIT_MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done, or nothing to do",
    ExitCode.ERROR: "error",
    ExitCode.USAGE: "wrong usage, or an invalid topology file",
    ExitCode.CHANGES: "changes pending (`plan --exit-code`, `celery --check`)",
    ExitCode.PARTIAL: "partly done: messages held, changes not made (the report says which); findings (`doctor`)",
    ExitCode.REFUSED: "refused for safety: names the hazard and the flag that allows it",
    ExitCode.UNAVAILABLE: "broker unreachable, blocked or timed out: try again",
    ExitCode.LOCKED: "another run holds the lock",
    ExitCode.THRESHOLD: "a threshold was exceeded (`status`)",
    ExitCode.INTERRUPTED: "interrupted; state is safe, the message says how to go on",
}


class DlxctlError(Exception):
    """What happened and to what (`what`), why (`why`), and the next step (`remedy`); any but `what` may be empty.

    No argument may hold a password: pass addresses through `dlxctl.broker.address.redact` first.
    """

    exit_code = ExitCode.ERROR
    placed = False
    """Whether the text begins with the place in a file, so that editors can follow it and no name goes before it."""

    def __init__(self, what: str, *, why: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.remedy = what, why, remedy

    def __str__(self) -> str:
        text = f"{self.what}: {self.why}" if self.why else self.what
        return f"{text}\n  {self.remedy}" if self.remedy else text


class UsageError(DlxctlError):
    """The command line or a file it names cannot be used as it is."""

    exit_code = ExitCode.USAGE


class WorkerMisconfigured(DlxctlError):
    """A Celery app or worker is configured so that failures would be lost; it is not set up, or does not start."""


class BrokerRefused(DlxctlError):
    """The broker answered, and said no: wrong credentials, missing permission or tag, precondition failed."""


class NotFound(DlxctlError):
    """A queue, exchange, vhost or run that the command needs does not exist."""


class RefusedForSafety(DlxctlError):
    """dlxctl itself will not do it: the message names the hazard and the flag that allows it."""

    exit_code = ExitCode.REFUSED


class BrokerUnavailable(DlxctlError):
    """No answer: unreachable, connection lost for good, blocked by an alarm, timed out. Trying again may help."""

    exit_code = ExitCode.UNAVAILABLE


class Locked(DlxctlError):
    """Another run holds the lock; the message names the holder where the broker tells, `run` is its id or ''."""

    exit_code = ExitCode.LOCKED

    def __init__(self, what: str, *, why: str = "", remedy: str = "", run: str = "") -> None:
        super().__init__(what, why=why, remedy=remedy)
        self.run = run


class Interrupted(DlxctlError):
    """A signal ended the run; state is safe, and the remedy says how to go on."""

    exit_code = ExitCode.INTERRUPTED
