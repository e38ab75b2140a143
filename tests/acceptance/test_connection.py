"""The way to the broker: TLS that verifies, by an endpoint of the test's own in front of a real one; alternates."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dlxctl.broker.address import access
from dlxctl.broker.raw_link import RawLink
from dlxctl.errors import BrokerRefused, UsageError
from tests.brokers import RunningBroker
from tests.links import drained, message, seed

CERTIFICATE = Path(__file__).parent.parent / "contract/localhost.pem"


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@contextmanager
def endpoint(broker: RunningBroker) -> Iterator[int]:
    """A TLS port on loopback whose octets go to the broker's plain one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    parts = urlsplit(broker.amqp_url)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                client = context.wrap_socket(plain, server_side=True)
            except OSError:  # the client did not trust us, as it should
                continue
            upstream = socket.create_connection((parts.hostname or "", parts.port or 5672))
            for pair in ((client, upstream), (upstream, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def test_messages_pass_under_tls(broker: RunningBroker, vhost: str) -> None:
    """With the authority named, the same bytes go and come, large ones too."""
    with endpoint(broker) as port:
        there = access(f"amqps://guest:guest@localhost:{port}/{vhost}?cacertfile={CERTIFICATE}")
        link = RawLink(there, purpose="test")
        link._taking.queue_declare("q")
        sent = [message("x" * size) for size in (1, 1_000, 500_000)]
        seed(link, "q", sent)
        assert [(d.header, d.body) for d in drained(link, "q")] == sent
        link.close()


@pytest.mark.parametrize(
    ("host", "options"), [("localhost", ""), ("127.0.0.1", f"?cacertfile={CERTIFICATE}")], ids=["chain", "host name"]
)
def test_a_certificate_that_does_not_verify_is_refused(
    broker: RunningBroker, vhost: str, host: str, options: str
) -> None:
    """An unknown authority and another host's certificate are told apart from a broker that is down."""
    with endpoint(broker) as port, pytest.raises(BrokerRefused, match="not trusted") as refused:
        RawLink(access(f"amqps://guest:canary-secret@{host}:{port}/{vhost}{options}"), purpose="test")
    assert "canary-secret" not in str(refused.value)


def test_a_certificate_file_that_is_not_there_is_wrong_usage(broker: RunningBroker) -> None:
    """The file is named, and nothing was sent."""
    with pytest.raises(UsageError, match=r"no-such\.pem"):
        RawLink(access("amqps://guest:guest@localhost:1/?cacertfile=no-such.pem"), purpose="test")


def test_alternates_of_the_url_are_tried_in_turn(broker: RunningBroker, vhost: str) -> None:
    """The first two do not answer; the third does, and its own vhost is entered."""
    down = "amqp://guest:guest@127.0.0.1:1"
    link = RawLink(access(f"{down}/{vhost};{down}/{vhost};{broker.amqp_url}/{vhost}"), purpose="test")
    link._taking.queue_declare("here")
    link.close()
    assert [queue["name"] for queue in broker.api("GET", f"queues/{vhost}")] == ["here"]
