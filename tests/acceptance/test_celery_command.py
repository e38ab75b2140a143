"""`dlxctl celery` as a process: stdout, -o, --check, and what it says when something is wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

TOPOLOGY = """
version: 1
topology: shop
dead_letter: {dead_letter: {}}
queues: {default: {delivery_limit: 20}}
defaults: {dead_letter: dead_letter}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a topology.yaml."""
    (tmp_path / "topology.yaml").write_text(TOPOLOGY)
    return tmp_path


def dlxctl(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "dlxctl"), "celery", *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60)


def test_the_module_goes_to_stdout_or_to_a_file(directory: Path) -> None:
    """Both are the same text; with -o stdout stays empty, and no temporary file is left."""
    shown = dlxctl(directory)
    written = dlxctl(directory, "-o", "celery_topology.py")
    assert (shown.returncode, written.returncode, written.stdout) == (0, 0, "")
    assert (directory / "celery_topology.py").read_text() == shown.stdout
    assert "task_default_queue = 'default'" in shown.stdout
    assert sorted(path.name for path in directory.iterdir()) == ["celery_topology.py", "topology.yaml"]


def test_check_tells_a_stale_module_from_a_fresh_one(directory: Path) -> None:
    """0 when equal; 3 when missing, after a change of the file, or of the module; nothing is written."""
    module = directory / "celery_topology.py"
    assert dlxctl(directory, "--check").returncode == 3
    assert not module.exists()
    dlxctl(directory, "-o", str(module))
    assert dlxctl(directory, "--check").returncode == 0
    (directory / "topology.yaml").write_text(TOPOLOGY.replace("default:", "orders:"))
    stale = dlxctl(directory, "--check")
    assert (stale.returncode, stale.stdout) == (3, "")
    assert "Run: dlxctl celery topology.yaml -o celery_topology.py" in stale.stderr
    module.write_bytes(b"\xff")
    assert dlxctl(directory, "--check").returncode == 3


def test_a_namespace_prefixes_every_setting(directory: Path) -> None:
    """Django's settings keep Celery's under a prefix."""
    lines = dlxctl(directory, "--namespace", "CELERY").stdout.splitlines()
    assigned = [line.split(" = ")[0] for line in lines if " = " in line and line[0].isalpha()]
    assert assigned
    assert all(name.startswith("CELERY_") and name.isupper() for name in assigned)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nope.yaml"], "nope.yaml"),
        (["-o", "missing/celery_topology.py"], "missing/celery_topology.py cannot be written"),
        (["--namespace", "a b"], "--namespace"),
        (["--check", "-o", "topology.yaml/x.py"], "topology.yaml/x.py cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_clear_message(directory: Path, arguments: list[str], says: str) -> None:
    """Exit 2, the name of the thing, no traceback, nothing written."""
    done = dlxctl(directory, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in directory.iterdir()] == ["topology.yaml"]
