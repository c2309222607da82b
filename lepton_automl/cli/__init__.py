"""The command line: `lepton`. Every command is a few lines over the Python API; imports wait until they are needed."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from lepton_automl.errors import LeptonError
from lepton_automl.study.interrupts import Terminated, ending

from . import model, registry, search, serve, study  # noqa: F401  # each registers its commands
from .shared import app

__all__ = ["app", "main"]

PANELS = ("Search", "Studies", "Models", "Serving", "MLflow")  # groups of commands in the help, in this order
app.registered_commands.sort(key=lambda command: PANELS.index(str(command.rich_help_panel)))


def main() -> None:
    """Run the command line; an error is printed in a few lines, with exit code 1."""
    known = [command for command in app.registered_commands if sys.argv[1:2] == [_name(command)]]
    if known:  # preparing the parsers of all the others would take a tenth of a quick command's time
        app.registered_commands = known
    try:
        with ending():
            app()
    except Terminated as error:
        print(f"ended by {error}", file=sys.stderr)
        raise
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        from lepton_automl.errors import InputError

        if not isinstance(error, LeptonError | InputError):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def _name(command: Any) -> str:
    return str(command.name or command.callback.__name__)


def _print_version(wanted: bool) -> None:  # called by typer with the option's value
    if wanted:
        from lepton_automl import __version__

        print(f"lepton {__version__}")
        raise typer.Exit


@app.callback()
def _group(
    version: Annotated[  # its callback prints the version
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Searches neural networks for your data and your device, from the most accurate to the fastest."""
