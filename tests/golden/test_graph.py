"""The pictures of the example topology and of one with many queues; docs/topology.svg is the README's.

Write them anew after a change that is meant: `python -m tests.golden.test_graph`, and look at them.
"""

from pathlib import Path

import pytest

from dlxctl.ops.graph import graph
from dlxctl.render.graph.forms import Form
from dlxctl.spec import load

ROOT = Path(__file__).parent.parent.parent
GOLDEN = Path(__file__).parent / "graph"
MANY = """\
version: 1
topology: big
retry:
  standard: {delays: [10s, 1m, 10m], attempts: 5}
  fast: {delays: [1s, 10s], attempts: 3}
dead_letter:
  dead_letter: {retention: 14d, parking: dead_letter.parked}
  payments.dead: {max_length: 100000}
exchanges:
  shop.events: {type: topic}
  audit: {type: fanout}
defaults: {retry: standard, dead_letter: dead_letter}
queues:
  refunds:
    retry: fast
    dead_letter: payments.dead
    bindings: [{exchange: shop.events, routing_key: "pay.#"}, {exchange: audit}]
  payments: {dead_letter: payments.dead}
"""
ROADS = ("{}", "{retry: fast}", "{bindings: [{exchange: shop.events, routing_key: 'order.#'}]}", "{type: classic}")


def many(queues: int) -> str:
    """A topology file with `queues` more work queues, in four roads."""
    return MANY + "".join(f"  service{number:03}: {ROADS[number % 4]}\n" for number in range(queues))


def pictures() -> dict[Path, str]:
    """Each committed picture, as it is drawn now."""
    example, big = load((ROOT / "topology.yaml").read_text(encoding="utf-8")), load(many(60))
    return {
        ROOT / "docs" / "topology.svg": graph(example, Form.SVG),
        GOLDEN / "example.mmd": graph(example, Form.MERMAID),
        GOLDEN / "example.dot": graph(example, Form.DOT),
        GOLDEN / "sixty.mmd": graph(big, Form.MERMAID),
        GOLDEN / "sixty.dot": graph(big, Form.DOT),
        GOLDEN / "sixty.svg": graph(big, Form.SVG),
    }


@pytest.mark.parametrize("path", pictures(), ids=lambda path: path.name)
def test_a_picture_is_the_committed_one(path: Path) -> None:
    """What is drawn is what was looked at."""
    assert pictures()[path] == path.read_text(encoding="utf-8")


def test_five_hundred_queues_are_as_many_boxes_as_sixty() -> None:
    """Queues of one road are one box, and shared tiers are drawn once: the picture does not grow with the queues."""
    sixty, five_hundred = (graph(load(many(number)), Form.SVG) for number in (60, 500))
    assert five_hundred.count("<rect") == sixty.count("<rect")
    assert "125 queues" in five_hundred


if __name__ == "__main__":
    for golden, text in pictures().items():
        golden.write_text(text, encoding="utf-8")
