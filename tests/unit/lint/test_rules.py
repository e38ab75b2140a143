"""Every lint rule: what breaks it, where, and what does not."""

import pytest

from dlxctl import lint
from dlxctl.model.diagnostics import Severity
from dlxctl.render.diagnostics import ALL_RULES
from dlxctl.spec import load, rules
from dlxctl.spec.expand import expand

HEAD = "version: 1\ntopology: shop\n"
BASE = """
retry: {std: {delays: [10s, 1m], attempts: 2}}
dead_letter: {dead: {retention: 1d, parking: parked}}
defaults: {retry: std, dead_letter: dead}
"""
SOUND = BASE + "queues: {a: {delivery_limit: 5}}\n"
NATIVE = """
retry: {std: {backend: native, delays: [10s, 1m], attempts: 6}}
dead_letter: {dead: {retention: 1d, parking: parked}}
defaults: {retry: std, dead_letter: dead}
"""


def found(text: str) -> list[tuple[str, int, int]]:
    layout = load(HEAD + text.lstrip("\n"))
    return [(d.code, d.place.line, d.place.column) for d in lint.run(layout, expand(layout))]


def queue(settings: str, name: str = "a") -> str:
    """A file with one work queue, whose `{` is in column 13 of line 6."""
    return BASE + f"queues: {{ {name}: {{{settings}}} }}\n"


def test_a_sound_file_has_no_findings() -> None:
    """Nothing is said about a file with which nothing is wrong."""
    assert found(SOUND) == []
    assert found(NATIVE + "queues: {a: }") == []
    assert found(NATIVE.replace("10s, 1m", "1m") + "queues: {a: }") == []


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        (queue("delivery_limit: 5", "dead"), "DLX301", 6, 11),
        (queue("delivery_limit: 5", "parked"), "DLX301", 6, 11),
        (queue("delivery_limit: 5", "retry.10s"), "DLX301", 6, 11),
        (SOUND + "naming: {retry: 'dlxctl.lock.shop{delay}'}", "DLX303", 7, 10),
        (SOUND + "exchanges: {dlx: {type: direct}}", "DLX302", 7, 13),
        (SOUND + "exchanges: {dlx.unrouted: {type: fanout}}", "DLX302", 7, 13),
        (SOUND + "exchanges: {retry.1m: {type: fanout}}", "DLX302", 7, 13),
        (SOUND + "exchanges: {dlxctl.shop: {type: headers}}", "DLX302", 7, 13),
        (queue("delivery_limit: 5", "dlxctl.x"), "DLX303", 6, 11),
        (queue("delivery_limit: 5", "celery_delayed_27"), "DLX303", 6, 11),
        (queue("delivery_limit: 5", "celeryev.abc"), "DLX303", 6, 11),
        (queue("delivery_limit: 5", "host.celery.pidbox"), "DLX303", 6, 11),
        (queue("delivery_limit: 5, priority: 3"), "DLX310", 6, 34),
        (queue("delivery_limit: 5, type: classic"), "DLX310", 6, 15),
        (queue("delivery_limit: 5, overflow: reject-publish-dlx"), "DLX310", 6, 34),
        ("settings: arguments" + queue("type: classic, consumer_timeout: 2h"), "DLX310", 7, 30),
        (queue("delivery_limit: 5, overflow: drop-head"), "DLX311", 6, 34),
        (queue(""), "DLX312", 6, 11),
        (queue("delivery_limit: 5, retry: null, dead_letter: null"), "DLX313", 6, 47),
        (queue("delivery_limit: 5, consumer_timeout: 59s"), "DLX314", 6, 34),
        (queue("delivery_limit: 5, dead_letter: null"), "DLX315", 6, 34),
        (queue("delivery_limit: 5, arguments: {x-delivery-limt: 3}"), "DLX320", 6, 46),
        (queue("delivery_limit: 5, arguments: {strange: 3}"), "DLX320", 6, 46),
        (queue("type: classic, arguments: {x-quorum-initial-group-size: 3}"), "DLX321", 6, 42),
        (queue("delivery_limit: 5, arguments: {x-queue-mode: lazy}"), "DLX321", 6, 46),
        (queue("delivery_limit: 5, arguments: {x-message-ttl: soon}"), "DLX322", 6, 46),
        (queue("delivery_limit: 5, arguments: {x-message-ttl: true}"), "DLX322", 6, 46),
        (queue("delivery_limit: 5, arguments: {x-message-ttl: 315360000001}"), "DLX322", 6, 46),
        (queue("arguments: {x-delivery-limit: -1}"), "DLX322", 6, 27),
        (queue("delivery_limit: 5, arguments: {x-overflow: drop}"), "DLX322", 6, 46),
        (queue("delivery_limit: 5, arguments: {x-delivery-limit: 9}"), "DLX323", 6, 46),
        (queue("delivery_limit: 5, arguments: {x-dead-letter-exchange: dlx}"), "DLX323", 6, 46),
        (queue("delivery_limit: 5, arguments: {x-queue-type: classic}"), "DLX323", 6, 46),
        (queue("delivery_limit: 5, arguments: {x-max-length: 9}"), "DLX324", 6, 46),
        (queue("delivery_limit: 5, arguments: {x-message-ttl: 9}"), "DLX324", 6, 46),
        (queue("delivery_limit: 5, arguments: {x-expires: 60000}"), "DLX325", 6, 46),
        (queue("delivery_limit: 5", "z").replace("attempts: 2", "attempts: 1"), "DLX334", 3, 34),
        (SOUND.replace("10s, 1m", "99ms, 1m"), "DLX335", 3, 24),
        (SOUND + "exchanges: {e: {type: topic, arguments: {alternate-exchange: gone}}}", "DLX338", 7, 42),
        (SOUND.replace("attempts: 2}", "attempts: 2}, idle: {delays: [5s], attempts: 1}"), "DLX340", 3, 48),
        (SOUND.replace("parked}", "parked}, idle: "), "DLX341", 4, 55),
        (SOUND + "exchanges: {e: {type: topic}}", "DLX342", 7, 13),
        (BASE + "queues: {a: {delivery_limit: 5, tasks: [x]}, b: {delivery_limit: 5, tasks: [y, x]}}", "DLX343", 6, 80),
        ("queues: {}", "DLX344", 3, 1),
        (NATIVE + "queues: {a: {type: classic}}", "DLX350", 6, 14),
        (NATIVE + "queues: {a: {delivery_limit: 5}}", "DLX351", 6, 14),
        (NATIVE + "queues: {a: {arguments: {x-delivery-limit: 9}}}", "DLX351", 6, 26),
        (NATIVE.replace("10s, 1m", "10s, 30s, 1m") + "queues: {a: }", "DLX352", 3, 51),
        (NATIVE.replace("attempts: 6", "attempts: 5") + "queues: {a: }", "DLX353", 3, 46),
    ],
)  # fmt: skip
def test_a_broken_rule_is_found_where_it_is_broken(text: str, code: str, line: int, column: int) -> None:
    """Each rule reports its code at the key that breaks it."""
    assert (code, line, column) in found(text)


