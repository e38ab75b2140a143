"""Shell completion: live queue names for --queue, and silence where there is no broker."""

import pika
import pytest

from dlxctl.broker.address import Access
from dlxctl.broker.amqp import open_connection
from tests.conftest import Dlxctl

pytestmark = pytest.mark.one_version

TYPED = {"COMP_WORDS": "dlxctl replay --queue de", "COMP_CWORD": "3", "_DLXCTL_COMPLETE": "bash_complete"}


@pytest.fixture
def queues(reach: Access) -> None:
    connection = open_connection(reach, purpose="test")
    channel: pika.channel.Channel = connection.channel()
    for name in ("dead_letter", "default", "orders"):
        channel.queue_declare(name, durable=True)
    connection.close()


@pytest.mark.usefixtures("queues")
def test_the_tab_key_shows_the_queues_that_begin_so(dlxctl: Dlxctl) -> None:
    """The names come from the broker, and no others."""
    done = dlxctl(**TYPED)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["plain,dead_letter", "plain,default"]


def test_without_a_broker_the_tab_key_shows_nothing(dlxctl: Dlxctl) -> None:
    """No name, no error, no password on the command line of whoever pressed it."""
    done = dlxctl(**TYPED, DLXCTL_MANAGEMENT_URL="http://guest:canary-secret@127.0.0.1:1")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
