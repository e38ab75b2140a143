"""After a killed replay: what may be there twice says so, whatever is done with its queue before the next one."""

import time
from pathlib import Path

from dlxctl.broker.address import Access
from dlxctl.broker.management import Management
from dlxctl.broker.raw_link import RawLink
from dlxctl.broker.run_guard import BrokerGuard
from dlxctl.model.topology import Queue
from tests.acceptance.test_edit import FIX
from tests.acceptance.test_inspect import contents, failed, put
from tests.acceptance.test_replay import declare
from tests.conftest import Dlxctl
from tests.oracle import entries_of

MARK = b"dlxctl-maybe-duplicate"
FILE = """\
version: 1
topology: shop
vhost: ${DLXCTL_VHOST:-/}
dead_letter: {dead_letter: {}}
queues: {orders: {dead_letter: dead_letter}}
"""


def killed_replay(reach: Access, queue: str) -> None:
    """It took the first message; whether it had published its copy nobody knows."""
    link = RawLink(reach, purpose="test")
    BrokerGuard(link.connection).begin(queue, {"run": "killed"})
    link.consume(queue, 1)
    while not link.pump(0.1):
        pass
    link.abort()
    time.sleep(1)  # a broker takes a moment to mind a lost connection


def test_what_it_held_is_marked_when_it_comes_back_from_an_archive(reach: Access, dlxctl: Dlxctl) -> None:
    """What is restored is not redelivered; the archive remembers, and discard knows the message by it all the same."""
    declare(reach, "quorum", "orders")
    put(reach, failed(1, "x"), failed(2, "x"))
    killed_replay(reach, "dead")
    assert dlxctl("export", "-q", "dead", "-o", "dead.jsonl").returncode == 0
    assert dlxctl("discard", "-q", "dead", "--archived", "dead.jsonl", "--yes").returncode == 0
    assert dlxctl("restore", "dead.jsonl", "--yes").returncode == 0
    assert dlxctl("replay", "-q", "dead", "--yes").returncode == 0
    assert [MARK in entries_of(header) for header, _ in contents(reach, "orders")] == [True, False]


def test_what_was_edited_is_marked_in_its_archive_too(reach: Access, dlxctl: Dlxctl, tmp_path: Path) -> None:
    """The original may be in its work queue already."""
    declare(reach, "quorum", "orders")
    put(reach, failed(2, "x"))
    killed_replay(reach, "dead")
    done = dlxctl("edit", "-q", "dead", "--id", "id-2", "--archive", "kept.jsonl", "--yes", EDITOR=FIX, VISUAL=FIX)
    assert done.returncode == 0, done.stderr
    assert dlxctl("restore", "kept.jsonl", "--yes").returncode == 0
    (original,), (copy,) = contents(reach), contents(reach, "orders")
    assert [MARK in entries_of(header) for header, _ in (original, copy)] == [True, True]


def test_what_it_held_is_marked_when_its_queue_is_made_anew(reach: Access, dlxctl: Dlxctl, tmp_path: Path) -> None:
    """What a migration moves does not look redelivered either; nothing else is marked, and its counts agree."""
    (tmp_path / "topology.yaml").write_text(FILE)
    Management(reach).declare_queue(Queue(name="dead_letter"))
    put(reach, failed(1, "x"), failed(2, "x"), queue="dead_letter")
    killed_replay(reach, "dead_letter")
    done = dlxctl("apply", "--allow", "migrate", "--yes")
    assert done.returncode == 0, done.stderr
    assert dlxctl("replay", "--queue", "dead_letter", "--yes").returncode == 0
    assert [MARK in entries_of(header) for header, _ in contents(reach, "orders")] == [True, False]
