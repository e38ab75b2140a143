"""Layout -> topology.yaml text, the inverse of `spec.load`: `load(dump(layout)) == layout`.

Every field of the layout's values is written under its own name, unless it has its default; so a field that is added
to the model is written too. Comments, places and variables are not in a layout, and so not in the text.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

import yaml

from dlxctl.model.layout import Layout, WorkQueue, delay_text
from dlxctl.model.topology import QueueType
from dlxctl.spec.reader import FLOAT, typed

_RENAMED = {"name": "topology", "ladders": "retry", "dead_letter_queues": "dead_letter", "work_queues": "queues"}
"""Fields of `Layout` that have another name in the file."""
_DEFAULTED = ("type", "retry", "dead_letter")
"""What `defaults:` says for the queues that are silent."""


def dump(layout: Layout) -> str:
    """The text of a topology file that says `layout`; what most queues have goes into `defaults`.

    Where a name could steer a terminal or hide what the file says (direction overrides), nothing but ASCII is written.
    """
    text = _yaml(layout, as_is=True)
    return text if text.replace("\n", "").isprintable() else _yaml(layout, as_is=False)


def _yaml(layout: Layout, *, as_is: bool) -> str:
    return yaml.dump(tree_of(layout), Dumper=_Dumper, sort_keys=False, allow_unicode=as_is, width=110)


def tree_of(layout: Layout) -> dict[str, Any]:
    """The same as plain values, in the order in which people write the file."""
    said = {_RENAMED.get(key, key): value for key, value in _entry(layout, _defaults_of(layout), named=True).items()}
    tree = {"version": 1, "topology": said.pop("topology"), **said}
    if layout.work_queues:
        tree["defaults"] = _plain(_defaults_of(layout))
    return tree


def _defaults_of(layout: Layout) -> dict[str, Any]:
    """The most common type, ladder and DLQ."""
    queues = layout.work_queues.values()
    if not queues:
        return {"type": QueueType.QUORUM, "retry": None, "dead_letter": None}
    return {key: Counter(getattr(queue, key) for queue in queues).most_common(1)[0][0] for key in _DEFAULTED}


def _entry(thing: Any, defaults: Mapping[str, Any], *, named: bool = False) -> dict[str, Any]:
    """The fields of a dataclass that are not as silence would have them; `name` is the key that it stands under."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(thing):
        if not field.compare or (field.name == "name" and not named):
            continue
        value = getattr(thing, field.name)
        silence = defaults[field.name] if isinstance(thing, WorkQueue) and field.name in defaults else _default(field)
        if silence is dataclasses.MISSING or value != silence:
            found[field.name.removesuffix("_ms")] = _plain(value, defaults, times=field.name.endswith("_ms"))
    return found


def _default(field: "dataclasses.Field[Any]") -> Any:
    made = field.default_factory
    return made() if made is not dataclasses.MISSING else field.default


def _plain(value: Any, defaults: Mapping[str, Any] | None = None, *, times: bool = False) -> Any:
    if dataclasses.is_dataclass(value):
        return _entry(value, defaults or {})
    if isinstance(value, Mapping):
        return {key: _plain(item, defaults) for key, item in value.items()}
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [_plain(item, defaults, times=times) for item in value]
    return delay_text(value) if times else value


class _Dumper(yaml.SafeDumper):
    """Writes what `reader` reads: its own idea of a number, `$${` for a plain `${`, no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        """Keys stand as they are: variables are not looked for in them."""
        node = super().represent_mapping(tag, mapping, flow_style)
        for key, (key_node, _) in zip(mapping, node.value, strict=True):
            key_node.value = key
        return node


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(typed(text), str) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text.replace("${", "$${"), style=style)


def _float(dumper: yaml.SafeDumper, number: float) -> yaml.ScalarNode:
    shown = repr(number)
    return dumper.represent_scalar("tag:yaml.org,2002:float", shown if FLOAT.fullmatch(shown) else f"{number:.17e}")


_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _float)
