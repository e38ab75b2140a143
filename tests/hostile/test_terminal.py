"""No control byte from a message, a header or a name reaches a terminal, whichever command shows it."""

import json
import re
from pathlib import Path

import pytest

from dlxctl.broker.address import Access
from tests.brokers import RunningBroker
from tests.conftest import Dlxctl
from tests.hostile.stage import DEAD, IDENTIFIER, ORDERS, PARKED, STEERING, mark, set_up
from tests.hostile.terminal import CTRL_C, Terminal, on_terminal

pytestmark = pytest.mark.one_version

EDITOR = "sed -i s/2/3/"
QUEUE = ("--queue", DEAD)
BY_ID = ("inspect", *QUEUE, "--id", IDENTIFIER)
COMMANDS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (0, ("inspect", *QUEUE)),
    (0, ("inspect", *QUEUE, "--format", "json")),
    (0, ("inspect", *QUEUE, "--list")),
    (0, ("inspect", *QUEUE, "--list", "--format", "json")),
    (0, ("inspect", *QUEUE, "--show-body")),
    (0, ("inspect", *QUEUE, "--show-body", "--format", "json")),
    (0, BY_ID),
    (0, (*BY_ID, "--show-body", "--format", "json")),
    (1, ("inspect", *QUEUE, "--id", f"none {STEERING}")),
    (1, ("inspect", "--queue", f"missing {STEERING}")),
    (2, ("inspect", *QUEUE, "--where", f"'{STEERING}")),
    (2, ("inspect", *QUEUE, "--group", STEERING)),
    (2, ("inspect", *QUEUE, "--since", STEERING)),
    (4, ("replay", *QUEUE, "--dry-run")),
    (4, ("replay", *QUEUE, "--dry-run", "--format", "json")),
    (4, ("replay", *QUEUE, "--to", f"missing {STEERING}", "--yes")),
    (2, ("replay", "--queue", ORDERS, "--canary", "1", "--yes")),
    (0, ("export", *QUEUE, "-o", "dead.jsonl")),
    (2, ("export", *QUEUE, "-o", "dead.jsonl")),
    (0, ("export", *QUEUE, "-o", f"{STEERING}.jsonl")),
    (4, ("restore", "dead.jsonl", "--dry-run")),
    (4, ("restore", "dead.jsonl", "--yes")),
    (4, ("discard", *QUEUE, "--archived", "dead.jsonl", "--dry-run")),
    (0, ("discard", *QUEUE, "--archived", "dead.jsonl", "--limit", "1", "--yes", "--format", "json")),
    (4, ("park", *QUEUE, "--to", PARKED, "--note", STEERING, "--dry-run")),
    (0, ("park", *QUEUE, "--to", PARKED, "--note", STEERING, "--limit", "1", "--yes")),
    (1, ("park", *QUEUE, "--to", f"missing {STEERING}", "--limit", "1", "--yes")),
    (0, ("edit", *QUEUE, "--id", IDENTIFIER, "--yes")),
    (1, ("edit", *QUEUE, "--id", f"none {STEERING}", "--yes")),
    (4, ("replay", *QUEUE, "--yes")),
    (0, ("runs", "list")),
    (0, ("runs", "list", "--format", "json")),
    (1, ("runs", "show", STEERING)),
    (8, ("status", "--max-depth", f"{DEAD}=0")),
    (8, ("status", "--max-depth", f"{DEAD}=0", "--format", "json")),
    (2, ("status", "--max-depth", f"missing {STEERING}=0")),
    (2, ("status", "--max-age", STEERING)),
    (0, ("plan", "shop.yaml")),
    (0, ("plan", "shop.yaml", "--format", "json")),
    (0, ("plan", "shop.yaml", "--format", "markdown")),
    (0, ("apply", "shop.yaml", "--yes")),
    (0, ("migrate", "shop.yaml")),
    (0, ("graph", "shop.yaml", "--live")),
    (0, ("graph", "shop.yaml", "--format", "dot")),
    (0, ("graph", "shop.yaml", "--format", "svg")),
    (0, ("celery", "shop.yaml")),
    (0, ("permissions", "shop.yaml")),
    (0, ("permissions", "shop.yaml", "--format", "rabbitmqctl")),
    (0, ("trace", "shop.yaml", "mail \u202e")),
    (0, ("trace", "definitions.json", ORDERS, "--event", "reject")),
    (0, ("trace", "definitions.json", ORDERS, "--event", "reject", "--format", "json")),
    (2, ("trace", "shop.yaml", STEERING)),
    (0, ("check", "definitions.json")),
    (0, ("check", "definitions.json", "--format", "json")),
    (4, ("import",)),
    (4, ("import", "--format", "json")),
    (4, ("import", "definitions.json")),
)
"""In this order, each with its exit code."""
MARKED: tuple[tuple[int, tuple[str, ...]], ...] = (
    (0, ("plan", "shop.yaml", "--prune")),
    (0, ("plan", "shop.yaml", "--prune", "--format", "json")),
    (0, ("plan", "shop.yaml", "--prune", "--format", "markdown")),
    (5, ("apply", "shop.yaml", "--prune", "--yes")),
    (0, ("plan", "shop.yaml", "--destroy")),
    (5, ("destroy", "shop.yaml", "--yes")),
    (5, ("destroy", "shop.yaml", "--yes", "--format", "json")),
)
"""Once the topology owns what has such names."""


