"""YAML text -> plain values, each with its place. The only module that knows YAML.

Reads less than YAML has: no tags, no merge keys, one document, bounded size, and YAML 1.2's idea of a number and a
boolean (NO, yes, 010, 1_000 and 12:30 are text). The parser's events are counted before its tree is built, so that
nesting and aliases cannot exhaust memory or the stack.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from dlxctl.model.diagnostics import Diagnostic, Place, Rule, printable, quoted
from dlxctl.model.layout import Path
from dlxctl.spec import rules
from dlxctl.spec.variables import VariableProblem, substitute

MAX_BYTES = 1 << 20
MAX_NODES = 50_000
MAX_DEPTH = 20

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})")
FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,18})\.[0-9]{1,18}([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPLIT_REMEDY = "Make it smaller: a topology file describes queues, and needs no more than this."


@dataclass(slots=True)
class Document:
    """What a text says: `tree` of dicts, lists and scalars; `places` of its paths; the `problems` met on the way.

    The place of a mapping's entry is that of its key, the place of a list's item that of the item.
    """

    tree: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)


def read(text: str, environment: Mapping[str, str]) -> Document:
    """Read one document. Never raises on any text: what is wrong is in `problems`."""
    document = Document()
    try:
        text = _bounded(text.removeprefix("\ufeff"))
        _scan(text, document.problems)
        root = yaml.compose(text, Loader=_LOADER)
    except _Refused as refusal:
        document.problems.append(refusal.diagnostic)
        return document
    except yaml.YAMLError as error:
        document.problems.append(_syntax_problem(error, text))
        return document
    if not isinstance(root, yaml.MappingNode):
        document.problems.append(_not_a_mapping(root))
        return document
    try:
        document.tree = _Builder(document, environment).value(root, (), ())
    except _Refused as refusal:
        document.problems.append(refusal.diagnostic)
    return document


class _Refused(Exception):
    """Reading cannot go on after this diagnostic."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.cause)
        self.diagnostic = diagnostic


def _bounded(text: str) -> str:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        cause = f"the file has {size} bytes; at most {MAX_BYTES} are read."
        raise _Refused(rules.UNREADABLE.at(Place(1, 1), cause, _SPLIT_REMEDY))
    if found := _UNPRINTABLE.search(text):
        before = text[: found.start()]
        place = Place(before.count("\n") + 1, found.start() - before.rfind("\n"))
        cause = f"the character {quoted(printable(found.group()))} cannot stand in a text file."
        raise _Refused(rules.UNREADABLE.at(place, cause, "Remove it, or write it as an escape in double quotes."))
    return text


def _scan(text: str, problems: list[Diagnostic]) -> None:
    """Refuse what would be too big to build, before it is built; note the tags, which the tree does not tell."""
    depth = documents = 0
    for count, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        place = _place(event.start_mark)
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if documents > 1:
            cause = "a second document begins here."
            raise _Refused(rules.UNSUPPORTED_YAML.at(place, cause, "Keep one topology a file, without ---."))
        if depth > MAX_DEPTH:
            raise _Refused(rules.UNREADABLE.at(place, f"nested deeper than {MAX_DEPTH} levels.", _SPLIT_REMEDY))
        if count > 2 * MAX_NODES:
            raise _Refused(rules.UNREADABLE.at(place, f"more than {MAX_NODES} YAML nodes.", _SPLIT_REMEDY))
        if tag := getattr(event, "tag", None):
            problems.append(rules.UNSUPPORTED_YAML.at(place, f"the tag {quoted(tag)} is not supported.", "Remove it."))


@dataclass(slots=True)
class _Builder:
    """Nodes to values, with aliases written out; counts them, because aliases of aliases grow exponentially."""

    document: Document
    environment: Mapping[str, str]
    built: Iterator[int] = field(default_factory=itertools.count)

    def value(self, node: yaml.Node, path: Path, within: tuple[int, ...]) -> Any:
        place = _place(node.start_mark)
        self.document.places.setdefault(path, place)
        self._guard(node, place, within)
        match node:
            case yaml.MappingNode():
                return self._mapping(node, path, (*within, id(node)))
            case yaml.SequenceNode():
                items = enumerate(node.value)
                return [self.value(item, (*path, index), (*within, id(node))) for index, item in items]
            case yaml.ScalarNode():
                return self._scalar(node, path)
        raise AssertionError(node)

    def _guard(self, node: yaml.Node, place: Place, within: tuple[int, ...]) -> None:
        if id(node) in within:
            cause = "this anchor contains an alias of itself."
            raise _Refused(rules.UNSUPPORTED_YAML.at(place, cause, "Write the value out."))
        if next(self.built) > MAX_NODES or len(within) > MAX_DEPTH:
            cause = "aliases make the file too big."
            raise _Refused(rules.UNREADABLE.at(place, cause, "Write the values out instead of *aliases."))

    def _mapping(self, node: yaml.MappingNode, path: Path, within: tuple[int, ...]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = _place(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode) or (key_node.value == "<<" and not key_node.style):
                cause = "a key must be text, and << is not supported."
                self._problem(rules.UNSUPPORTED_YAML, place, cause, "Use `defaults`, or write the values out.")
                continue
            key = key_node.value
            if key in result:
                first = self.document.places[(*path, key)]
                cause = f"the key {quoted(key)} stands in this mapping already, in line {first.line}."
                self._problem(rules.DUPLICATE_KEY, place, cause, "Remove one of the two.")
                continue
            self.document.places[(*path, key)] = place
            result[key] = self.value(value_node, (*path, key), within)
        return result

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text = node.value
        try:
            text = substitute(text, self.environment)
        except VariableProblem as problem:
            self._problem(rules.VARIABLE, self.document.places[path], problem.cause, problem.remedy)
        return text if node.style else typed(text)  # libyaml says "" for plain, PyYAML None

    def _problem(self, rule: Rule, place: Place, cause: str, remedy: str) -> None:
        self.document.problems.append(rule.at(place, cause, remedy))


def typed(text: str) -> Any:
    """What a plain scalar means: decimal digits are numbers, `true` and `false` booleans, all else is text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if FLOAT.fullmatch(text) else text


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)


def _not_a_mapping(root: yaml.Node | None) -> Diagnostic:
    remedy = "Begin with `version: 1`, or run `dlxctl init`."
    if root is None:
        return rules.NOT_A_MAPPING.at(Place(1, 1), "the file is empty.", remedy)
    what = "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
    return rules.NOT_A_MAPPING.at(_place(root.start_mark), f"the file holds {what}, not a mapping.", remedy)


def _syntax_problem(error: yaml.YAMLError, text: str) -> Diagnostic:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = getattr(error, "problem", None) or "it cannot be read"
    tab = "\\t" in reason
    remedy = "Indent with spaces, never with tabs." if tab else "Look at this line and the one before it."
    lines = text.split("\n")
    end = Place(len(lines), len(lines[-1]) + 1)  # libyaml puts the end of an unfinished text one line too far
    place = min(_place(mark), end) if mark else Place(1, 1)
    return rules.SYNTAX.at(place, f"this is not YAML: {reason}.", remedy)
