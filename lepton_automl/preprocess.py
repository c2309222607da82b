"""Raw rows and images to a network's arrays: fitted on the training rows, carried as JSON, applied the same everywhere.

This file travels with every deployed model, so it needs NumPy alone (and Pillow only where a picture has to be decoded
or resized) and imports of its package only what travels, too. Fitting to a user's data is the data room's work; applying is done here.
"""

from __future__ import annotations

import math
import re
import struct
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.notation import DateNotation, NumberNotation, means_missing

Array = NDArray[Any]
Json = dict[str, Any]

SO_FAR = 1e6  # quartile ranges; farther is as far as can be
LEAST_GAP, LARGEST = 1e-300, 1e300  # keep every slope and difference of knots finite
FEW_ROWS = 32  # up to here a loop in Python beats whole columns in NumPy
CHANNELS = (1, 3, 4)
MOST_PIXELS = (
    1 << 30
) // 12  # of one image: Pillow's own mark, a quarter of a gigabyte in RGB; a small file may unpack to more
MOST_JPEG_PIXELS = 4 * MOST_PIXELS  # a JPEG is decoded at an eighth of its sides where it is scaled down that much anyway
JPEG = b"\xff\xd8\xff"  # how such a file begins
FEW_PIXELS = 0.01  # share of an image's pixels that may lie far above white: hot pixels, not another scale
NO_PICTURES = {"EPS", "MPEG", "HDF5", "GRIB", "BUFR", "WMF"}  # these need other programs, or hold no one picture
CYCLES = {"year": 365.2425, "week": 7.0, "day": 1.0}  # days
EPOCH = datetime(1970, 1, 1)
INFINITE = "inf"  # among the texts for a missing number: infinite ones are missing
TRUTHS = {"true": True, "false": False}
PLAIN_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


class InputError(ValueError):
    """A row or an image does not fit what the model was trained on."""


def load_preprocess(data: Json) -> TablePreprocess | ImagePreprocess:
    """The preprocessing back from its JSON.

    Args:
        data: What `to_json` gave.

    Raises:
        InputError: It is of a kind that this version does not know.
    """
    kinds: dict[str, Any] = {"table": TablePreprocess, "image": ImagePreprocess}
    modality = data.get("input", {}).get("modality")
    if modality not in kinds:
        raise InputError(f"preprocessing of kind {modality!r} is not known here; known: {', '.join(kinds)}")
    preprocess: TablePreprocess | ImagePreprocess = kinds[modality].from_json(data)
    return preprocess


class QuantileScale:
    """A number to [-1, 1]: straight lines between knots fitted on the training rows, flat outside; missing to 0.

    Piecewise-linear rank scaling (as in QuantileTransformer with uniform output, with far fewer knots). One value and
    many values take the same arithmetic, so that a row alone and in a batch give equal bits on every machine.

    Args:
        knots: Rising values, apart by more than `LEAST_GAP`; they are spread evenly over the output.
    """

    def __init__(self, knots: Sequence[float]) -> None:
        self.knots = [float(knot) for knot in knots]
        self._heights = np.linspace(-1.0, 1.0, len(self.knots)).tolist() if len(self.knots) > 1 else [0.0]
        rises = zip(self.knots, self.knots[1:], self._heights, self._heights[1:], strict=False)
        self._slopes = [(up - low) / (right - left) for left, right, low, up in rises] + [0.0]
        self._arrays = tuple(np.array(part) for part in (self.knots, self._heights, self._slopes))

    def one(self, value: float) -> float:
        """One scaled value."""
        if value != value:  # noqa: PLR0124  # NaN; math.isnan costs a call on the path of every prediction
            return 0.0
        at = bisect_right(self.knots, value) - 1
        if at < 0:
            return float(self._heights[0])
        if at >= len(self.knots) - 1:
            return float(self._heights[-1])
        return float(self._heights[at] + self._slopes[at] * (value - self.knots[at]))

    def many(self, values: Array) -> Array:
        """float64 [N] to float64 [N]."""
        knots, heights, slopes = self._arrays
        inside = np.clip(values, knots[0], knots[-1])
        at = np.clip(np.searchsorted(knots, inside, side="right") - 1, 0, len(knots) - 1)
        scaled: Array = heights[at] + slopes[at] * (inside - knots[at])
        return np.where(np.isnan(values), 0.0, scaled)


