"""The documentation: its examples run, its navigation is complete, and it lists the whole public interface."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

import lepton_automl
from lepton_automl.cli import app

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
BLOCK = re.compile(r"(<!-- [^>]* -->\n)?```python\n(.*?)```", re.DOTALL)


def examples(page: Path) -> list[str]:
    """The Python blocks of a page that its own test runs: all without a comment that says where or why not."""
    return [code for comment, code in BLOCK.findall(page.read_text(encoding="utf-8")) if not comment]


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)], ids=lambda page: page.stem)
def test_the_examples_of_a_page_run_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path / "home"))
    names: dict[str, object] = {}
    for code in examples(page):
        exec(compile(code, str(page), "exec"), names)


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r"[\w/-]+\.md", (DOCS.parent / "mkdocs.yml").read_text()))
    assert listed == {page.relative_to(DOCS).as_posix() for page in PAGES}


def test_the_reference_lists_every_public_name():
    reference = (DOCS / "reference" / "python.md").read_text()
    shown = set(re.findall(r"^::: [\w.]+\.(\w+)$", reference, re.MULTILINE))
    assert set(lepton_automl.__all__) <= shown


def test_the_shell_reference_lists_every_command():
    page = (DOCS / "reference" / "shell.md").read_text()
    commands = set(typer.main.get_command(app).commands)
    assert commands == set(re.findall(r"^\| `lepton ([\w-]+)` \|", page, re.MULTILINE))


def test_the_readme_is_short():
    assert len((DOCS.parent / "README.md").read_text().splitlines()) <= 120