HAND_MADE = "retry: null, dead_letter: null, delivery_limit: 5, arguments: {x-dead-letter-exchange: %s}"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("gone", "DLX330"), ("'', x-dead-letter-routing-key: gone", "DLX330"),
        ("retry.10s", "DLX331"), ("'', x-dead-letter-routing-key: retry.1m", "DLX331"), ("''", "DLX331"),
        ("'', x-dead-letter-routing-key: a", "DLX331"), ("'', x-dead-letter-routing-key: small", "DLX332"),
        ("dlx, x-dead-letter-strategy: at-least-once", "DLX337"),
    ],
)  # fmt: skip
def test_a_hand_made_dead_letter_road_is_followed(arguments: str, code: str) -> None:
    """`x-dead-letter-exchange` in `arguments` must lead somewhere that keeps what arrives."""
    text = BASE + "queues:\n  small: {delivery_limit: 20}\n  a: {" + HAND_MADE % arguments + "}\n"
    assert code in [each for each, _, _ in found(text)]


@pytest.mark.parametrize(
    "arguments", ["dlx, x-dead-letter-routing-key: dead", "amq.topic", "'', x-dead-letter-routing-key: dead"]
)
def test_a_hand_made_road_that_arrives_is_only_warned_of(arguments: str) -> None:
    """It can never be changed in place, and that is all."""
    text = BASE + "queues:\n  b: {delivery_limit: 20}\n  a: {" + HAND_MADE % arguments + "}\n"
    assert {code for code, _, _ in found(text)} == {"DLX324"}


@pytest.mark.parametrize("name", ["x-dead-letter-routing-key: dead", "x-dead-letter-strategy: at-most-once"])
def test_dead_letter_arguments_need_their_exchange(name: str) -> None:
    """Alone the routing key is refused (406) and the strategy ignored."""
    text = queue(f"retry: null, dead_letter: null, delivery_limit: 5, arguments: {{{name}}}")
    assert ("DLX336", 6, 78) in found(text)


def test_two_dead_letter_queues_may_share_a_parking_queue() -> None:
    """The last stop is nobody's alone."""
    text = SOUND.replace("parked}}", "parked}, more: {retention: 1d, parking: parked}}")
    assert {code for code, _, _ in found(text)} == {"DLX341"}


def test_arguments_mode_does_not_warn_of_arguments() -> None:
    """Where everything is an argument, one more is nothing special."""
    assert found("settings: arguments" + queue("delivery_limit: 5, arguments: {x-message-ttl: 9}")) == []


def test_a_queue_that_was_never_given_a_dead_letter_queue_is_told_once() -> None:
    """DLX204 says it; the warnings about an explicit null stay silent."""
    from dlxctl.spec import parse

    layout, problems = parse(HEAD + "queues: {a: {delivery_limit: 5}}")
    assert [problem.code for problem in problems] == ["DLX204"]
    assert lint.run(layout, expand(layout)) == ()


def test_codes_are_unique_and_in_their_range() -> None:
    """DLX1xx and DLX2xx are the spec's, DLX3xx lint's, and no code means two things."""
    codes = [rule.code for rule in ALL_RULES]
    assert len(set(codes)) == len(codes)
    assert all(rule.code[:4] in ("DLX1", "DLX2") for rule in rules.RULES)
    assert all(rule.code.startswith("DLX3") for rule in lint.RULES)
    assert {rule.severity for rule in rules.RULES} == {Severity.ERROR}


def test_every_rule_of_lint_is_tested_here() -> None:
    """A rule without a case in this file could stop working unseen."""
    from pathlib import Path

    text = Path(__file__).read_text(encoding="utf-8")
    assert [rule.code for rule in lint.RULES if f'"{rule.code}"' not in text] == []
