"""The README's Python runs, as it stands but for its budget."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_readmes_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert "Budget(minutes=2)" in example
    exec(compile(example.replace("minutes=2", "trials=2"), str(README), "exec"), {})
    told = capsys.readouterr().out
    assert "accuracy" in told and "<Model study/" in told
    assert (tmp_path / "my-model" / "predict.py").exists() and (tmp_path / "mlruns" / "mlflow.db").exists()
