"""TLS as both roads to the broker use it: AMQP and the management API verify alike, by the same options of the URL."""

import ssl

from dlxctl.broker.address import Address
from dlxctl.errors import UsageError


def context_of(address: Address) -> ssl.SSLContext:
    """Chain and host name are verified; the URL's `cacertfile`, `certfile`, `keyfile`, `verify=verify_none` hold.

    Raises UsageError when a file cannot be used.
    """
    options = dict(address.options)
    try:
        context = ssl.create_default_context(cafile=options.get("cacertfile"))
        if "certfile" in options:
            context.load_cert_chain(options["certfile"], options.get("keyfile"))
    except OSError as error:
        files = ", ".join(options[key] for key in ("cacertfile", "certfile", "keyfile") if key in options)
        raise UsageError(
            f"cannot use the certificate files {files}", why=error.strerror or str(error),
            remedy="Check the paths in the URL: ?cacertfile=ca.pem&certfile=client.pem&keyfile=client.key.",
        ) from None  # fmt: skip
    if options.get("verify") == "verify_none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
