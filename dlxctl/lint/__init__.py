"""Offline rules about a topology file that is well-formed: is it safe, and is it likely what was meant? Pure.

Every rule is a small function with a row in `CHECKS`; docs/checks.md is generated from the rows.
"""

from itertools import islice

from dlxctl.lint import arguments, names, native, roads, settings, usage
from dlxctl.lint.checks import Check
from dlxctl.model.diagnostics import MOST_REPORTED, Diagnostic, Rule
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Topology

CHECKS: tuple[Check, ...] = tuple(
    value
    for module in (names, settings, arguments, roads, usage, native)
    for value in vars(module).values()
    if isinstance(value, Check)
)
RULES: tuple[Rule, ...] = tuple(sorted((check.rule for check in CHECKS), key=lambda rule: rule.code))


def run(layout: Layout, topology: Topology) -> tuple[Diagnostic, ...]:
    """Everything that the rules find in `layout` and its expansion `topology`, in the order of the file."""
    found = (diagnostic for check in CHECKS for diagnostic in islice(check(layout, topology), MOST_REPORTED))
    return tuple(sorted(dict.fromkeys(found), key=lambda diagnostic: (diagnostic.place, diagnostic.code)))
