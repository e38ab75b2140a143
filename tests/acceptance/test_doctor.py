"""`dlxctl doctor` as a process, on real brokers, with the app of the shop and with apps that are wrong."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.celery_shop import Shop, open_shop
from tests.brokers import RunningBroker
from tests.conftest import ROOT
from tests.workers import start_worker, wait_until

PLAIN = """
import os
from celery import Celery
from kombu import Queue
print("this is not JSON")
app = Celery("plain", broker=os.environ["SHOP_BROKER"])
app.conf.task_queues = [Queue("orders", queue_arguments={"x-queue-type": "quorum", "x-max-length": 5})]
app.conf.task_default_queue = "orders"

@app.task(name="plain.task")
def task(): pass
"""


@pytest.fixture
def shop(broker: RunningBroker, vhost: str, url: str, tmp_path: Path) -> Shop:
    """The shop on quorum queues with a delivery limit."""
    return open_shop(broker, vhost, url, tmp_path, type_="quorum, delivery_limit: 20")


def doctor(shop: Shop, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the shop's directory."""
    return run(shop.directory, *arguments, **shop.environment | environment)


def run(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in any directory."""
    command = [str(Path(sys.executable).parent / "dlxctl"), "doctor", *arguments]
    variables = os.environ | {"NO_COLOR": "1"} | environment
    return subprocess.run(command, cwd=directory, env=variables, capture_output=True, text=True, timeout=120)


def report(shop: Shop, *arguments: str) -> dict[str, Any]:
    """What it says as JSON; its exit code says whether that has findings."""
    done = doctor(shop, *arguments, "--format", "json")
    assert done.returncode in (0, 4), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (4 if found["findings"] else 0)
    assert found["clean"] is (not found["findings"])
    return found


def test_an_app_with_the_settings_and_the_task_class_is_clean(shop: Shop) -> None:
    """On the broker that apply made, online and offline, with and without the file; the broker is left as it was."""
    before = shop.objects()
    for arguments in ((), ("--offline",), ("topology.yaml",)):
        done = doctor(shop, "-A", "app", *arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert "every failure reaches the dead-letter queue" in done.stdout
        assert done.stdout.rstrip().endswith("No findings.")
    (shop.directory / "topology.yaml").unlink()
    assert doctor(shop, "-A", "app").returncode == 0
    assert shop.objects() == before


def test_an_app_by_celerys_defaults_loses_nearly_everything(shop: Shop) -> None:
    """Each finding has its code, its cause and the line that mends it; what the app prints is not in the way."""
    (shop.directory / "plain.py").write_text(PLAIN)
    found = report(shop, "-A", "plain")
    codes = {finding["code"] for finding in found["findings"]}
    assert {"DLX901", "DLX911", "DLX918"} <= codes
    fates = {outcome: fate["fate"] for outcome, fate in found["tasks"][0]["outcomes"].items()}
    assert (fates["raises"], fates["unregistered"], fates["ignore"]) == ("lost", "dlq", "dropped by intent")
    assert all(finding["cause"] and finding["remedy"] for finding in found["findings"])
    text = doctor(shop, "-A", "plain")
    assert text.returncode == 4
    assert "mend:  task_acks_late = True" in text.stdout
    assert "this is not JSON" in text.stderr


def test_what_doctor_calls_refused_ends_a_real_worker(shop: Shop) -> None:
    """The broker's 406 names the argument that doctor named."""
    (shop.directory / "plain.py").write_text(PLAIN)
    refused = [finding["cause"] for finding in report(shop, "-A", "plain")["findings"] if finding["code"] == "DLX911"]
    assert refused == ["the worker declares x-max-length=5, the broker has nothing"]
    with (
        pytest.raises(AssertionError, match="x-max-length"),
        start_worker(shop.directory, "plain", environment=shop.environment),
    ):
        pass


def test_an_app_that_cannot_be_imported_is_shown_with_its_traceback(tmp_path: Path) -> None:
    """Exit 2, the last lines, where to start doctor, and no password."""
    (tmp_path / "broken.py").write_text('url = "amqp://me:hunter2@host"\nraise RuntimeError(f"no {url}")\n')
    done = run(tmp_path, "-A", "broken")
    assert (done.returncode, done.stdout) == (2, "")
    assert "RuntimeError: no amqp://me:***@host" in done.stderr
    assert 'broken.py", line 2' in done.stderr
    assert "hunter2" not in done.stderr
    missing = run(tmp_path, "-A", "nowhere.to.be.found")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "No module named 'nowhere'" in missing.stderr


def test_an_app_that_ends_its_process_is_no_riddle(tmp_path: Path) -> None:
    """Not even os._exit leaves doctor without an answer."""
    (tmp_path / "quits.py").write_text("import os\nos._exit(7)\n")
    done = run(tmp_path, "-A", "quits")
    assert (done.returncode, done.stdout) == (2, "")
    assert "exit code 7" in done.stderr


def test_an_app_that_leaves_threads_behind_is_not_waited_for(tmp_path: Path) -> None:
    """What it prints is not lost either."""
    (tmp_path / "busy.py").write_text(
        "import threading\nfrom celery import Celery\napp = Celery('busy')\nprint('still here')\n"
        "threading.Thread(target=threading.Event().wait).start()\n"
    )
    done = run(tmp_path, "-A", "busy", "--offline")
    assert "no tasks of its own" in done.stdout
    assert "still here" in done.stderr


@pytest.mark.parametrize(("example", "name"), [("django", "shop"), ("fastapi", "shop")])
def test_the_examples_have_no_findings(example: str, name: str) -> None:
    """Django's settings with their prefix, autodiscovered tasks, and a plain app; judged by their files."""
    done = run(ROOT / "examples" / example, "-A", name, "--offline")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every failure reaches the dead-letter queue" in done.stdout


def test_without_a_broker_it_says_so_unless_it_was_not_to_ask(tmp_path: Path) -> None:
    """Exit 6; --offline judges by the app, and cannot probe."""
    (tmp_path / "small.py").write_text("from celery import Celery\napp = Celery('small')\n")
    nowhere = {"DLXCTL_URL": "amqp://127.0.0.1:1/", "DLXCTL_MANAGEMENT_URL": "http://127.0.0.1:1"}
    done = run(tmp_path, "-A", "small", **nowhere)
    assert (done.returncode, done.stdout) == (6, "")
    assert run(tmp_path, "-A", "small", "--offline", **nowhere).returncode == 4
    assert run(tmp_path, "-A", "small", "--offline", "--probe").returncode == 2


def test_a_probe_goes_through_a_real_worker_and_is_taken_out_again(shop: Shop) -> None:
    """It says how long each took; dead letters that were there stay, in their order."""
    for number in range(3):
        shop.publish("", "dead_letter", {"task": "shop.add", "id": f"letter-{number}"}, b"[]")
    with start_worker(shop.directory, environment=shop.environment):
        found = report(shop, "-A", "app", "--probe")
    assert found["findings"] == []
    times = [re.search(r"through queue (\w+) into dead_letter in ([\d.]+) s", note) for note in found["notes"]]
    assert sorted(each[1] for each in times if each) == ["audit", "default", "once", "orders"]
    left = [properties.headers["id"] for properties, _ in shop.take("dead_letter", 3)]
    assert sorted(left) == ["letter-0", "letter-1", "letter-2"]
    assert shop.depth("dead_letter") == 0


def test_a_probe_without_a_worker_is_a_finding(shop: Shop) -> None:
    """It waits as long as it was told, and names the probe that may come later."""
    found = report(shop, "-A", "app", "--probe", "--probe-timeout", "0.5")
    assert [finding["code"] for finding in found["findings"]] == ["DLX930"] * 4
    assert all("after 0.5 s" in finding["cause"] for finding in found["findings"])
    wait_until(lambda: all(shop.depth(queue) == 1 for queue in ("audit", "default", "once", "orders")))


def test_the_commands_of_the_page_run(shop: Shop) -> None:
    """Every shell line of docs/doctor.md, with the shop as the app."""
    (shop.directory / "shop.py").write_text("from app import app\n")
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs/doctor.md").read_text(), re.MULTILINE | re.DOTALL)
    lines = [line.split("#")[0].split() for block in blocks for line in block.splitlines()]
    assert len(lines) >= 4
    for words in lines:
        assert words[:2] == ["dlxctl", "doctor"]
        done = doctor(shop, *words[2:])
        assert done.returncode in (0, 4), done.stderr
