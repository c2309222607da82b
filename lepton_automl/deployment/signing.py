"""Signing a bundle: an Ed25519 signature of its manifest, in a file beside it (`integrity` checks it)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lepton_automl.errors import ConfigError, ExtraError

from .integrity import MANIFEST, SIGNATURE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def private_key(path: str | os.PathLike[str]) -> Ed25519PrivateKey:
    """Load the key in a file, as `openssl genpkey -algorithm ed25519` or `ssh-keygen -t ed25519` writes it.

    Raises:
        ConfigError: The file cannot be read, holds another kind of key, or is encrypted with a password.
        ExtraError: The package `cryptography` is not installed.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key
    except ImportError:
        what = "a bundle cannot be signed without the package cryptography"
        raise ExtraError(what, where="key", fix='pip install "lepton-automl[sign]".') from None
    try:
        content = Path(path).read_bytes()
        key = (load_ssh_private_key if b"OPENSSH PRIVATE KEY" in content else load_pem_private_key)(content, password=None)
        if isinstance(key, Ed25519PrivateKey):
            return key
        what = "the key is not an Ed25519 key"
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: a password is needed
        what = f"this private key cannot be used: {error}"
    fix = "Write one: openssl genpkey -algorithm ed25519 -out key.pem."
    raise ConfigError(what, where=os.fspath(path), fix=fix)


def sign_bundle(folder: Path, key: Ed25519PrivateKey) -> None:
    """Sign a bundle; any later change invalidates the signature.

    Args:
        folder: The bundle.
        key: From `private_key`.
    """
    (folder / SIGNATURE).write_bytes(key.sign((folder / MANIFEST).read_bytes()))
