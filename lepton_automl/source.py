"""The protocol of a source reader, and the forms that it may return.

A reader is a plug-in of the group `lepton_automl.readers`. It turns a kind of source into a simpler one: a path, a pandas
DataFrame, a pair `(X, y)` of arrays, or `Items`. Modalities take these four; no modality knows the readers. This module imports
NumPy only, and a reader's own module must not import more: it imports pandas and the like in its methods.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Items:
    """Examples that are files, or objects in memory, with their labels.

    Args:
        items: Paths, Pillow images, encoded files as bytes, or arrays of any size, of which some may be read more than once; or one
            array [N, ...].
        labels: The label of each, of any type, [N]; None in a prediction.
        roles: The role that the source itself gives each, int8 [N], see `data.splits`; None if it gives none.
        target: What the labels are called; empty if it is not known.
        where: The source, for messages.
        notes: What was detected about the source.
        warnings: What looks wrong with it.
    """

    items: Sequence[Any] | Array
    labels: Array | None
    roles: Array | None = None
    target: str = ""
    where: str = "data"
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, kw_only=True, eq=False)
class SqlQuery:
    """The rows of a query, as a source of data for `fit`, `test=` and `predict`.

    Args:
        sql: The query, such as `"select * from customers"`.
        connection: A SQLAlchemy URL, engine or connection, or a connection of Python's own `sqlite3`.
        parameters: Values of the query's parameters by name: `:year` in the query is `parameters={"year": 2026}`.
    """

    sql: str
    connection: Any = field(repr=False)  # a URL may hold a password
    parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class ReadRequest:
    """What a reader may have to know.

    Args:
        folder: An empty folder for files that are needed until the data are prepared, or the prediction is made.
        target: The columns that the user names as the target.
        labelled: Whether the examples have labels; in a prediction they may have some, which are left out.
    """

    folder: Path
    target: tuple[str, ...] = ()
    labelled: bool = True


def shown_url(url: str) -> str:
    """A URL for messages and names, without a password and without what follows the path, which may be a signature."""
    head = re.split(r"[?#]", url, maxsplit=1)[0] if "://" in url else url
    return re.sub(r"://[^/@]*@", "://", head)


class SourceReader(Protocol):
    """Turns one kind of source into a simpler one.

    Attributes:
        name: Its name, such as `"url"`.
        accepts: What it accepts, in words, for messages: `"a URL"`.
    """

    name: str
    accepts: str

    def recognize(self, source: Any, request: ReadRequest) -> bool:
        """Whether it reads this source. It is asked of every source, so it must be fast and import nothing."""

    def read(self, source: Any, request: ReadRequest) -> Any:
        """A simpler source, which another reader may read further.

        Raises:
            DataError: The source cannot be used as it is.
            ExtraError: A package that it needs is not installed.
        """
