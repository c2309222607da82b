"""Our server as a team would run it: every request needs a key, and is logged. `python -m benchmarks.served_rivals.ours SETTINGS`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from lepton_automl.serving.protocols import Answered, MemoryFeedback
from lepton_automl.serving.registry_source import RegistryFollower
from lepton_automl.serving.safety import Listening
from lepton_automl.serving.server import quiet_logs, serve
from lepton_automl.serving.sources import FolderSource, ModelSource


class FileLog:
    """A log of JSON lines: the work of a real log, on the server's own core.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def write(self, answered: Sequence[Answered]) -> None:
        self._file.writelines(json.dumps(one) + "\n" for one in answered)

    def close(self) -> None:
        self._file.close()


def main(settings: str) -> None:
    """Serve a registered model, or folders of bundles."""
    given = json.loads(settings)
    state = Path(given["state"])
    sources: list[ModelSource] = [FolderSource(Path(folder)) for folder in given.get("folders", ())]
    if "registered" in given:
        sources.append(RegistryFollower(Path(given["home"]), cache=state / "models").source(given["registered"]))
    log = FileLog(state / "requests.jsonl")
    listening = Listening(port=given["port"], require_key=True)
    quiet_logs()
    serve(sources, folder=state, listening=listening, log=log, feedback=MemoryFeedback())


if __name__ == "__main__":
    main(sys.argv[1])