class RobustScale:
    """A number to (-3, 3): its distance from the median in quartile ranges, smoothly clipped; missing to 0.

    The robust scaling and smooth clipping of RealMLP (Holzmüller et al., Better by Default, NeurIPS 2024). Knots tell
    ranks apart and this tells distances: a table's network gains from both.

    Args:
        middle: The median of the training rows.
        spread: Their quartile range, or whatever else is above 0.
    """

    def __init__(self, middle: float, spread: float) -> None:
        self.middle, self.spread = middle, spread

    def one(self, value: float) -> float:
        """One scaled value."""
        if value != value:  # noqa: PLR0124  # NaN
            return 0.0
        far = (value - self.middle) / self.spread
        return 3.0 if far > SO_FAR else -3.0 if far < -SO_FAR else far / math.sqrt(1.0 + (far / 3.0) * (far / 3.0))

    def many(self, values: Array) -> Array:
        """float64 [N] to float64 [N]."""
        far = np.clip((np.nan_to_num(values, nan=self.middle) - self.middle) / self.spread, -SO_FAR, SO_FAR)
        near: Array = far / np.sqrt(1.0 + (far / 3.0) * (far / 3.0))
        return np.where(np.abs(far) == SO_FAR, np.sign(far) * 3.0, near)


class NumberColumn:
    """Numbers and booleans: one feature for an embedding, then plain ones.

    The plain ones are the number once more by its distance from the middle, and, where training rows missed any, what
    was missing.

    Args:
        name: The column.
        scale: To [-1, 1], by rank.
        robust: By distance.
        flag: Whether there is a second feature: 1 where the cell was missing, else -1.
        tokens: Texts that stand for a missing number, such as `"?"`.
        notation: How its texts are written, where that is not Python's way.
        lenient: Whether every text that is no number is a missing one.
    """

    kind = "number"

    def __init__(
        self,
        name: str,
        scale: QuantileScale,
        robust: RobustScale,
        *,
        flag: bool = False,
        tokens: Sequence[str] = (),
        notation: NumberNotation | None = None,
        lenient: bool = False,
    ) -> None:
        self.name, self.scale, self.robust, self.flag, self.tokens = name, scale, robust, flag, tuple(tokens)
        self.notation, self.lenient = notation, lenient
        self.absent = absent_numbers(self.tokens)
        self.boolean = set(scale.knots) <= {0.0, 1.0}  # true and false are known by these texts, too

    @property
    def features(self) -> list[str]:
        """Names of the numeric features."""
        return [self.name, f"{self.name} from its middle"] + [f"{self.name} is missing"] * self.flag

    def to_json(self) -> Json:
        """The column as JSON."""
        return {
            "kind": self.kind,
            "name": self.name,
            "knots": self.scale.knots,
            "middle": self.robust.middle,
            "spread": self.robust.spread,
            "flag": self.flag,
            "tokens": list(self.tokens),
            "notation": self.notation.to_json() if self.notation else None,
            "lenient": self.lenient,
        }

    @classmethod
    def from_json(cls, data: Json) -> NumberColumn:
        """The column back."""
        scales = QuantileScale(data["knots"]), RobustScale(data["middle"], data["spread"])
        notation = NumberNotation.from_json(data["notation"]) if data.get("notation") else None
        lenient = bool(data.get("lenient"))
        return cls(data["name"], *scales, flag=data["flag"], tokens=data["tokens"], notation=notation, lenient=lenient)

    def number(self, value: Any) -> float:
        """One cell as a number; NaN where it is missing.

        Raises:
            InputError: It is no number, or infinite.
        """
        if self.boolean and isinstance(value, str) and value not in self.tokens:
            value = TRUTHS.get(value.strip().lower(), value)
        number = to_number(value, self.name, self.tokens, self.notation, lenient=self.lenient)
        return math.nan if self.absent and number in self.absent else number

    def one(self, value: Any) -> list[float]:
        """The features of one cell."""
        # At once: this is on the path of every prediction.
        plain = type(value) is float and -math.inf < value < math.inf and not self.absent
        number = value if plain else self.number(value)
        scaled = [self.scale.one(number), self.robust.one(number)]
        return [*scaled, 1.0 if number != number else -1.0] if self.flag else scaled  # noqa: PLR0124  # NaN

    def many(self, cells: Array) -> list[Array]:
        """The features of many cells."""
        if self.boolean and cells.dtype.kind in "OUT":
            cells = _objects([self.number(cell) for cell in cells.tolist()])
        numbers = to_numbers(cells, self.name, self.tokens, self.notation, lenient=self.lenient)
        if self.absent:
            numbers = np.where(np.isin(numbers, self.absent), np.nan, numbers)
        flags = [np.where(np.isnan(numbers), 1.0, -1.0)] if self.flag else []
        return [self.scale.many(numbers), self.robust.many(numbers), *flags]


