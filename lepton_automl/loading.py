"""`load_model`: opens what was saved or exported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ConfigError

if TYPE_CHECKING:
    from .deployment.predictor import Predictor
    from .sequential.model import Model


def load_model(folder: str | Path, *, public_key: str | Path | None = None) -> Predictor | Model:
    """Open an exported bundle, or what `Model.save` wrote; no code in it is run.

    The model of a bundle first predicts one row in a separate process, which has a minute and limited memory: a file that never
    responds, or takes all memory, fails there.

    Args:
        folder: The folder.
        public_key: A file with the Ed25519 key that must have signed the bundle, in PEM; None to require no signature.

    Returns:
        A `Predictor` for a bundle, a `Model` for a saved network.

    Raises:
        BundleError: It is damaged, was changed, is not signed by that key, or is neither; or its model does not respond.
        ConfigError: The public key cannot be read, or is given for a saved network, which has no signature.
        ExtraError: A public key is given, and the package `cryptography` is not installed.
    """
    if not (Path(folder) / SAVED).is_file():
        from .study.model import load_bundle

        return load_bundle(folder, public_key=public_key)
    if public_key is not None:
        raise ConfigError("a saved network has no signature", where=str(folder), fix="Leave public_key out.")
    from .sequential.opened import load

    return load(Path(folder))


SAVED = "network.json"  # in a folder that `Model.save` wrote
