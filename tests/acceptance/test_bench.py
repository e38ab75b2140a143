"""The benchmark does its work: every way moves everything, the tables are made, a way that did not is an error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.process import BenchError
from bench.scene import scene
from bench.ways import WAYS
from tests.brokers import RunningBroker
from tests.conftest import ROOT

pytestmark = pytest.mark.one_version

COUNT = 120


def run(broker: RunningBroker, page: Path, **variables: object) -> subprocess.CompletedProcess[str]:
    """`python -m bench` on that broker, writing into `page`."""
    release = ".".join(map(str, broker.release))
    urls = f"{release}={broker.amqp_url}+{broker.management_url}"
    given = {"DLXCTL_TEST_URLS": urls, "DLXCTL_TEST_BROKERS": release, "PAGE": page, "RUNS": 1, **variables}
    return subprocess.run(
        [sys.executable, "-m", "bench"], cwd=ROOT, capture_output=True, text=True, timeout=280,
        env=os.environ | {name: str(value) for name, value in given.items()},
    )  # fmt: skip


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A copy of the page, whose tables the benchmark may replace."""
    copy = tmp_path / "benchmarks.md"
    copy.write_text((ROOT / "docs" / "benchmarks.md").read_text())
    return copy


def part(text: str, name: str) -> str:
    """What the page has between the marks of a part."""
    return text.split(f"<!-- {name} -->")[1].split(f"<!-- end of {name} -->")[0]


def cells(text: str, first: str) -> list[list[str]]:
    """The rows of all tables of `text` whose first cell is `first`."""
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines() if line[:2] == "| "]
    return [row for row in rows if row[0] == first]


def test_the_page_says_what_each_way_is() -> None:
    """Every way has its line in the page's table."""
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    assert [way.name for way in WAYS if f"| `{way.name}` | " not in text] == []


@pytest.mark.slow
def test_every_way_moves_everything_and_has_its_row(broker: RunningBroker, page: Path) -> None:
    """A run of each way on the broker ends in a row with its count, the same on stdout and in the page."""
    done = run(broker, page, N=COUNT, TYPES="quorum", SIZES=100, WHAT="speed")
    assert done.returncode == 0, done.stderr
    possible = [way.name for way in WAYS if way.possible(broker)]
    assert {"dlxctl", "pika-get", "pika-consume", "kombu", "aio-pika"} <= set(possible)
    table = done.stdout
    for name in possible:
        (row,) = cells(table, name)
        assert (row[1], float(row[2].replace(",", "")) > 0) == (str(COUNT), True), row
    beside_itself = cells(table, "way")[0].index("x pika-get")
    assert cells(table, "pika-get")[0][beside_itself] == "1.00"
    assert table.strip() in page.read_text()
    assert f"{broker.version}, quorum, bodies of 100 octets" in table


def test_a_page_that_is_missing_is_told_before_anything_is_measured(broker: RunningBroker, tmp_path: Path) -> None:
    """Else hours of measuring would end in nothing."""
    done = run(broker, tmp_path / "no.md", N=COUNT)
    assert done.returncode != 0
    assert "is no file" in done.stderr
    assert "Traceback" not in done.stderr


def test_memory_and_startup_have_their_tables(broker: RunningBroker, page: Path) -> None:
    """Peak memory by number of messages and the seconds of a start are written between their marks; speed stays."""
    before = page.read_text().split("<!-- end of speed -->")[0]
    done = run(broker, page, N=COUNT, TYPES="classic", WHAT="startup,memory")
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.split("<!-- end of speed -->")[0] == before
    ((_, kind, size, count, peak),) = cells(part(text, "memory"), broker.version)
    assert (kind, size, count) == ("classic", "1,024", str(COUNT))
    assert 10 < float(peak) < 200
    assert len(cells(part(text, "startup"), "`dlxctl --version`")) == 1


def test_a_look_has_its_table(broker: RunningBroker, page: Path) -> None:
    """All groups of a queue that is looked at by copies, and when its first rows came."""
    done = run(broker, page, N=1_200, TYPES="quorum", WHAT="look")
    assert done.returncode == 0, done.stderr
    ((_, kind, count, groups, first, *_),) = cells(part(page.read_text(), "look"), broker.version)
    assert (kind, count, groups) == ("quorum", "1,200", "7")
    assert float(first) > 0


def test_plan_has_its_table(broker: RunningBroker, page: Path) -> None:
    """First apply, import of the same, and a second plan that finds nothing to do."""
    done = run(broker, page, N=60, WHAT="plan")
    assert done.returncode == 0, done.stderr
    (row,) = cells(part(page.read_text(), "plan"), broker.version)
    assert row[1] == "60"
    assert all(float(seconds) > 0 for seconds in row[2:6])


def test_work_half_done_is_an_error(broker: RunningBroker) -> None:
    """A way that leaves messages behind gets no figures."""
    with scene(broker, "classic") as place:
        place.prepare(100, 3)
        with pytest.raises(BenchError, match="dead holds 3 messages and orders 0, not 0 and 3"):
            place.check(dead=0, orders=3, within_s=0.2)


@pytest.mark.parametrize(
    ("variables", "says"),
    [({"N": "0"}, "N=0"), ({"WAYS": "rsync"}, "rsync"), ({"SIZES": "big"}, "big"), ({"WHAT": "all"}, "all")],
)
def test_a_wrong_variable_is_named(broker: RunningBroker, page: Path, variables: dict[str, str], says: str) -> None:
    """A mistake ends at once, with the variable's value and no traceback."""
    done = run(broker, page, **variables)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_the_cost_of_a_task_has_its_rows(broker: RunningBroker, page: Path) -> None:
    """Plain Celery and dlxctl each work off every no-op, and the table compares the two."""
    done = run(broker, page, N=COUNT, TYPES="classic", WHAT="task")
    assert done.returncode == 0, done.stderr
    text = part(page.read_text(), "task")
    (plain,), (ours,) = cells(text, "celery"), cells(text, "dlxctl")
    assert plain[2:4] == ours[2:4] == ["classic", str(COUNT)]
    assert (plain[6], ours[6][-1]) == ("+0.0%", "%")
