"""Signatures of bundles."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from lepton_automl import load_model
from lepton_automl.deployment.bundle import add_file
from lepton_automl.deployment.signing import private_key, sign_bundle
from lepton_automl.errors import BundleError, ConfigError, ExtraError

from .bundles import ROW, run


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Two pairs as openssl and ssh write them: {name: (private, public)}."""
    folder = tmp_path_factory.mktemp("keys")
    if not (shutil.which("openssl") and shutil.which("ssh-keygen")):
        pytest.skip("needs openssl and ssh-keygen")
    for command in (
        "openssl genpkey -algorithm ed25519 -out pem",
        "openssl pkey -in pem -pubout -out pem.pub",
        "ssh-keygen -q -t ed25519 -N '' -f ssh",
        "ssh-keygen -q -t ed25519 -N secret -f locked",
        "ssh-keygen -q -t rsa -b 2048 -N '' -f rsa -m PEM",
    ):
        subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True)
    return {name: (folder / name, folder / f"{name}.pub") for name in ("pem", "ssh", "locked", "rsa")}


@pytest.mark.parametrize("kind", ["pem", "ssh"])
def test_a_signed_bundle_is_known_by_its_key_alone(kind, keys, copy):
    pytest.importorskip("cryptography")
    secret, public = keys[kind]
    with pytest.raises(BundleError, match="not signed"):
        load_model(copy, public_key=public)
    sign_bundle(copy, private_key(secret))
    assert load_model(copy, public_key=public).predict(ROW) == load_model(copy).predict(ROW)
    with pytest.raises(BundleError, match="not from the key"):
        load_model(copy, public_key=keys["ssh" if kind == "pem" else "pem"][1])
    manifest = (copy / "manifest.json").read_bytes()
    (copy / "manifest.json").write_bytes(manifest + b" ")
    load_model(copy)
    with pytest.raises(BundleError, match="not from the key"):
        load_model(copy, public_key=public)
    (copy / "manifest.json").write_bytes(manifest)
    (copy / "manifest.sig").write_bytes(b"short")
    with pytest.raises(BundleError, match="not from the key"):
        load_model(copy, public_key=public)


def test_openssl_checks_the_signature_too(keys, copy):
    pytest.importorskip("cryptography")
    sign_bundle(copy, private_key(keys["pem"][0]))
    check = f"openssl pkeyutl -verify -rawin -pubin -inkey {keys['pem'][1]} -in manifest.json -sigfile manifest.sig"
    assert subprocess.run(check.split(), cwd=copy, capture_output=True, check=False).returncode == 0
    (copy / "manifest.json").write_bytes(b"{}")
    assert subprocess.run(check.split(), cwd=copy, capture_output=True, check=False).returncode != 0


def test_a_change_voids_the_signature(keys, copy):
    pytest.importorskip("cryptography")
    sign_bundle(copy, private_key(keys["pem"][0]))
    add_file(copy, "more.txt", b"x")
    with pytest.raises(BundleError, match="not signed"):
        load_model(copy, public_key=keys["pem"][1])


def test_an_invalid_key_is_an_error(keys, table, tmp_path):
    pytest.importorskip("cryptography")
    for read in (private_key, lambda path: load_model(table, public_key=path)):
        for path in (tmp_path, tmp_path / "none", table / "model.onnx", *keys["rsa"], *keys["locked"][:1]):
            with pytest.raises(ConfigError, match="key"):
                read(path)
    with pytest.raises(ConfigError, match="not a public key"):
        load_model(table, public_key=keys["pem"][0])


def test_predict_py_checks_the_signature_or_explains_why_it_cannot(keys, copy):
    pytest.importorskip("cryptography")
    asked = json.dumps(ROW), "--public-key", keys["pem"][1]
    assert "not signed" in run(copy, *asked).stderr
    sign_bundle(copy, private_key(keys["pem"][0]))
    assert run(copy, *asked).stdout == run(copy, json.dumps(ROW)).stdout == "no\n"
    without = run(copy, *asked, without="cryptography")
    assert without.returncode == 1 and "pip install cryptography" in without.stderr and not without.stdout


def test_signing_without_cryptography_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(ExtraError, match=r'pip install "lepton-automl\[sign\]"'):
        private_key("key.pem")
