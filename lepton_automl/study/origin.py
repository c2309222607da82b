"""Where a study comes from: package versions, machine, and the git state of the caller's work tree."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import distributions
from pathlib import Path

from lepton_automl import memory
from lepton_automl.events import StudyStarted
from lepton_automl.measuring.host import usable_cores
from lepton_automl.study_config import StudyConfig

PACKAGES = ("lepton-automl", "torch", "pytorch-lightning", "optuna", "mlflow", "onnx", "onnxruntime", "openvino", "torch-pruning", "numpy")  # fmt: skip
PATIENCE = 5.0  # seconds allowed for git; the first status of a huge work tree takes longer


def study_started(at: float, config: StudyConfig) -> StudyStarted:
    """The first event of a study. A study's process starts in its caller's working directory, so the work tree is the caller's."""
    installed = environment()
    known = dict(line.split("==", 1) for line in installed)
    versions = {"python": platform.python_version()} | {name: known[name] for name in PACKAGES if name in known}
    return StudyStarted(
        at=at, config=config, versions=versions, machine=machine(), git=git_state(Path.cwd()), environment=installed
    )


def environment() -> tuple[str, ...]:
    """All installed packages with their versions, as pip writes them (`name==version`), sorted by name."""
    versions = {
        str(distribution.name).lower().replace("_", "-"): distribution.version
        for distribution in distributions()
        if distribution.name
    }
    return tuple(f"{name}=={version}" for name, version in sorted(versions.items()))


def machine() -> dict[str, str]:
    """The machine's name, system, cores and memory; its processor is recorded with its benchmark."""
    facts = {"name": platform.node(), "system": platform.platform(), "cores": str(usable_cores())}
    total = memory.total()
    return facts | ({"memory": f"{total / 2**30:.1f} GiB"} if total < float("inf") else {})


def git_state(folder: Path) -> dict[str, str]:
    """The git state of a folder's work tree.

    Args:
        folder: Any folder in it.

    Returns:
        `commit`, `branch` (not where HEAD is detached) and `dirty`: whether a tracked file differs from the commit. Empty
        outside of a work tree, before the first commit, and where there is no git. See git-status(1), "Porcelain Format
        Version 2".
    """
    # Without the lock, with which git would refresh the caller's index while the caller may be using it.
    command = ["git", "--no-optional-locks", "-C", str(folder), "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        variables = {**os.environ, "LC_ALL": "C"}
        output = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True, env=variables).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    lines = output.splitlines()
    head = dict(line.removeprefix("# branch.").split(" ", 1) for line in lines if line.startswith("# branch."))
    if head.get("oid", "(initial)") == "(initial)":
        return {}
    branch = {} if head["head"] == "(detached)" else {"branch": head["head"]}
    return {"commit": head["oid"], **branch, "dirty": str(any(not line.startswith("#") for line in lines)).lower()}
