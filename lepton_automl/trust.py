"""Which code may run here: a study's folder can contain code of whoever made it, and it runs only if the user trusts it.

Digests of trusted code are kept in a file of the user's own, not in the study, which may come from a stranger.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

SESSION = "LEPTON_TRUST"  # environment variable: the digests that this process and its child processes trust


def trusted_file() -> Path:
    """The user's list, one digest a line: `$XDG_CONFIG_HOME/lepton_automl/trusted`, by default in `~/.config`."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "lepton_automl" / "trusted"


def is_trusted(digest: str) -> bool:
    """Whether code with this digest may run."""
    if digest in os.environ.get(SESSION, "").split():
        return True
    try:
        return digest in trusted_file().read_text(encoding="utf-8").split()
    except (OSError, ValueError, RuntimeError):  # there is no such file, or no home folder
        return False


def allow(digest: str) -> None:
    """Trust code with this digest in this process and its child processes."""
    known = os.environ.get(SESSION, "").split()
    if digest not in known:
        os.environ[SESSION] = " ".join([*known, digest])


def remember(digest: str) -> None:
    """Trust code with this digest for this user from now on; if that cannot be saved, only in this process and its children."""
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
