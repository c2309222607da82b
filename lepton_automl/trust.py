"""Whose code may run here: a study's folder can carry a person's code, which nobody runs who has not said so.

What is trusted is kept by its digest in a file of the user's own, not in the study, which may come from a stranger.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

SESSION = "LEPTON_TRUST"  # the variable with the digests that this process trusts, and those that it starts


def trusted_file() -> Path:
    """The user's own list, a digest a line: `$XDG_CONFIG_HOME/lepton_automl/trusted`, by default below `~/.config`."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "lepton_automl" / "trusted"


def is_trusted(digest: str) -> bool:
    """Whether code of this digest may run."""
    if digest in os.environ.get(SESSION, "").split():
        return True
    try:
        return digest in trusted_file().read_text(encoding="utf-8").split()
    except (OSError, ValueError, RuntimeError):  # there is none, or no home folder
        return False


def allow(digest: str) -> None:
    """Let code of this digest run in this process, and in those that it starts."""
    known = os.environ.get(SESSION, "").split()
    if digest not in known:
        os.environ[SESSION] = " ".join([*known, digest])


def remember(digest: str) -> None:
    """Let code of this digest run for this user from now on; where that cannot be kept, from this process on."""
    if is_trusted(digest) and digest not in os.environ.get(SESSION, "").split():
        return
    allow(digest)
    with contextlib.suppress(OSError, RuntimeError):
        path = trusted_file()
        if path.exists() and digest in path.read_text(encoding="utf-8").split():
            return
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(path, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(f"{digest}\n")
