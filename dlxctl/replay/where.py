"""`--where`: a JMESPath expression over a dead letter. It is data to the library, never executed as code.

Grammar and functions: https://jmespath.org/specification.html. What it may name: `dlxctl.replay.document.NAMES`.
"""

from jmespath.exceptions import JMESPathTypeError
from jmespath.visitor import TreeInterpreter

from dlxctl.replay import expression
from dlxctl.replay.document import document
from dlxctl.replay.letter import Letter
from dlxctl.replay.origin import OriginRules


class Where:
    """A compiled expression. `failed` counts the messages on which it could not be evaluated; none of them match.

    Raises UsageError, naming the column, when the text is no expression or names what no message has.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.failed = 0
        self._failure = ""
        self._tree = expression.parsed(text)
        self._needs = expression.needs(text, self._tree)
        self._interpreter = TreeInterpreter()

    def matches(self, letter: Letter, rules: OriginRules) -> bool:
        """Whether the result is true as JMESPath has it: not false, null, or an empty text, list or object."""
        seen = document(letter, rules, self._needs)
        try:
            result = self._interpreter.visit(self._tree, seen)
        except Exception as error:  # on hostile values the library raises TypeError, OverflowError and others, too
            self.failed += 1
            self._failure = self._failure or _told(error)
            return False
        return not (result is None or result is False or result in ("", [], {}))

    @property
    def remark(self) -> str:
        """One sentence when there were messages that it could not be evaluated on, else ''."""
        if not self.failed:
            return ""
        number = "1 message" if self.failed == 1 else f"{self.failed:,} messages"
        return f"--where failed on {number}, which it therefore did not choose ({self._failure})."


def _told(error: Exception) -> str:
    """Why, without the value: it may be long, hostile or secret."""
    if isinstance(error, JMESPathTypeError):
        return f"{error.function_name}() was given {error.actual_type}"
    return "values of different types were compared" if isinstance(error, TypeError) else type(error).__name__
