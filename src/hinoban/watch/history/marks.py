"""Small texts kept by owner and key, inside the caller's transaction: what a channel, the daily report or the retention must not forget."""

from sqlalchemy import Connection, Table, insert, select, update

from hinoban.watch.history.schema import channel_state


def mark(connection: Connection, owner: str, key: str, table: Table = channel_state) -> str | None:
    """The text put last; None where there is none."""
    value: str | None = connection.execute(select(table.c.value).where(table.c.channel == owner, table.c.key == key)).scalar()
    return value


def put_mark(connection: Connection, owner: str, key: str, value: str, table: Table = channel_state) -> None:
    """Put it in place of what was there. No channel's name has a blank in it: an owner that is none, does."""
    here = (table.c.channel == owner) & (table.c.key == key)
    if not connection.execute(update(table).where(here).values(value=value)).rowcount:
        connection.execute(insert(table).values(channel=owner, key=key, value=value))
