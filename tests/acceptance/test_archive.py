"""`dlxctl export`, `discard`, `restore` and `park` as processes against a real broker."""

import json
import stat
from pathlib import Path

import pytest

from dlxctl.broker.address import Access
from dlxctl.broker.amqp import open_connection
from tests import amqp_values as amqp
from tests.acceptance.test_inspect import contents, failed, put
from tests.acceptance.test_replay import declare
from tests.conftest import Dlxctl
from tests.links import Message
from tests.oracle import entries_of

COUNTERS = (b"x-delivery-count", b"x-acquired-count")


def plain(messages: list[Message]) -> list[tuple[dict[bytes, bytes], bytes]]:
    """Headers without the broker's counters, and bodies."""
    return [
        ({key: value for key, value in entries_of(header).items() if key not in COUNTERS}, body)
        for header, body in messages
    ]


@pytest.mark.parametrize(("kind", "name"), [("classic", "dead.jsonl"), ("quorum", "dead.jsonl.zst")])
def test_what_was_exported_and_discarded_is_restored_byte_for_byte(
    reach: Access, dlxctl: Dlxctl, tmp_path: Path, kind: str, name: str
) -> None:
    """Export, delete, restore: the queue holds the same messages; the file is its owner's alone."""
    declare(reach, kind, "orders")
    entries = (*amqp.EVERY_TYPE, amqp.entry(b"x-death", amqp.array(amqp.death("orders"))))
    sent = [failed(n, f"number {n}", *entries, app_id=amqp.short(b"a")) for n in range(1_200)]
    put(reach, *sent)
    done = dlxctl("export", "-q", "dead", "-o", name, "--format", "json")
    assert (done.returncode, json.loads(done.stdout)["exported"]) == (0, 1_200), done.stderr
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    done = dlxctl("discard", "-q", "dead", "--archived", name, "--yes", "--format", "json")
    assert (done.returncode, json.loads(done.stdout)["discarded"]) == (0, 1_200), done.stderr
    assert contents(reach) == []
    assert json.loads(dlxctl("restore", name, "--dry-run", "--format", "json").stdout)["restored"] == 1_200
    assert contents(reach) == []
    done = dlxctl("restore", name, "--yes", "--format", "json")
    assert (done.returncode, json.loads(done.stdout)["restored"]) == (0, 1_200), done.stderr
    assert plain(contents(reach)) == plain(sent)


def test_what_a_restore_put_back_before_it_ended_is_not_there_twice(reach: Access, dlxctl: Dlxctl) -> None:
    """Discarded by the same archive first, as an interrupted one says; others are not touched."""
    declare(reach, "quorum", "orders")
    put(reach, *[failed(n, "x") for n in range(4)])
    assert dlxctl("export", "-q", "dead", "-o", "four.jsonl").returncode == 0
    contents(reach)
    put(reach, failed(9, "x"))
    assert dlxctl("restore", "four.jsonl", "--id", "id-0", "--id", "id-1", "--yes").returncode == 0
    assert dlxctl("discard", "-q", "dead", "--archived", "four.jsonl", "--yes").returncode == 4
    assert dlxctl("restore", "four.jsonl", "--yes").returncode == 0
    assert sorted(body for _, body in contents(reach)) == sorted(failed(n, "x")[1] for n in (0, 1, 2, 3, 9))


def test_only_what_an_archive_holds_is_discarded_and_as_often(reach: Access, dlxctl: Dlxctl) -> None:
    """What came later stays, also a twin to the byte; chosen ones that stay are exit 4."""
    declare(reach, "quorum", "orders")
    put(reach, failed(1, "x"), failed(2, "x"))
    assert dlxctl("export", "-q", "dead", "-o", "two.jsonl").returncode == 0
    put(reach, failed(1, "x"), failed(3, "x"))
    rehearsed = dlxctl("discard", "-q", "dead", "--archived", "two.jsonl", "--dry-run", "--format", "json")
    assert (json.loads(rehearsed.stdout)["discarded"], rehearsed.returncode) == (2, 4)
    done = dlxctl("discard", "-q", "dead", "--archived", "two.jsonl", "--yes")
    assert (done.returncode, "the archive does not hold them" in done.stdout) == (4, True), done.stdout
    assert [body for _, body in contents(reach)] == [failed(1, "x")[1], failed(3, "x")[1]]


