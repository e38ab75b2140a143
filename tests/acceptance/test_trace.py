"""dlxctl trace as a process, without a broker."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent.parent / "topology.yaml"


def trace(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The installed command, far from any broker."""
    command = [str(Path(sys.executable).parent / "dlxctl"), "trace", *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True, timeout=60)


def test_a_failing_task_is_followed_through_its_tiers() -> None:
    """The default is a task that fails until its retries are spent; the whole time is the sum of its delays."""
    done = trace(EXAMPLE, "orders")
    assert done.returncode == 0, done.stderr
    assert "attempt 6 fails; RetryTask publishes it to dlx, routing key dead_letter" in done.stdout
    assert done.stdout.endswith("It is dead, and lies in dead_letter after 31m 10s.\n")


def test_json_tells_the_same() -> None:
    """An object with the steps, the ending, the time and the headers."""
    walk = json.loads(trace(EXAMPLE, "orders", "--event", "crash*", "--format", "json").stdout)
    assert (walk["ending"], walk["ended_in"], walk["total_ms"]) == ("dead", "dead_letter", 0)
    assert [step["what"] for step in walk["steps"]].count("crash") == 6
    assert walk["headers"]["x-death"][0]["reason"] == "delivery_limit"


def test_what_cannot_be_traced_is_named(tmp_path: Path) -> None:
    """An unknown queue, event or file is wrong usage, exit 2, with what there is."""
    cases = {
        (EXAMPLE, "order"): "there is no queue 'order'",
        (EXAMPLE, "orders", "--event", "explode"): "'explode' is not an event",
        (EXAMPLE, "default", "--event", "overflow"): "has no max_length",
        (tmp_path / "none.yaml", "orders"): "there is no file",
    }
    for arguments, words in cases.items():
        done = trace(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr


def test_definitions_are_traced_too(tmp_path: Path) -> None:
    """RabbitMQ's own export will do: of its one vhost, or of the one that is named."""
    queue = {"name": "a", "vhost": "v", "durable": True, "auto_delete": False,
             "arguments": {"x-dead-letter-exchange": "nowhere"}}  # fmt: skip
    document = {"vhosts": [{"name": "v"}], "queues": [queue], "exchanges": [], "bindings": [], "policies": []}
    file = tmp_path / "definitions.json"
    file.write_text(json.dumps(document))
    assert 'LOST: the broker drops it without a word, because the exchange "nowhere"' in trace(file, "a").stdout
    file.write_text(json.dumps(document | {"vhosts": [{"name": "v"}, {"name": "w"}]}))
    assert "has 2 vhosts: v, w" in trace(file, "a").stderr
    assert trace(file, "a", "--vhost", "v").returncode == 0
    file.write_text("[]")
    assert "is not a file of RabbitMQ definitions" in trace(file, "a").stderr


def check(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "dlxctl"), "check", *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True, timeout=60)


def test_check_proves_definitions(tmp_path: Path) -> None:
    """A message that would be lost is an error, exit 2, and the command that it names shows the walk."""

    def queue(name: str, **arguments: object) -> dict[str, object]:
        named = {f"x-{key.replace('_', '-')}": value for key, value in arguments.items()}
        return {"name": name, "durable": True, "auto_delete": False, "arguments": named}

    file = tmp_path / "definitions.json"
    queues = [queue("a", dead_letter_exchange="", dead_letter_routing_key="later"),
              queue("later", dead_letter_exchange="", dead_letter_routing_key="a", message_ttl=1000)]  # fmt: skip
    file.write_text(json.dumps({"queues": queues, "exchanges": [], "bindings": [], "policies": []}))
    done = check(file)
    assert done.returncode == 2
    assert 'DLX401 a message of queue "a" is expired in "a", expired in "later", and then dropped' in done.stdout
    shown = done.stdout.splitlines()[0].split("dlxctl trace FILE ")[1].removesuffix(".")
    assert "It is LOST" in trace(file, *shlex.split(shown)).stdout


def test_check_proves_a_topology_file(tmp_path: Path) -> None:
    """With the line of the queue; what dlxctl makes itself is sound."""
    assert check(EXAMPLE).returncode == 0
    text = EXAMPLE.read_text(encoding="utf-8")
    road = "arguments: {x-dead-letter-exchange: retry.10s, x-dead-letter-routing-key: odd}"
    file = tmp_path / "topology.yaml"
    file.write_text(text.replace("  default: {", f"  odd: {{retry: null, dead_letter: null, {road}}}\n  default: {{"))
    done = check(file, "--format", "json")
    found = {row["code"]: row for row in json.loads(done.stdout)}
    line = next(number for number, each in enumerate(file.read_text().splitlines(), start=1) if "odd:" in each)
    assert (done.returncode, found["DLX402"]["line"]) == (2, line)
    assert 'and then stuck in "retry.10s"' in found["DLX402"]["cause"]
