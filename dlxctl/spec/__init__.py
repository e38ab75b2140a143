"""topology.yaml text -> `Layout`, or every problem with its line and column. Pure: takes text, never a path.

Three steps, each of which reports all it finds: the text (`reader`), the form (`form`), what refers to what
(`references`). `expand` turns a `Layout` into the broker objects that it asks for.
"""

from collections.abc import Mapping
from itertools import islice

from dlxctl.model.diagnostics import MOST_REPORTED, Diagnostic, InvalidTopology
from dlxctl.model.layout import Layout
from dlxctl.spec.build import layout_of
from dlxctl.spec.form import check_form
from dlxctl.spec.reader import read
from dlxctl.spec.references import check_references
from dlxctl.spec.rules import NON_FATAL

__all__ = ["load", "parse"]


def load(text: str, *, source: str = "topology.yaml", environment: Mapping[str, str] | None = None) -> Layout:
    """The layout that `text` asks for; `source` names it in messages, `environment` resolves its variables.

    Raises InvalidTopology with every problem of text, form and references.
    """
    layout, problems = parse(text, source=source, environment=environment)
    if problems:
        raise InvalidTopology(source, problems)
    return layout


def parse(
    text: str, *, source: str = "topology.yaml", environment: Mapping[str, str] | None = None
) -> tuple[Layout, tuple[Diagnostic, ...]]:
    """Like `load`, but problems that leave the rest of the file readable are returned, so that lint can add its own.

    Raises InvalidTopology when no layout can be made.
    """
    document = read(text, environment or {})
    if not isinstance(document.tree, dict):
        raise InvalidTopology(source, document.problems)
    form, problems = check_form(document)
    if form is None or any(problem.code not in NON_FATAL for problem in problems):
        raise InvalidTopology(source, problems)
    layout = layout_of(form, source=source, places=document.places)
    return layout, (*problems, *islice(check_references(form, layout), MOST_REPORTED))
