"""Opening an AMQP connection: alternates in turn, TLS that verifies, a name that people can read in the broker's UI.

What it must not know: queues and messages. Errors leave as dlxctl's own (`failures.connecting`).
"""

import getpass
import logging
import os
import socket
from dataclasses import replace
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingConnection

from dlxctl import __version__
from dlxctl.broker import failures
from dlxctl.broker.address import Access, Address
from dlxctl.broker.tls import context_of
from dlxctl.errors import BrokerUnavailable, DlxctlError

HEARTBEAT_S = 30
CONNECT_TIMEOUT_S = 10
FRAME_MAX = 131_072

logging.getLogger("pika").addHandler(logging.NullHandler())  # else Python prints pika's stack traces to stderr


def open_connection(
    access: Access, *, purpose: str, blocked_timeout_s: float | None = None, implementation: type[Any] | None = None
) -> BlockingConnection:
    """Connect to the first address of `access` that answers; `purpose` (`replay dead_letter`) names the connection.

    `implementation` replaces pika's SelectConnection underneath. Raises the last address's BrokerUnavailable, or at
    once BrokerRefused or NotFound, since another node of the cluster would say the same, and UsageError for bad files.
    """
    failure: DlxctlError | None = None
    for address in access.amqp:
        parameters = _parameters(address, access.vhost, purpose, blocked_timeout_s)
        try:
            return BlockingConnection(parameters, _impl_class=implementation)
        except Exception as error:
            failure = failures.connecting(_with_vhost(address, access.vhost), _cause(error))
            if not isinstance(failure, BrokerUnavailable):
                raise failure from None
    assert failure is not None
    raise failure from None


def connection_name(purpose: str) -> str:
    """`dlxctl replay dead_letter (ann@host, pid 4711)`: what the management UI and a lock's refusal show."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no such user id in a container
        user = str(os.getuid())
    return f"dlxctl {purpose} ({user}@{socket.gethostname()}, pid {os.getpid()})"


def _parameters(
    address: Address, vhost: str, purpose: str, blocked_timeout_s: float | None
) -> pika.ConnectionParameters:
    return pika.ConnectionParameters(
        host=address.host,
        port=address.port,
        virtual_host=vhost,
        credentials=pika.PlainCredentials(address.user, address.password, erase_on_connect=True),
        ssl_options=pika.SSLOptions(context_of(address), address.host) if address.tls else None,
        heartbeat=HEARTBEAT_S,
        frame_max=FRAME_MAX,
        socket_timeout=CONNECT_TIMEOUT_S,
        stack_timeout=CONNECT_TIMEOUT_S + 5,
        blocked_connection_timeout=blocked_timeout_s,
        client_properties={
            "connection_name": connection_name(purpose),
            "product": "dlxctl",
            "version": __version__,
        },
    )


def _with_vhost(address: Address, vhost: str) -> Address:
    return replace(address, vhost=vhost)


def _cause(error: BaseException) -> BaseException:
    """What really went wrong, out of the layers that pika's connection workflow wraps around it."""
    for inner in (*reversed(getattr(error, "exceptions", ())), getattr(error, "exception", None), *error.args):
        if isinstance(inner, BaseException):
            return _cause(inner)
    return error
