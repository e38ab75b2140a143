"""dlxctl.replay.window: nothing is acknowledged that is not confirmed, whatever the order of confirms."""

from hypothesis import given
from hypothesis import strategies as st

from dlxctl.replay.order import Route
from dlxctl.replay.origin import Held, Hold
from dlxctl.replay.window import Entry, Window
from dlxctl.wire.intake import Confirm

ORDERS = Route("", "orders")
REFUSED, MISSING = Held(why=Hold.REFUSED), Held(why=Hold.NO_QUEUE)


def window_of(*tags: int) -> Window:
    window = Window()
    for sequence, tag in enumerate(tags, 1):
        window.sent(Entry(tag, ORDERS), sequence)
    return window


def test_only_the_contiguous_prefix_is_acknowledged() -> None:
    """Confirms of two queues come out of order; a gap waits."""
    window = window_of(1, 2, 3)
    assert [entry.tag for entry in window.confirmed(Confirm(3, False, True), REFUSED)] == [3]
    assert list(window.acknowledgements()) == []
    assert len(list(window.confirmed(Confirm(2, True, True), REFUSED))) == 2
    assert list(window.acknowledgements()) == [(3, True)]


def test_a_returned_copy_is_held_though_confirmed() -> None:
    """A return comes before the confirm, and the confirm does not undo it."""
    window = window_of(1, 2, 3)
    window.returned(2, MISSING)
    settled = list(window.confirmed(Confirm(3, True, True), REFUSED))
    assert [entry.held for entry in settled] == [None, MISSING, None]
    assert list(window.acknowledgements()) == [(3, False), (1, True)]


def test_nothing_is_acknowledged_multiple_over_a_kept_delivery() -> None:
    """A held message between two moved ones survives."""
    window = Window()
    window.sent(Entry(1, ORDERS), 1)
    window.keep(2)
    window.sent(Entry(3, ORDERS), 2)
    list(window.confirmed(Confirm(2, True, True), REFUSED))
    assert sorted(window.acknowledgements()) == [(1, True), (3, False)]


def test_a_nack_holds_also_with_multiple() -> None:
    """RabbitMQ says multiple even for one tag."""
    window = window_of(1, 2)
    assert [entry.held for entry in window.confirmed(Confirm(2, True, False), REFUSED)] == [REFUSED, REFUSED]
    assert list(window.acknowledgements()) == []
    assert len(window) == 0


FATES = st.lists(st.sampled_from(["moved", "returned", "nacked", "kept", "silent"]), max_size=30)


@given(FATES, st.randoms(use_true_random=False), st.booleans())
def test_acknowledged_is_exactly_what_was_confirmed(fates: list[str], random: object, at_once: bool) -> None:
    """For any fates, in any order of confirms, the broker ends up with just the unconfirmed ones."""
    window, sequence, pending = Window(), 0, []
    for tag, fate in enumerate(fates, 1):
        if fate == "kept":
            window.keep(tag)
            continue
        sequence += 1
        window.sent(Entry(tag, ORDERS), sequence)
        pending.append((sequence, fate))
    random.shuffle(pending)  # type: ignore[attr-defined]
    outstanding, acknowledged = set(range(1, len(fates) + 1)), set()

    def acknowledge() -> None:
        for tag, multiple in window.acknowledgements():
            gone = {t for t in outstanding if t == tag or (multiple and t <= tag)}
            acknowledged.update(gone)
            outstanding.difference_update(gone)

    for number, fate in pending:
        if fate == "silent":
            continue
        if fate == "returned":
            window.returned(number, MISSING)
        list(window.confirmed(Confirm(number, False, fate != "nacked"), REFUSED))
        if not at_once:
            acknowledge()
        moved = {tag for tag, f in enumerate(fates, 1) if f == "moved"}
        assert acknowledged <= moved
    acknowledge()
    silent = [tag for tag, fate in enumerate(fates, 1) if fate == "silent"]
    before_any_gap = {tag for tag, fate in enumerate(fates, 1) if fate == "moved" and (not silent or tag < silent[0])}
    assert before_any_gap <= acknowledged


def test_an_acknowledged_message_may_come_again_when_the_link_is_lost() -> None:
    """A quorum queue may not have taken the latest acknowledgements: they are remembered, within bounds."""
    window = window_of(*range(1, 5_002))
    list(window.confirmed(Confirm(5_000, True, True), REFUSED))
    assert list(window.acknowledgements()) == [(5_000, True)]
    under_way, moved = window.unsettled()
    assert [entry.tag for entry in under_way] == [5_001]
    assert [entry.tag for entry in moved] == list(range(1_001, 5_001))


def test_released_deliveries_no_longer_stand_in_the_way() -> None:
    """Once kept messages are given back, acknowledging multiple is right again."""
    window = Window()
    window.keep(1)
    window.sent(Entry(2, ORDERS), 1)
    assert window.release() == [1]
    list(window.confirmed(Confirm(1, False, True), REFUSED))
    assert list(window.acknowledgements()) == [(2, True)]
