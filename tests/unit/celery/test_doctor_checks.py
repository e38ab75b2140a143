"""What doctor finds in an app's queues and settings, each check on the smallest app that breaks it, and on its mend."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlxctl import spec
from dlxctl.celery.doctor.examination import examine
from dlxctl.celery.doctor.outcomes import END_MEANINGS, MEANINGS
from dlxctl.celery.doctor.rest import rest_of
from dlxctl.celery.doctor.rules import RULES, Finding
from dlxctl.celery.doctor.scene import Scene
from dlxctl.celery.doctor.values import AppFacts, AppQueue, Hook, TaskFacts
from dlxctl.celery.road import road_of
from dlxctl.model.topology import Binding, Exchange, Policy, Queue, Topology
from dlxctl.spec.expand import expand

FILE = """
version: 1
topology: shop
retry: {standard: {delays: [1s, 2s], attempts: 3}}
dead_letter: {dead_letter: {parking: parked, retention: 1d}}
queues: {work: {delivery_limit: 5, consumer_timeout: 2h}, other: {type: classic}}
defaults: {retry: standard, dead_letter: dead_letter}
celery: {default_queue: work}
"""
LAYOUT = spec.load(FILE)
BROKER = expand(LAYOUT, version=(4, 3))
WORK = AppQueue(name="work", arguments={"x-queue-type": "quorum"}, declares=False)
OTHER = AppQueue(name="other", arguments={"x-queue-type": "classic"}, declares=False)
TASK = TaskFacts(
    name="t", queue="work", acks_late=True, acks_on_failure=False, acks_on_timeout=False,
    hooks=frozenset({Hook.RETRY, Hook.REQUEST}),
)  # fmt: skip
APP = AppFacts(
    name="app", celery=(5, 7, 0), tasks=(TASK,), queues=(WORK, OTHER), default_queue="work", creates_missing=False,
    confirms=True, delays=False, hooks=frozenset({Hook.CONSUMER}),
    roads={name: road_of(LAYOUT, queue).as_data() for name, queue in LAYOUT.work_queues.items()},
)  # fmt: skip


def findings(
    app: AppFacts = APP, observed: Topology | None = BROKER, version: tuple[int, ...] = (4, 3, 6), *, file: bool = True
) -> list[Finding]:
    layout, desired = (LAYOUT, BROKER) if file else (None, None)
    scene = Scene(app=app, layout=layout, desired=desired, observed=observed, version=version)
    return list(examine(scene).findings)


def codes(*arguments: Any, **options: Any) -> set[str]:
    return {finding.code for finding in findings(*arguments, **options)}


def app(**changes: Any) -> AppFacts:
    return replace(APP, **changes)


def task(**changes: Any) -> AppFacts:
    return app(tasks=(replace(TASK, **changes),))


def broker(*objects: Any, without: tuple[str, ...] = ()) -> Topology:
    """The broker as the file wants it, with `objects` besides or instead, and without the named ones."""
    kept = [*BROKER.exchanges.values(), *BROKER.queues.values(), *BROKER.bindings.values(), *BROKER.policies.values()]
    named = [thing for thing in kept if getattr(thing, "name", None) not in without]
    return Topology.of(BROKER.vhost, *named, *objects)


def test_what_the_file_makes_has_no_findings() -> None:
    """An app with dlxctl's hooks on the queues that apply made is clean, with and without the file, and offline."""
    assert findings() == []
    assert findings(file=False) == []
    assert findings(observed=None) == []


QUORUM_DECLARED = {"x-queue-type": "quorum", "x-delivery-limit": 3}
BROKEN: Mapping[str, tuple[Any, ...]] = {
    "DLX905": (app(), replace(BROKER, policies={}), (3, 10, 8)),
    "DLX910": (app(), broker(without=("dlx",))),
    "DLX911": (app(queues=(replace(WORK, declares=True, arguments=QUORUM_DECLARED), OTHER)),),
    "DLX912": (app(), broker(without=("other",))),
    "DLX913": (app(queues=(WORK, OTHER, AppQueue(name="made_up", listed=False))),),
    "DLX914": (app(queues=(replace(WORK, arguments={}), OTHER)),),
    "DLX915": (
        app(queues=(WORK, OTHER, AppQueue(name="retry.1s", arguments={"x-queue-type": "quorum"}, declares=False))),
    ),
    "DLX916": (app(default_queue="celery"),),
    "DLX917": (task(queue=None, trouble="Queue 'x' missing from task_queues"),),
    "DLX918": (app(confirms=False),),
    "DLX920": (task(time_limit=7200),),
    "DLX921": (app(tasks=(replace(TASK, time_limit=5),), pool="threads"),),
    "DLX922": (app(celery=(5, 6, 2), exclusive_control=False),),
    "DLX923": (app(queues=(replace(WORK, exchange="events", exchange_type="topic"), OTHER)),),
    "DLX924": (app(roads={}),),
    "DLX926": (app(roads=None),),
    "DLX925": (app(vhost="elsewhere"),),
}


