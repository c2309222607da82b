"""The process that publishes a study, counting its calls to MLflow's store."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lepton_automl.study.publish import main

from .tracking_rivals import Count

CALLS_FILE = "calls.txt"  # in the study's folder

if __name__ == "__main__":
    count, exit_process = Count(), os._exit

    def save_and_exit(status: int) -> None:
        """Save the count before the process ends."""
        Path(sys.argv[1], CALLS_FILE).write_text(str(count.calls))
        exit_process(status)

    os._exit = save_and_exit  # type: ignore[assignment]  # replaces the function that ends the process
    with count.counting():
        main()
