"""Which broker answered, and as whom it knows us."""

from dataclasses import dataclass

POLICY_TAGS = frozenset({"policymaker", "administrator"})
"""User tags that may set policies (facts 11); `policymaker` includes `management`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """A RabbitMQ server: `version` as numbers, (4, 3, 6); `user` and its `tags` as the management API sees them."""

    version: tuple[int, ...]
    cluster_name: str
    user: str
    tags: frozenset[str]

    @property
    def version_text(self) -> str:
        return ".".join(map(str, self.version))

    @property
    def may_set_policies(self) -> bool:
        return bool(self.tags & POLICY_TAGS)
