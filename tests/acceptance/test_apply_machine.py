"""Random edits of the file, changes by hand, messages; apply, prune and migrate on a real RabbitMQ (Hypothesis).

After each apply the plan is empty, nothing of others was touched, and every message is where it was; at the end of each
example all messages are compared by body. One vhost for all examples. 200 examples on the last of the asked versions,
60 on the others; `DLXCTL_FAULTS=full` runs 1,000 on each.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from dlxctl import spec
from dlxctl.broker.address import Access
from dlxctl.errors import ExitCode, RefusedForSafety
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Binding, Queue, QueueType
from dlxctl.ops.apply import Watch
from dlxctl.ops.plan import make_plan
from dlxctl.plan.value import Intent, Plan
from dlxctl.spec.expand import expand
from tests.acceptance.machine_stage import OWNER, Stage, owned, untouched
from tests.brokers import RunningBroker, asked_versions, obtain
from tests.faults.conftest import FULL

STEPS = 6
BARE = """\
version: 1
topology: m
retry: {m: {delays: [1h], attempts: 2}}
dead_letter: {m.dead: }
defaults: {retry: m, dead_letter: m.dead}
exchanges: {m.x: {type: topic}}
"""
WORK = ("a", "b", "c")
KINDS = ("type: classic", "type: quorum", "type: classic, priority: 4")
FILES = st.dictionaries(
    st.sampled_from(WORK),
    st.fixed_dictionaries(
        {"kind": st.sampled_from(KINDS)},
        optional={"max_length": st.sampled_from([500, 900]), "key": st.sampled_from(["one", "two"])},
    ),
)
ROADS = (
    *(("", name) for name in (*WORK, "m.dead")),
    ("m.x", "one"), ("m.x", "two"), ("m.x", "by hand"), ("their.events", "by hand"), ("retry.1h", "a"),
)  # fmt: skip
BY_HAND = (
    *(Queue(name=name, type=kind) for name in WORK for kind in (QueueType.CLASSIC, QueueType.QUORUM)),
    Queue(name="m.dead"),
    Queue(name="retry.1h", type=QueueType.QUORUM, arguments={"x-message-ttl": 7_200_000}),
)
TIES = (
    Binding(source="m.x", destination="theirs", routing_key="by hand"),
    *(Binding(source="their.events", destination=name, routing_key="by hand") for name in WORK),
)


def layout_of(queues: Mapping[str, Mapping[str, Any]], vhost: str) -> Layout:
    """The file with those work queues."""
    lines = [f"{BARE}queues:\n"]
    for name, said in queues.items():
        bound = f", bindings: [{{exchange: m.x, routing_key: {said['key']}}}]" if "key" in said else ""
        limit = f", max_length: {said['max_length']}" if "max_length" in said else ""
        lines.append(f"  {name}: {{{said['kind']}{limit}{bound}}}\n")
    return replace(spec.load("".join(lines)), vhost=vhost)


class Reviewer(Watch):
    """Keeps what was planned."""

    plan: Plan

    def planned(self, plan: Plan) -> None:
        self.plan = plan


class Machine(RuleBasedStateMachine):
    """What is on the broker, and what should be. `stage` is set by `machine_for`."""

    stage: Stage

    @initialize(queues=FILES)
    def begin(self, queues: dict[str, Any]) -> None:
        """From what the last example left, with any drift in its policies and bindings."""
        self.deploy(queues, Intent.PRUNE, migrating=True)

    @rule(queues=st.none() | FILES, intent=st.sampled_from([Intent.KEEP, Intent.PRUNE]), migrating=st.booleans())
    def deploy(self, queues: dict[str, Any] | None, intent: Intent, migrating: bool) -> None:
        """Apply the file as it was, or a new one."""
        stage, reviewer = self.stage, Reviewer()
        if queues is not None:
            self.queues, self.wanted = queues, layout_of(queues, stage.reach.vhost)
        before = stage.admin.known()
        desired = expand(self.wanted, version=stage.admin.server().version)
        doomed = owned(before) - {name for _, name in desired.queues} if intent is Intent.PRUNE else set()
        refusing = stage.waiting(doomed)
        try:
            report = stage.apply(self.wanted, intent, reviewer, migrating=migrating)
        except RefusedForSafety:
            assert refusing or (reviewer.plan.blocked and not migrating)
            assert stage.admin.read() == before
        else:
            assert not refusing
            assert migrating or not reviewer.plan.blocked
            assert report.exit_code is ExitCode.OK, report.error
            assert make_plan(stage.admin, self.wanted, intent).clean
            assert not doomed & {name for _, name in stage.admin.latest.queues}
        assert untouched(before, stage.admin.latest, desired)
        self.hold()

    @rule(which=st.integers(0, 2), kind=st.sampled_from(KINDS))
    def remake(self, which: int, kind: str) -> None:
        """Change the type of one queue of the file, or its priorities."""
        names = sorted(self.queues)
        name = names[which % len(names)] if names else "a"
        self.deploy({**self.queues, name: {**self.queues.get(name, {}), "kind": kind}}, Intent.KEEP, migrating=True)

    @rule(road=st.sampled_from(ROADS))
    def publish(self, road: tuple[str, str]) -> None:
        self.stage.publish(*road)

    @rule(which=st.integers(0, 5), how=st.sampled_from(["change", "delete"]))
    def tamper_with_a_policy(self, which: int, how: str) -> None:
        stage = self.stage
        ours = [policy for policy in stage.admin.known().policies.values() if policy.name.startswith(f"{OWNER}.")]
        if ours:
            policy = ours[which % len(ours)]
            if how == "delete":
                stage.taken_away(policy)
            else:
                stage.by_hand(replace(policy, definition={"max-length": 800}))

    @rule(which=st.integers(0, 9))
    def take_a_binding_away(self, which: int) -> None:
        known = self.stage.admin.known()
        ours = [binding for binding in known.bindings.values() if binding.source in (OWNER, "m.x", "dlx")]
        if ours:
            self.stage.taken_away(ours[which % len(ours)])

    @rule(tie=st.sampled_from(TIES))
    def bind_by_hand(self, tie: Binding) -> None:
        """Between something of others and something of ours."""
        known = self.stage.admin.known()
        if known.queue(tie.destination) and known.exchange(tie.source):
            self.stage.by_hand(tie)

    @rule(queue=st.sampled_from(BY_HAND))
    def declare_by_hand(self, queue: Queue) -> None:
        """In the place of an empty queue, or of none: another type, another delay."""
        if not self.stage.waiting([queue.name]):
            self.stage.taken_away(queue)
            self.stage.by_hand(queue)

    def hold(self) -> None:
        """Every message is where it was, by number."""
        assert self.stage.ready() == {name: bodies.total() for name, bodies in self.stage.ledger.items()}

    def teardown(self) -> None:
        """Every message is where it was, by body."""
        try:
            assert self.stage.drained() == self.stage.ledger
        finally:
            self.stage.clear()


@pytest.mark.timeout(7_200)
def test_random_edits_and_changes_by_hand_end_in_an_empty_plan(reach: Access, broker: RunningBroker) -> None:
    """Refused when messages or foreign objects would go or settings cannot change in place, else clean; nothing of
    others is touched, nothing is lost."""
    examples = 1_000 if FULL else 200 if broker is obtain(asked_versions()[-1]) else 60
    stage = Stage(reach)
    options = settings(
        max_examples=examples, stateful_step_count=STEPS, deadline=None, derandomize=not FULL, database=None,
        suppress_health_check=list(HealthCheck), print_blob=True,
    )  # fmt: skip
    try:
        run_state_machine_as_test(type("Played", (Machine,), {"stage": stage}), settings=options)
    finally:
        stage.close()
