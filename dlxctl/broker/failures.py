"""pika's errors become dlxctl's, once and here: whose fault it is, on which object, and what to do next.

Reply codes: https://www.rabbitmq.com/amqp-0-9-1-reference#constants. Texts of the broker may name users and queues;
they never hold a password.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from pika import exceptions as pika_errors

from dlxctl.broker.address import Address
from dlxctl.errors import BrokerRefused, BrokerUnavailable, DlxctlError, Locked, NotFound

LOST_LINE = pika_errors.StreamLostError.__name__


def connecting(address: Address, error: BaseException) -> DlxctlError:
    """Why no connection to `address` came about.

    pika takes a line that breaks during the login for a refused one; RabbitMQ says it when it refuses.
    """
    if LOST_LINE in str(error):
        return _unreachable(address, "the connection was lost")
    if isinstance(error, pika_errors.ProbableAuthenticationError):
        return BrokerRefused(
            f"{address} refused the login of user {address.user!r}",
            why="wrong user or password",
            remedy="Check the user and password in --url or DLXCTL_URL; guest may log in from the broker's host only.",
        )
    if isinstance(error, pika_errors.ProbableAccessDeniedError):
        return _vhost_refused(address, str(error))
    if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in repr(error):
        return BrokerRefused(
            f"the certificate of {address} is not trusted",
            why="chain or host name do not verify",
            remedy="Name the authority's file in the URL: ?cacertfile=/path/ca.pem.",
        )
    if isinstance(error, socket.gaierror):
        return BrokerUnavailable(f"the host of {address} cannot be resolved", remedy="Check --url or DLXCTL_URL.")
    return _unreachable(address, _plain(error))


def _unreachable(address: Address, why: str) -> DlxctlError:
    return BrokerUnavailable(
        f"cannot connect to {address}",
        why=why,
        remedy="Is the broker up, and is this its address? Check --url or DLXCTL_URL, then try again.",
    )


def on_channel(error: pika_errors.ChannelClosedByBroker, what: str) -> DlxctlError:
    """A channel error of the broker while dlxctl did `what` (e.g. `reading queue 'dead_letter'`)."""
    text = error.reply_text
    match error.reply_code:
        case 404:
            return NotFound(f"{what}: it does not exist", why=text, remedy="Check the name and the vhost.")
        case 403:
            return BrokerRefused(f"{what} was refused", why=text, remedy="Give the user the permission that it names.")
        case 405:
            return Locked(f"{what}: another connection holds it", why=text, remedy="Run the same command again later.")
        case _:
            return BrokerRefused(f"{what} was refused", why=text, remedy="Mend what the broker names, then try again.")


@contextmanager
def converted(what: str) -> Iterator[None]:
    """Within the block, pika's errors leave as dlxctl's; `what` says what was going on, with the object."""
    try:
        yield
    except pika_errors.ChannelClosedByBroker as error:
        raise on_channel(error, what) from None
    except pika_errors.ConnectionBlockedTimeout:
        raise BrokerUnavailable(
            f"{what}: the broker blocks publishers",
            why="a memory or disk alarm is on",
            remedy="Clear the alarm (rabbitmq-diagnostics alarms), then run the same command again.",
        ) from None
    except (pika_errors.AMQPError, OSError) as error:
        raise BrokerUnavailable(
            f"{what}: the connection was lost", why=_plain(error), remedy="Run the same command again."
        ) from None


def _vhost_refused(address: Address, text: str) -> DlxctlError:
    if "not found" in text:
        return NotFound(
            f"{address}: the vhost does not exist",
            why=text,
            remedy="Create it (rabbitmqctl add_vhost NAME), or correct the vhost in the URL or the topology file.",
        )
    return BrokerRefused(
        f"{address}: user {address.user!r} may not enter the vhost",
        why=text,
        remedy="Give it permissions: rabbitmqctl set_permissions -p VHOST USER CONFIGURE WRITE READ.",
    )


def _plain(error: BaseException) -> str:
    """The innermost reason as text: pika wraps socket errors several times."""
    if isinstance(error, pika_errors.ConnectionClosed | pika_errors.ChannelClosed):
        return f"{error.reply_code} {error.reply_text}"
    for part in error.args:
        if isinstance(part, BaseException):
            return _plain(part)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
