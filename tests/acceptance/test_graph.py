"""dlxctl graph as a process: its forms, and the depths of a real broker."""

import time
from pathlib import Path

from tests.conftest import ROOT, Dlxctl

EXAMPLE = ROOT / "topology.yaml"


def test_the_form_is_the_option_or_the_ending(dlxctl: Dlxctl, tmp_path: Path) -> None:
    """Mermaid to stdout by default; `-o` says by its ending what is wanted, and stdout stays empty."""
    assert dlxctl("graph", EXAMPLE).stdout.startswith("flowchart LR\n")
    assert dlxctl("graph", EXAMPLE, "--format", "dot").stdout.startswith('digraph "shop" {\n')
    done = dlxctl("graph", EXAMPLE, "-o", "shop.svg")
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "shop.svg").read_text() == (ROOT / "docs/topology.svg").read_text()


def test_what_cannot_be_drawn_is_named(dlxctl: Dlxctl) -> None:
    """No file, no directory to write to: exit 2, and nothing on stdout."""
    for arguments, words in {("none.yaml",): "there is no file", (EXAMPLE, "-o", "no/x.svg"): "cannot write"}.items():
        done = dlxctl("graph", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr


def test_live_shows_what_is_missing_and_what_is_there(dlxctl: Dlxctl) -> None:
    """Before apply no queue is on the broker; afterwards each becomes known to be empty."""
    assert "not on the broker" in dlxctl("graph", EXAMPLE, "--live").stdout
    assert dlxctl("apply", EXAMPLE, "--yes").returncode == 0
    deadline = time.monotonic() + 30
    while "0 messages" not in (shown := dlxctl("graph", EXAMPLE, "--live").stdout) or "not counted" in shown:
        assert time.monotonic() < deadline, shown
        time.sleep(0.5)
    assert "not on the broker" not in shown
