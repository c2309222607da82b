"""The integrity of a bundle: the SHA-256 of every file in a manifest, and an Ed25519 signature of the manifest.

The digests alone detect damage, not forgery: a forger would write new ones. A signature detects forgery too, but only if the
code that checks it is trusted: check a bundle from others with this package (`load_model(folder, public_key=...)`, which runs
none of its code), or with `openssl pkeyutl -verify -rawin` and the digests, before its own `predict.py` runs. Files that the
manifest does not list are ignored. The signature is that of RFC 8032, over the bytes of the manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from lepton_automl.errors import BundleError, ConfigError, ExtraError

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
MODEL, PREPROCESS = "model.onnx", "preprocess.json"  # the model's file where the manifest names no other
MODEL_KEY = "model"  # in the manifest: the name of the model's file, where that is not an ONNX file
PROGRAMS = "programs"  # in the manifest: the files of a model of several programs, by the programs' names
FORMAT = 2  # of a bundle, in its manifest; newer formats are refused
OLDEST = 1  # the oldest format that is read; it differs in the hyperparameters' names in the provenance
MAX_MANIFEST_BYTES = 1 << 20  # a manifest of some dozens of files takes a few kB
EXPORT_AGAIN = "Export the model again."


def read_bundle(
    folder: Path,
    required: tuple[str, ...] = (),
    public_key: str | os.PathLike[str] | None = None,
    *,
    optional: tuple[str, ...] = (),
) -> dict[str, bytes]:
    """Check every file of a bundle against its manifest, and the manifest against its signature.

    Args:
        folder: The bundle.
        required: Files whose contents are returned, exactly as they were checked; `MODEL` stands for the model's file, whatever
            its name, or for those of all its programs.
        public_key: A file with the Ed25519 key that must have signed it; None to require no signature.
        optional: Files whose contents are returned if the bundle has them; the manifest may be one of them.

    Raises:
        BundleError: The manifest or a file is missing, was changed, or is outside the folder; or the signature is missing
            or not from this key.
        ConfigError: The file holds no such key.
        ExtraError: A signature is required, and the package `cryptography` is not installed.
    """
    manifest = _manifest(folder)
    if public_key is not None:
        check_signature(folder, manifest, public_key)
    listed = _digests(folder, manifest)
    if MODEL in required:
        required = (*(name for name in required if name != MODEL), *program_files(manifest).values())
    unlisted = [name for name in required if name not in listed]
    if unlisted:
        raise BundleError(f"{unlisted[0]} is not in the manifest", where=str(folder), fix=EXPORT_AGAIN)
    required, contents = (*required, *optional), {MANIFEST: manifest} if MANIFEST in optional else {}
    for name, digest in listed.items():
        try:
            with _inside(folder, name).open("rb") as file:
                content = file.read() if name in required else b""
                hasher = hashlib.sha256(content) if name in required else hashlib.file_digest(file, "sha256")
        except (OSError, ValueError) as error:  # a name may be too long, or hold characters that no file system allows
            raise BundleError(f"{name} is missing or cannot be read", where=str(folder), fix=EXPORT_AGAIN) from error
        if hasher.hexdigest() != digest:
            raise BundleError(
                f"{name} was changed after the bundle was written", where=str(folder), fix=f"Do not use it. {EXPORT_AGAIN}"
            )
        if name in required:
            contents[name] = content
    return contents


def model_file(manifest: bytes) -> str:
    """The name of a bundle's model file, by its manifest: `"model.onnx"` where it names no other.

    Raises:
        BundleError: It is not the name of a file in a bundle.
    """
    name = json.loads(manifest).get(MODEL_KEY, MODEL)
    if not isinstance(name, str) or not is_plain_name(name):
        raise BundleError(f"{name!r} is not the name of a model's file", where=MANIFEST, fix=EXPORT_AGAIN)
    return name


def program_files(manifest: bytes) -> dict[str, str]:
    """The file of each program of a bundle's model, by the program's name, which is empty where the model is one file.

    Raises:
        BundleError: One is not the name of a file in a bundle.
    """
    programs = json.loads(manifest).get(PROGRAMS)
    if programs is None:
        return {"": model_file(manifest)}
    files = {str(name): str(file) for name, file in dict(programs).items()}
    if not files or not all(map(is_plain_name, files.values())):
        raise BundleError(f"{PROGRAMS} does not name the files of programs", where=MANIFEST, fix=EXPORT_AGAIN)
    return files


def model_programs(folder: Path) -> dict[str, Path]:
    """As `program_files`, as paths; their digests are not checked. A folder without a manifest has the usual file.

    Raises:
        BundleError: The manifest is not readable, or a file is outside the bundle's folder.
    """
    if not (folder / MANIFEST).exists():
        return {"": folder / MODEL}
    manifest = _manifest(folder)
    _digests(folder, manifest)
    return {name: _inside(folder, file) for name, file in program_files(manifest).items()}


def model_files(folder: Path) -> list[Path]:
    """The files of a bundle's model; see `model_programs`."""
    return list(model_programs(folder).values())