@pytest.mark.parametrize("code", BROKEN)
def test_each_check_finds_what_it_is_for(code: str) -> None:
    """The smallest change that breaks it brings its code, with cause and remedy."""
    arguments = BROKEN[code]
    hit = [finding for finding in findings(*arguments) if finding.code == code]
    assert hit, codes(*arguments)
    assert all(finding.about and finding.cause and finding.remedy for finding in hit)


def test_every_rule_but_those_of_fates_and_probes_is_tested_here() -> None:
    """A new rule needs a line in the table above."""
    elsewhere = {"DLX901", "DLX902", "DLX903", "DLX904", "DLX930"}
    assert {rule.code for rule in RULES} - elsewhere == set(BROKEN)
    assert len({rule.code for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(
    ("arguments", "setting"),
    [
        ({"x-queue-type": "classic"}, "x-queue-type"),
        ({}, "x-queue-type"),
        (QUORUM_DECLARED, "x-delivery-limit"),
        ({"x-queue-type": "quorum", "x-message-ttl": 1000.0}, "x-message-ttl"),
    ],
)
def test_each_argument_that_the_broker_compares_is_compared(arguments: dict[str, Any], setting: str) -> None:
    """The finding names the argument, and both values."""
    declared = app(queues=(replace(WORK, declares=True, arguments=arguments), OTHER))
    causes = [finding.cause for finding in findings(declared) if finding.code == "DLX911"]
    assert any(setting in cause for cause in causes), causes


def test_arguments_that_the_broker_does_not_compare_are_no_difference() -> None:
    """Unknown arguments are stored and never compared; equal declarations are accepted."""
    same = {"x-queue-type": "quorum", "x-of-my-own": 1}
    assert codes(app(queues=(replace(WORK, declares=True, arguments=same), OTHER))) == set()


def test_a_queue_of_no_use_offline_is_not_called_missing() -> None:
    """Without a broker and without a file nobody knows which queues there are."""
    assert findings(task(queue="work"), None, file=False) == []


@pytest.mark.parametrize(("version", "expected"), [((3, 10, 8), set()), ((4, 0, 5), {"DLX920"}), ((4, 3, 6), set())])
def test_consumer_timeouts_are_those_of_the_version(version: tuple[int, ...], expected: set[str]) -> None:
    """A classic queue times out on 4.0 and not on 4.3; on 3.10 no queue has a timeout of its own to be set."""
    assert codes(task(queue="other", time_limit=3600), version=version) == expected


def test_a_queue_whose_failures_the_file_drops_is_no_finding() -> None:
    """`dead_letter: null` is a decision; without the file it looks like a mistake."""
    layout = spec.load(FILE.replace("other: {type: classic}", "other: {type: classic, dead_letter: null, retry: null}"))
    observed = expand(layout, version=(4, 3))
    roads = {name: road_of(layout, queue).as_data() for name, queue in layout.work_queues.items()}
    there = replace(task(queue="other"), roads=roads)
    found = examine(Scene(app=there, layout=layout, desired=observed, observed=observed, version=(4, 3)))
    assert found.findings == ()
    assert any("no dead_letter" in remark for remark in found.remarks)
    blind = examine(Scene(app=there, observed=observed, version=(4, 3)))
    assert {"DLX901", "DLX910"} <= {finding.code for finding in blind.findings}


def test_a_retry_of_celery_is_held_by_a_worker() -> None:
    """Without RetryTask the delay of a retry counts against the timeout; with it a tier holds the message."""
    slow = task(retry_delay=9000)
    assert "DLX920" not in codes(slow)
    assert "DLX920" in codes(task(retry_delay=9000, hooks=frozenset()))


def test_a_queue_that_the_worker_side_does_not_know_is_found() -> None:
    """dlxctl's consumer refuses to consume it; Celery's own would not know the difference."""
    unknown = {"roads": {"work": APP.roads["work"]} if APP.roads else {}}
    assert "DLX926" in codes(app(**unknown))
    assert "DLX926" not in codes(app(**unknown, hooks=frozenset()))


def test_of_an_app_on_another_kind_of_broker_only_that_is_said() -> None:
    """What RabbitMQ would do with its queues is of no interest."""
    assert codes(app(transport="redis", confirms=False)) == {"DLX925"}


def test_native_delay_needs_its_exchange_only_for_exchanges_that_are_not_direct() -> None:
    """A worker that has declared it makes the finding go."""
    topic = app(queues=(replace(WORK, exchange="events", exchange_type="topic"), OTHER))
    assert "DLX923" not in codes(topic, broker(Exchange(name="celery_delayed_27", type="topic")))


def dead_letters(*objects: Any, key: str | None = "k", kind: str = "direct") -> tuple[str, ...]:
    """Where the rejected messages of queue `q` come to rest, with `objects` on the broker."""
    arguments = {"x-dead-letter-exchange": "x"} | ({} if key is None else {"x-dead-letter-routing-key": key})
    queue = Queue(name="q", arguments=arguments)
    rest = Queue(name="rest")
    topology = Topology.of("/", Exchange(name="x", type=kind), queue, rest, Queue(name="second"), *objects)
    return rest_of(topology, queue, (4, 3)).dead_letters


def bound(source: str = "x", key: str = "", to: str = "rest", *, exchange: bool = False) -> Binding:
    return Binding(source=source, destination=to, routing_key=key, to_exchange=exchange)


@pytest.mark.parametrize(
    ("kind", "key", "pattern", "reached"),
    [
        ("direct", "k", "k", True),
        ("direct", "k", "other", False),
        ("fanout", "k", "other", True),
        ("topic", "a.b.c", "a.*.c", True),
        ("topic", "a.b.c", "a.*", False),
        ("topic", "a.b.c", "#", True),
        ("topic", "a.b.c", "a.#.c", True),
        ("topic", "a.c", "a.#.c", True),
        ("topic", "a", "#.b", False),
        ("topic", "a.b.b.c", "#.b.c", True),
        ("headers", "k", "", True),
    ],
)
def test_dead_letters_follow_the_bindings(kind: str, key: str, pattern: str, reached: bool) -> None:
    """As exchanges of each type route; of headers exchanges the best is believed."""
    assert dead_letters(bound(key=pattern), key=key, kind=kind) == (("rest",) if reached else ())


def test_dead_letters_pass_exchanges_and_alternates_and_end_in_a_circle() -> None:
    """Bindings between exchanges are followed, each once; what nothing takes goes to the alternate exchange."""
    ring = (bound(to="y", key="k", exchange=True), bound(source="y", to="x", exchange=True))
    y = Exchange(name="y", type="fanout")
    assert dead_letters(*ring, y) == ()
    assert dead_letters(*ring, y, bound(source="y")) == ("rest",)
    alternate = Exchange(name="x", type="direct", arguments={"alternate-exchange": "y"})
    assert dead_letters(y, bound(source="y"), alternate) == ("rest",)
    assert dead_letters(y, bound(source="y"), alternate, bound(key="k", to="second")) == ("second",)


def ttl_queue(**arguments: Any) -> Queue:
    """A queue that gives messages back after a second, to the default exchange unless told otherwise."""
    return Queue(name="rest", arguments={"x-message-ttl": 1000, "x-dead-letter-exchange": "", **arguments})


@pytest.mark.parametrize(
    ("waiting", "back"),
    [
        (ttl_queue(**{"x-dead-letter-routing-key": "q"}), "rest"),
        (ttl_queue(**{"x-dead-letter-routing-key": "second"}), ""),
        (ttl_queue(**{"x-dead-letter-exchange": "x", "x-dead-letter-routing-key": "again"}), "rest"),
        (Queue(name="rest", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"}), ""),
    ],
    ids=["back", "parking", "by exchange", "no ttl"],
)
def test_what_comes_back_from_its_dead_letter_queue_is_no_dead_letter(waiting: Queue, back: str) -> None:
    """The retry by TTL that many blogs show goes round for ever; a queue that parks elsewhere does not."""
    queue = Queue(name="q", arguments={"x-dead-letter-exchange": "x", "x-dead-letter-routing-key": "k"})
    bindings = (bound(key="k"), bound(key="again", to="q"))
    topology = Topology.of("/", Exchange(name="x"), queue, waiting, Queue(name="second"), *bindings)
    assert rest_of(topology, queue, (4, 3)).back_by == back


def test_a_worker_that_consumes_the_dlq_of_its_other_queues_eats_it() -> None:
    """Also where no file says which queues hold dead letters."""
    both = app(queues=(WORK, OTHER, AppQueue(name="dead_letter", arguments={"x-queue-type": "quorum"}, declares=False)))
    assert "DLX915" in codes(both, file=False)


def test_a_policy_is_a_road_as_an_argument_is() -> None:
    """The DLX counts wherever it is set; by name through the default exchange too."""
    policy = Policy(name="p", pattern="^q$", definition={"dead-letter-exchange": "", "dead-letter-routing-key": "rest"})
    topology = Topology.of("/", Queue(name="q"), Queue(name="rest"), policy)
    assert rest_of(topology, topology.queues["queue", "q"], (4, 3)).dead_letters == ("rest",)
    without = Topology.of("/", Queue(name="q"), policy)
    assert "does not exist" in rest_of(without, without.queues["queue", "q"], (4, 3)).trouble


def test_values_survive_json() -> None:
    """What the child process says of an app is what doctor reads."""
    assert AppFacts.from_data(json.loads(json.dumps(APP.as_data()))) == APP


def test_the_page_explains_every_code_and_every_outcome() -> None:
    """docs/doctor.md has the tables of the code."""
    page = (Path(__file__).parent.parent.parent.parent / "docs/doctor.md").read_text()
    for rule in RULES:
        assert f"| {rule.code} | {rule.title} | {rule.explanation} |" in page
    for outcome, meaning in MEANINGS.items():
        assert f"| `{outcome}` | {meaning} |" in page
    for end, meaning in END_MEANINGS.items():
        assert f"| `{end}` | {meaning} |" in page