class TimeColumn:
    """Points in time: days since 1970, and where in the year, week and day they fall, as sine and cosine.

    Args:
        name: The column.
        scale: Of the days, to [-1, 1].
        cycles: Which of `CYCLES` the training rows go round.
        flag: Whether there is a feature for missing cells.
        tokens: Texts that stand for a missing date, such as `"unknown"`.
        notation: How its texts are written, where that is not ISO 8601.
        lenient: Whether every text that is no date is a missing one.
    """

    kind = "time"

    def __init__(
        self,
        name: str,
        scale: QuantileScale,
        *,
        cycles: Sequence[str] = (),
        flag: bool = False,
        tokens: Sequence[str] = (),
        notation: DateNotation | None = None,
        lenient: bool = False,
    ) -> None:
        self.name, self.scale, self.cycles, self.flag = name, scale, tuple(cycles), flag
        self.tokens, self.notation, self.lenient = tuple(tokens), notation, lenient

    @property
    def features(self) -> list[str]:
        """Names of the numeric features."""
        waves = [f"{self.name} {wave} of {cycle}" for cycle in self.cycles for wave in ("sine", "cosine")]
        return [self.name, *waves] + [f"{self.name} is missing"] * self.flag

    def to_json(self) -> Json:
        """The column as JSON."""
        return {
            "kind": self.kind,
            "name": self.name,
            "knots": self.scale.knots,
            "cycles": list(self.cycles),
            "flag": self.flag,
            "tokens": list(self.tokens),
            "notation": self.notation.to_json() if self.notation else None,
            "lenient": self.lenient,
        }

    @classmethod
    def from_json(cls, data: Json) -> TimeColumn:
        """The column back."""
        notation = DateNotation.from_json(data["notation"]) if data.get("notation") else None
        texts = {"tokens": data.get("tokens", ()), "notation": notation, "lenient": bool(data.get("lenient"))}
        return cls(data["name"], QuantileScale(data["knots"]), cycles=data["cycles"], flag=data["flag"], **texts)

    def day(self, value: Any) -> float:
        """One cell as days since 1970; NaN where it is missing.

        Raises:
            InputError: It is no date.
        """
        return to_day(value, self.name, self.tokens, self.notation, lenient=self.lenient)

    def days(self, cells: Array) -> Array:
        """Many cells as float64 [N]; see `day`."""
        if cells.dtype.kind == "M":
            micros = cells.astype("datetime64[us]")
            return np.where(np.isnat(micros), np.nan, micros.astype(np.int64) / 86400e6)
        known = {cell: self.day(cell) for cell in {cell for cell in cells if type(cell) is str}}  # dates in text repeat
        read = (known[cell] if type(cell) is str else self.day(cell) for cell in cells)
        return np.fromiter(read, np.float64, len(cells))

    def one(self, value: Any) -> list[float]:
        """The features of one cell."""
        cell = np.empty(1, object)
        cell[0] = value
        return [float(feature[0]) for feature in self.many(cell)]

    def many(self, cells: Array) -> list[Array]:
        """The features of many cells."""
        days = self.days(cells)
        flags = [np.where(np.isnan(days), 1.0, -1.0)] if self.flag else []
        waves = [wave for cycle in self.cycles for wave in round_cycle(days, cycle)]
        return [self.scale.many(days), *(np.nan_to_num(wave) for wave in waves), *flags]


class CategoryColumn:
    """Categories as codes; code 0 is for what is missing, rare or was never seen.

    Args:
        name: The column.
        categories: Texts with codes from 1 on.
    """

    kind = "category"

    def __init__(self, name: str, categories: Sequence[str]) -> None:
        self.name, self.categories = name, tuple(categories)
        self._codes: dict[str | None, int] = {category: code for code, category in enumerate(self.categories, 1)}

    @property
    def cardinality(self) -> int:
        """Codes, the unknown one included."""
        return len(self.categories) + 1

    def to_json(self) -> Json:
        """The column as JSON."""
        return {"kind": self.kind, "name": self.name, "categories": list(self.categories)}

    @classmethod
    def from_json(cls, data: Json) -> CategoryColumn:
        """The column back."""
        return cls(data["name"], data["categories"])

    def one(self, value: Any) -> int:
        """The code of one cell."""
        if type(value) is str and (code := self._codes.get(value)):
            return code  # at once: this is on the path of every prediction
        text = to_text(value)
        code = self._codes.get(text, 0)
        return code if code or text is None else next(filter(None, map(self._codes.get, other_spellings(text))), 0)

    def many(self, cells: Array) -> Array:
        """The codes of many cells, int64 [N]."""
        return np.fromiter((self.one(cell) for cell in cells.tolist()), np.int64, len(cells))


Column = NumberColumn | TimeColumn | CategoryColumn
_COLUMNS: dict[str, Any] = {kind.kind: kind for kind in (NumberColumn, TimeColumn, CategoryColumn)}


