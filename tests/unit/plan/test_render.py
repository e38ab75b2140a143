"""A plan as text and as JSON."""

import json
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dlxctl.broker.memory_admin import MemoryAdmin
from dlxctl.model.patterns import names_in, pattern
from dlxctl.model.topology import Queue, QueueType
from dlxctl.ops.apply import apply
from dlxctl.ops.plan import make_plan
from dlxctl.plan.hazards import MEANINGS, Hazard
from dlxctl.plan.report import Report
from dlxctl.plan.rules import RULES
from dlxctl.plan.value import Intent
from dlxctl.render.plan import plan_lines, report_lines
from dlxctl.render.plan_json import plan_json, report_json
from dlxctl.render.plan_markdown import LONGEST, plan_markdown
from tests.unit.plan.layouts import SHOP, applied, layout, plan_on


def text(admin: MemoryAdmin, topology: str = SHOP) -> str:
    return "\n".join(line.text for line in plan_lines(plan_on(admin, layout(topology))))


def test_an_empty_plan_says_so() -> None:
    """Two lines: where, and that nothing is to do."""
    assert text(applied(layout())) == "Topology shop in vhost / on RabbitMQ 4.3.0 (memory)\nNothing to do."


def test_a_changed_policy_is_shown_from_and_to() -> None:
    """Each setting that differs, and the line of the file."""
    broker = applied(layout())
    shown = text(
        broker, SHOP.replace("5\n", "7\n").replace("  thumbnails: {type: classic", "  pictures: {type: classic")
    )
    assert 'queues: + "pictures"' in shown
    assert "  + queue pictures (classic)    # topology.yaml:" in shown
    assert (
        "On the broker, no longer in the file (apply leaves it; --prune takes it away):\n  queue thumbnails (classic)"
        in shown
    )


def test_what_cannot_change_is_shown_with_the_steps_of_its_migration() -> None:
    """The setting, both values, what would be done, and how."""
    shown = text(MemoryAdmin("/", Queue(name="retry.10s", type=QueueType.QUORUM, arguments={"x-message-ttl": 9_000})))
    assert "  ! queue retry.10s (quorum) cannot change in place" in shown
    assert "x-message-ttl: 9000 -> 10000" in shown
    assert "1. make retry.10s.dlxctl-migrate" in shown
    assert "dlxctl apply --allow migrate" in shown
    assert shown.endswith("1 that cannot change in place.")


def test_control_characters_never_reach_the_terminal() -> None:
    """Names and values from the broker are escaped."""
    evil = Queue(name="orders", type=QueueType.QUORUM, arguments={"x-overflow": "\x1b[31mred\u202e"})
    shown = text(MemoryAdmin("/", evil))
    assert all(character.isprintable() or character == "\n" for character in shown)


def test_the_json_has_each_change_with_its_cause_and_its_way_back() -> None:
    """It survives a round trip, and every change says whether it can be undone."""
    plan = json.loads(json.dumps(plan_json(plan_on(MemoryAdmin(), layout()))))
    assert plan["schema_version"] == 1
    assert plan["summary"]["create"] == sum(change["verb"] == "create" for change in plan["changes"])
    for change in plan["changes"]:
        assert change["why"]["file"] == "topology.yaml"
        assert (change["reverse"] is None) != (change["not_reversible"] is None)
    assert len(plan["fingerprint"]) == 64


def test_a_report_tells_what_was_made() -> None:
    """In text and in JSON."""
    report = apply(MemoryAdmin(), layout())
    assert [line.text for line in report_lines(report)] == ["Applied: 22 created, 0 changed, 0 deleted."]
    assert report_json(report)["applied"] is True
    failed = Report(plan=report.plan, made=report.made[:1], failed=report.plan.changes[1])
    lines = [line.text for line in report_lines(failed)]
    assert lines[0] == "Stopped: 1 created, 0 changed, 0 deleted."
    assert len([line for line in lines if "not tried" in line]) == len(report.plan.changes) - 2


def test_the_page_lists_every_warning() -> None:
    """docs/plan-and-apply.md and the rules have the same codes and titles."""
    page = (Path(__file__).parents[3] / "docs" / "plan-and-apply.md").read_text()
    listed = [line for line in page.splitlines() if line.startswith("| DLX8")]
    assert listed == [f"| {rule.code} | {rule.title} |" for rule in RULES]


@given(st.lists(st.text(min_size=1), min_size=1, unique=True))
def test_the_names_of_a_pattern_are_read_back(names: list[str]) -> None:
    """Whatever characters they have; a pattern of somebody else has none."""
    assert names_in(pattern(names)) == frozenset(names)
    assert names_in("^(a|b)") is None
    assert names_in("orders.*") is None


def test_the_page_has_every_hazard() -> None:
    """docs/plan-and-apply.md and the closed set have the same words, in one order."""
    page = (Path(__file__).parents[3] / "docs" / "plan-and-apply.md").read_text()
    table = page.split("## Hazards")[1].split("##")[0]
    assert re.findall(r"^\| `([a-z]+)` \|", table, re.MULTILINE) == [str(hazard) for hazard in Hazard]
    assert set(MEANINGS) == set(Hazard)


def test_the_markdown_folds_the_changes_as_a_diff() -> None:
    """Signs stand in the first column; the summary and the fingerprint are outside of the fold."""
    plan = plan_on(MemoryAdmin(), layout())
    shown = plan_markdown(plan)
    assert shown.startswith("### dlxctl plan: `shop` in vhost `/`\n\nPlan: ")
    assert "\n+ queue orders (quorum)    # topology.yaml:" in shown
    assert shown.endswith(f"Fingerprint `{plan.fingerprint}`")


def test_the_markdown_cannot_be_broken_out_of() -> None:
    """Backticks and tags in names stay in the block, whose fence is longer than any of theirs."""
    evil = "a````</details><script>"
    shown = plan_markdown(plan_on(MemoryAdmin(), layout(SHOP.replace("emails:", f"'{evil}':"))))
    (fence,) = {line for line in shown.splitlines() if line and not line.strip("`")}
    assert len(fence) > 4
    assert evil in shown.split(fence)[1]


def test_a_long_markdown_is_cut() -> None:
    """A comment that is too long would be refused whole."""
    queues = "".join(f"  q{number}: {{dead_letter: dead_letter}}\n" for number in range(3_000))
    shown = plan_markdown(plan_on(MemoryAdmin(), layout(SHOP + queues)))
    assert LONGEST < len(shown) < LONGEST + 1_000
    assert "The rest is cut" in shown


def test_the_json_says_what_is_at_stake_and_what_is_refused() -> None:
    """Hazards have their words, and the ones that no flag allows say so."""
    wanted = layout(SHOP.split("queues:")[0] + "cluster_name: other\n")
    plan = plan_json(make_plan(applied(layout()), wanted, Intent.PRUNE))
    assert {each["hazard"]: each["allowable"] for each in plan["dangers"]} == {"cluster": True}
    (orders,) = [c for c in plan["changes"] if (c["verb"], c["kind"], c["name"]) == ("delete", "queue", "orders")]
    assert (orders["hazard"], orders["at_stake"]) == ("messages", {"messages": 0, "bindings": 2})
    assert orders["not_reversible"]
    assert plan["intent"] == "prune"
