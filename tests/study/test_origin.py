"""By what and where a study was made."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from lepton_automl.study.origin import git_state, study_started
from tests.samples import config


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_work_tree_of_the_caller(tmp_path, monkeypatch):
    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    assert git_state(tmp_path) == {}
    git("init", "--initial-branch", "mine")
    assert git_state(tmp_path) == {}, "there is no commit yet"
    (tmp_path / "a.py").write_text("a = 1")
    git("add", ".")
    git("commit", "-m", "a")
    (tmp_path / "notes.txt").write_text("untracked")
    clean = git_state(tmp_path)
    assert len(clean["commit"]) == 40 and clean["branch"] == "mine" and clean["dirty"] == "false"
    (tmp_path / "a.py").write_text("a = 2")
    (tmp_path / "sub").mkdir()
    assert git_state(tmp_path / "sub") == {**clean, "dirty": "true"}
    git("checkout", "--detach")
    assert git_state(tmp_path) == {"commit": clean["commit"], "dirty": "true"}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) == {}, "there is no git"


def test_a_study_records_its_versions_and_git_state():
    started = study_started(1.0, config())
    assert {"python", "torch", "numpy"} <= set(started.versions) and started.machine["cores"].isdigit()
    assert f"numpy=={started.versions['numpy']}" in started.environment
