"""dlxctl.replay.prefetch: few at first, as many as fit then, and held messages on top."""

from dlxctl.replay.prefetch import BUDGET_BYTES, FIRST, STEP, Prefetch


def taught(octets: int, window: int = 1_000) -> Prefetch:
    prefetch = Prefetch(window=window)
    prefetch.change(0)
    for _ in range(FIRST):
        prefetch.learn(octets)
    return prefetch


def test_a_run_begins_with_few() -> None:
    """Nobody knows yet how large the messages are."""
    prefetch = Prefetch(window=1_000)
    assert prefetch.change(0) == FIRST
    assert prefetch.change(0) is None


def test_small_messages_fill_the_window() -> None:
    """A thousand of one KB fit."""
    assert taught(1_024).change(0) == 1_000


def test_large_messages_are_taken_a_few_at_a_time() -> None:
    """Of 16 MiB one fits, and never none."""
    assert taught(16 * 1024 * 1024).change(0) == 1
    assert taught(10 * BUDGET_BYTES).change(0) == 1


def test_messages_that_grow_make_it_shrink() -> None:
    """The mean decides, as it is learned."""
    prefetch = taught(1_024)
    prefetch.change(0)
    for _ in range(1_000):
        prefetch.learn(1024 * 1024)
    shrunk = prefetch.change(0)
    assert shrunk is not None
    assert shrunk < 30


def test_held_messages_come_on_top_in_steps() -> None:
    """They stay outstanding, so the window would starve without."""
    prefetch = taught(16 * 1024 * 1024)
    prefetch.change(0)
    assert prefetch.change(1) == 1 + STEP
    assert prefetch.change(2) is None


def test_a_small_window_is_kept() -> None:
    """A slow run takes no more than it asks for."""
    assert Prefetch(window=5).change(0) == 5
