"""The rules of the topology file's text, form and references: every code that `spec.load` can report.

Codes are stable: DLX1xx the text and its form, DLX2xx what refers to what. `dlxctl.lint` has those from DLX300 on.
"""

from dlxctl.model.diagnostics import Rule

UNREADABLE = Rule(
    code="DLX100",
    title="The file is not text that can be read",
    explanation="Topology files are UTF-8 text of at most 1 MiB, 50,000 YAML nodes and 20 levels of nesting.",
)
SYNTAX = Rule(
    code="DLX101",
    title="The YAML is broken",
    explanation="The text is not valid YAML, for instance because of a tab in the indentation or a missing quote.",
)
NOT_A_MAPPING = Rule(
    code="DLX102",
    title="The file is empty or not a mapping",
    explanation="A topology file is one mapping, which begins with `version: 1` and `topology: NAME`.",
)
DUPLICATE_KEY = Rule(
    code="DLX103",
    title="A key stands twice in one mapping",
    explanation="YAML readers keep the last of them without a word, so that a whole queue can vanish from the file.",
)
UNSUPPORTED_YAML = Rule(
    code="DLX104",
    title="A feature of YAML that topology files do not have",
    explanation="Tags, merge keys, several documents, keys that are not text, and aliases that contain themselves.",
)
VARIABLE = Rule(
    code="DLX105",
    title="A variable is not set, or is not written as one",
    explanation="`${NAME}` must be set in the environment; `${NAME:-default}` need not be; `$${` is a plain `${`.",
)
UNKNOWN_KEY = Rule(
    code="DLX110",
    title="A key is not known",
    explanation="A setting that is misspelt would otherwise be ignored, and its queue would run without it.",
)
MISSING_KEY = Rule(code="DLX111", title="A key is missing", explanation="The key has no default.")
WRONG_TYPE = Rule(
    code="DLX112",
    title="A value has the wrong type",
    explanation="Only `true` and `false` are booleans and only plain decimal digits are numbers: NO, yes and 010 are "
    "text, as in YAML 1.2. A quoted number is text too.",
)
WRONG_VALUE = Rule(
    code="DLX113",
    title="A value is not allowed",
    explanation="The value is outside the choices or limits of its key, which are RabbitMQ's.",
)
BAD_DURATION = Rule(
    code="DLX114",
    title="A time is not written as one",
    explanation="Times are whole numbers with a unit: ms, s, m, h or d, as in 1500ms, 10s, 14d. RabbitMQ takes at most "
    "ten years (315360000000 ms).",
)
BAD_NAME = Rule(
    code="DLX115",
    title="A name cannot be used",
    explanation="RabbitMQ's names have 1 to 255 bytes of UTF-8, and those that begin with `amq.` are its own. dlxctl "
    "refuses control characters too. A topology's name has only letters, digits, - and _.",
)
NO_SUCH_LADDER = Rule(
    code="DLX201",
    title="A queue's retry ladder is not declared",
    explanation="`retry` of a queue, or of `defaults`, names a ladder under the top-level `retry`.",
)
NO_SUCH_DLQ = Rule(
    code="DLX203",
    title="A queue dead-letters to a queue that is not declared",
    explanation="RabbitMQ drops a dead letter that no queue takes, and says nothing.",
)
DEAD_LETTER_UNSAID = Rule(
    code="DLX204",
    title="A work queue says nothing about its failures",
    explanation="Without a dead-letter queue failed messages vanish. If that is meant, say `dead_letter: null`.",
)
RETENTION_WITHOUT_PARKING = Rule(
    code="DLX205",
    title="A dead-letter queue has a retention and no parking queue",
    explanation="When the retention is over the message moves to `parking`; without one it would be deleted.",
)
NO_SUCH_DEFAULT_QUEUE = Rule(
    code="DLX206",
    title="Celery's default queue is not a work queue",
    explanation="Tasks without a route go to `celery.default_queue`; producers fail when it does not exist.",
)
NO_SUCH_EXCHANGE = Rule(
    code="DLX207",
    title="A binding names an exchange that is not declared",
    explanation="Binding to an exchange that does not exist fails. `amq.direct`, `amq.fanout`, `amq.topic`, "
    "`amq.headers` and `amq.match` always exist.",
)
DELAYS_NOT_GROWING = Rule(
    code="DLX208",
    title="The delays of a ladder do not grow",
    explanation="Each delay is longer than the one before it; the last repeats until `attempts` are used up.",
)

RULES: tuple[Rule, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
"""All of them, by code."""

NON_FATAL = frozenset({DUPLICATE_KEY.code, UNKNOWN_KEY.code})
"""After these the rest of the file still means something, so that checking goes on to what refers to what."""
