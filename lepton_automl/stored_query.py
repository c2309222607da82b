"""The query whose rows are a study's data, as it may be stored: without passwords."""

from __future__ import annotations

from typing import Any

from .source import SqlQuery
from .specs import Query
from .tracking.secrets import secret_in


def stored_query(data: Any) -> Query | None:
    """The query as a study's settings contain it; None if the data are no query, or one that cannot be written down.

    Args:
        data: What the user passed as data. A query with parameters is not stored, as these may be anything.
    """
    if not isinstance(data, SqlQuery) or data.parameters:
        return None
    return Query(sql=data.sql, connection=shown_connection(data.connection))


def shown_connection(connection: Any) -> str:
    """The SQLAlchemy URL of a connection without its password, and without parameters that are secrets.

    Args:
        connection: A SQLAlchemy URL, engine or connection; of others there is no URL, and the result is empty.
    """
    from sqlalchemy.engine import URL, make_url

    engine = getattr(connection, "engine", connection)  # a connection knows its engine, and an engine itself
    url = make_url(connection) if isinstance(connection, str) else getattr(engine, "url", None)
    if not isinstance(url, URL):
        return ""
    kept = {name: value for name, value in url.query.items() if not secret_in(f"x:?{name}={value}")}
    shown = URL.create(url.drivername, username=url.username, host=url.host, port=url.port, database=url.database, query=kept)
    return shown.render_as_string()