class TablePreprocess:
    """Rows of a table to `{"numeric": float32 [N, F], "categorical": int64 [N, G]}`; an empty part is left out.

    The first feature of every numeric column comes first, for embedding; behind them come the plain ones.

    Args:
        columns: The columns that the model reads, in order.
        output: What the model answers: `task`, `target` and `classes`.
    """

    def __init__(self, columns: Sequence[Column], output: Json) -> None:
        self.columns, self.output = tuple(columns), output
        self._numeric = [column for column in self.columns if not isinstance(column, CategoryColumn)]
        self._categorical = [column for column in self.columns if isinstance(column, CategoryColumn)]

    @property
    def names(self) -> list[str]:
        """The columns by name."""
        return [column.name for column in self.columns]

    @property
    def features(self) -> list[str]:
        """Names of the numeric features, in order."""
        named = [column.features for column in self._numeric]
        return [first for first, *_ in named] + [feature for _, *plain in named for feature in plain]

    @property
    def plain(self) -> int:
        """How many numeric features, the last ones, are not for embedding."""
        return len(self.features) - len(self._numeric)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Codes of each categorical column."""
        return tuple(column.cardinality for column in self._categorical)

    def to_json(self) -> Json:
        """The preprocessing as JSON."""
        columns = [column.to_json() for column in self.columns]
        return {"input": {"modality": "table", "columns": columns}, "output": self.output}

    @classmethod
    def from_json(cls, data: Json) -> TablePreprocess:
        """The preprocessing back."""
        return cls([_COLUMNS[column["kind"]].from_json(column) for column in data["input"]["columns"]], data["output"])

    def arrays(self, raw: Any) -> dict[str, Array]:
        """A network's arrays.

        Args:
            raw: One row (a dict, a Series, a flat sequence of cells in the order of `columns`) or many: a list of
                rows, a DataFrame, a dict of columns, an array [N, columns]. Columns that the model does not know are
                ignored.

        Raises:
            InputError: A column is missing, a cell cannot be read as its column's kind, or a number is infinite.
        """
        rows = self._as_rows(raw)
        if rows is not None and len(rows) <= FEW_ROWS:
            return self._few([self._cells(row) for row in rows])
        columns = self._as_columns(raw) if rows is None else self._gather(rows)
        if len(columns[0]) <= FEW_ROWS:
            return self._few(list(zip(*columns, strict=True)))
        return self._many(columns)

    def _few(self, rows: Sequence[Sequence[Any]]) -> dict[str, Array]:
        numeric: list[list[float]] = []
        codes: list[list[int]] = []
        for row in rows:
            numbers: list[float] = []
            plain: list[float] = []
            known: list[int] = []
            for column, cell in zip(self.columns, row, strict=True):
                if isinstance(column, CategoryColumn):
                    known.append(column.one(cell))
                else:
                    first, *others = column.one(cell)
                    numbers.append(first)
                    plain += others
            numeric.append(numbers + plain)
            codes.append(known)
        return self._parts(np.array(numeric, np.float32), np.array(codes, np.int64), len(rows))

    def _many(self, columns: Sequence[Array]) -> dict[str, Array]:
        cells = dict(zip(self.names, columns, strict=True))
        made = [column.many(cells[column.name]) for column in self._numeric]
        numeric = [first for first, *_ in made] + [feature for _, *plain in made for feature in plain]
        codes = [column.many(cells[column.name]) for column in self._categorical]
        stacked = [np.stack(part, axis=1) if part else np.empty((0, 0)) for part in (numeric, codes)]
        return self._parts(stacked[0].astype(np.float32), stacked[1].astype(np.int64), len(columns[0]))

    def _parts(self, numeric: Array, codes: Array, rows: int) -> dict[str, Array]:
        parts = {"numeric": numeric} if self._numeric else {}
        if self._categorical:
            parts["categorical"] = codes
        return {name: part.reshape(rows, -1) if rows else self._empty(part, name) for name, part in parts.items()}

    def _empty(self, part: Array, name: str) -> Array:
        return np.empty((0, len(self.features) if name == "numeric" else len(self._categorical)), part.dtype)

    def _as_rows(self, raw: Any) -> Sequence[Any] | None:
        """Rows when that is what they are; None for a table of columns."""
        if isinstance(raw, Mapping):
            return None if _holds_columns(raw) else [raw]
        if hasattr(raw, "iloc"):  # of pandas: a Series is a row, a DataFrame is columns
            return None if hasattr(raw, "columns") else [raw.to_dict()]
        if isinstance(raw, np.ndarray):
            return [raw] if raw.ndim == 1 else None
        if isinstance(raw, list | tuple):
            return raw if raw and not _is_cell(raw[0]) else [raw] if raw else []
        raise InputError(f"a {type(raw).__name__} is not a row; give a dict, a list of dicts or a DataFrame")

    def _cells(self, row: Any) -> list[Any]:
        """The cells of one row, in the order of `columns`."""
        if not isinstance(row, Mapping):
            if len(row) != len(self.columns):
                raise InputError(f"a row has {len(row)} cells; the model reads {len(self.columns)}: {', '.join(self.names)}")
            return list(row)
        try:
            return [row[column.name] for column in self.columns]
        except KeyError:
            row = {str(name).strip(): cell for name, cell in row.items()}
            self._check_names(row)
            return [row[column.name] for column in self.columns]

    def _gather(self, rows: Sequence[Any]) -> list[Array]:
        return [_objects(cells) for cells in zip(*(self._cells(row) for row in rows), strict=True)]

    def _as_columns(self, raw: Any) -> list[Array]:
        if isinstance(raw, np.ndarray):
            if raw.ndim != 2 or raw.shape[1] != len(self.columns):
                raise InputError(f"the array has shape {raw.shape}; the model reads [rows, {len(self.columns)}]")
            return list(raw.T)
        named = {str(name).strip(): name for name in (raw.columns if hasattr(raw, "columns") else raw)}
        self._check_names(named)
        columns = [_as_array(raw[named[name]]) for name in self.names]
        if len({column.shape for column in columns}) > 1 or columns[0].ndim != 1:
            raise InputError("the columns are not equally long; for one row give cells, for many give lists")
        return columns

    def _check_names(self, given: Mapping[str, Any]) -> None:
        lacking = [name for name in self.names if name not in given]
        if lacking:
            raise InputError(
                f"columns are missing: {', '.join(lacking)}; the row has {', '.join(map(str, given))}. "
                "Give None for a cell that is not known."
            )


def _holds_columns(raw: Mapping[Any, Any]) -> bool:
    first = next(iter(raw.values()), None)
    return isinstance(first, list | tuple) or (hasattr(first, "ndim") and getattr(first, "ndim", 0) == 1)


def _is_cell(item: Any) -> bool:
    return not isinstance(item, Mapping | list | tuple) and getattr(item, "ndim", 0) == 0


def _objects(cells: Sequence[Any]) -> Array:
    column = np.empty(len(cells), object)
    column[:] = cells
    return column


def _as_array(cells: Any) -> Array:
    """A column as an array; a list becomes an array of objects, so that no cell is turned into text."""
    if isinstance(cells, list | tuple):
        return _objects(cells)
    return np.asarray(cells.to_numpy() if hasattr(cells, "to_numpy") else cells)


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, NaT or pandas' NA."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    return isinstance(value, float | np.floating) and bool(value != value)  # noqa: PLR0124  # NaN


def absent_numbers(texts: Iterable[str]) -> tuple[float, ...]:
    """The numbers among texts that stand for a missing one, such as -999."""
    found = []
    for text in texts:
        try:
            found.append(float(text))
        except ValueError:
            continue
    return tuple(found)


def to_number(
    value: Any, name: str, tokens: Sequence[str] = (), notation: NumberNotation | None = None, *, lenient: bool = False
) -> float:
    """A cell as a number; NaN where it is missing.

    Args:
        value: The cell.
        name: Its column, for the message.
        tokens: Texts that stand for a missing number, besides the usual ones.
        notation: How texts are written, where that is not Python's way.
        lenient: Whether every text that is no number is a missing one.

    Raises:
        InputError: It is no number, or infinite.
    """
    try:
        number = float(value) if notation is None or not isinstance(value, str) else notation.read(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None:
        if is_missing(value) or (isinstance(value, str) and (lenient or value.strip() in tokens or means_missing(value))):
            return math.nan
        unit = f" in {notation.shown}" if notation is not None and notation.shown else ""
        raise InputError(f"column {name!r} takes numbers{unit}, not {value!r}")
    if number in (math.inf, -math.inf):
        if INFINITE in tokens:
            return math.nan
        raise InputError(f"column {name!r} holds an infinite value; give None for a number that is not known")
    return number


def to_numbers(
    cells: Array, name: str, tokens: Sequence[str] = (), notation: NumberNotation | None = None, *, lenient: bool = False
) -> Array:
    """Many cells as float64 [N]; see `to_number`."""
    if cells.dtype.kind in "fiub":
        numbers = cells.astype(np.float64)
        infinite = np.isinf(numbers)
        return np.where(infinite, to_number(math.inf, name, tokens), numbers) if infinite.any() else numbers
    if cells.dtype.kind in "mM":
        raise InputError(f"column {name!r} takes numbers, not points in time")
    read = (to_number(cell, name, tokens, notation, lenient=lenient) for cell in cells.tolist())
    return np.fromiter(read, np.float64, len(cells))


def to_day(
    value: Any, name: str, tokens: Sequence[str] = (), notation: DateNotation | None = None, *, lenient: bool = False
) -> float:
    """A point in time as days since 1970 (UTC where it has no zone); NaN where it is missing.

    Args:
        value: The cell.
        name: Its column, for the message.
        tokens: Texts that stand for a missing date, besides the usual ones.
        notation: How texts are written, where that is not ISO 8601.
        lenient: Whether every text that is no date is a missing one.

    Raises:
        InputError: It is neither a date nor a text of one.
    """
    if is_missing(value) or (isinstance(value, str) and (value.strip() in tokens or means_missing(value))):
        return math.nan
    try:
        if isinstance(value, np.datetime64):
            return float(value.astype("datetime64[us]").astype(np.int64)) / 86400e6
        moment = _read_date(value.strip(), notation) if isinstance(value, str) else value
        if not isinstance(moment, datetime):
            if not isinstance(moment, date):
                raise TypeError
            moment = datetime(moment.year, moment.month, moment.day)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        since = moment - EPOCH
        return float(((since.days * 86400 + since.seconds) * 10**6) + since.microseconds) / 86400e6
    except (TypeError, ValueError, OverflowError):
        if lenient and isinstance(value, str):
            return math.nan
        raise InputError(f"column {name!r} takes dates such as {_date_example(notation)}, not {value!r}") from None


def _read_date(text: str, notation: DateNotation | None) -> datetime:
    """A text in the column's notation, or in ISO 8601."""
    moment = None if notation is None else notation.read(text)
    return datetime.fromisoformat(text) if moment is None else moment


