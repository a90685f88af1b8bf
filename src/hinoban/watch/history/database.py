"""Opens watch.db: pragmas in one place, the schema brought up to date by Alembic's revisions inside the package."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.pool import StaticPool

from hinoban.base.errors import HinobanError
from hinoban.watch.history.schema import metadata

HEAD = "0007"
"""The newest revision of migrations/versions; a test holds it true."""


def open_database(url: str) -> Engine:
    """An engine on `url` (`sqlite:///...`) with the schema of this version. HinobanError where a newer version wrote the file."""
    engine = create_engine(url, **_pool(url))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _pragmas)
    with engine.begin() as connection:
        migrate(connection)
    return engine


def open_file(path: Path) -> Engine:
    """watch.db as the one that writes it."""
    return open_database(f"sqlite:///{path}")


def open_readonly(path: Path) -> Engine:
    """watch.db for reading only, also while its writer lives. HinobanError where there is none.

    What an older version wrote reads as if this one had: what it does not hold is empty.
    """
    if not path.exists():
        raise HinobanError(
            "no history here", f"{path} does not exist", "Start the daemon once (hinoban up), or name its folder with --state"
        )
    engine = create_engine(f"sqlite:///file:{path}?mode=ro&uri=true", connect_args={"check_same_thread": False}, poolclass=StaticPool)
    event.listen(engine, "connect", _fill_up)
    return engine


def migrate(connection: Connection) -> None:
    """Apply the revisions that this database has not seen."""
    found = _revision(connection)
    if found == HEAD:
        return  # Alembic itself is loaded only when there is work: it costs a start 0.2 s
    if found is not None and found > HEAD:
        raise HinobanError(
            "watch.db was written by a newer Hinoban",
            f"its schema is {found}, this version knows {HEAD}",
            "Upgrade Hinoban, or use another --state",
        )
    if connection.dialect.name == "sqlite":
        # Python's driver begins no transaction for DDL: a kill halfway would leave tables that no later start can make again.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _pool(url: str) -> dict[str, Any]:
    # One connection, kept: the watch writes from one thread, and its short transactions follow one another.
    return {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}} if url.startswith("sqlite") else {}


def _fill_up(connection: Any, _record: Any) -> None:
    """Put views of this version's tables, in the connection's own memory, before those of the file that lack something."""
    connection.execute("PRAGMA temp_store = MEMORY")
    for table in metadata.sorted_tables:
        there = {row[1] for row in connection.execute(f'PRAGMA main.table_info("{table.name}")')}
        columns = ", ".join(f'"{one.name}"' if one.name in there else f'NULL AS "{one.name}"' for one in table.columns)
        if not there.issuperset(table.columns.keys()):
            source = f'FROM main."{table.name}"' if there else "WHERE 0"
            connection.execute(f'CREATE TEMP VIEW "{table.name}" AS SELECT {columns} {source}')


def _pragmas(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL survives kill -9 of the process (docs/architecture.md, Store).
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA cache_size = -32768")
