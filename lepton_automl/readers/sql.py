"""The rows of SQL queries, by SQLAlchemy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lepton_automl.errors import ConfigError, DataError, ExtraError, LeptonError, in_one_line
from lepton_automl.source import ReadRequest, SqlQuery
from lepton_automl.unpacked import check_memory

ROWS_AT_ONCE = 50_000
SECRET = 6  # characters of a parameter that may be a secret
CELL_BYTES = 120  # of memory, over all steps until the data are prepared
WHERE = "sql"
CONNECTIONS = "Pass a SQLAlchemy URL such as 'sqlite:///shop.db', an engine or a connection."


class SqlReader:
    """Runs a query."""

    name = "sql"
    accepts = "a SQL query with its connection"

    def recognize(self, source: Any, request: ReadRequest) -> bool:
        """Whether it is a `SqlQuery`."""
        del request
        return isinstance(source, SqlQuery)

    def read(self, source: Any, request: ReadRequest) -> Any:
        """The rows as a DataFrame.

        Raises:
            ConfigError: The query or the connection is not one.
            DataError: The query fails, returns no rows, or its rows do not fit into memory.
            ExtraError: The database's driver is not installed.
        """
        del request
        import pandas as pd

        if not isinstance(source.sql, str) or not source.sql.strip():
            raise ConfigError(f"sql is {source.sql!r}", where=WHERE, fix="Pass a query such as 'select * from customers'.")
        frames, rows = [], 0
        with _connected(source.connection) as connection:
            try:
                for frame in _chunks(source, connection):
                    frames.append(frame)
                    rows += len(frame)
                    check_memory(rows * len(frame.columns) * CELL_BYTES, Path(WHERE))
            except LeptonError:
                raise
            except Exception as error:  # each database has its own errors
                fix = "Check the query in the database's own shell; it must return rows."
                raise DataError(f"the query failed: {in_one_line(error.__cause__ or error)}", where=WHERE, fix=fix) from error
        if not rows:
            raise DataError("the query returns no rows", where=WHERE, fix="Check its conditions.")
        return pd.concat([frame for frame in frames if len(frame)], ignore_index=True)


def _chunks(query: SqlQuery, connection: Any) -> Iterator[Any]:
    import pandas as pd

    statement: Any = query.sql
    if not isinstance(connection, sqlite3.Connection):
        from sqlalchemy import text

        statement = text(query.sql)
    parameters = None if query.parameters is None else dict(query.parameters)
    yield from pd.read_sql_query(statement, connection, params=parameters, chunksize=ROWS_AT_ONCE)


def without_password(text: str, url: Any) -> str:
    """A driver's message without the URL's password and parameters.

    Args:
        text: The message.
        url: The URL, as SQLAlchemy has parsed it.
    """
    values = [value for found in url.query.values() for value in (found if isinstance(found, tuple) else (found,))]
    for secret in filter(None, (str(url.password or ""), *(value for value in values if len(value) >= SECRET))):
        text = text.replace(secret, "***").replace(quote(secret, safe=""), "***")
    return text


@contextmanager
def _connected(connection: Any) -> Iterator[Any]:
    """An open connection; it is closed only if it was opened here.

    Raises:
        ConfigError: This is not a connection.
        DataError: The database cannot be reached. No message contains the URL, which may hold a password.
        ExtraError: Its driver is not installed.
    """
    if isinstance(connection, sqlite3.Connection) or (hasattr(connection, "dialect") and hasattr(connection, "execute")):
        yield connection
        return
    if not isinstance(connection, str) and not (hasattr(connection, "dialect") and hasattr(connection, "connect")):
        what = "connection is missing" if connection is None else f"connection is of the type {type(connection).__name__}"
        raise ConfigError(what, where=WHERE, fix=CONNECTIONS)
    import sqlalchemy

    try:
        engine = sqlalchemy.create_engine(connection) if isinstance(connection, str) else connection
    except ImportError as error:
        raise ExtraError(
            f"the database's driver is not installed: {in_one_line(error)}", where=WHERE, fix="Install it."
        ) from error
    except (sqlalchemy.exc.ArgumentError, ValueError):  # its message may contain a part of the URL
        fix = f"{CONNECTIONS} Special characters of a password are written as in URLs: @ is %40, and : is %3A."
        raise ConfigError("connection is no URL of a database that SQLAlchemy knows", where=WHERE, fix=fix) from None
    try:
        opened = engine.connect()
    except Exception as error:  # as above; a driver may quote what it was given
        fix = "Check the address, the user and the password."
        what = f"the database cannot be reached: {without_password(in_one_line(getattr(error, 'orig', None) or error), engine.url)}"
        raise DataError(what, where=WHERE, fix=fix) from None
    try:
        yield opened
    finally:
        opened.close()
        if isinstance(connection, str):
            engine.dispose()
