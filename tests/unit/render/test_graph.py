"""The picture of a topology: what is in it, and that names are text in every form."""

import re
from xml.etree import ElementTree

import pytest

from dlxctl.model.depth import Depth
from dlxctl.model.layout import DeadLetterQueue, Layout, PublicExchange, QueueBinding, WorkQueue
from dlxctl.ops.graph import graph
from dlxctl.render.graph.forms import Form
from dlxctl.render.graph.picture import Role, picture
from dlxctl.spec import load
from tests.golden.test_graph import many

HOSTILE = (
    '"]; click work_1 "javascript:alert(1)"',
    "</text><script>alert(1)</script>",
    "%%{init: {}}%% end --> x",
    '\\" -> evil [label="x"] //',
    "a&lt;b\n]]>\x1b[31m\u202e",
    "`md` #quot; <b>&amp;",
)


def hostile(name: str) -> Layout:
    """A layout in which everything that has a name is called `name`."""
    queue = WorkQueue(name=name, dead_letter=name, bindings=(QueueBinding(exchange=name, routing_key=name),))
    return Layout(
        name=name, work_queues={name: queue}, exchanges={name: PublicExchange(name=name, type="topic")},
        dead_letter_queues={name: DeadLetterQueue(name=name, parking=name)},
    )  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_svg_has_a_name_as_text_only(name: str) -> None:
    """The file parses, has the elements that a harmless name has, and no attribute holds the name."""

    def elements(text: str) -> list[str]:
        return [each.tag.rpartition("}")[2] for each in ElementTree.fromstring(text).iter()]

    drawn = graph(hostile(name), Form.SVG)
    assert elements(drawn) == elements(graph(hostile("orders"), Form.SVG))
    assert "script" not in elements(drawn)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", drawn)


@pytest.mark.parametrize("name", HOSTILE)
def test_mermaid_has_a_name_as_text_only(name: str) -> None:
    """Inside quotes is nothing but letters, digits, harmless signs, our line breaks and numeric entities."""
    drawn = graph(hostile(name), Form.MERMAID)
    assert len(drawn.splitlines()) == len(graph(hostile("orders"), Form.MERMAID).splitlines())
    for line in drawn.splitlines():
        assert line.count('"') in (0, 2)
        for label in re.findall(r'"(.*)"', line):
            assert re.fullmatch(r"(<br/>|#\d+;|[\w ._\-,:…])*", label), label


@pytest.mark.parametrize("name", HOSTILE)
def test_dot_has_a_name_as_text_only(name: str) -> None:
    """Without its quoted strings the digraph is the same as with a harmless name."""

    def bare(text: str) -> str:
        return re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', text)

    assert bare(graph(hostile(name), Form.DOT)) == bare(graph(hostile("orders"), Form.DOT))


def test_a_road_that_more_than_six_queues_have_is_one_box() -> None:
    """Seven are one box, six are six; the edges are those of one queue."""
    boxes = {number: picture(load(many(number * 4))).of(Role.WORK) for number in (6, 7)}
    assert (len(boxes[6]), len(boxes[7])) == (2 + 6 * 4, 2 + 4)
    assert {box.name for box in boxes[7]} == {"refunds", "payments", "7 queues"}


def test_depths_are_in_the_boxes() -> None:
    """A number, unknown where the broker has not counted yet, and what is missing; a sum where queues are one box."""
    layout = load(many(28))
    empty = Depth(ready=0, unacknowledged=0, elsewhere=0)
    depths = dict.fromkeys(layout.work_queues, empty) | {
        "refunds": Depth(ready=1200, unacknowledged=3, elsewhere=0), "payments": Depth(),
        "service000": Depth(ready=5, unacknowledged=0, elsewhere=0),
        "service004": Depth(ready=9, unacknowledged=0, elsewhere=0),
    }  # fmt: skip
    del depths["service008"]
    boxes = {box.name: box.lines for box in picture(layout, depths).boxes}
    assert boxes["refunds"][-1] == "1,203 messages"
    assert boxes["payments"][-1] == "not counted yet"
    assert boxes["dead_letter"] == ("not on the broker",)
    (of_many,) = [box.lines for box in picture(layout, depths).of(Role.WORK) if "service000" in box.lines]
    assert of_many[-3:] == ("14 messages", "most: service004 9", "1 not on the broker")


def test_attempts_beyond_the_last_delay_wait_there() -> None:
    """The last delay repeats, and fewer attempts than delays leave the longer ones out."""
    text = (
        "version: 1\ntopology: t\nretry: {a: {delays: [1s, 2s, 3s], attempts: ATTEMPTS}}\n"
        "queues: {q: {retry: a, dead_letter: null}}\n"
    )
    for attempts, labels in {"9": ["retry 1", "retry 2", "retry 3 to 9"], "2": ["retry 1", "retry 2"]}.items():
        drawn = picture(load(text.replace("ATTEMPTS", attempts)))
        assert [edge.label for edge in drawn.edges if edge.label] == labels
