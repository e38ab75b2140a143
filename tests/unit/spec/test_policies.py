"""Policies: shared, exact, short enough for every broker, and steady when queues come and go."""

import re

from dlxctl.model.patterns import pattern
from dlxctl.model.topology import Policy, QueueType
from dlxctl.spec.policies import LOWEST_PRIORITY, PATTERN_BYTES, PRIORITIES, Tunable, policies


def tunables(names: list[str], limit: int = 1, type_: QueueType = QueueType.QUORUM) -> list[Tunable]:
    return [Tunable(queue=name, type=type_, definition={"max-length": limit}) for name in names]


def made(*groups: list[Tunable]) -> list[Policy]:
    return list(policies("shop", [tunable for group in groups for tunable in group]))


def test_queues_with_equal_settings_share_a_policy() -> None:
    """One policy a definition, its names in order."""
    (policy,) = made(tunables(["b", "a"]))
    assert (policy.pattern, policy.apply_to, policy.definition) == ("^(a|b)$", "queues", {"max-length": 1})
    assert re.fullmatch(r"dlxctl\.shop\.[0-9a-f]{12}", policy.name)


def test_a_policy_never_mixes_types() -> None:
    """Equal settings of a classic and a quorum queue are two policies."""
    assert len(made(tunables(["a"]), tunables(["b"], type_=QueueType.CLASSIC))) == 2


def test_a_new_queue_changes_the_pattern_only() -> None:
    """Name, priority and definition come from the settings."""
    (before,), (after,) = made(tunables(["a"])), made(tunables(["a", "b"]))
    assert (before.name, before.priority, before.definition) == (after.name, after.priority, after.definition)
    assert before.pattern != after.pattern


def test_nothing_to_set_makes_no_policy() -> None:
    """An empty definition would shadow the policies of others for nothing."""
    assert list(policies("shop", [Tunable(queue="a", type=QueueType.QUORUM, definition={})])) == []


def test_priorities_are_unique_and_in_range() -> None:
    """Ties resolve differently on 4.0 and 4.3, so there are none, even with thousands of policies."""
    priorities = [policy.priority for policy in made(*(tunables([f"q{i}"], limit=i) for i in range(3_000)))]
    assert len(set(priorities)) == 3_000
    assert min(priorities) >= LOWEST_PRIORITY
    assert max(priorities) < LOWEST_PRIORITY + PRIORITIES


def test_long_patterns_are_shared_out() -> None:
    """No pattern is longer than RabbitMQ 4.3 takes, every name is in exactly one, and all have the definition."""
    names = [f"a.rather.long.queue.name.{i}" for i in range(500)] + ["(" * 255, ")" * 255, "é" * 127]
    parts = made(tunables(names))
    assert all(len(policy.pattern.encode()) <= PATTERN_BYTES for policy in parts)
    assert len({policy.name for policy in parts}) == len(parts) > 1
    for name in names:
        assert sum(bool(re.search(policy.pattern, name)) for policy in parts) == 1


def test_a_name_never_moves_to_a_policy_that_existed() -> None:
    """When names are added a part is halved into new parts, so create, update, delete is safe."""
    names = [f"a.rather.long.queue.name.{i}" for i in range(300)]
    for size in range(1, 300, 7):
        before = {policy.name: policy.pattern for policy in made(tunables(names[:size]))}
        after = {policy.name: policy.pattern for policy in made(tunables(names[: size + 7]))}
        for name in names[:size]:
            (old,) = (key for key, value in before.items() if re.search(value, name))
            (new,) = (key for key, value in after.items() if re.search(value, name))
            assert new == old or new not in before


def test_a_pattern_has_no_special_characters_left() -> None:
    """Names full of regular expression syntax match themselves and nothing else."""
    names = ["a.b", "a|b", "^a$", "(x)", "[0-9]+", "a{2}", "\\d", "a b", "a#b", "*", "💥"]
    exact = re.compile(pattern(names))
    assert all(exact.search(name) for name in names)
    assert not any(exact.search(other) for other in ("axb", "a", "b", "x", "5", "aa", "4", "ab", "", "a.b ", " a.b"))
