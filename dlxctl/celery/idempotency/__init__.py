"""Doing work once though its message comes more than once: a guard, and the stores that remember. For workers.

`store` is the protocol between them; `redis` and `sql` are two stores, each with an extra of its own.
"""

from dlxctl.celery.idempotency.redis import RedisStore
from dlxctl.celery.idempotency.sql import SqlStore
from dlxctl.celery.idempotency.store import Busy, Claim, Finished, Granted, Store

__all__ = ["Busy", "Claim", "Finished", "Granted", "RedisStore", "SqlStore", "Store"]
