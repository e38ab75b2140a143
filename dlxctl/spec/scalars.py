"""Times, names and routing keys: the scalar types of the form, each with its check and its JSON Schema.

A failed check raises a PydanticCustomError whose type is a rule's code and whose message is a cause and a remedy.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from dlxctl.model.diagnostics import Rule, quoted
from dlxctl.spec import rules

UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
MAX_TTL_MS = 315_360_000_000
"""Ten years; RabbitMQ refuses a longer TTL with 406 (facts 5.2)."""

_DURATION = re.compile(r"([1-9][0-9]{0,14})(ms|s|m|h|d)")
_NAME_BYTES = 255
_TOPOLOGY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def problem(rule: Rule, cause: str, remedy: str) -> PydanticCustomError:
    """A failed check, as pydantic carries it: `dlxctl.spec.form` turns it into a diagnostic."""
    return PydanticCustomError("dlxctl", "{cause}", {"code": rule.code, "cause": cause, "remedy": remedy})


def duration_ms(value: Any) -> int:
    """`10s` -> 10000. Raises PydanticCustomError."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        cause = f"{quoted(value)} is not a time."
        raise problem(rules.BAD_DURATION, cause, "Write a whole number and a unit (ms, s, m, h, d), as in 10s or 14d.")
    milliseconds = int(match[1]) * UNITS_MS[match[2]]
    if milliseconds > MAX_TTL_MS:
        cause = f"{quoted(value)} is longer than ten years, which RabbitMQ does not take."
        raise problem(rules.BAD_DURATION, cause, "Write 3650d or less.")
    return milliseconds


def as_text(value: Any) -> Any:
    """Text that YAML took for a whole number or a boolean, as it was written; anything else unchanged."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


def broker_name(value: Any) -> Any:
    """Check the name of a queue or exchange that is to be declared. Raises PydanticCustomError."""
    value = short_text(value)
    if not isinstance(value, str):
        return value
    if not value:
        raise problem(rules.BAD_NAME, "a name is empty.", "Give it at least one character.")
    if value.startswith("amq."):
        cause = f"{quoted(value)} begins with amq., which RabbitMQ keeps for itself."
        raise problem(rules.BAD_NAME, cause, "Choose another name.")
    return value


def short_text(value: Any) -> Any:
    """Check what AMQP carries as a short string: names and routing keys. Raises PydanticCustomError."""
    value = as_text(value)
    if not isinstance(value, str):
        return value
    _refuse_longer(value, _NAME_BYTES)
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in value):
        raise problem(rules.BAD_NAME, f"{quoted(value)} has a control character.", "Remove it.")
    return value


def dlx_name(value: Any) -> Any:
    """Check the name of the DLX, to which `.unrouted` is added. Raises PydanticCustomError."""
    value = broker_name(value)
    _refuse_longer(value, _NAME_BYTES - len(".unrouted"))
    return value


def topology_name(value: Any) -> Any:
    """Check the owner's name, which stands in names of exchanges and policies. Raises PydanticCustomError."""
    value = as_text(value)
    if isinstance(value, str) and not _TOPOLOGY_NAME.fullmatch(value):
        cause = f"{quoted(value)} cannot name a topology."
        raise problem(rules.BAD_NAME, cause, "Use 1 to 64 letters, digits, - and _, beginning with a letter or digit.")
    return value


def tier_pattern(value: Any) -> Any:
    """Check the naming pattern of tiers. Raises PydanticCustomError."""
    value = broker_name(value)
    if isinstance(value, str) and value.count("{delay}") != 1:
        cause = f"{quoted(value)} does not hold {{delay}} once, so that all tiers would have one name."
        raise problem(rules.BAD_NAME, cause, "Write, for instance, retry.{delay}.")
    _refuse_longer(value, _NAME_BYTES - len(f"{MAX_TTL_MS}ms"))
    return value


def refused_name(name: str) -> str | None:
    """Why a queue or exchange of this name cannot stand in a file; None when it can."""
    return _refusal(broker_name, name)


def refused_text(text: str) -> str | None:
    """The same for a routing key, a vhost or the name of a policy."""
    return _refusal(short_text, text)


def refused_owner(name: str) -> str | None:
    """The same for the name of a topology."""
    return _refusal(topology_name, name)


def _refusal(check: Callable[[Any], Any], text: str) -> str | None:
    try:
        check(text)
    except PydanticCustomError as refusal:
        return str((refusal.context or {})["cause"])
    return None


def _refuse_longer(value: Any, limit: int) -> None:
    if isinstance(value, str) and (size := len(value.encode("utf-8", "surrogatepass"))) > limit:
        cause = f"{quoted(value, 20)} has {size} bytes; at most {limit} fit here."
        raise problem(rules.BAD_NAME, cause, "Shorten it.")


_DURATION_SCHEMA = {"type": "string", "pattern": "^[1-9][0-9]{0,14}(ms|s|m|h|d)$", "examples": ["10s", "5m", "14d"]}

Duration = Annotated[int, BeforeValidator(duration_ms), WithJsonSchema(_DURATION_SCHEMA)]
"""Milliseconds, from `10s`."""
Text = Annotated[str, BeforeValidator(short_text), Field(max_length=_NAME_BYTES)]
"""A routing key, a vhost, or a name that refers to something declared elsewhere."""
Name = Annotated[str, BeforeValidator(broker_name), Field(min_length=1, max_length=_NAME_BYTES)]
"""The name of a queue or exchange that dlxctl declares."""
DlxName = Annotated[str, BeforeValidator(dlx_name), Field(min_length=1, max_length=_NAME_BYTES)]
"""The name of the dead-letter exchange."""
Owner = Annotated[
    str, BeforeValidator(topology_name), WithJsonSchema({"type": "string", "pattern": f"^{_TOPOLOGY_NAME.pattern}$"})
]
TierPattern = Annotated[
    str, BeforeValidator(tier_pattern), WithJsonSchema({"type": "string", "pattern": "^[^{}]*\\{delay\\}[^{}]*$"})
]
