"""pydantic's errors in our words: one table from its error types to a rule, a cause and a remedy."""

import re
from typing import Any

from dlxctl.model.diagnostics import Diagnostic, Place, Rule, quoted
from dlxctl.model.layout import Path
from dlxctl.spec import rules

_EXPECTED = {
    "int_type": "a whole number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
_LIMITS = {
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "string_too_short": "at least {min_length} characters long",
    "string_too_long": "at most {max_length} characters long",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
    "literal_error": "{expected}",
    "string_pattern_mismatch": "direct, fanout, topic, headers, or a plugin's x-...",
}
_SIMPLE = re.compile(r"[A-Za-z0-9_-]+")


def complaint(error: dict[str, Any], place: Place) -> Diagnostic:
    """One error of pydantic's `ValidationError.errors()` as a diagnostic."""
    rule, cause, remedy = _worded(error)
    return rule.at(place, cause, remedy)


def path_text(path: Path) -> str:
    """`queues.orders.max_length`; names that have dots or spaces stand in quotes."""
    parts = (part for part in path if part != "[key]")
    return ".".join(p if isinstance(p, str) and _SIMPLE.fullmatch(p) else f'"{p}"' if isinstance(p, str) else str(p)
                    for p in parts)  # fmt: skip


def _worded(error: dict[str, Any]) -> tuple[Rule, str, str]:
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    where = path_text(tuple(error["loc"]))
    if kind == "dlxctl":
        rule = next(rule for rule in rules.RULES if rule.code == context["code"])
        return rule, f"{where}: {context['cause']}", context["remedy"]
    if kind == "missing":
        return rules.MISSING_KEY, f"{where} is missing.", "Add it."
    if kind in _EXPECTED:
        expected = _EXPECTED[kind]
        return rules.WRONG_TYPE, f"{where} must be {expected}, not {_shown(value)}.", _type_remedy(kind, value)
    if kind in _LIMITS:
        limit = _LIMITS[kind].format(**context).replace("'", "")
        return rules.WRONG_VALUE, f"{where} must be {limit}, not {_shown(value)}.", "Change it."
    return rules.WRONG_VALUE, f"{where}: {error['msg']}.", "Change it."


def _shown(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case str():
            return f"the text {quoted(value)}"
        case list():
            return f"a list of {len(value)}" if value else "an empty list"
        case _:
            return "a mapping"


def _type_remedy(kind: str, value: Any) -> str:
    if kind == "int_type" and isinstance(value, str) and value.strip().isdecimal():
        return f"Write it without quotes and leading zeros: {value.strip().lstrip('0')[:20] or 0}."
    if kind == "bool_type" and isinstance(value, str):
        return "Write true or false, without quotes."
    if kind == "string_type":
        return "Put it in quotes." if isinstance(value, float) else "Write a text, or leave the key out."
    if value is None:
        return "Give it a value, or leave the key out."
    return f"Write {_EXPECTED[kind]}."
