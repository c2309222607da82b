"""Types of arrays and JSON. This file is shipped with every deployed model."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Json = dict[str, Any]
