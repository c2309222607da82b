"""Values whose class belongs to a plug-in: what is particular to one modality or task, inside a value that is common to all."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from ._json import Value
from .plugins import load

KIND = "kind"


class PluginValue(Value):
    """A value of a plug-in. Its JSON names the plug-in, and reading it finds the class again.

    Attributes:
        group: The group of plug-ins, such as `"modalities"`.
        role: The plug-in's attribute that holds the class, such as `"Input"`.
        kind: The plug-in's name; empty in the common base.
    """

    group: ClassVar[str] = ""
    role: ClassVar[str] = ""
    kind: ClassVar[str] = ""

    def to_json(self) -> dict[str, Any]:
        """The value as JSON-able objects, with the plug-in's name."""
        return {KIND: self.kind, **super().to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The value from the result of `to_json`, of the plug-in's own class.

        Raises:
            ConfigError: The plug-in is not installed.
        """
        if cls.kind:
            return super().from_json(data)
        value: Self = getattr(load(cls.group, str(data.get(KIND, ""))), cls.role).from_json(data)
        return value
