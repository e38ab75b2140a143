"""The store in a database that SQLAlchemy reaches (extra `dlxctl[sqlalchemy]`): one row a key.

The primary key decides who is first: an INSERT that finds a row there fails, whatever the isolation level. Times are
the workers' own, seconds since 1970; their clocks have to agree by much less than a lease.
"""

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dlxctl.celery.idempotency.store import Busy, Claim, Finished, Granted

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table

TABLE = "dlxctl_once"
KEY_LENGTH = 255


class SqlStore:
    """`database`: a SQLAlchemy engine, or its URL. `clock` gives seconds since 1970.

    The table has to be there: `create_table`, or the migration of your project with `table` in its metadata.
    """

    def __init__(self, database: "Engine | str", *, table: str = TABLE, clock: Callable[[], float] = time.time) -> None:
        self._engine: Engine = _connected(database) if isinstance(database, str) else database
        self.table = table_of(table)
        self._clock = clock
        # A connection that two processes use is broken for both; Celery's pool forks.
        os.register_at_fork(after_in_child=lambda: self._engine.dispose(close=False))

    def create_table(self) -> None:
        """Create the table unless it is there. Raises sqlalchemy.exc.SQLAlchemyError; so do the others."""
        self.table.create(self._engine, checkfirst=True)

    def claim(self, key: str, owner: str, lease_s: float) -> Claim:
        """Insert the row; where one is, take it over when its time is over, else tell what it says."""
        now = self._clock()
        claimed = {"owner": owner, "until": now + lease_s, "result": None}
        while True:
            if self._insert(key, claimed) or self._take_over(key, claimed, now):
                return Granted()
            with self._engine.connect() as connection:
                row = connection.execute(self.table.select().where(self.table.c.key == key)).one_or_none()
            if row is not None:  # else it was released since
                return Busy(for_s=max(0.0, row.until - now)) if row.result is None else Finished(result=row.result)

    def done(self, key: str, owner: str, result: str, keep_s: float) -> bool:
        """Write the result, and how long it counts, into the row; a new one when the claim was swept away."""
        finished = {"owner": owner, "until": self._clock() + keep_s, "result": result}
        held = self.table.c.key == key
        with self._engine.begin() as connection:
            ours = self.table.update().where(held, self.table.c.owner == owner).values(finished)
            if connection.execute(ours).rowcount:
                return True
            lost = connection.execute(self.table.update().where(held).values(finished)).rowcount
        return not lost and self._insert(key, finished)

    def release(self, key: str, owner: str) -> None:
        """Delete the row if it is `owner`'s claim."""
        row = self.table.c
        with self._engine.begin() as connection:
            connection.execute(self.table.delete().where(row.key == key, row.owner == owner, row.result.is_(None)))

    def sweep(self) -> int:
        """Delete the rows whose time is over; to be called now and then. Returns how many there were."""
        with self._engine.begin() as connection:
            return int(connection.execute(self.table.delete().where(self.table.c.until <= self._clock())).rowcount)

    def _insert(self, key: str, values: dict[str, Any]) -> bool:
        from sqlalchemy.exc import IntegrityError

        try:
            with self._engine.begin() as connection:
                connection.execute(self.table.insert().values(key=key, **values))
        except IntegrityError:
            return False
        return True

    def _take_over(self, key: str, values: dict[str, Any], now: float) -> bool:
        row = self.table.c
        over = self.table.update().where(row.key == key, row.until <= now).values(values)
        with self._engine.begin() as connection:
            return bool(connection.execute(over).rowcount)


def table_of(name: str, metadata: Any = None) -> "Table":
    """The table, in `metadata` where your migrations are made from it."""
    from sqlalchemy import Column, Float, MetaData, String, Table, Text

    return Table(
        name,
        MetaData() if metadata is None else metadata,
        Column("key", String(KEY_LENGTH), primary_key=True),
        Column("owner", String(64), nullable=False),
        Column("until", Float(53), nullable=False, index=True),
        Column("result", Text, nullable=True),
    )


def _connected(url: str) -> "Engine":
    from sqlalchemy import create_engine

    return create_engine(url)
