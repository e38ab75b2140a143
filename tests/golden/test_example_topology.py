"""The example topology.yaml, expanded: a change of any broker object shows in the diff of example_topology.json.

Write it anew after a change that is meant: `python -m tests.golden.test_example_topology`.
"""

import dataclasses
import json
from pathlib import Path

import yaml

from dlxctl import lint
from dlxctl.model.topology import Topology
from dlxctl.render.diagnostics import checks_page
from dlxctl.spec import load
from dlxctl.spec.expand import expand
from dlxctl.spec.json_schema import json_schema
from dlxctl.spec.starter import STARTER

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "topology.yaml"
GOLDEN = Path(__file__).parent / "example_topology.json"
CHECKS, SCHEMA = ROOT / "docs" / "checks.md", ROOT / "topology.schema.json"


def written(topology: Topology) -> str:
    """All objects, each kind in the order of its keys, as JSON."""
    kinds = ("exchanges", "queues", "bindings", "policies")
    objects = {kind: [dataclasses.asdict(o) for _, o in sorted(getattr(topology, kind).items())] for kind in kinds}
    return json.dumps(objects, indent=1, ensure_ascii=False) + "\n"


def expanded_example() -> str:
    return written(expand(load(EXAMPLE.read_text(encoding="utf-8"))))


def schema_text() -> str:
    return json.dumps(json_schema(), indent=2) + "\n"


def test_the_example_expands_to_these_objects() -> None:
    """Exchanges, queues, bindings and policies of the example are exactly those of the golden file."""
    assert expanded_example() == GOLDEN.read_text(encoding="utf-8")


def test_the_example_and_the_starter_are_sound() -> None:
    """Neither has an error or a warning."""
    for text in (EXAMPLE.read_text(encoding="utf-8"), STARTER):
        layout = load(text)
        assert lint.run(layout, expand(layout)) == ()


def test_what_the_starter_has_commented_out_is_sound_too() -> None:
    """A user who takes the comment signs away gets what they promise."""
    lines = [line.replace("# ", "", 1) if line.startswith(("  # ", "# exchanges", "#   app.")) else line
             for line in STARTER.splitlines()]  # fmt: skip
    layout = load("\n".join(lines))
    assert {"reports", "thumbnails"} <= set(layout.work_queues)
    assert [d.code for d in lint.run(layout, expand(layout))] == ["DLX342"]


def test_the_committed_schema_is_the_generated_one() -> None:
    """topology.schema.json is what `dlxctl schema` prints."""
    assert SCHEMA.read_text(encoding="utf-8") == schema_text()


def test_the_page_of_checks_is_the_generated_one() -> None:
    """docs/checks.md is made from the tables of rules."""
    assert CHECKS.read_text(encoding="utf-8") == checks_page()


def test_yaml_of_editors_reads_the_examples_as_we_do() -> None:
    """A plain YAML loader sees the same tree in the example, so editors complain about the same things."""
    assert yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["vhost"] == "${DLXCTL_VHOST:-/}"


if __name__ == "__main__":
    GOLDEN.write_text(expanded_example(), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    CHECKS.write_text(checks_page(), encoding="utf-8")
