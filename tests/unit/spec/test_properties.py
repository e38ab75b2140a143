"""What holds for any text and any layout (Hypothesis)."""

import re
from typing import Any

import jsonschema
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dlxctl import lint
from dlxctl.model.diagnostics import InvalidTopology
from dlxctl.model.patterns import pattern
from dlxctl.spec import load
from dlxctl.spec.expand import expand
from dlxctl.spec.json_schema import json_schema
from dlxctl.spec.policies import PATTERN_BYTES

VALIDATOR = jsonschema.Draft7Validator(json_schema())
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60).filter(
    lambda name: not name.startswith("amq.") and "${" not in name
)
YAMLISH = st.text(st.sampled_from("ab:-{}[]&*!|>'\"#%@?, \n\t0${~<\ufeff"), max_size=80)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
KEYS = st.sampled_from(
    ["version", "topology", "vhost", "retry", "dead_letter", "exchanges", "queues", "defaults", "settings", "naming",
     "celery", "delays", "attempts", "type", "priority", "bindings", "arguments", "a", "tasks", "parking", "retention"]
)  # fmt: skip
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5)
)


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """A valid topology file, as plain values."""
    ladders, dead, queues = (draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)) for _ in range(3))
    dead, queues = [f"dead {name}" for name in dead], [f"work {name}" for name in queues]
    delays = sorted(draw(st.sets(st.integers(1, 10_000_000), min_size=1, max_size=5)))
    kinds = st.sampled_from(["quorum", "classic"])
    settings_of = st.fixed_dictionaries(
        {"dead_letter": st.sampled_from(dead), "type": kinds},
        optional={
            "retry": st.sampled_from(ladders),
            "max_length": st.integers(1, 10**9),
            "overflow": st.sampled_from(["drop-head", "reject-publish"]),
            "single_active_consumer": st.booleans(),
            "consumer_timeout": st.just("2h"),
            "tasks": st.lists(st.text("abc.*", min_size=1), max_size=3),
        },
    )
    return {
        "version": 1,
        "topology": draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True)),
        "settings": draw(st.sampled_from(["policy", "arguments"])),
        "retry": {
            name: {"delays": [f"{d}ms" for d in delays], "attempts": draw(st.integers(1, 9))} for name in ladders
        },
        "dead_letter": {
            name: draw(st.sampled_from([None, {}, {"retention": "1d", "parking": "parked"}, {"max_length": 5}]))
            for name in dead
        },
        "queues": {name: draw(settings_of) for name in queues},
    }


def complaint(text: str) -> InvalidTopology | None:
    """What `load` raises; any other exception fails the test."""
    try:
        load(text)
    except InvalidTopology as invalid:
        return invalid
    return None


@given(st.text(max_size=200) | YAMLISH)
def test_any_text_is_a_layout_or_an_invalid_topology(text: str) -> None:
    """`load` raises nothing but InvalidTopology, whose every problem has a line and a column."""
    invalid = complaint(text)
    assert invalid is None or invalid.diagnostics
    for problem in invalid.diagnostics if invalid else ():
        assert problem.place.line >= 1
        assert problem.place.column >= 1
        assert problem.render("file").isprintable()


@given(TREES.filter(lambda tree: isinstance(tree, dict)))
def test_any_tree_is_a_layout_or_an_invalid_topology(tree: dict[str, Any]) -> None:
    """The same for well-formed YAML with the right keys in the wrong places."""
    invalid = complaint(yaml.safe_dump(tree, allow_unicode=True))
    assert invalid is None or all(problem.place.line >= 1 for problem in invalid.diagnostics)


@given(files())
@settings(max_examples=60)
def test_any_valid_file_expands_lints_and_fits_the_schema(tree: dict[str, Any]) -> None:
    """What the form accepts is accepted by the JSON Schema, expands, and can be linted."""
    assert not list(VALIDATOR.iter_errors(tree))
    layout = load(yaml.safe_dump(tree))
    topology = expand(layout)
    lint.run(layout, topology)
    assert set(layout.work_queues) == set(tree["queues"])
    assert all(("queue", name) in topology.queues for name in tree["queues"])


@given(files())
@settings(max_examples=60)
def test_policies_hit_exactly_the_queues_they_are_made_for(tree: dict[str, Any]) -> None:
    """No queue has two policies, none of another type, and each work queue has its dead-letter exchange."""
    layout = load(yaml.safe_dump({**tree, "settings": "policy"}))
    topology = expand(layout)
    for queue in topology.queues.values():
        hits = [p for p in topology.policies.values() if re.search(p.pattern, queue.name)]
        assert len(hits) <= 1
        if queue.name in layout.work_queues:
            assert hits[0].definition["dead-letter-exchange"] == "dlx"
    assert all(len(p.pattern.encode()) <= PATTERN_BYTES for p in topology.policies.values())


@given(st.sets(NAMES, min_size=1, max_size=5), NAMES)
def test_a_pattern_matches_its_names_and_no_other(names: set[str], other: str) -> None:
    """Byte for byte, as RabbitMQ matches, and also where a name is part of another."""
    exact = re.compile(pattern(sorted(names)).encode())
    assert all(exact.search(name.encode()) for name in names)
    for near in (other, *(name + other for name in names), *(other + name for name in names)):
        assert bool(exact.search(near.encode())) == (near in names)