def _date_example(notation: DateNotation | None) -> str:
    if notation is None or notation.day_first is None:
        return "2026-11-21 or 2026-11-21T13:45"
    return "21/11/2026 or 21/11/2026 13:45" if notation.day_first else "11/21/2026 or 11/21/2026 13:45"


def to_days(cells: Array, name: str) -> Array:
    """Many points in time as float64 [N]; see `to_day`."""
    return TimeColumn(name, QuantileScale([0.0])).days(cells)


def other_spellings(text: str) -> list[str]:
    """A text that is a number, true or false as `to_text` has it: 1.0, 1e0 and +1 are 1; TRUE is True, which is 1."""
    if (truth := TRUTHS.get(text.lower())) is not None:
        return [str(truth), str(int(truth))]
    if not PLAIN_NUMBER.fullmatch(text):
        return []
    number = float(text)
    exact = [str(int(text))] if text.lstrip("+-").isdigit() else []
    return [*exact, str(to_text(number)), *([str(number == 1)] if number in (0, 1) else [])]


def round_cycle(days: Array, cycle: str) -> tuple[Array, Array]:
    """Sine and cosine of where days fall in a cycle."""
    phase = days * (2 * math.pi / CYCLES[cycle])
    return np.sin(phase), np.cos(phase)


def to_text(value: Any) -> str | None:
    """A category as text, equal for equal values: 1, 1.0 and "1" are one category, as are "a" and " a"; None where missing."""
    if isinstance(value, str):
        return value.strip() or None
    if is_missing(value):
        return None
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return repr(float(value)) if isinstance(value, float | np.floating) else str(value)


