"""Whatever octets enter, no place fails, and what is shown of them cannot steer a terminal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import amqp_values as amqp
from tests.hostile.targets import SEEDS, TARGETS, shown
from tests.letters import letter

ESCAPES = "\x1b]0;owned\x07 \x9b31m \u202e \x00 \x7f \r\n\x08"
HEADERS = (
    "task", "id", "dlxctl-exception", "dlxctl-message", "dlxctl-reason", "dlxctl-origin", "dlxctl-traceback",
    "argsrepr", "kwargsrepr", ESCAPES,
)  # fmt: skip


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_known_to_be_hostile_makes_no_place_fail(name: str) -> None:
    """Every file of the corpus, which has some for each place."""
    files = sorted((SEEDS / name).iterdir())
    assert len(files) > 10
    for file in files:
        TARGETS[name](file.read_bytes())


def test_the_corpus_has_no_place_of_its_own() -> None:
    """A directory without a target would never be tried."""
    assert {path.name for path in SEEDS.iterdir()} == TARGETS.keys()


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_no_octets_make_a_place_fail(name: str, data: bytes) -> None:
    """Any octets end in a value, or in dlxctl's own refusal."""
    TARGETS[name](data)


@pytest.mark.parametrize("name", HEADERS)
def test_no_header_steers_a_terminal(name: str) -> None:
    """Escape sequences, C1 controls and direction overrides are shown as text, in every header that is shown."""
    text = shown(letter(amqp.entry(name.encode(), amqp.string(ESCAPES))))
    assert not set(text) & set("\x1b\x9b\x07\x00\x7f\x08\r\u202e")
