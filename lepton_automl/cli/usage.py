"""What the shell says about a wrong command line: in the words of all other errors, with a suggestion."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from lepton_automl.errors import ConfigError, did_you_mean

_errors: Any = import_module(typer.BadParameter.__module__)  # of click, which newer versions of typer contain
WRONG = 2  # the exit code of a wrong command line
KINDS = {"a valid float": "a number", "a valid integer": "a whole number", "a valid int": "a whole number"}


class Shell(TyperGroup):
    """The commands of `lepton`."""

    def main(self, *args: Any, standalone_mode: bool = True, **options: Any) -> Any:
        """Run a command; a wrong command line is explained on standard error, with exit code 2."""
        options["standalone_mode"] = False
        if not standalone_mode:
            return super().main(*args, **options)
        try:
            code = super().main(*args, **options)
        except _errors.UsageError as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()
            else:
                print(f"error: {explained(error)}", file=sys.stderr)
            sys.exit(WRONG)
        except typer.Abort:
            print("aborted", file=sys.stderr)
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is named first.

        Raises:
            UsageError: There is none of this name.
        """
        name = str(args[0]) if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            raise _errors.UsageError(f"there is no command {name!r}.{did_you_mean(name, self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)


def missing(context: typer.Context, name: str) -> Exception:
    """The error about an argument that is needed with these options.

    Args:
        context: The command line.
        name: The parameter's name in the function of the command.
    """
    parameter = next(known for known in context.command.params if known.name == name)
    error: Exception = _errors.MissingParameter(ctx=context, param=parameter)
    return error


def explained(error: Any) -> ConfigError:
    """An error of the command line's parser in this package's own words."""
    context = error.ctx
    if context is None:
        return ConfigError(_what(error, None))
    command, path = context.command, context.command_path
    if isinstance(command, TyperGroup):
        return ConfigError(_what(error, command), where="", fix=f"{path} -h lists the commands.")
    arguments = [_shown(known) for known in command.params if known.param_type_name == "argument"]
    arguments += [
        f"{_shown(known)} {known.name.upper()}"
        for known in command.params
        if known.param_type_name == "option" and known.required
    ]
    fix = f"{' '.join([path, *arguments])}; {path} -h lists the options."
    return ConfigError(_what(error, command), where=path, fix=fix)


def _what(error: Any, command: Any) -> str:
    if isinstance(error, _errors.NoSuchOption) and command is not None:
        options = [name for known in command.params for name in (*known.opts, *known.secondary_opts) if name.startswith("-")]
        return f"there is no option {error.option_name!r}.{did_you_mean(error.option_name, options)}"
    if isinstance(error, _errors.MissingParameter) and error.param is not None:
        return f"{_shown(error.param)} is missing"
    if isinstance(error, _errors.BadParameter) and error.param is not None:
        text = error.message.rstrip(".")
        for kind, plain in KINDS.items():
            text = text.replace(kind, plain)
        return f"{_shown(error.param)}: {text}"
    if isinstance(error, _errors.BadOptionUsage):
        return f"{error.option_name} needs a value"
    if extra := re.fullmatch(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)\.?", error.message):
        return f"it takes no further argument, and there is {extra[1]!r}"
    return str(error.message)


def _shown(parameter: Any) -> str:
    """A parameter as it is typed."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    return str(max(parameter.opts, key=len))