class ImagePreprocess:
    """Images of any size and colour to `{"image": uint8 [N, C, H, W]}` of one size.

    Pictures are turned upright by their EXIF tag, laid on white where they are transparent, turned to grey or RGB, and
    stretched by Pillow's (antialiased) bilinear resize. Arrays and pictures of bytes are pixels as they are. Others are mapped
    from `levels` to 0 to 255 where the training pictures set them; else from 0 to 1 when nothing in them is above 1, and
    from 0 to 255 otherwise (files of 16 bits: to 65535).

    Args:
        shape: (channels, height, width).
        output: What the model answers: `task`, `target` and `classes`.
        levels: Black and white in the numbers of the training pictures; None where those were bytes.
    """

    def __init__(self, shape: Sequence[int], output: Json, levels: tuple[float, float] | None = None) -> None:
        channels, height, width = shape
        self.shape, self.output, self.levels = (int(channels), int(height), int(width)), output, levels

    def to_json(self) -> Json:
        """The preprocessing as JSON."""
        levels = list(self.levels) if self.levels else None
        return {"input": {"modality": "image", "shape": list(self.shape), "levels": levels}, "output": self.output}

    @classmethod
    def from_json(cls, data: Json) -> ImagePreprocess:
        """The preprocessing back."""
        given = data["input"]
        return cls(given["shape"], data["output"], tuple(given["levels"]) if given["levels"] else None)

    def arrays(self, raw: Any) -> dict[str, Array]:
        """A network's arrays.

        Args:
            raw: A path, a Pillow image, an array or tensor (HW, HWC, CHW; a batch has one axis more, NHW, NHWC or
                NCHW), or a list of these.

        Raises:
            InputError: Something is no image.
        """
        if isinstance(raw, list | tuple):
            images = [self._one(item) for item in raw]
        else:
            array = _pixels(raw)
            if array is None or not self._is_batch(array):
                return {"image": self._one(raw)[None]}
            if self._fits(array):
                return {"image": self._whole(array)}
            images = [self._one(item) for item in array]
        return {"image": np.stack(images) if images else np.empty((0, *self.shape), np.uint8)}

    def _is_batch(self, array: Array) -> bool:
        if array.ndim != 3:
            return array.ndim == 4
        # [N, H, W] of grey images, unless an axis at an end can only be the colours.
        return array.shape[-1] not in CHANNELS and (array.shape[0] not in CHANNELS or self.shape[0] == 1 < array.shape[0])

    def _fits(self, batch: Array) -> bool:
        """Whether a batch can be taken whole: of the right size, and what black and white are hangs on no single image."""
        return _last_colours(batch).shape[1:] == self._hwc and (batch.dtype == np.uint8 or self.levels is not None)

    def _whole(self, batch: Array) -> Array:
        return np.ascontiguousarray(self._bytes(_last_colours(batch)).transpose(0, 3, 1, 2))

    @property
    def _hwc(self) -> tuple[int, int, int]:
        channels, height, width = self.shape
        return height, width, channels

    def _one(self, item: Any) -> Array:
        """uint8 [C, H, W]."""
        array = _pixels(item)
        if array is None:
            read = decode if hasattr(item, "getbands") else read_image
            return read(item, self.shape, self.levels)
        if array.ndim == 3 and array.shape[-1] not in CHANNELS and array.shape[0] in CHANNELS:
            array = array.transpose(1, 2, 0)
        if array.ndim == 2:
            array = array[:, :, None]
        if array.ndim != 3 or array.shape[-1] not in CHANNELS or 0 in array.shape:
            raise InputError(f"an array of shape {array.shape} is no image; give [H, W], [H, W, 3] or [3, H, W]")
        check_size(array.shape[1], array.shape[0])
        pixels = self._bytes(array)
        if pixels.shape == self._hwc:
            return np.ascontiguousarray(pixels.transpose(2, 0, 1))
        return decode(
            pillow("an array of another size than the model's").fromarray(pixels[:, :, 0] if pixels.shape[-1] == 1 else pixels),
            self.shape,
        )

    def _bytes(self, array: Array) -> Array:
        return array if array.dtype == np.uint8 else levelled(array, self.levels)


