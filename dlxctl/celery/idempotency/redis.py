"""The store in Redis (extra `dlxctl[redis]`): one string a key, which Redis itself forgets when its time is over.

The value is `claimed:OWNER` or `done:RESULT`. What must not be interrupted is one command or one script
(https://redis.io/docs/latest/develop/programmability/eval-intro/).
"""

from typing import TYPE_CHECKING, Any

from dlxctl.celery.idempotency.store import Busy, Claim, Finished, Granted

if TYPE_CHECKING:
    from redis import Redis

PREFIX = "dlxctl:once:"
_CLAIMED, _DONE = "claimed:", "done:"

# Returns the standing value and the milliseconds that it has left; the value is ours when it was free.
_CLAIM = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return {ARGV[1], 0} end
return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}
"""
_FINISH = """
local stood = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return (not stood or stood == ARGV[1]) and 1 or 0
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class RedisStore:
    """`client`: a Redis client, or a URL (`redis://host:6379/0`). One Redis, or one that fails over, not a cluster's
    several at once; what it forgets by eviction or by a failover that lost writes is done again.
    """

    def __init__(self, client: "Redis | str", *, prefix: str = PREFIX) -> None:
        self._client: Any = _connected(client) if isinstance(client, str) else client
        self._prefix = prefix
        self._claim, self._finish, self._release = map(self._client.register_script, (_CLAIM, _FINISH, _RELEASE))

    def claim(self, key: str, owner: str, lease_s: float) -> Claim:
        """SET NX PX; raises redis.RedisError. So do the others."""
        value, left_ms = self._claim(keys=[self._prefix + key], args=[_CLAIMED + owner, _milliseconds(lease_s)])
        stood = _text(value)
        if stood == _CLAIMED + owner:
            return Granted()
        if stood.startswith(_DONE):
            return Finished(result=stood.removeprefix(_DONE))
        return Busy(for_s=max(0, int(left_ms)) / 1000)

    def done(self, key: str, owner: str, result: str, keep_s: float) -> bool:
        """Put the result in the place of the claim."""
        arguments: list[Any] = [_CLAIMED + owner, _DONE + result, _milliseconds(keep_s)]
        return bool(self._finish(keys=[self._prefix + key], args=arguments))

    def release(self, key: str, owner: str) -> None:
        """Delete the claim if it is `owner`'s."""
        self._release(keys=[self._prefix + key], args=[_CLAIMED + owner])


def _connected(url: str) -> "Redis":
    from redis import Redis

    return Redis.from_url(url)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _text(value: Any) -> str:
    """Clients answer with bytes, or with text under `decode_responses`."""
    return value.decode() if isinstance(value, bytes) else str(value)
