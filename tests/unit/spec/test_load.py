"""`load`: forms, defaults, and every problem at once with its code and place."""

import textwrap
import time

import pytest

from dlxctl.model.diagnostics import InvalidTopology, Place
from dlxctl.model.layout import Layout, SettingsMode
from dlxctl.model.topology import QueueType
from dlxctl.spec import load

HEAD = "version: 1\ntopology: t\n"


def problems(text: str, **environment: str) -> list[tuple[str, int, int]]:
    with pytest.raises(InvalidTopology) as caught:
        load(textwrap.dedent(text), environment=environment)
    return [(d.code, d.place.line, d.place.column) for d in caught.value.diagnostics]


def message(text: str) -> str:
    with pytest.raises(InvalidTopology) as caught:
        load(textwrap.dedent(text))
    return str(caught.value)


def test_the_least_file_is_two_lines() -> None:
    """Everything but `version` and `topology` has a default."""
    assert load(HEAD) == Layout(name="t")


def test_a_section_with_nothing_in_it_takes_its_defaults() -> None:
    """Commenting out all that is under a key leaves a sound file."""
    sections = ("retry", "dead_letter", "exchanges", "queues", "defaults", "naming", "celery")
    assert load(HEAD + "".join(f"{section}:\n" for section in sections)) == Layout(name="t")


def test_a_queue_that_says_nothing_takes_the_defaults() -> None:
    """`defaults` gives type, ladder and DLQ; null says none; what is said wins."""
    layout = load(
        HEAD
        + """
retry: {slow: {delays: [1m], attempts: 2}, fast: {delays: [1500ms], attempts: 1}}
dead_letter: {dead: }
defaults: {type: classic, retry: slow, dead_letter: dead}
queues: {silent: , said: {type: quorum, retry: fast}, none: {retry: null}}
"""
    )
    assert [(q.type, q.retry, q.dead_letter) for q in layout.work_queues.values()] == [
        (QueueType.CLASSIC, "slow", "dead"),
        (QueueType.QUORUM, "fast", "dead"),
        (QueueType.CLASSIC, None, "dead"),
    ]
    assert layout.ladders["fast"].delays_ms == (1500,)


def test_names_that_yaml_would_take_for_something_else_stay_names() -> None:
    """A ladder called 1, a DLQ called NO and a vhost called true are what they are called."""
    layout = load(
        HEAD
        + """
vhost: true
settings: arguments
retry: {1: {delays: [1s], attempts: 1}}
dead_letter: {NO: {}}
queues: {010: {retry: 1, dead_letter: NO}}
"""
    )
    queue = layout.work_queues["010"]
    assert (layout.vhost, queue.retry, queue.dead_letter, layout.settings) == (
        "true",
        "1",
        "NO",
        SettingsMode.ARGUMENTS,
    )


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [("1ms", 1), ("1500ms", 1500), ("10s", 10_000), ("1m", 60_000), ("2h", 7_200_000), ("3650d", 315_360_000_000)],
)
def test_times_have_units(written: str, milliseconds: int) -> None:
    """ms, s, m, h and d, up to RabbitMQ's ten years."""
    assert load(HEAD + f"retry: {{a: {{delays: [{written}], attempts: 1}}}}").tiers_ms == (milliseconds,)


@pytest.mark.parametrize(
    "written", ["0s", "10", "1.5s", "-1s", "10 s", "1w", "010s", "1M", "3651d", "1h30m", "99999999999d", '""']
)
def test_what_is_not_a_time_is_refused(written: str) -> None:
    """A number without a unit, zero, fractions, sums and more than ten years are DLX114 at their place."""
    assert problems(HEAD + f"retry: {{a: {{delays: [{written}], attempts: 1}}}}") == [("DLX114", 3, 22)]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ('""', "DLX115"), ("amq.x", "DLX115"), ("x" * 256, "DLX115"), ("é" * 128, "DLX115"), ('"a\\nb"', "DLX115"),
        ('"\\e[31m"', "DLX115"),
    ],
)  # fmt: skip
def test_names_that_rabbitmq_does_not_take_are_refused(name: str, code: str) -> None:
    """Empty, reserved, longer than 255 bytes, or with control characters."""
    assert problems(HEAD + f"queues:\n  {name}: {{dead_letter: null}}\n") == [(code, 4, 3)]


