"""Permissions as text, as JSON, and as lines for a shell."""

from collections.abc import Iterable, Iterator
from typing import Any

from dlxctl.plan.permissions import Permissions
from dlxctl.render.escape import printable, shell_word


def permission_lines(found: Iterable[Permissions]) -> Iterator[str]:
    """Four lines a role."""
    for each in found:
        yield f"{each.role}: tag {each.tag}" if each.tag else f"{each.role}: no tag"
        for word in ("configure", "write", "read"):
            yield f"  {word:<10}{printable(getattr(each, word), 100_000)}"


def permissions_json(topology: str, vhost: str, found: Iterable[Permissions]) -> dict[str, Any]:
    """`users`: an object for each role, `tag` null where none is needed."""
    users = [
        {"role": str(p.role), "tag": p.tag or None, "configure": p.configure, "write": p.write, "read": p.read}
        for p in found
    ]
    return {"schema_version": 1, "topology": topology, "vhost": vhost, "users": users}


def rabbitmqctl_lines(topology: str, vhost: str, found: Iterable[Permissions]) -> Iterator[str]:
    """Commands for users that exist already, called `<topology>-<role>`; each can be run again."""
    for each in found:
        user = shell_word(f"{topology}-{each.role}")
        if each.tag:
            yield f"rabbitmqctl set_user_tags {user} {each.tag}"
        patterns = " ".join(shell_word(pattern) for pattern in (each.configure, each.write, each.read))
        yield f"rabbitmqctl set_permissions -p {shell_word(vhost)} {user} {patterns}"