def check_signature(folder: Path, manifest: bytes, public_key: str | os.PathLike[str]) -> None:
    """Check that a manifest was signed with a key.

    Raises:
        BundleError: There is no signature, or it belongs to another key or manifest.
        ConfigError, ExtraError: As for `read_bundle`.
    """
    key = _load_public_key(public_key)
    try:
        signature = _inside(folder, SIGNATURE).read_bytes()
    except (BundleError, OSError):
        fix = "Ask its author for a signed bundle (export with key=...)."
        raise BundleError("the bundle is not signed, but a public key was given", where=str(folder), fix=fix) from None
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, manifest)
    except InvalidSignature:
        what = f"the signature is not from the key in {os.fspath(public_key)}, or the manifest was changed after it was signed"
        raise BundleError(what, where=str(folder), fix="Do not use it; get a new one from its author.") from None


def _load_public_key(path: str | os.PathLike[str]) -> Any:
    """The Ed25519 public key in a PEM or OpenSSH file."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key, load_ssh_public_key
    except ImportError:
        fix = 'pip install cryptography, or, beside lepton_automl, pip install "lepton-automl[sign]".'
        raise ExtraError(
            "a signature cannot be checked without the package cryptography", where="public key", fix=fix
        ) from None
    try:
        content = Path(path).read_bytes()
        key = (load_ssh_public_key if content.startswith(b"ssh-") else load_pem_public_key)(content)
        if isinstance(key, Ed25519PublicKey):
            return key
        what = "the key is not an Ed25519 key"
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        what = f"this is not a public key: {error}"
    raise ConfigError(what, where=os.fspath(path), fix="Write one: openssl pkey -in key.pem -pubout -out public.pem.")


def _manifest(folder: Path) -> bytes:
    """The bytes of the manifest."""
    try:
        with _inside(folder, MANIFEST).open("rb") as file:
            content = file.read(MAX_MANIFEST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(folder) from error
    if len(content) > MAX_MANIFEST_BYTES:
        raise _unreadable(folder)
    return content


def _digests(folder: Path, manifest: bytes) -> dict[str, str]:
    """The digest of every file, by name."""
    try:
        content = json.loads(manifest)
        version, files = int(content["format"]), {str(name): str(digest) for name, digest in content["files"].items()}
        program_files(manifest)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise _unreadable(folder) from error
    if not OLDEST <= version <= FORMAT:
        known = f"{OLDEST} to {FORMAT}" if OLDEST < FORMAT else str(FORMAT)
        fix = "Upgrade." if version > FORMAT else "Export the model again from its study: lepton export STUDY --out FOLDER."
        raise BundleError(f"the bundle is of format {version}; this version reads {known}", where=str(folder), fix=fix)
    return files


def _unreadable(folder: Path) -> BundleError:
    return BundleError(f"there is no readable {MANIFEST}", where=str(folder), fix="Pass the folder of a bundle.")


def is_plain_name(name: str) -> bool:
    """Whether a name is that of a file directly in the folder, on every system."""
    return name not in {"", ".", ".."} and not any(mark in name for mark in "/\\:\0")


def _inside(folder: Path, name: str) -> Path:
    """The path of a regular file in the bundle's folder: not outside of it, not a link, not a pipe."""
    path = folder / name
    if not is_plain_name(name) or path.is_symlink() or (path.exists() and not path.is_file()):
        raise BundleError(f"{name!r} is not a file of the bundle itself", where=str(folder), fix="Do not use it.")
    return path
