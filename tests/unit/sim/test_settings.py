"""What is found by names in patterns is what trying every policy finds; queues that differ by name only share it."""

from hypothesis import given
from hypothesis import strategies as st

from dlxctl.model.effective import Matching, applies
from dlxctl.model.patterns import pattern
from dlxctl.model.topology import Policy, Queue, QueueType, Topology
from dlxctl.sim.settings import settings_in, settings_of
from dlxctl.sim.versions import RELEASES, Release

NAMES = st.sampled_from(["a", "b", "ab", "a.b", "a\n", "a|b", "é", ""])
PATTERNS = st.one_of(
    st.lists(NAMES, min_size=1, max_size=4).map(pattern),
    st.sampled_from(["a", "^a$", "b$", ".", "(", "^(a|b)$", "^(a.b)$"]),
)
SCOPES = st.sampled_from(["all", "queues", "classic_queues", "quorum_queues", "exchanges"])
DEFINITIONS = st.sampled_from([{"max-length": 1}, {"max-length": 2, "overflow": "reject-publish"}, {"message-ttl": 5}])
POLICIES = st.lists(
    st.tuples(PATTERNS, SCOPES, DEFINITIONS, st.integers(0, 2)), max_size=6
).map(lambda some: [
    Policy(name=f"p{n}", pattern=text, apply_to=scope, definition=definition, priority=priority)
    for n, (text, scope, definition, priority) in enumerate(some)
])  # fmt: skip
QUEUES = st.builds(
    lambda name, type_, limit: Queue(name=name, type=type_, arguments={} if limit is None else {"x-max-length": limit}),
    NAMES, st.sampled_from([QueueType.CLASSIC, QueueType.QUORUM]), st.sampled_from([None, 1, 9]),
)  # fmt: skip


@given(POLICIES, QUEUES)
def test_no_policy_is_missed_and_none_is_added(policies: list[Policy], queue: Queue) -> None:
    """Whoever wrote the pattern, and for a name with a line feed at its end, before which `$` matches too."""
    found = sorted(policy.name for policy in Matching(policies).applying(queue))
    assert found == [policy.name for policy in policies if applies(policy, queue)]


@given(POLICIES, st.lists(QUEUES, max_size=8), POLICIES, st.sampled_from(RELEASES))
def test_neighbours_change_nothing(
    policies: list[Policy], queues: list[Queue], operators: list[Policy], release: Release
) -> None:
    """A queue has the settings that it has when it is alone."""
    many = Topology.of("/", *policies, *queues, operator_policies=tuple(operators))
    assert set(settings_in(many, release)) == {queue.name for queue in queues}
    for queue in many.queues.values():
        alone = Topology.of("/", *policies, queue, operator_policies=tuple(operators))
        assert settings_of(many, queue, release) == settings_of(alone, queue, release)
