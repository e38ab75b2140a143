"""A `--where` expression before it meets a message: parsed, its mistakes placed, and what it has to see.

JMESPath's library finds mistakes of grammar. It takes an unknown function, a wrong number of arguments and a name that
no message has for a matter of each message; here they are mistakes of the expression.
"""

from typing import Any

from jmespath.exceptions import JMESPathError, LexerError, ParseError
from jmespath.functions import Functions
from jmespath.lexer import Lexer
from jmespath.parser import Parser

from dlxctl.errors import UsageError
from dlxctl.replay.document import BODY_NAMES, FACTS, NAMES, Needs

LONGEST = 4_096
"""Characters."""
DEEPEST = 100
"""Nodes within each other: the library recurses."""
EXAMPLE = """headers."x-tenant" == 'acme' && args[0] > `100`"""
_RULES = (
    "Text stands in 'single quotes', numbers and true in `backquotes`, names with other signs in \"double quotes\":"
)

Node = Any
"""A node of the library's tree: a dict of type, children and value."""

_REST_SEES_RESULT = frozenset(
    {"subexpression", "index_expression", "projection", "value_projection", "filter_projection", "pipe"}
)
"""Nodes of which only the first child sees what the node sees; the others see what the first one found."""
_PARTS = ("headers", "properties")


def parsed(text: str) -> Node:
    """The tree of an expression. Raises UsageError, naming the column."""
    if len(text) > LONGEST:
        raise _wrong(text[:40], 0, f"it has more than {LONGEST:,} characters")
    try:
        return Parser().parse(text).parsed
    except LexerError as error:
        raise _wrong(text, error.lexer_position, error.message) from None
    except ParseError as error:
        found = f"{str(error.token_value)!r} cannot stand here" if error.token_value else "it ends too early"
        raise _wrong(text, error.lex_position, found) from None
    except (JMESPathError, ValueError) as error:
        raise _wrong(text, 0, str(error)) from None
    except RecursionError:
        raise _wrong(text, 0, "it is nested too deeply") from None


def needs(text: str, tree: Node) -> Needs:
    """What of a message the expression looks at. Raises UsageError for what can never be evaluated."""
    walk = _Walk(text)
    walk.down(tree, 1, sees_message=True)
    roots, parts = walk.roots, walk.parts
    headers = frozenset(name.encode("utf-8", "backslashreplace") for name in parts["headers"])
    return Needs(
        facts=tuple(name for name in FACTS if name in roots),
        body=not roots.isdisjoint(BODY_NAMES),
        headers=None if "headers" in roots else headers,
        properties=None if "properties" in roots else frozenset(parts["properties"]),
    )


class _Walk:
    """Collects `roots`, the names looked at in the message itself, and `parts`, single headers and properties."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.roots: set[str] = set()
        self.parts: dict[str, set[str]] = {name: set() for name in _PARTS}

    def down(self, node: Node, depth: int, *, sees_message: bool) -> None:
        """Look at `node` and what is below it."""
        if depth > DEEPEST:
            raise _wrong(self._text, 0, "it is nested too deeply")
        kind, children = node["type"], node["children"]
        if kind == "slice":
            return  # its children are numbers
        if kind == "function_expression":
            self._check_call(node["value"], len(children))
        if kind in _REST_SEES_RESULT - {"pipe"} and children[0]["type"] == "not_expression":
            why = "here ! stands for less than it seems, since it binds closer than a dot: write !(headers.name)"
            raise _wrong(self._text, _place_of(self._text, "!"), why)
        if sees_message:
            self._note(kind, node)
            if self._is_part(node):
                self.parts[children[0]["value"]].add(children[1]["value"])
                children = children[2:]
                sees_message = False
        for number, child in enumerate(children):
            hidden = kind == "expref" or (number and kind in _REST_SEES_RESULT)
            self.down(child, depth + 1, sees_message=sees_message and not hidden)

    @staticmethod
    def _is_part(node: Node) -> bool:
        """Whether it is `headers.name` or `properties.name`."""
        if node["type"] != "subexpression":
            return False
        first, second = node["children"][:2]
        return first["type"] == second["type"] == "field" and first["value"] in _PARTS

    def _note(self, kind: str, node: Node) -> None:
        if kind in ("current", "identity"):
            self.roots.update(NAMES)
        elif kind == "field":
            if node["value"] not in NAMES:
                why = f"a message has no {node['value']!r}, only {', '.join(NAMES)}"
                raise _wrong(self._text, _place_of(self._text, node["value"]), why)
            self.roots.add(node["value"])

    def _check_call(self, name: str, given: int) -> None:
        known = Functions.FUNCTION_TABLE.get(name)
        if known is None:
            why = f"there is no function {name}(), only {', '.join(sorted(Functions.FUNCTION_TABLE))}"
            raise _wrong(self._text, _place_of(self._text, name), why)
        wanted = len(known["signature"])
        open_ended = bool(known["signature"][-1].get("variadic"))
        if given < wanted or (given > wanted and not open_ended):
            why = f"{name}() takes {'at least ' if open_ended else ''}{wanted}, not {given} arguments"
            raise _wrong(self._text, _place_of(self._text, name), why)


def _place_of(text: str, name: str) -> int:
    """Where `name` first stands other than behind a dot or in quotes; the tree does not tell."""
    before = ""
    for token in Lexer().tokenize(text):
        if token["value"] == name and token["type"] != "literal" and before != "dot":
            return token["start"]
        before = token["type"]
    return 0


def _wrong(text: str, at: int, why: str) -> UsageError:
    line = "".join(sign if sign.isprintable() else " " for sign in text)
    return UsageError(
        f"--where cannot be understood at column {at + 1}",
        why=why,
        remedy=f"{line}\n  {' ' * at}^\n  {_RULES}\n  {EXAMPLE}",
    )