def test_an_altered_line_is_told_and_costs_no_other(reach: Access, dlxctl: Dlxctl, tmp_path: Path) -> None:
    """A checksum that does not fit, a torn line, a missing end: each is said, the rest is restored, exit 4."""
    declare(reach, "classic", "orders")
    put(reach, *[failed(n, "x") for n in range(5)])
    assert dlxctl("export", "-q", "dead", "-o", "dead.jsonl").returncode == 0
    contents(reach)
    lines = (tmp_path / "dead.jsonl").read_bytes().splitlines(keepends=True)
    altered = json.loads(lines[2])
    altered["body"] = "AAAA"
    cut = [lines[0], lines[1], json.dumps(altered).encode() + b"\n", lines[3], lines[4], lines[5][:100]]
    (tmp_path / "cut.jsonl").write_bytes(b"".join(cut))
    done = dlxctl("restore", "cut.jsonl", "--yes")
    assert (done.returncode, "2 lines of the archive" in done.stdout) == (4, True), done.stdout
    assert "no last line" in done.stderr
    assert [body for _, body in contents(reach)] == [failed(n, "x")[1] for n in (0, 2, 3)]


def test_parked_letters_carry_their_note_and_can_be_replayed(reach: Access, dlxctl: Dlxctl) -> None:
    """A group goes to the parking queue with a note; a second note takes the place of the first."""
    declare(reach, "quorum", "orders")
    declare_parking(reach)
    put(reach, *[failed(n, "x") for n in range(3)], *[failed(n, "other") for n in range(3, 5)])
    done = dlxctl("park", "-q", "dead", "--to", "parked", "--where", "headers.\"dlxctl-message\" == 'x'",
                  "--note", "waits for SHOP-17", "--limit", 2, "--yes", "--format", "json")  # fmt: skip
    assert (done.returncode, json.loads(done.stdout)["parked"]) == (0, 2), done.stderr
    assert len(contents_of(dlxctl, "dead")) == 3
    rows = contents_of(dlxctl, "parked")
    assert [row["headers"]["dlxctl-note"] for row in rows] == ["waits for SHOP-17"] * 2
    assert rows[0]["headers"]["dlxctl-parked-at"] > 1_700_000_000
    assert dlxctl("park", "-q", "parked", "--to", "dead", "--note", "back", "--yes").returncode == 0
    notes = [row["headers"].get("dlxctl-note") for row in contents_of(dlxctl, "dead")]
    assert sorted(map(str, notes)) == ["None", "None", "None", "back", "back"]


def declare_parking(reach: Access) -> None:
    connection = open_connection(reach, purpose="test")
    connection.channel().queue_declare("parked", durable=True)
    connection.close()


def contents_of(dlxctl: Dlxctl, queue: str) -> list[dict[str, dict[str, object]]]:
    done = dlxctl("inspect", "-q", queue, "--show-body", "--format", "json")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_a_copy_would_change_is_not_taken(reach: Access, dlxctl: Dlxctl) -> None:
    """CC would send the copy elsewhere too: it is neither parked nor restored, and that is exit 4."""
    declare(reach, "classic", "orders")
    declare_parking(reach)
    put(reach, failed(1, "x", amqp.entry(b"CC", amqp.array())), failed(2, "x"))
    assert dlxctl("export", "-q", "dead", "-o", "dead.jsonl").returncode == 0
    done = dlxctl("park", "-q", "dead", "--to", "parked", "--yes")
    assert (done.returncode, "CC" in done.stdout) == (4, True), done.stdout
    assert (len(contents(reach)), len(contents(reach, "parked"))) == (1, 1)
    done = dlxctl("restore", "dead.jsonl", "--yes")
    assert (done.returncode, "CC" in done.stdout) == (4, True), done.stdout
    assert [body for _, body in contents(reach)] == [failed(2, "x")[1]]


