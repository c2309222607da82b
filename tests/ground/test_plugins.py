"""Plug-ins by name: ours from a checkout, others' from entry points, and errors that explain what to do."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lepton_automl import plugins
from lepton_automl.errors import ConfigError, ExtraError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages."""
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.forget()
    yield tmp_path
    plugins.forget()


def install(site: Path, package: str, entries: str, group: str = "runtimes") -> None:
    """Leave the metadata that pip would leave of a package with some entry points."""
    info = site / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[lepton_automl.{group}]\n{entries}\n")


def test_our_plugins_are_the_entry_points_of_this_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {name.removeprefix(plugins.PREFIX): table for name, table in project["entry-points"].items()}
    groups.pop("mlflow.app")
    assert groups == {kind: table for kind, table in plugins.BUILT_IN.items() if table}
    assert list(plugins.BUILT_IN) == list(plugins.KINDS)


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_ours_can_be_loaded(kind: str) -> None:
    for name in plugins.BUILT_IN[kind]:
        assert plugins.is_known(kind, name) and plugins.load(kind, name) is not None


def test_another_package_brings_one(site: Path) -> None:
    (site / "fast_runtime.py").write_text("class Outer:\n    inner = 'it'\n")
    install(site, "fast-runtime", "fast = fast_runtime:Outer.inner")
    assert plugins.names("runtimes") == (*plugins.BUILT_IN["runtimes"], "fast")
    assert plugins.is_known("runtimes", "fast") and not plugins.is_known("runtimes", "slow")
    assert plugins.load("runtimes", "fast") == "it"
    assert "fast" not in plugins.names("devices")


def test_an_unknown_name_is_refused_with_the_names_that_are_there(site: Path) -> None:
    install(site, "fast-runtime", "fast = fast_runtime:Fast")
    with pytest.raises(ConfigError, match=r"there is no runtime 'fats'.*\n.*torch, fast\. Did you mean 'fast'\?"):
        plugins.load("runtimes", "fats")
    with pytest.raises(ConfigError, match=r"no kind of plug-in 'runtime'.*\n.*Did you mean 'runtimes'"):
        plugins.names("runtime")


def test_a_name_that_two_packages_bring_is_an_error(site: Path) -> None:
    install(site, "one-more", "fast = a:b")
    install(site, "two-more", "fast = c:d")
    with pytest.raises(ConfigError, match=r"one-more and two-more|two-more and one-more"):
        plugins.names("runtimes")


def test_a_built_in_name_cannot_be_overridden(site: Path) -> None:
    install(site, "other-torch", "torch = a:b")
    with pytest.raises(ConfigError, match=r"lepton-automl and other-torch both provide a runtime named 'torch'"):
        plugins.names("runtimes")


def test_older_metadata_of_this_package_do_not_matter(site: Path) -> None:
    install(site, "lepton_automl", "torch = gone:Torch\nold = gone:Old")
    assert plugins.names("runtimes") == tuple(plugins.BUILT_IN["runtimes"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("import nothing_of_that_name", "nothing_of_that_name"),
        ("raise OSError('no such chip')", "no such chip"),
        ("", "Broken"),
    ],
)
def test_a_package_that_cannot_be_imported_is_named(site: Path, content: str, reason: str) -> None:
    (site / "broken_runtime.py").write_text(content)
    install(site, "broken-runtime", "broken = broken_runtime:Broken")
    assert "broken" in plugins.names("runtimes")
    sys.modules.pop("broken_runtime", None)
    with pytest.raises(
        ExtraError, match=rf"the runtime 'broken' of the package broken-runtime.*{reason}[^\n]*\n.*pip uninstall"
    ):
        plugins.load("runtimes", "broken")


def test_names_are_found_without_importing_anything() -> None:
    code = (
        "import sys; from lepton_automl import plugins; [plugins.names(kind) for kind in plugins.KINDS]; "
        "print([name for name in ('torch', 'numpy', 'lepton_automl.deployment') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT).strip() == "[]"
