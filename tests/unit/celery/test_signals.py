"""The two signals, their log records, and the counters that the documentation builds on them."""

import logging
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dlxctl.celery import task_dead_lettered, task_retry_scheduled
from dlxctl.celery.failure import Failure, Reason
from dlxctl.celery.road import Tier
from dlxctl.celery.worker.signals import announce_death, announce_retry

PAGE = Path(__file__).parents[3] / "docs" / "celery.md"
TIER = Tier(exchange="retry.10s", delay_ms=10_000)
FAILURE = Failure(
    origin="orders", reason=Reason.FAILED, exception="ValueError", message="no stock", traceback="...", attempts=2,
    died_at=1_795_000_000,
)  # fmt: skip


class Pay:
    """A task, as far as a signal needs one."""

    name = "shop.pay"
    request = SimpleNamespace(id="1", retries=1)


TASK = Pay()


def announce_both() -> None:
    announce_retry(TASK, "orders", TIER, ValueError("no stock"))
    announce_death(TASK, "shop.pay", "1", FAILURE, confirmed=True)


@pytest.fixture
def received() -> Iterator[dict[str, dict[str, Any]]]:
    """What receivers of both signals got."""
    got: dict[str, dict[str, Any]] = {}

    def retry(**fields: Any) -> None:
        got["retry"] = fields

    def death(**fields: Any) -> None:
        got["death"] = fields

    task_retry_scheduled.connect(retry)
    task_dead_lettered.connect(death)
    yield got
    task_retry_scheduled.disconnect(retry)
    task_dead_lettered.disconnect(death)


def test_the_signals_carry_what_the_page_says(
    received: dict[str, dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """Task, id, queue, attempt, tier and next run; the log records have the same fields as attributes."""
    caplog.set_level(logging.INFO, "dlxctl.celery")
    announce_both()
    told = {name: {key for key in fields if key not in ("signal", "sender")} for name, fields in received.items()}
    rows = re.findall(r"^\| `(task_\w+)` \| .* \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    documented = {name: set(re.findall(r"`(\w+)`", arguments)) for name, arguments in rows}
    assert documented == {"task_retry_scheduled": told["retry"], "task_dead_lettered": told["death"]}
    assert received["retry"]["attempt"] == 2
    assert received["death"]["reason"] == "failed"
    retry, death = caplog.records
    assert (retry.levelname, retry.task_id, retry.tier) == ("INFO", "1", "retry.10s")  # type: ignore[attr-defined]
    assert (death.levelname, death.queue, death.reason) == ("WARNING", "orders", "failed")  # type: ignore[attr-defined]
    assert received["retry"]["next_run"] == retry.next_run  # type: ignore[attr-defined]


class CounterDouble:
    """What of `prometheus_client.Counter` the example uses."""

    def __init__(self, name: str, documentation: str, labels: list[str]) -> None:
        self.labels_known, self.counted = set(labels), Counter[tuple[str, ...]]()

    def labels(self, **values: str) -> Any:
        assert set(values) == self.labels_known
        return SimpleNamespace(inc=lambda: self.counted.update([tuple(values.values())]))


def test_the_counters_of_the_page_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example for Prometheus works as it is printed."""
    library = ModuleType("prometheus_client")
    library.Counter = CounterDouble  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "prometheus_client", library)
    found = re.search(r"```python prometheus\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    example: dict[str, Any] = {}
    exec(found.group(1), example)
    announce_both()
    task_retry_scheduled.disconnect(example["count_retry"])
    task_dead_lettered.disconnect(example["count_death"])
    assert example["retries"].counted == {("shop.pay", "retry.10s"): 1}
    assert example["deaths"].counted == {("orders", "shop.pay", "failed"): 1}
