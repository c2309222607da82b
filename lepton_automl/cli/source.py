"""Where a command reads its data from: a file, a folder or a URL, or the rows of a SQL query."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from lepton_automl.errors import Complaints

from .usage import missing

if TYPE_CHECKING:
    from lepton_automl.source import SqlQuery

VARIABLE = "LEPTON_CONNECTION"
SQL = "A SQL query whose rows are the data, with --connection."
CONNECTION = "The SQLAlchemy URL of the query's database, such as sqlite:///shop.db."
FIX = f"Give --connection sqlite:///shop.db, or set ${VARIABLE}."


def source_of(
    context: typer.Context, argument: str, data: str | None, sql: str | None, connection: str | None
) -> str | SqlQuery:
    """The data that a command line names, or its query.

    Args:
        context: The command line.
        argument: The name of the parameter that `data` was given as.
        data: A path or URL.
        sql: A query.
        connection: A SQLAlchemy URL, from the command line, a config file or the environment.

    Raises:
        ConfigError: Both are named, or half of a query; all such mistakes are listed.
        UsageError: Neither is.
    """
    typed = "COMMANDLINE" in str(context.get_parameter_source("connection"))  # the variable may be set for other commands
    complaints = Complaints(context.command_path)
    if sql is None:
        what = "--connection is given without --sql."
        complaints.check(not typed or connection is None, what, 'Give --sql "select * from customers" as well.')
        complaints.raise_any()
        if data is None:
            raise missing(context, argument)
        return data
    complaints.check(data is None, f"both a file and --sql are given: {data!r}.", "Give one of them.")
    complaints.check(connection, "--sql is given without --connection.", FIX)
    complaints.raise_any()
    assert connection is not None
    from lepton_automl.source import SqlQuery
    from lepton_automl.tracking.secrets import secret_in

    if typed and (secret := secret_in(connection)):
        what = f"all users of this machine can see the {secret} in a running command"
        print(f"warning: --connection: {what}; set ${VARIABLE} to the URL instead.", file=sys.stderr)
    return SqlQuery(sql=sql, connection=connection)
