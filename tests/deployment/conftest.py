"""What the tests of bundles share."""

from __future__ import annotations

import shutil

import pytest

from tests.onnx_texts import PICTURE

from .bundles import PICTURES, write


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write(tmp_path_factory.mktemp("table") / "bundle")


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    return write(tmp_path_factory.mktemp("picture") / "bundle", PICTURE, PICTURES)


@pytest.fixture
def copy(table, tmp_path):
    return shutil.copytree(table, tmp_path / "copy")
