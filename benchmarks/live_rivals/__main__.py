"""`python -m benchmarks.live_rivals WHO FOLDER`: one process of one contestant; `live` starts it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import torch

from .setting import Setting

if __name__ == "__main__":
    torch.set_num_threads(1)
    who, folder = sys.argv[1:]
    importlib.import_module(f"benchmarks.live_rivals.{who}").compete(Setting.read(Path(folder)))