@pytest.mark.parametrize(
    "name", ["a b", "a/b", "%2F", "#", "*", "💥", "^a|b$", "x" * 255, "é" * 127, "a.amq.b", "[0-9]+(x)?{2}\\", "'", "-"]
)
def test_names_that_rabbitmq_takes_are_kept_as_they_are(name: str) -> None:
    """Spaces, slashes, wildcards, emoji, regular expressions and 255 bytes are names."""
    quoted = name.replace("\\", "\\\\")
    assert list(load(HEAD + f'queues: {{"{quoted}": {{dead_letter: null}}}}').work_queues) == [name]


@pytest.mark.parametrize("name", ["", "a b", "a.b", "-a", "x" * 65, "ä"])
def test_a_topology_name_is_plain(name: str) -> None:
    """It stands in names of exchanges and policies, and a dot in it would make one topology own another's policies."""
    assert problems(f'version: 1\ntopology: "{name}"') == [("DLX115", 2, 1)]


@pytest.mark.parametrize("pattern", ["retry", "{delay}{delay}", "", "amq.{delay}", "x" * 240 + "{delay}"])
def test_the_name_of_tiers_holds_the_delay_once(pattern: str) -> None:
    """Otherwise all tiers would have one name, or one that RabbitMQ does not take."""
    assert problems(HEAD + f'naming: {{retry: "{pattern}"}}') == [("DLX115", 3, 10)]


@pytest.mark.parametrize(
    ("lines", "code", "column"),
    [
        ("version: 2", "DLX113", 1), ('version: "1"', "DLX113", 1), ("settings: both", "DLX113", 1),
        ("queues: []", "DLX112", 1), ("queues: {a: text}", "DLX112", 10), ("celery: {declare: yes}", "DLX112", 10),
        ("naming: {dlx: [x]}", "DLX112", 10), ("defaults: {type: stream}", "DLX113", 12), ("vhost: 1.5", "DLX112", 1),
        ("vhost: ''", "DLX113", 1), ("retry: {a: {delays: [], attempts: 1}}", "DLX113", 13),
        ("retry: {a: {delays: [1s], attempts: 0}}", "DLX113", 27), ("retry: {a: {delays: [1s]}}", "DLX111", 9),
        ("exchanges: {e: {type: topik}}", "DLX113", 17), ("exchanges: {e: {}}", "DLX111", 13),
        ("queues: {a: {dead_letter: null, delivery_limit: -1}}", "DLX113", 33),
        ("queues: {a: {dead_letter: null, priority: 256}}", "DLX113", 33),
        ("queues: {a: {dead_letter: null, max_length: 010}}", "DLX112", 33),
        ("queues: {a: {dead_letter: null, max_length: 1.0}}", "DLX112", 33),
        ("queues: {a: {dead_letter: null, max_length: true}}", "DLX112", 33),
        ("queues: {a: {dead_letter: null, max_length: 9007199254740992}}", "DLX113", 33),
        ("queues: {a: {dead_letter: null, tasks: x}}", "DLX112", 33),
        ("queues: {a: {dead_letter: null, bindings: [{}]}}", "DLX111", 44),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_problem_at_its_key(lines: str, code: str, column: int) -> None:
    """Types, choices and limits each have a code; the place is that of the key."""
    head = "topology: t\n" if lines.startswith("version") else HEAD
    line = head.count("\n") + 1
    assert problems(head + lines) == [(code, line, column)]


def test_the_worst_file_reports_everything_at_once() -> None:
    """Problems of text, form and references come together, in the order of the file."""
    text = """\
        version: 1
        topology: a b
        queus:
          x: {retyr: fst, type: quorom, max_length: 010}
          x: {}
        retry: {fast: {delays: [10s, 5s, 5x], attempts: many}}
        vhost: ${NONE}
        """
    assert problems(text) == [
        ("DLX115", 2, 1),
        ("DLX110", 3, 1),
        ("DLX110", 4, 7),
        ("DLX113", 4, 19),
        ("DLX112", 4, 33),
        ("DLX103", 5, 3),
        ("DLX114", 6, 34),
        ("DLX112", 6, 39),
        ("DLX105", 7, 1),
    ]


def test_a_misspelt_key_does_not_hide_what_is_wrong_with_its_value() -> None:
    """The key is reported with the one that was likely meant, and read as that one."""
    text = HEAD + "queus: {a: {ded_letter: gone, retry: gone}}\n"
    assert problems(text) == [("DLX110", 3, 1), ("DLX110", 3, 13), ("DLX203", 3, 13), ("DLX201", 3, 31)]
    assert 'unknown key "queus". Did you mean queues?' in message(text)


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ("queues: {a: {dead_letter: null, retry: gone}}", ("DLX201", 3, 33)),
        ("defaults: {retry: gone, dead_letter: null}\nqueues: {a: }", ("DLX201", 3, 12)),
        ("queues: {a: {dead_letter: gone}}", ("DLX203", 3, 14)),
        ("queues: {a: }", ("DLX204", 3, 10)),
        ("dead_letter: {d: {retention: 1d}}", ("DLX205", 3, 19)),
        ("celery: {default_queue: gone}", ("DLX206", 3, 10)),
        ("queues: {a: {dead_letter: null, bindings: [{exchange: gone}]}}", ("DLX207", 3, 45)),
        ("retry: {a: {delays: [10s, 10s], attempts: 2}}", ("DLX208", 3, 27)),
        ("retry: {a: {delays: [1m, 60s], attempts: 2}}", ("DLX208", 3, 26)),
        ("retry: {a: {delays: [10s, 5s], attempts: 2}}", ("DLX208", 3, 27)),
    ],
)
def test_a_name_that_leads_nowhere_is_an_error_where_it_stands(lines: str, place: tuple[str, int, int]) -> None:
    """Dangling ladders, DLQs, exchanges and default queues are found before any broker is asked."""
    assert problems(HEAD + lines) == [place]


