"""Where a broker is: AMQP and management addresses, parsed from URLs and shown without their passwords.

Knows nothing of sockets or the environment. Celery's habits are honoured: alternates separated by `;`, `pyamqp://`,
and `//` for the vhost `/`.
"""

from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from dlxctl.errors import UsageError

_AMQP_SCHEMES = {"amqp": False, "pyamqp": False, "amqps": True, "pyamqps": True}
_HTTP_SCHEMES = {"http": False, "https": True}
_PORTS = {("amqp", False): 5672, ("amqp", True): 5671, ("http", False): 15672, ("http", True): 15671}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One endpoint. `vhost` is None where the URL names none; `options` are the URL's query, e.g. `cacertfile`."""

    protocol: str
    tls: bool
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    vhost: str | None = None
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """The address without its password: `amqps://shop@rabbit:5671/prod`."""
        scheme = self.protocol + ("s" if self.tls else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        vhost = "" if self.vhost is None else f"/{quote(self.vhost, safe='')}"
        return f"{scheme}://{quote(self.user, safe='')}@{host}:{self.port}{vhost}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach one broker: AMQP addresses to try in turn, the management API, and the vhost to work in."""

    amqp: tuple[Address, ...]
    management: Address
    vhost: str

    def in_vhost(self, vhost: str) -> "Access":
        """The same broker, another vhost."""
        return replace(self, vhost=vhost)


def parse_amqp(text: str) -> tuple[Address, ...]:
    """The alternates of an AMQP URL, in order. Raises UsageError, never showing the password."""
    addresses = tuple(_parse(part.strip(), "amqp") for part in text.split(";") if part.strip())
    if not addresses:
        raise UsageError("the broker URL is empty", remedy="Give --url amqp://user:password@host:5672/vhost.")
    return addresses


def parse_management(text: str) -> Address:
    """The address of a management API, from `http(s)://user:password@host:port`. Raises UsageError."""
    return _parse(text, "http")


def management_of(address: Address) -> Address:
    """Where the management API of an AMQP address is by default: same host and user, port 15672, 15671 under TLS."""
    return replace(address, protocol="http", port=_PORTS["http", address.tls], vhost=None)


def access(amqp_url: str, management_url: str | None = None) -> Access:
    """Put both URLs together; a management URL without a user borrows the AMQP one's."""
    addresses = parse_amqp(amqp_url)
    first = addresses[0]
    management = management_of(first)
    if management_url:
        given = parse_management(management_url)
        named = "@" in urlsplit(management_url).netloc
        management = given if named else replace(given, user=first.user, password=first.password)
    return Access(amqp=addresses, management=management, vhost=first.vhost or "/")


def _parse(text: str, protocol: str) -> Address:
    schemes = _AMQP_SCHEMES if protocol == "amqp" else _HTTP_SCHEMES
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UsageError(
            "the broker URL cannot be read", why=_without_url(error, text),
            remedy=f"Write {protocol}://user:password@host:port/..., with / @ : in a password as %2F %40 %3A.",
        ) from None  # fmt: skip
    if parts.scheme not in schemes or not parts.hostname:
        raise UsageError(
            f"the broker URL is not {protocol}://user:password@host:port/...",
            why=f"its scheme is {parts.scheme!r}" if parts.scheme not in schemes else "it names no host",
            remedy="Write / @ : in a password as %2F %40 %3A.",
        )
    tls = schemes[parts.scheme]
    return Address(
        protocol=protocol,
        tls=tls,
        host=parts.hostname,
        port=port or _PORTS[protocol, tls],
        user=unquote(parts.username) if parts.username is not None else "guest",
        password=unquote(parts.password) if parts.password is not None else "guest",
        vhost=_vhost(parts.path) if protocol == "amqp" else None,
        options=tuple(parse_qsl(parts.query)),
    )


def _vhost(path: str) -> str | None:
    """'' and '/' name none; '//' and '/%2F' name '/'; '/shop' names shop."""
    return None if path in ("", "/") else unquote(path[1:])


def _without_url(error: ValueError, text: str) -> str:
    reason = str(error)
    return reason if not any(len(part) > 3 and part in reason for part in text.split(":")) else "malformed"
