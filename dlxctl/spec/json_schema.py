"""The JSON Schema of topology.yaml, made from the form; draft 7, because that is what editors' YAML servers read."""

from typing import Any

from dlxctl.spec.model import TopologyForm

VARIABLE = {
    "type": "string",
    "pattern": "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^{}]*)?\\}",
    "description": "A variable: ${NAME} or ${NAME:-default}.",
}

NULLABLE_SECTIONS = ("retry", "dead_letter", "exchanges", "queues", "verbatim", "defaults", "naming", "celery")
NULLABLE_ENTRIES = ("dead_letter", "queues")
"""Where nothing after the colon means "all defaults" (`model.empty_when_null`)."""


def json_schema() -> dict[str, Any]:
    """A JSON Schema document; every scalar that is not plain text may be a variable instead."""
    made = TopologyForm.model_json_schema(ref_template="#/definitions/{model}")
    definitions = made.pop("$defs")
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "dlxctl topology"}
    schema: dict[str, Any] = head | _converted({**made, "definitions": definitions})
    schema["definitions"]["Variable"] = VARIABLE
    sections = schema["properties"]
    for name in NULLABLE_ENTRIES:
        sections[name]["additionalProperties"] = _or(sections[name]["additionalProperties"], {"type": "null"})
    for name in NULLABLE_SECTIONS:
        sections[name] = _or(sections[name], {"type": "null"})
    return schema


def _converted(node: Any) -> Any:
    """Draft 7 ignores what stands beside a `$ref`, and knows no variables."""
    if isinstance(node, list):
        return [_converted(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _converted(value) for key, value in node.items() if not _noise(key, value)}
    if "$ref" in node and len(node) > 1:
        return {"allOf": [{"$ref": node.pop("$ref")}], **node}
    return _or(node, {"$ref": "#/definitions/Variable"}) if _needs_variable(node) else node


def _noise(key: str, value: Any) -> bool:
    """Titles that repeat the key, and defaults that are only "not said"."""
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)


def _needs_variable(node: dict[str, Any]) -> bool:
    if not isinstance(node.get("type"), str):
        return False
    constrained = any(key in node for key in ("enum", "const", "pattern"))
    return node["type"] in ("integer", "boolean") or (node["type"] == "string" and constrained)


def _or(node: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """`node` or `other`; description and default stay outside, where editors show them."""
    kept: dict[str, Any] = {key: node.pop(key) for key in ("description", "default") if key in node}
    return {**kept, "anyOf": [node, other]}
