"""What went wrong with the management API, as dlxctl's errors: whose fault it is, and what to do next.

Refusals are always 401, so the reason's text and `whoami` tell which it was (measured on 3.10, 4.0 and 4.3): a wrong
password, a missing tag, or a missing permission. 4.3 answers 404 for a vhost that the user may not enter, with
another `error` than for one that does not exist.
"""

import html
import json
import shlex

from urllib3.exceptions import HTTPError, MaxRetryError, NameResolutionError

from dlxctl.broker.address import Address
from dlxctl.errors import BrokerRefused, BrokerUnavailable, DlxctlError, NotFound
from dlxctl.model.diagnostics import printable

_REACH = (
    "Is the broker up and its management plugin on (rabbitmq-plugins enable rabbitmq_management)? "
    "If the API listens elsewhere, give --management-url or DLXCTL_MANAGEMENT_URL."
)
_NO_TAG = "Not management user"
_NO_VHOST_ACCESS = "User not authorised to access virtual host"


def unreachable(address: Address, error: Exception) -> DlxctlError:
    """No answer came: not listening, no such host, untrusted certificate, timed out, cut off."""
    cause: BaseException = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    text = f"{cause!r} {cause.__cause__!r}"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return BrokerRefused(
            f"the certificate of {address} is not trusted",
            why="chain or host name do not verify",
            remedy="Name the authority's file in the URL: ?cacertfile=/path/ca.pem.",
        )
    if isinstance(cause, NameResolutionError):
        return BrokerUnavailable(
            f"the host of {address} cannot be resolved", remedy="Check --url and --management-url."
        )
    return BrokerUnavailable(f"the management API at {address} does not answer", why=_plain(cause), remedy=_REACH)


def server_error(address: Address, asked: str, status: int, content: bytes) -> DlxctlError:
    """A 5xx that stayed through all retries."""
    reason = refusal(content)[1]
    return BrokerUnavailable(
        f"the management API at {address} answered {status} to {printable(asked)}",
        why=reason,
        remedy="The broker may be starting or overloaded; try again, and look into its log if it stays.",
    )


def garbage(address: Address, asked: str) -> DlxctlError:
    """An answer that is not what the management API says."""
    return BrokerUnavailable(
        f"{address} did not answer {printable(asked)} as RabbitMQ's management API does",
        remedy="Does --management-url lead to the broker? A proxy in between may cut or replace answers.",
    )


def refusal(content: bytes) -> tuple[str, str]:
    """`error` and `reason` of a refusal's body, on one line; 3.10 and 4.0 escape it as HTML."""
    try:
        body = json.loads(content)
        error, reason = body["error"], body["reason"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return "", ""
    return str(error), printable(" ".join(html.unescape(str(reason)).split()))


def not_admitted(address: Address, reason: str) -> DlxctlError:
    """The API does not let the user in at all: `whoami` itself was refused, with `reason`."""
    if reason == _NO_TAG:
        return BrokerRefused(
            f"user {address.user!r} may not use the management API at {address}",
            why="it lacks the tag `management`, or `policymaker`, which includes it",
            remedy=f"rabbitmqctl set_user_tags {_shell(address.user)} policymaker   (replaces the user's other tags)",
        )
    return BrokerRefused(
        f"{address} refused the login of user {address.user!r}",
        why="wrong user or password",
        remedy="Check --url or DLXCTL_URL, and --management-url; guest may log in from the broker's host only.",
    )


def vhost_missing(address: Address, vhost: str, error: str) -> DlxctlError:
    """Nothing is found at `vhost`: it does not exist, or (4.3: `not_found`) the user may not enter it."""
    if error == "not_found":
        return vhost_refused(address, vhost)
    return NotFound(
        f"vhost {vhost!r} does not exist on {address}",
        remedy=f"Create it (rabbitmqctl add_vhost {_shell(vhost)}), or correct `vhost:` in the topology file.",
    )


def vhost_refused(address: Address, vhost: str) -> DlxctlError:
    """The user has no permissions in `vhost`."""
    return BrokerRefused(
        f"user {address.user!r} may not enter vhost {vhost!r} on {address}",
        remedy=_set_permissions(address, vhost),
    )


def not_permitted(address: Address, vhost: str, what: str, reason: str, needs: str) -> DlxctlError:
    """`what` was refused for want of a permission; `needs` says which, as docs/plan-and-apply.md does."""
    if reason == _NO_VHOST_ACCESS:
        return vhost_refused(address, vhost)
    return BrokerRefused(
        f"user {address.user!r} may not {what}",
        why=reason,
        remedy=f"It needs {needs}. {_set_permissions(address, vhost)}",
    )


def no_policy_tag(user: str) -> DlxctlError:
    """Policies are to be set, and the user may not."""
    return BrokerRefused(
        f"user {user!r} may not set policies",
        why="it lacks the tag `policymaker`",
        remedy=f"rabbitmqctl set_user_tags {_shell(user)} policymaker   (replaces the user's other tags), "
        "or write `settings: arguments` into the topology file.",
    )


def _set_permissions(address: Address, vhost: str) -> str:
    return f"rabbitmqctl set_permissions -p {_shell(vhost)} {_shell(address.user)} CONFIGURE WRITE READ"


def _shell(name: str) -> str:
    return shlex.quote(printable(name))


def _plain(error: BaseException) -> str:
    """The last part of urllib3's text: the rest repeats the URL and object addresses."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).rsplit(": ", 1)[-1]
    return text if isinstance(error, HTTPError) and text else type(error).__name__