def test_nothing_is_sent_where_older_messages_would_go_for_it(reach: Access, dlxctl: Dlxctl) -> None:
    """A queue that drops its head is refused (5) by park, edit and restore, and keeps what it has."""
    declare(reach, "classic", "orders")
    connection = open_connection(reach, purpose="test")
    connection.channel().queue_declare("parked", durable=True, arguments={"x-max-length": 2})
    connection.close()
    put(reach, failed(8, "older"), failed(9, "older"), queue="parked")
    put(reach, failed(1, "x"))
    assert dlxctl("export", "-q", "dead", "-o", "dead.jsonl").returncode == 0
    for arguments in (
        ("park", "-q", "dead", "--to", "parked", "--yes"),
        ("edit", "-q", "dead", "--id", "id-1", "--to", "parked", "--yes"),
        ("restore", "dead.jsonl", "-q", "parked", "--yes"),
    ):
        done = dlxctl(*arguments, EDITOR="sed -i s/1/2/", VISUAL="sed -i s/1/2/")
        assert (done.returncode, "drop-head" in done.stderr) == (5, True), done.stderr
    assert [body for _, body in contents(reach, "parked")] == [failed(8, "older")[1], failed(9, "older")[1]]
    assert len(contents(reach)) == 1


def test_the_journal_knows_what_was_taken(reach: Access, dlxctl: Dlxctl) -> None:
    """`dlxctl runs` lists an export and a discard beside replays."""
    declare(reach, "classic", "orders")
    put(reach, failed(1, "x"))
    dlxctl("export", "-q", "dead", "-o", "dead.jsonl")
    dlxctl("discard", "-q", "dead", "--archived", "dead.jsonl", "--yes")
    runs = [json.loads(line) for line in dlxctl("runs", "list", "--format", "json").stdout.splitlines()]
    assert [run["options"]["command"] for run in runs] == ["discard", "export"]
    assert [run["report"]["outcome"] for run in runs] == ["complete", "complete"]
    shown = dlxctl("runs", "show", runs[0]["run"])
    assert (shown.returncode, "dead.jsonl" in shown.stdout) == (0, True), shown.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("export", "-q", "dead", "-o", "there.jsonl"), 2, "exists"),
        (("export", "-q", "dead", "-o", "nowhere/x.jsonl"), 2, "cannot be written"),
        (("export", "-q", "missing", "-o", "new.jsonl"), 1, "missing"),
        (("discard", "-q", "dead", "--archived", "there.jsonl", "--yes"), 2, "no archive"),
        (("discard", "-q", "dead", "--archived", "none.jsonl", "--yes"), 2, "cannot be read"),
        (("discard", "-q", "dead", "--yes"), 2, "--archived"),
        (("restore", "there.jsonl", "--yes"), 2, "no archive"),
        (("restore", "bad.zst", "--yes"), 2, "cannot be read"),
        (("park", "-q", "dead", "--yes"), 2, "--to"),
        (("park", "-q", "dead", "--to", "missing", "--yes"), 1, "missing"),
    ],
)
def test_mistakes_are_named_and_change_nothing(
    reach: Access, dlxctl: Dlxctl, tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    """Each ends with its exit code and one clear line, every message stays, and no file is left half made."""
    declare(reach, "classic", "orders")
    put(reach, failed(1, "x"))
    (tmp_path / "there.jsonl").write_text("{}\n")
    (tmp_path / "bad.zst").write_bytes(b"\x28\xb5\x2f\xfdnonsense")
    done = dlxctl(*arguments)
    assert (done.returncode, says in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr
    assert len(contents(reach)) == 1
    assert not (tmp_path / "new.jsonl").exists()
