"""dlxctl.broker.raw_link: a call that the broker never answers ends, and says so."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from dlxctl.broker import raw_link
from dlxctl.broker.address import Access, access
from dlxctl.broker.raw_link import RawLink
from dlxctl.errors import BrokerUnavailable
from tests.brokers import RunningBroker
from tests.faults.proxy import Proxy

pytestmark = pytest.mark.broker


@pytest.fixture
def silenced(broker: RunningBroker, reach: Access, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[RawLink]:
    """A link whose line went silent without being closed, and that has little patience."""
    monkeypatch.setattr(raw_link, "ANSWER_S", 0.3)
    address = urlsplit(broker.amqp_url)
    assert address.hostname is not None
    with Proxy((address.hostname, address.port or 5672)) as proxy:
        through = url.replace(f"{address.hostname}:{address.port}", f"127.0.0.1:{proxy.port}")
        link = RawLink(access(through, broker.management_url), purpose="test")
        proxy.silent = True
        yield link


def test_a_call_without_an_answer_loses_the_connection(silenced: RawLink) -> None:
    """Heartbeats would not tell: a broker may send them and read nothing."""
    with pytest.raises(BrokerUnavailable, match=r"reading queue 'q': the connection was lost: no answer for 0.3 s"):
        silenced.depth("q")
    with pytest.raises(BrokerUnavailable):
        silenced.pump(0.1)


def test_an_alarm_may_last_longer(silenced: RawLink) -> None:
    """What an alarm holds up is not given up for that; `--blocked-timeout` is for it."""
    silenced._blocked = "memory"
    silenced._raw.ioloop.call_later(1.0, lambda: setattr(silenced, "_blocked", None))
    with pytest.raises(BrokerUnavailable, match="no answer"):
        silenced.depth("q")
    assert silenced.blocked is None, "it was given up while the alarm was on"
