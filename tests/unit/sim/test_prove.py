"""What check proves of a topology file, and what of any broker's definitions."""

import pytest

from dlxctl.model.diagnostics import Severity
from dlxctl.model.topology import Binding, Exchange, Queue, QueueType, Topology
from dlxctl.ops.prove import of_definitions, of_layout, retries_in, topology_on
from dlxctl.sim import rules
from dlxctl.sim.prove import prove
from dlxctl.sim.versions import NEWEST, RELEASES, nearest
from dlxctl.sim.walk import Ending, Event, Trip, Turn, walk
from dlxctl.spec import load

HEAD = """
version: 1
topology: shop
retry: {standard: {delays: [10s, 1m], attempts: 3}}
dead_letter: {dead: {retention: 14d, parking: parked}}
defaults: {retry: standard, dead_letter: dead}
queues:
"""
SOUND = """
  plain: {delivery_limit: 5}
  full: {max_length: 10, overflow: drop-head}
  old: {type: classic, max_length: 10}
  refusing: {type: classic, max_length: 10, overflow: reject-publish-dlx}
  never: {delivery_limit: 0}
  dropped: {retry: null, dead_letter: null}
"""


def found(text: str) -> list[tuple[str, str, int]]:
    """(code, cause, line) of all that is said of a file."""
    return [(each.code, each.cause, each.place.line) for each in of_layout(load(HEAD.lstrip("\n") + text.lstrip("\n")))]


def test_what_dlxctl_makes_of_a_file_is_proved_sound() -> None:
    """Every way to die, before and after a retry, on every release, ends in the dead-letter queue."""
    assert found(SOUND) == []
    assert of_layout(load(HEAD.replace("queues:", "settings: arguments\nqueues:") + SOUND)) == ()


def test_native_retries_are_proved_where_they_exist() -> None:
    """The broker's own delays end in the dead-letter queue too; releases without them are not asked."""
    native = HEAD.replace("attempts: 3", "attempts: 3, backend: native")
    layout = load(native + "  a: {}\n")
    assert of_layout(layout) == ()
    trip = Trip(queue="a", turns=(Turn(Event.FAIL, None),), retries=retries_in(layout, "a"), rests=frozenset({"dead"}))
    walked = walk(topology_on(layout, NEWEST), trip, NEWEST)
    assert (walked.ending, walked.at_ms) == (Ending.DEAD, 10_000 + 20_000 + 30_000)


def test_a_hand_made_road_into_a_tier_is_named_with_its_walk() -> None:
    """The queue's line, the walk, the releases, and the command that shows it."""
    text = "  a: {dead_letter: null, retry: null, arguments: {x-dead-letter-exchange: retry.10s, " \
           "x-dead-letter-routing-key: a}}\n  b: {}\n"  # fmt: skip
    (cause, line), *_ = [each[1:] for each in found(text) if each[0] == "DLX402"]
    assert line == 7
    assert cause.startswith('a message of queue "a" is expired in "a", expired in "retry.10s", and then stuck in ')
    assert cause.endswith("(RabbitMQ 3.10, 4.0, 4.3).")
    layout = load(HEAD.lstrip("\n") + text)
    remedy = next(each.remedy for each in of_layout(layout) if each.code == "DLX402")
    assert "dlxctl trace FILE a --event 'expire*' --rabbitmq 4.3" in remedy


def test_a_hand_made_road_that_ends_nowhere_gets_stuck_or_lost() -> None:
    """A routing key that nothing takes: the tier itself dead-letters at least once, and keeps the message."""
    text = "  a: {dead_letter: null, retry: null, arguments: {x-dead-letter-exchange: retry.10s, " \
           "x-dead-letter-routing-key: gone}}\n  b: {}\n"  # fmt: skip
    assert {code for code, _, _ in found(text)} == {"DLX402"}


def test_verbatim_queues_are_proved_too() -> None:
    """What was imported as it is, only as a warning; a queue that only delays is no work queue."""
    text = """  b: {delivery_limit: 5}
verbatim:
  queues:
    theirs: {type: classic, arguments: {x-dead-letter-exchange: gone}}
    later: {type: classic, arguments: {x-dead-letter-exchange: gone, x-message-ttl: 1000}}
"""
    assert [(code, line) for code, _, line in found(text)] == [("DLX407", 10)]


def test_queues_with_the_same_settings_share_a_proof() -> None:
    """One walk tells of a thousand what is wrong with each."""
    work = {f"q{number}": Queue(name=f"q{number}", type=QueueType.CLASSIC, arguments={
        "x-dead-letter-exchange": "gone", "x-dead-letter-routing-key": "gone", "x-max-length": number + 1,
    }) for number in range(1_000)}  # fmt: skip
    findings = list(prove(Topology.of("/", *work.values()), NEWEST, dict.fromkeys(work), frozenset()))
    assert {finding.subject for finding in findings} == set(work)
    assert len({id(finding.walk) for finding in findings}) == 1


def test_a_queue_on_the_way_of_others_has_its_own_proof() -> None:
    """Equal settings are not enough: dead letters of `a` come to rest in `b`, those of `b` come back."""
    road = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b"}
    queues = (Queue(name=name, type=QueueType.CLASSIC, arguments=road) for name in ("a", "b"))
    said = {each.cause.split('"')[1]: each.code for each in of_definitions(Topology.of("/", *queues))}
    assert set(said) == {"b"}


@pytest.mark.parametrize("key", ["order.created", "order.*"])
def test_the_keys_that_messages_come_by_are_tried(key: str) -> None:
    """A dead-letter exchange that takes the queue's name does not take the key of its binding."""
    work = Queue(name="work", type=QueueType.CLASSIC, arguments={"x-dead-letter-exchange": "dlx"})
    rest = Queue(name="dead", type=QueueType.CLASSIC)
    events, dlx = Exchange(name="events", type="topic"), Exchange(name="dlx")
    bindings = [Binding(source="dlx", destination="dead", routing_key="work")]
    sound = Topology.of("/", work, rest, events, dlx, *bindings)
    assert {each.code for each in of_definitions(sound)} == {"DLX405"}
    bound = Binding(source="events", destination="work", routing_key=key)
    assert [each.code for each in of_definitions(Topology.of("/", work, rest, events, dlx, *bindings, bound))] == [
        "DLX401"
    ]


def test_severities_and_codes() -> None:
    """What loses or strands a message is an error, what only can be is a warning; all are DLX4xx."""
    assert [rule.code for rule in rules.RULES if rule.severity is Severity.ERROR] == ["DLX401", "DLX402"]
    assert all(rule.code.startswith("DLX4") for rule in rules.RULES)


def test_the_nearest_release_answers_for_others() -> None:
    """4.2 follows 4.0, a later one the newest, an older one the oldest."""
    names = [nearest(version).name for version in ((3, 9, 1), (3, 13, 0), (4, 2, 1), (4, 3, 6), (5, 0, 0))]
    assert names == ["3.10", "3.10", "4.0", "4.3", "4.3"]
    assert RELEASES[-1] is NEWEST
