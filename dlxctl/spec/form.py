"""Checks the form of a document against the pydantic models, and words pydantic's errors as diagnostics.

A misspelt key is reported and then read as the key that was likely meant, so that one mistake does not hide others.
"""

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from dlxctl.model.diagnostics import MOST_REPORTED, Diagnostic, Place, quoted
from dlxctl.model.layout import Path
from dlxctl.spec import rules
from dlxctl.spec.complaints import complaint, path_text
from dlxctl.spec.model import (
    BindingForm,
    CeleryForm,
    DeadLetterForm,
    DefaultsForm,
    ExchangeBindingForm,
    ExchangeForm,
    LadderForm,
    NamingForm,
    PolicyForm,
    QueueForm,
    TopologyForm,
    VerbatimForm,
    VerbatimQueueForm,
)
from dlxctl.spec.reader import Document

SECTIONS: dict[tuple[str, ...], type[BaseModel]] = {
    (): TopologyForm,
    ("retry", "*"): LadderForm,
    ("dead_letter", "*"): DeadLetterForm,
    ("exchanges", "*"): ExchangeForm,
    ("queues", "*"): QueueForm,
    ("queues", "*", "bindings", "*"): BindingForm,
    ("verbatim",): VerbatimForm,
    ("verbatim", "queues", "*"): VerbatimQueueForm,
    ("verbatim", "queues", "*", "bindings", "*"): BindingForm,
    ("verbatim", "bindings", "*"): ExchangeBindingForm,
    ("verbatim", "policies", "*"): PolicyForm,
    ("defaults",): DefaultsForm,
    ("naming",): NamingForm,
    ("celery",): CeleryForm,
}
"""Which model stands at which path; `*` is any name or index."""


def check_form(document: Document) -> tuple[TopologyForm | None, list[Diagnostic]]:
    """The file as a form, None when it has none, and all problems of text and form."""
    problems = list(document.problems)
    known = {problem.place for problem in problems}
    while True:
        try:
            return TopologyForm.model_validate(document.tree), problems
        except ValidationError as error:
            errors: list[Any] = error.errors(include_url=False)
        unknown = [tuple(e["loc"]) for e in errors if e["type"] == "extra_forbidden"]
        too_many, unknown = len(unknown) > MOST_REPORTED, unknown[:MOST_REPORTED]
        problems += (_unknown_key(path, document) for path in unknown)
        if not unknown or too_many:
            others = [e for e in errors if e["type"] != "extra_forbidden"][:MOST_REPORTED]
            found = (complaint(e, _place(tuple(e["loc"]), document)) for e in others)
            problems += (problem for problem in found if problem.place not in known)
            return None, problems
        for path in unknown:
            _repair(path, document)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` likely meant."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def _unknown_key(path: Path, document: Document) -> Diagnostic:
    keys = _keys_at(path[:-1])
    meant = nearest(str(path[-1]), keys)
    where = f" in {path_text(path[:-1])}" if path[:-1] else ""
    remedy = f"Did you mean {meant}?" if meant else f"Known here: {', '.join(keys)}."
    return rules.UNKNOWN_KEY.at(_place(path, document), f"unknown key {quoted(path[-1])}{where}.", remedy)


def _repair(path: Path, document: Document) -> None:
    """Rename the unknown key at `path` to the known one that it resembles, or drop it."""
    *parents, key = path
    parent = document.tree
    for part in parents:
        parent = parent[part]
    value = parent.pop(key)
    meant = nearest(str(key), _keys_at(tuple(parents)))
    if meant and meant not in parent:
        parent[meant] = value
        moved = {p: place for p, place in document.places.items() if p[: len(path)] == path}
        document.places.update({(*parents, meant, *p[len(path) :]): place for p, place in moved.items()})


def _keys_at(path: Path) -> list[str]:
    for pattern, model in SECTIONS.items():
        if len(pattern) == len(path) and all(p in ("*", part) for p, part in zip(pattern, path, strict=True)):
            return list(model.model_fields)
    return []


def _place(path: Path, document: Document) -> Place:
    while path and path not in document.places:
        path = path[:-1]
    return document.places.get(path, Place(1, 1))