def steering(text: str) -> set[str]:
    """What of `text` a terminal would obey or not show."""
    return {sign for sign in text if not sign.isprintable()} - {"\n"}


@pytest.fixture
def hostile(reach: Access, broker: RunningBroker, tmp_path: Path) -> None:
    """The stage, and a topology file in the command's directory."""
    set_up(reach, broker, tmp_path)


@pytest.mark.usefixtures("hostile")
def test_no_command_lets_a_control_byte_through(dlxctl: Dlxctl, reach: Access) -> None:
    """Neither stdout nor stderr of any command has one; all of them did what they should."""
    wrong: list[str] = []

    def held(code: int, *words: str) -> str:
        done = dlxctl(*words, EDITOR=EDITOR, VISUAL=EDITOR)
        shown = done.stdout + done.stderr
        if done.returncode != code or steering(shown) or "Traceback" in shown:
            wrong.append(f"{words}: {done.returncode} for {code}, {steering(shown)}\n{shown[-2_000:]}")
        return done.stdout

    for code, words in COMMANDS:
        held(code, *words)
    for line in held(0, "runs", "list", "--format", "json").splitlines():
        held(0, "runs", "show", json.loads(line)["run"])
        held(0, "runs", "show", json.loads(line)["run"], "--format", "json")
    mark(reach, ORDERS, DEAD)
    for code, words in MARKED:
        held(code, *words)
    assert not wrong, "\n\n".join(wrong)


ON_TERMINAL: tuple[tuple[int, tuple[str, ...], str], ...] = (
    (0, ("inspect", *QUEUE), ""),
    (0, ("inspect", *QUEUE, "--list"), ""),
    (0, ("inspect", *QUEUE, "--show-body"), ""),
    (8, ("status", "--max-depth", f"{DEAD}=0"), ""),
    (130, ("status", "--watch"), CTRL_C),
    (0, ("plan", "shop.yaml"), ""),
    (0, ("apply", "shop.yaml"), "y\n"),
    (4, ("import",), ""),
    (0, ("export", *QUEUE, "-o", "dead.jsonl"), ""),
    (0, ("edit", *QUEUE, "--id", IDENTIFIER), "y\n"),
    (0, ("park", *QUEUE, "--to", PARKED, "--note", STEERING, "--limit", "1"), "y\n"),
    (0, ("discard", *QUEUE, "--archived", "dead.jsonl", "--limit", "1"), "y\n"),
    (4, ("replay", *QUEUE), "y\n"),
)
"""On a terminal: exit code, command, and what is typed when it waits."""
OWN = re.compile(r"\r(?=\n|\x1b\[(?:2K|1A))|\x1b\[(?:\d{1,2}(?:;\d{1,3})*m|[HK]|2K|1A|\?25[lh]|\?1049[lh])")
"""What rich and click write themselves. None of it is in the hostile texts, whose sequences are others."""


def typed(terminal: Terminal, keys: str) -> None:
    """Wait for the question, or for the first table of a watch, and press keys."""
    terminal.until("consumers" if keys == CTRL_C else "[y/N]")
    terminal.type(keys)


@pytest.mark.usefixtures("hostile")
def test_no_control_byte_reaches_a_real_terminal(url: str, broker: RunningBroker, vhost: str, tmp_path: Path) -> None:
    """With colours, progress bars and questions: beside rich's and click's own sequences there is none."""
    environment = {
        "DLXCTL_URL": url, "DLXCTL_MANAGEMENT_URL": broker.management_url, "DLXCTL_VHOST": vhost, "FORCE_COLOR": "1",
        "DLXCTL_STATE_DIR": str(tmp_path / "state"), "EDITOR": EDITOR, "VISUAL": EDITOR,
    }  # fmt: skip
    wrong: list[str] = []
    for code, words, keys in ON_TERMINAL:
        with on_terminal(tmp_path, environment, *words) as terminal:
            if keys:
                typed(terminal, keys)
            ended = terminal.ended()
            shown = OWN.sub("", terminal.seen.decode())
        if ended != code or steering(shown) or "Traceback" in shown:
            wrong.append(f"{words}: {ended} for {code}, {steering(shown)}\n{shown[-2_000:]!r}")
    assert not wrong, "\n\n".join(wrong)
