"""Code that runs where neither this package nor torch is installed."""

import json
import os
import subprocess
import sys
import textwrap

from lepton_automl.tracking.registry import tracking_uri


def run_without_package(home, code):
    """Runs code where neither this package nor torch can be imported."""
    head = """
        import sys
        class Wall:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in ("lepton_automl", "torch"):
                    raise ImportError(name + " is not here")
        sys.meta_path.insert(0, Wall())
        import mlflow
    """
    environment = {**os.environ, "MLFLOW_TRACKING_URI": tracking_uri(home)}
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(code)],
        env=environment, cwd=home, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr
    return json.loads(result.stdout.splitlines()[-1])
