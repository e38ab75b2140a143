"""R6: the target cannot take the message: it is gone, goes in mid-run, is full, or would drop others for it."""

from collections import Counter

import pytest

from tests.faults.conftest import Judge
from tests.faults.proxy import Proxy
from tests.faults.scene import DEAD, WINDOW, Scene

FAULT = "R6"
EACH = 50
ROOM = 5
POUR = 6_000


def reasons(report: dict[str, object]) -> Counter[tuple[str, str]]:
    """(why, detail) -> count of a report."""
    held = report["held_because"]
    assert isinstance(held, list)
    return Counter({(one["why"], one["detail"]): one["count"] for one in held})


def test_a_target_that_is_gone_holds_its_messages_only(scene: Scene, judge: Judge) -> None:
    """Each is held with the queue's name, the rest moves; once the queue is back, they move too."""
    scene.declare("orders", "default")
    scene.fill(2 * EACH)
    scene.delete("orders")
    done = scene.replay()
    assert (done.code, done.report["moved_to"]) == (4, {"default": EACH}), done
    assert [count for (why, _), count in reasons(done.report).items() if why in ("no-queue", "foreign-origin")] == [
        EACH
    ]
    scene.work("orders")
    assert scene.replay().report["moved_to"] == {"orders": EACH}
    assert judge().moved == 2 * EACH


def test_a_target_that_goes_in_mid_run_takes_none_of_the_rest_with_it(scene: Scene, proxy: Proxy) -> None:
    """What was reported as moved before is gone with its queue; every other message exists, once."""
    scene.declare("orders", "default")
    scene.fill(800)
    process = scene.frozen(proxy)
    scene.until_quiet("orders", "default")
    scene.delete("orders")
    proxy.silent = False
    done = scene.ended(process)
    assert done.code == 4, done
    went = done.report["moved_to"].get("orders", 0)
    assert done.report["moved_to"]["default"] == 400
    assert reasons(done.report) == {("no-queue", "orders"): 400 - went}
    counts = scene.counts("default")
    assert (counts.lost, counts.duplicated, counts.altered, counts.flagged) == (went, 0, 0, 0), counts


def test_a_target_deleted_while_copies_pour_into_it(scene: Scene) -> None:
    """The broker may close the connection over it (4.0), never read it again (3.10), or refuse what comes before the
    deletion is done (4.3): the run goes on and ends all the same. See docs/decisions/0016."""
    scene.declare("orders", "default")
    scene.fill(POUR)
    process = scene.start()
    scene.until(lambda: scene.depth("orders") > 0, "copies arrive")
    scene.delete("orders")
    done = scene.ended(process, timeout=240)
    assert done.code == 4, done
    held = reasons(done.report)
    assert held.keys() <= {("no-queue", "orders"), ("refused", "orders")}, held
    assert held["no-queue", "orders"] > 0
    counts = scene.counts("default")
    assert (counts.lost, counts.altered, counts.unflagged) == (POUR // 2 - held.total(), 0, 0), counts
    assert counts.duplicated <= WINDOW * done.report["reconnects"], (counts, done)
    assert done.report["reconnects"] or not counts.flagged, counts


@pytest.mark.parametrize(("overflow", "why"), [("reject-publish", "refused"), ("drop-head", "queue-drops")])
def test_a_full_target_keeps_what_it_has(scene: Scene, judge: Judge, overflow: str, why: str) -> None:
    """reject-publish: held as refused; drop-head: held before anything is sent. The rest moves."""
    scene.declare("small", "default")
    scene.fill(2 * EACH, ("small", "default"))
    scene.delete("small")
    scene.work("small", x_max_length=ROOM, x_overflow=overflow)
    done = scene.replay()
    went = done.report["moved_to"].get("small", 0)
    assert done.code == (4 if went < EACH else 0), done
    assert done.report["moved_to"]["default"] == EACH
    # a quorum queue takes some over its limit before it tells the channel, so there may be none left to refuse
    assert reasons(done.report) == ({(why, "small"): EACH - went} if went < EACH else {})
    assert went == 0 if overflow == "drop-head" else went >= ROOM
    assert scene.depth(DEAD) == EACH - went
    assert judge("small", "default").moved == EACH + went
