"""Names of strangers in what is written to be read by another program: still the same name there, and harmless here."""

import subprocess

import pytest

from dlxctl.broker.address import Access
from dlxctl.celery.module import module_text
from dlxctl.render.escape import harmless, shell_word
from dlxctl.spec import load
from dlxctl.spec.dump import dump
from dlxctl.spec.expand import expand
from tests.acceptance.test_completion import TYPED
from tests.conftest import Dlxctl
from tests.hostile.stage import STEERING, TOPOLOGY, WORST
from tests.hostile.test_terminal import steering
from tests.links import RabbitWorld

WORDS = ("dead_letter", "a b", "it's", "", "$HOME", "-x", "ü", STEERING, "\U000e0001'\\", "\x9bff", "\x1bff")


@pytest.mark.parametrize("word", WORDS)
def test_a_word_for_the_shell_is_read_as_it_was(word: str) -> None:
    """bash makes the same octets of it, and whoever copies it from a terminal is not steered."""
    quoted = shell_word(word)
    assert steering(quoted) == set()
    read = subprocess.run(
        ["bash", "-c", f"printf %s {quoted}"], env={"LC_ALL": "C.UTF-8"}, capture_output=True, check=True, timeout=20
    )
    assert read.stdout.decode() == word


def test_what_dlxctl_says_is_whole() -> None:
    """Line breaks stay, nothing is cut, and everything that a terminal would obey is text."""
    text = f"{WORST}\n" * 1_000
    assert steering(harmless(text)) == set()
    assert harmless(text).count("owned") == text.count("owned")
    assert harmless("ü ✓ a\n b") == "ü ✓ a\n b"


def test_generated_files_hide_nothing() -> None:
    """A direction override in a name stands escaped in YAML and in Python, where it could hide what is said."""
    layout = load(TOPOLOGY.format(vhost="v"))
    text = dump(layout)
    assert steering(text) == set()
    assert load(text) == layout
    assert steering(module_text(layout, expand(layout))) == set()


@pytest.mark.one_version
def test_the_tab_key_offers_no_name_that_steers(dlxctl: Dlxctl, reach: Access) -> None:
    """A shell would print it as it is; the others are offered."""
    world = RabbitWorld(reach, "classic")
    for name in ("dead_letter", f"dead {STEERING}"):
        world.queue(name)
    assert dlxctl(**TYPED).stdout.split("\n") == ["plain,dead_letter", ""]
