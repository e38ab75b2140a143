"""Use case: keep a plan in a file, and take it up again: what was reviewed is what is applied.

A saved plan holds the text of the topology file and the values of its variables, so that it can be applied on another
machine, and the fingerprint of what was planned. It counts only in the form of this version.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlxctl import __version__, spec
from dlxctl.errors import RefusedForSafety, UsageError
from dlxctl.model.layout import Layout
from dlxctl.ops.topology_file import read_text
from dlxctl.plan.value import Intent, Plan

FORM = 1
"""Version of the file's form; another one is refused."""
_MARK = "dlxctl_plan"


class Recorded(Mapping[str, str]):
    """An environment that remembers which of its variables were asked for."""

    def __init__(self, inner: Mapping[str, str]) -> None:
        self._inner = inner
        self.used: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        value = self._inner[name]
        self.used[name] = value
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._inner)

    def __len__(self) -> int:
        return len(self._inner)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A plan taken up again: apply it with `layout`, `intent` and the `fingerprint` that was reviewed."""

    layout: Layout
    intent: Intent
    fingerprint: str


def save(path: Path, plan: Plan, variables: Mapping[str, str], shown: Mapping[str, Any]) -> None:
    """Write `plan`, made from the topology file `plan.source`, to `path`; `shown` is the plan as JSON has it.

    Raises UsageError when the file cannot be written.
    """
    text = read_text(Path(plan.source))
    content = {
        _MARK: FORM,
        "dlxctl": __version__,
        "fingerprint": plan.fingerprint,
        "intent": str(plan.intent),
        "source": plan.source,
        "sha256": _digest(text),
        "text": text,
        "variables": dict(variables),
        "plan": shown,
    }
    try:
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot write {path}", why=error.strerror or str(error), remedy="Name another: --out FILE."
        ) from None


def load(path: Path) -> SavedPlan | None:
    """The plan in the file `path`; None when that is no saved plan, but perhaps a topology file.

    Raises UsageError when it is damaged, RefusedForSafety when another version wrote it, or its topology file is here
    and has changed since.
    """
    if path.suffix != ".json":
        return None
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict) or _MARK not in content:
            return None
        _refuse_stale(path, content)
        layout = spec.load(content["text"], source=content["source"], environment=content["variables"])
        return SavedPlan(layout=layout, intent=Intent(content["intent"]), fingerprint=str(content["fingerprint"]))
    except OSError as error:
        raise UsageError(
            f"cannot read {path}", why=error.strerror or str(error), remedy="Make it anew: dlxctl plan --out."
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError, AttributeError) as error:
        raise UsageError(
            f"{path} is no plan that can be read", why=type(error).__name__, remedy="Make it anew: dlxctl plan --out."
        ) from None


def _refuse_stale(path: Path, content: Mapping[str, Any]) -> None:
    if (content[_MARK], content["dlxctl"]) != (FORM, __version__):
        raise RefusedForSafety(
            f"{path} was made by dlxctl {content['dlxctl']}, and this is {__version__}",
            remedy="Nothing was changed. Make the plan anew: dlxctl plan --out.",
        )
    source = Path(content["source"])
    if source.is_file() and _digest(read_text(source)) != content["sha256"]:
        raise RefusedForSafety(
            f"{source} has changed since {path} was made",
            remedy="Nothing was changed. Make the plan anew: dlxctl plan --out.",
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