def _last_colours(batch: Array) -> Array:
    """[N, H, W], [N, C, H, W] or [N, H, W, C] as the last of these."""
    if batch.ndim == 3:
        return batch[:, :, :, None]
    return batch.transpose(0, 2, 3, 1) if batch.shape[-1] not in CHANNELS and batch.shape[1] in CHANNELS else batch


def levelled(array: Array, levels: tuple[float, float] | None, *, deepest: float = 255.0) -> Array:
    """Numbers that are no bytes as uint8.

    Args:
        array: Pixels of any shape and number type.
        levels: Black and white; None where the training pictures were bytes.
        deepest: The largest number that may mean white where there are no levels: 65535 in files of 16 bits.

    Raises:
        InputError: They are no finite numbers, or lie so far outside of the levels that they are on another scale.
    """
    if array.dtype.kind not in "fiub":
        raise InputError(f"an image of {array.dtype} holds no numbers")
    if not array.size:
        return array.astype(np.uint8)
    least, most = float(array.min()), float(array.max())
    if not math.isfinite(least + most):
        raise InputError(f"an image of {array.dtype} holds values that are no finite numbers")
    if levels is None:
        if most > deepest:
            raise InputError(
                f"an image holds values up to {most:g}; the model was trained on pixels from 0 to 255: scale it to these"
            )
        return to_bytes(array, 0.0, 1.0 if most <= 1 else 255.0 if most <= 255 else deepest)
    low, high = levels
    span = high - low
    # Single hot pixels are clipped; what is brighter as a whole, or all but black, was not scaled as the training pictures.
    beyond = most > high + span and int((array > high + span).sum()) > max(4, FEW_PIXELS * array.size)
    tiny = high > 100 * most and 0 < most <= 1 and array.dtype.kind == "f" and bool((array % 1 != 0).any())
    if beyond or tiny:
        what = (
            f"an image holds values from {least:g} to {most:g}; those of the training images lie between {low:g} and {high:g}"
        )
        raise InputError(f"{what}: scale it as they are")
    return to_bytes(array, low, high)


def to_bytes(array: Array, low: float, high: float) -> Array:
    """Values from `low` (black) to `high` (white) as uint8, rounded and clipped."""
    scaled = (array.astype(np.float32) - low) * (255.0 / (high - low))
    whole: Array = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
    return whole


