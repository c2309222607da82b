"""Networks of several programs with a loop between them, called like one model. Shipped with every model: needs only NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from lepton_automl.arrays import Array

State = dict[str, Array]  # what is kept between calls, by name, each [N, ...]
Program = Callable[[dict[str, Array]], dict[str, Array]]  # one call of an exported program: named inputs to named outputs


@runtime_checkable
class GeneratingDecoder(Protocol):
    """The decoder of a task that runs the loop between a network's programs; see `family.ProgramFamily`.

    Attributes:
        steps: Steps of the loop for a typical example, which is what is timed; 0 if the number of steps does not depend on
            the answers.
    """

    steps: int

    def generate(
        self, programs: Mapping[str, Program], arrays: Mapping[str, Array], state: State, steps: int = 0
    ) -> tuple[Array, State]:
        """The network's outputs, as `decode` takes them; integers if the loop makes decisions, such as which token comes next.

        Args:
            programs: The network's programs by name.
            arrays: The preprocessing's arrays.
            state: What the previous call returned for the same rows; empty at the beginning.
            steps: The exact number of steps, whatever the answers are; 0 to stop when the answers end.

        Returns:
            The outputs [N, ...], and what the next call for the same rows needs to continue from here; nothing if calls are
            independent. A row's outputs do not depend on the other rows.
        """


class OpenedProgram(Protocol):
    """An opened model that returns its outputs by name; `deployment.open_artifact.InferenceSession` is one."""

    @property
    def any_rows(self) -> bool: ...  # noqa: D102  # whether it takes any number of rows

    def outputs(self, arrays: dict[str, Array]) -> dict[str, Array]: ...  # noqa: D102  # for some rows


class Generation:
    """Opened programs and the loop between them, called like one model.

    Args:
        programs: By name.
        decoder: Runs the loop.
    """

    def __init__(self, programs: Mapping[str, OpenedProgram], decoder: GeneratingDecoder) -> None:
        self.decoder = decoder
        self.any_rows = all(program.any_rows for program in programs.values())
        self._calls: dict[str, Program] = {name: program.outputs for name, program in programs.items()}

    def __call__(self, arrays: dict[str, Array]) -> Array:
        """The outputs for some rows."""
        return self.advance(arrays, {})[0]

    def outputs(self, arrays: dict[str, Array]) -> dict[str, Array]:
        """The same by name."""
        return {"answer": self(arrays)}

    def advance(self, arrays: dict[str, Array], state: State) -> tuple[Array, State]:
        """The outputs for the next piece of some rows, and the state for the piece after it.

        Args:
            arrays: The piece of each row.
            state: What the previous call returned; empty at the beginning.
        """
        return self.decoder.generate(self._calls, arrays, state)

    def typical(self, arrays: dict[str, Array]) -> Array:
        """The outputs of a call of typical length, which is what is timed: its time does not depend on the weights."""
        return self.decoder.generate(self._calls, arrays, {}, self.decoder.steps)[0]
