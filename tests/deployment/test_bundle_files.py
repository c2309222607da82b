"""Files of a bundle other than the model: requirements, a Dockerfile, predict.py."""

from __future__ import annotations

import ast
import builtins

import pytest

from lepton_automl import plugins
from lepton_automl.deployment.bundle import predict_source
from lepton_automl.deployment.container import containerfile, requirements
from lepton_automl.deployment.runtime import get_runtime
from lepton_automl.errors import InputError
from lepton_automl.modality import modality_named
from lepton_automl.task import task_named

IMAGES, TABLES = modality_named("image"), modality_named("table")


def test_only_two_packages_are_required(picture):
    asked = [line for line in (picture / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line.split(">")[0] for line in asked] == ["numpy", "onnxruntime"]
    assert "# pillow" in requirements(IMAGES.usage, ()) and "pillow" not in requirements(TABLES.usage, ())


def test_the_container_runs_predict_py_without_rights(picture):
    lines = (picture / "Dockerfile").read_text().splitlines()
    assert "USER 10001" in lines and lines[-1] == 'ENTRYPOINT ["python", "-P", "predict.py"]'
    assert "pillow" in containerfile(IMAGES.usage) and "pillow" not in containerfile(TABLES.usage)


@pytest.mark.parametrize("runtime", plugins.names("runtimes"))
@pytest.mark.parametrize("task", plugins.names("tasks"))
@pytest.mark.parametrize("modality", plugins.names("modalities"))
def test_no_name_of_predict_py_is_given_twice_or_hides_pythons_own(modality, task, runtime):
    body = ast.parse(predict_source(modality_named(modality), task_named(task), get_runtime(runtime))).body
    named = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        named += [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    assert len(named) == len(set(named)) and not set(named) & set(dir(builtins))
    assert InputError.__name__ in named