def pillow(what: str) -> Any:
    """Pillow's `Image` module, asked for only where there is something to decode or to resize.

    Args:
        what: What it is needed for.

    Raises:
        InputError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise InputError(f"{what} needs Pillow, which is not installed: pip install pillow") from None
    return Image


def check_size(width: int, height: int) -> None:
    """Refuse an image that may be a decompression bomb.

    Raises:
        InputError: It has more than `MOST_PIXELS`.
    """
    if width * height > MOST_PIXELS:
        raise _too_large(f"{width:,} x {height:,} pixels")


def _too_large(size: str) -> InputError:
    limits = f"at most {MOST_PIXELS:,} pixels are read, of a JPEG {MOST_JPEG_PIXELS:,}"
    return InputError(f"an image of {size} is too large ({limits}); scale it down")


def decode(image: Any, shape: tuple[int, int, int], levels: tuple[float, float] | None = None) -> Array:
    """A Pillow image upright, in grey or RGB, of one size.

    Args:
        image: The image; it is loaded here.
        shape: (channels, height, width).
        levels: Black and white of images that are no bytes; see `levelled`.

    Returns:
        uint8 [C, H, W].

    Raises:
        InputError: It is so large that it may be an attack; its header tells, and nothing is decoded.
    """
    from PIL import Image, ImageOps

    channels, height, width = shape
    _reduce(image, (2 * width, 2 * height))
    converted = _flattened(ImageOps.exif_transpose(image), levels).convert("L" if channels == 1 else "RGB")
    if converted.size != (width, height):
        converted = converted.resize((width, height), Image.Resampling.BILINEAR)
    pixels: Array = np.asarray(converted, np.uint8).reshape(height, width, channels)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _reduce(image: Any, least: tuple[int, int]) -> None:
    """Let a large JPEG be decoded at a fraction of its size, and refuse what is too large even so.

    Raises:
        InputError: It may be an attack.
    """
    if image.format in ("JPEG", "MPO"):
        check_jpeg_size(image)
        image.draft(None, least)
    check_size(*image.size)


def check_jpeg_size(image: Any) -> None:
    """Refuse a JPEG that would take much memory although it is decoded at a fraction: a progressive one is held whole.

    Raises:
        InputError: It has more pixels than are decoded.
    """
    width, height = image.size
    if width * height > (MOST_PIXELS * 3 // 2 if image.info.get("progressive") else MOST_JPEG_PIXELS):
        check_size(width, height)


def _flattened(image: Any, levels: tuple[float, float] | None) -> Any:
    """Without transparency (laid on white), and numbers that are no bytes brought to bytes."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        return Image.fromarray(levelled(np.asarray(image), levels, deepest=65535.0))
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image
    seen = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")


def open_image(item: Any) -> Any:
    """A file as a Pillow image that is not decoded yet.

    Pillow's own mark for bombs is for what is decoded whole; a JPEG is measured by `decode`, after it was reduced.

    Args:
        item: A path, or a file that is open in binary mode.
    """
    from PIL import Image, JpegImagePlugin

    if hasattr(item, "read"):
        start = item.tell()
        is_jpeg = item.read(3) == JPEG
        item.seek(start)
    else:
        with open(item, "rb") as file:
            is_jpeg = file.read(3) == JPEG
    try:
        return JpegImagePlugin.JpegImageFile(item) if is_jpeg else Image.open(item)
    except Image.DecompressionBombError as error:  # its words are the library's own; the number of pixels is among them
        pixels = next((int(word) for word in re.findall(r"[0-9]+", str(error))), 0)
        raise _too_large(f"{pixels:,} pixels") from None


def read_image(item: Any, shape: tuple[int, int, int], levels: tuple[float, float] | None = None) -> Array:
    """A file as uint8 [C, H, W]; see `decode`.

    Raises:
        InputError: It is no path, or the file is missing, damaged, no image, or so large that it may be an attack.
    """
    if not isinstance(item, str | Path) and not hasattr(item, "read"):
        raise InputError(f"a {type(item).__name__} is no image; give a path, a Pillow image or an array")
    library = pillow(f"reading {str(item)!r}")
    try:
        with open_image(item) as image:
            if image.format in NO_PICTURES:
                raise InputError(f"files of the format {image.format} are not decoded")
            return decode(image, shape, levels)
    except FileNotFoundError:
        raise InputError(f"there is no file {str(item)!r}") from None
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, library.DecompressionBombError) as error:
        raise InputError(f"{str(item)!r} cannot be read as an image: {error}") from None


def _pixels(item: Any) -> Array | None:
    """An array or tensor as an array; None for anything else."""
    if isinstance(item, np.ndarray):
        return item
    if hasattr(item, "detach"):  # a torch tensor, without importing torch
        return np.asarray(item.detach().cpu().numpy())
    return None
