"""The layout of the source: no circle of files, no long file, and no code that selects by the name of a modality or a task.

Where a rule does not hold yet, a number says how often it is broken. The number may only fall: lower it whenever the test
asks for it, until it is zero. `python -m benchmarks house --details` lists every place.
"""

from __future__ import annotations

import functools

import pytest

from benchmarks.code_structure import (
    assertion_counts,
    circles,
    file_lines,
    function_lines,
    imports,
    name_uses,
    plugin_imports,
    read_sources,
    selecting_uses,
)
from benchmarks.house import LONGEST, MODALITIES, PLANNED_MODALITIES, PLANNED_TASKS, TASKS

# How often each rule is broken today.
BROKEN = {
    "circles of files": 0,
    "files over 400 lines": 0,
    "imports of a modality or a task from outside": 0,
    "a modality's name selects": 0,
    "a modality's name stands elsewhere": 0,
    "a task's name selects": 0,
    "a task's name stands elsewhere": 0,
}
# Literals that equal a name and are none, and why they cannot be another word.
OTHER_WORDS = {
    ("lepton_automl/deployment/reference.py", "image"): "an input in a file whose bytes never change",
    ("lepton_automl/tracking/store.py", "table"): "MLflow's own word for a kind of artifact",
}


@functools.cache
def sources():
    return read_sources()


@functools.cache
def graph():
    return imports(sources())


def violations(rule: str) -> list[str]:
    if rule == "circles of files":
        return [" <-> ".join(circle) for circle in circles(graph())]
    if rule == "files over 400 lines":
        return [f"{path}: {lines} lines" for path, lines in file_lines(sources()).items() if lines > LONGEST]
    if rule == "imports of a modality or a task from outside":
        return [f"{path} imports {other}" for path, other in plugin_imports(graph())]
    names, planned = (MODALITIES, PLANNED_MODALITIES) if rule.startswith("a modality") else (TASKS, PLANNED_TASKS)
    if rule.endswith("selects"):
        uses = selecting_uses(sources(), names, planned)
    else:
        uses = [use for use in name_uses(sources(), names) if use.use == "other" and (use.path, use.name) not in OTHER_WORDS]
    return [f"{use.path}:{use.line} ({use.use}) {use.code}" for use in uses]


@pytest.mark.parametrize("rule", BROKEN)
def test_a_rule_is_broken_no_more_often_than_before(rule):
    found = violations(rule)
    assert len(found) <= BROKEN[rule], "\n".join([f"{rule}: {len(found)}, and {BROKEN[rule]} are allowed", *found])


def test_a_circle_is_found_through_a_function_and_not_through_a_type():
    files = {
        "p/__init__.py": "",
        "p/a.py": "from .b import x",
        "p/b.py": "def f():\n    from p import c",
        "p/c.py": "import p.a\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .d import y",
        "p/d.py": "from . import c, a",
        "p/room/__init__.py": "from ..d import y",
        "p/room/e.py": "from .. import d\nfrom . import z",
    }
    found = imports(files, "p")
    assert found["p/b.py"] == {"p/c.py"} and found["p/c.py"] == {"p/a.py"} and found["p/d.py"] == {"p/a.py", "p/c.py"}
    assert found["p/room/e.py"] == {"p/d.py", "p/room/__init__.py"} and found["p/room/__init__.py"] == {"p/d.py"}
    assert circles(found) == [("p/a.py", "p/b.py", "p/c.py")]


@pytest.mark.parametrize(
    ("code", "use"),
    [
        ("a == 'image'", "comparison"),
        ("'image' != a", "comparison"),
        ("a in ('image', 'table')", "membership"),
        ("'image' in a", "membership"),
        ("for a in ('image', 'table'): pass", "membership"),
        ("[a for a in ['image']]", "membership"),
        ("match a:\n case 'image' | 'x': pass", "match"),
        ("match a:\n case ('image', _): pass", "match"),
        ("{'image': 1}[a]", "key"),
        ("a['image']", "key"),
        ("a.get('image', 1)", "key"),
        ("a.get(1, 'image')", "other"),
        ("f(modality='image')", "other"),
        ("{1: 'image'}", "other"),
        ("a: Literal['image', 'table']", "other"),
    ],
)
def test_the_use_of_a_name_is_known(code, use):
    assert {one.use for one in name_uses({"p/a.py": code}, {"image", "table"}, "p")} == {use}


def test_a_name_that_is_to_come_selects_by_comparison_alone():
    code = {"p/a.py": "kind == 'text'\nkind in ('text', 'number')\naxis = {'text': 'epoch'}\nmatch kind:\n case 'text': pass"}
    assert [use.use for use in selecting_uses(code, {"image"}, {"text"}, "p")] == ["comparison", "membership", "match"]


def test_names_are_free_in_the_folders_of_plugins_and_strangers_do_not_import_them():
    files = {
        "lepton_automl/modalities/image/__init__.py": "a == 'image'\nfrom . import spec",
        "lepton_automl/modalities/image/spec.py": "",
        "lepton_automl/modalities/table/__init__.py": "from ..image import spec",
        "lepton_automl/tasks/binary.py": "{'binary': 1}",
        "lepton_automl/cli.py": "def f():\n from .tasks.binary import g",
    }
    assert not name_uses(files, {"image", "binary"})
    assert plugin_imports(imports(files)) == [
        ("lepton_automl/cli.py", "lepton_automl/tasks/binary.py"),
        ("lepton_automl/modalities/table/__init__.py", "lepton_automl/modalities/image/spec.py"),
    ]


def test_functions_tests_and_assertions_are_counted():
    files = {"a.py": "def test_a():\n    assert 1\n    with pytest.raises(E):\n        assert 2\ndef b(): pass"}
    assert assertion_counts(files) == {"tests": 1, "asserts": 2, "raises": 1}
    assert function_lines(files) == {"a.py:1 test_a": 4, "a.py:5 b": 1} and file_lines(files) == {"a.py": 5}
