"""The management API when it is slow, broken or not there: retried, or one clear error (fault P7)."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dlxctl.broker.address import Access, access
from dlxctl.broker.management import Management
from dlxctl.errors import BrokerRefused, BrokerUnavailable, DlxctlError, NotFound, UsageError
from dlxctl.model.topology import Queue

CANARY = "c4n4ry-pässwörd"
WHOAMI = {"name": "shop", "tags": ["policymaker"]}
OVERVIEW = {"rabbitmq_version": "4.3.6", "cluster_name": "c"}


class Script:
    """What a pretended management API answers, request by request; the last entry stays."""

    def __init__(self, *answers: tuple[int, bytes] | str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def next(self) -> tuple[int, bytes] | str:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Access]:
    """A server that follows `script`; the word `cut` closes the connection in the middle of the body."""

    class Answering(BaseHTTPRequestHandler):
        def answer(self) -> None:
            script.asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found = script.next()
            status, body = (200, b'[{"name": "q"') if isinstance(found, str) else found
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) + (100 if isinstance(found, str) else 0)))
            self.end_headers()
            self.wfile.write(body)
            if isinstance(found, str):
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield reach(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


def reach(port: int) -> Access:
    return access("amqp://shop:c4n4ry-p%C3%A4ssw%C3%B6rd@127.0.0.1:1/v", f"http://127.0.0.1:{port}")


def ok(body: object) -> tuple[int, bytes]:
    return 200, json.dumps(body).encode()


def refusal(status: int, error: str, reason: str) -> tuple[int, bytes]:
    return status, json.dumps({"error": error, "reason": reason}).encode()


def failure(script: Script) -> DlxctlError:
    """What reading ends with; whatever it is, it holds no password."""
    with serving(script) as access_, pytest.raises(DlxctlError) as caught:
        Management(access_).read()
    assert CANARY not in f"{caught.value}{caught.value!r}"
    return caught.value


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_in_passing_is_retried(status: int) -> None:
    """A read, and a change too, since each change is idempotent."""
    script = Script((status, b"busy"), ok(WHOAMI), (status, b""), ok(OVERVIEW), (status, b""), (201, b""))
    with serving(script) as access_:
        admin = Management(access_)
        assert admin.server().version == (4, 3, 6)
        admin.declare_queue(Queue(name="a/b"))
    assert [line.split("?")[0] for line in script.asked] == [
        *["GET /api/whoami"] * 2,
        *["GET /api/overview"] * 2,
        *["PUT /api/queues/v/a%2Fb"] * 2,
    ]


def test_a_server_error_that_stays_is_one_clear_error() -> None:
    """Exit 6: trying again later may help."""
    error = failure(Script((503, b"<html>busy</html>")))
    assert isinstance(error, BrokerUnavailable)
    assert "answered 503 to GET whoami" in str(error)


def test_an_answer_cut_off_is_retried() -> None:
    """Half a list is never taken for the whole."""
    lists = [ok([])] * 3
    with serving(Script(ok(WHOAMI), ok(OVERVIEW), ok([]), "cut", *lists)) as access_:
        assert not Management(access_).read().queues


@pytest.mark.parametrize(
    "body", [b"<html>Welcome</html>", b'{"name": ', b"", b"[]", b'{"tags": 1}', b"[" * 100_000, b"null", b'{"name": 3}']
)
def test_an_answer_that_is_not_the_api_s_is_one_clear_error(body: bytes) -> None:
    """A login page of a proxy, for instance, or the wrong port."""
    error = failure(Script((200, body)))
    assert isinstance(error, BrokerUnavailable)
    assert "--management-url" in str(error)


@pytest.mark.parametrize("row", [{}, {"name": "q"}, None, "q", {"name": "q", "arguments": 3, "durable": 1}])
def test_a_row_that_is_no_queue_is_one_clear_error(row: object) -> None:
    """Nothing is guessed."""
    error = failure(Script(ok(WHOAMI), ok(OVERVIEW), ok([]), ok([row]), ok([])))
    assert "did not answer" in str(error)


def test_nothing_listening_says_how_to_turn_the_api_on() -> None:
    """The plugin's name and the option are in the text."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        access_ = reach(free.getsockname()[1])
    with pytest.raises(BrokerUnavailable) as caught:
        Management(access_).server()
    for part in ("rabbitmq-plugins enable rabbitmq_management", "--management-url", "onnection refused"):
        assert part in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (refusal(401, "not_authorized", "Login failed"), BrokerRefused, "wrong user or password"),
        (refusal(401, "not_authorised", "Not management user"), BrokerRefused, "set_user_tags shop policymaker"),
        (refusal(404, "Object Not Found", "Not Found"), BrokerUnavailable, "did not answer"),
    ],
    ids=["password", "tag", "no such API"],
)
def test_a_refused_login_says_what_is_missing(answer: tuple[int, bytes], kind: type, said: str) -> None:
    """All of them are 401 to the eye."""
    error = failure(Script(answer))
    assert isinstance(error, kind)
    assert said in str(error)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (refusal(404, "Object Not Found", "Not Found"), NotFound, "rabbitmqctl add_vhost v"),
        (refusal(404, "not_found", "Not Found"), BrokerRefused, "rabbitmqctl set_permissions -p v shop"),
        (
            refusal(401, "not_authorised", "User not authorised to access virtual host"),
            BrokerRefused,
            "rabbitmqctl set_permissions -p v shop",
        ),
    ],
    ids=["missing", "forbidden on 4.3", "forbidden"],
)
def test_a_vhost_that_is_missing_or_forbidden_is_told_apart(answer: tuple[int, bytes], kind: type, said: str) -> None:
    """With the command that helps."""
    error = failure(Script(ok(WHOAMI), ok(OVERVIEW), answer))
    assert isinstance(error, kind)
    assert said in str(error)


def test_control_characters_of_an_answer_are_escaped() -> None:
    """An error's text goes to a terminal."""
    script = Script(ok(WHOAMI), ok(OVERVIEW), refusal(400, "bad_request", "a\x1b[31m &lt;b&gt;\nc"))
    assert "a\\x1b[31m <b> c" in str(failure(script))


CERTIFICATE = Path(__file__).parent / "localhost.pem"
"""A self-signed certificate for `localhost`, with its key; for these tests only."""


@pytest.mark.filterwarnings("ignore:Unverified HTTPS")
@pytest.mark.parametrize(
    ("host", "query", "trusted"),
    [
        ("localhost", "", False),
        ("localhost", f"?cacertfile={CERTIFICATE}", True),
        ("127.0.0.1", f"?cacertfile={CERTIFICATE}", False),
        ("127.0.0.1", "?verify=verify_none", True),
    ],
    ids=["unknown authority", "named authority", "other host name", "told not to verify"],
)
def test_chain_and_host_name_are_verified(host: str, query: str, trusted: bool) -> None:
    """Unless the URL says otherwise; a refusal says which option helps, and no request was sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    script = Script(ok(WHOAMI), ok(OVERVIEW))
    with serving(script, context) as plain:
        admin = Management(access("amqp://shop:x@h/v", f"https://{host}:{plain.management.port}{query}"))
        if trusted:
            assert admin.server().user == "shop"
        else:
            with pytest.raises(BrokerRefused, match="cacertfile"):
                admin.server()
            assert not script.asked


def test_a_certificate_file_that_cannot_be_read_is_named() -> None:
    """Exit 2: it is the caller's slip."""
    with pytest.raises(UsageError, match=r"/no/such/ca\.pem"):
        Management(access("amqp://shop:x@h/v", "https://localhost:1?cacertfile=/no/such/ca.pem"))