def test_a_dangling_name_is_told_with_its_remedy() -> None:
    """The message names the place, the queue, what would happen, and the name that was likely meant."""
    text = HEAD + "dead_letter: {dead_letter: }\nqueues:\n  orders: {dead_letter: dead_leter}\n"
    assert message(text) == (
        'topology.yaml:5:12: DLX203 queue "orders" dead-letters to "dead_leter", which is not declared; its failures '
        'would vanish. Did you mean "dead_letter"?'
    )


def test_predeclared_exchanges_need_no_entry() -> None:
    """RabbitMQ always has amq.topic."""
    load(HEAD + "queues: {a: {dead_letter: null, bindings: [{exchange: amq.topic, routing_key: '#'}]}}")


def test_no_problem_can_steer_a_terminal() -> None:
    """Control characters and direction overrides of the file are shown as escapes."""
    text = message(HEAD + '"\\e[31mred\\u202e": 1\n')
    assert text.isprintable()
    assert "\\x1b[31mred\\u202e" in text


def test_the_layout_knows_where_everything_stands() -> None:
    """Every path of the file has its place, also below a null and a list."""
    layout = load(HEAD + "dead_letter:\n  d:\nqueues:\n  a:\n    dead_letter: d\n    tasks: [x, y]\n")
    assert layout.place("queues", "a", "tasks", 1) == Place(8, 16)
    assert layout.place("queues", "a", "retry") == Place(6, 3)
    assert layout.source == "topology.yaml"


WIDE = {
    "unknown-keys": "\n".join(f"key{i}: 1" for i in range(19_000)),
    "unknown-settings": "queues:\n" + "\n".join(f"  q{i}: {{dead_leter: x, k: 1}}" for i in range(6_000)),
    "wrong-types": "queues:\n" + "\n".join(f"  q{i}: {{priority: x}}" for i in range(9_000)),
    "dangling": "retry:\n" + "\n".join(f"  ladder{i}: {{delays: [1s], attempts: 1}}" for i in range(1_000))
    + "\nqueues:\n" + "\n".join(f"  q{i}: {{retry: lader{i}}}" for i in range(4_000)),
    "duplicates": "\n".join("a: 1" for _ in range(19_000)),
    "variables": "a: [" + "${NONE}, " * 19_000 + "]",
}  # fmt: skip


@pytest.mark.parametrize("name", WIDE)
def test_thousands_of_problems_are_answered_within_two_seconds(name: str) -> None:
    """The first hundred of a kind are reported; suggestions for all of them would take minutes."""
    began = time.process_time()
    assert problems(HEAD + WIDE[name])
    assert time.process_time() - began < 2.0
