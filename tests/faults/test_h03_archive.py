"""H1, H2: hostile messages, as far as a broker takes them in, through the archive and back, and shown."""

import json
import os
import subprocess

from tests import amqp_values as amqp
from tests.faults.conftest import Judge, full_or_short
from tests.faults.scene import DEAD, DLXCTL, Scene
from tests.faults.test_hostile import as_stored, corpus, taken_in

FAULT = "H1, H2"


def dlxctl(scene: Scene, *words: str) -> "subprocess.CompletedProcess[str]":
    known = {"DLXCTL_URL": scene.url, "DLXCTL_MANAGEMENT_URL": scene.broker.management_url, "NO_COLOR": "1",
             "DLXCTL_STATE_DIR": str(scene.directory)}  # fmt: skip
    done = subprocess.run([str(DLXCTL), *words], env=os.environ | known, cwd=scene.directory, capture_output=True,
                          text=True, timeout=120)  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_hostile_messages_go_through_the_archive_unaltered(scene: Scene, judge: Judge) -> None:
    """Exported, discarded, restored and replayed: every one of them, byte for byte."""
    scene.declare()
    took = taken_in(scene, corpus())
    as_stored(scene)
    exported = json.loads(dlxctl(scene, "export", "-q", DEAD, "-o", "h.jsonl", "--format", "json").stdout)
    assert exported["exported"] == len(took)
    discarded = dlxctl(scene, "discard", "-q", DEAD, "--archived", "h.jsonl", "--yes", "--format", "json")
    assert json.loads(discarded.stdout)["discarded"] == len(took), discarded
    assert scene.depth(DEAD) == 0
    restored = json.loads(dlxctl(scene, "restore", "h.jsonl", "--yes", "--format", "json").stdout)
    assert restored["restored"] == len(took), restored
    done = scene.replay("--to", "orders")
    assert done.code in (0, 4), done
    assert judge().moved == done.report["moved"]


def test_hostile_messages_are_shown_among_good_ones(scene: Scene) -> None:
    """I3: every good row is shown, every bad one too, and no control octet comes out, whichever way one looks."""
    scene.declare()
    deep = full_or_short(0, 1)  # a broker takes seconds over each of these
    took = taken_in(scene, {name: one for name, one in corpus().items() if not (deep and "deep" in name)})
    as_stored(scene)
    entries = (
        amqp.entry(b"task", amqp.string("a\x1b[31m\u202eb\nc" * 3)), amqp.entry(b"id", amqp.string("i\x9b\x08")),
        amqp.entry(b"dlxctl-message", amqp.string("x" * 60_000 + "\x07")),
    )  # fmt: skip
    bad = amqp.Header(b"\x1b]0;x\x07", entries)
    good = [scene.dead_letter("orders") for _ in range(5)]
    scene.put(good)
    scene.put([(bad.payload(), amqp.body_frame(b"\x1b]0;x\x07"))])
    total = len(took) + len(good) + 1
    for words in ([], ["--list", "--show-body"]):
        done = dlxctl(scene, "inspect", "-q", DEAD, *words)
        assert done.returncode == 0, done.stderr
        assert all(sign.isprintable() or sign == "\n" for sign in done.stdout)
    rows = dlxctl(scene, "inspect", "-q", DEAD, "--show-body", "--format", "json").stdout.splitlines()
    assert len([json.loads(row) for row in rows]) == total
