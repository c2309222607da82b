"""Small models to serve, and a real server in a process of its own."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.onnx_texts import PICTURE, TABLE
from tests.tracking.bundles import COLUMNS, bundle_of

ROW = {"age": 80, "paid": True, "city": "Bern"}
REGIONS = {"rows": 12, "levels": [0.5, 0.9], "quantiles": [-0.6, -0.01]}
SERVER = """
import json, sys
from pathlib import Path
from lepton_automl.serving.limits import Limits
from lepton_automl.serving.protocols import MemoryFeedback
from lepton_automl.serving.safety import Listening
from lepton_automl.serving.server import quiet_logs, serve
from lepton_automl.serving.sources import FolderSource

given = json.loads(sys.argv[1])

class FileLog:
    def __init__(self, path):
        self.file = open(path, "a")
    def write(self, answered):
        self.file.writelines(json.dumps(one._asdict()) + "\\n" for one in answered)
    def close(self):
        self.file.close()

def say(text):
    print(json.dumps(text), flush=True)

quiet_logs()
serve(
    [FolderSource(Path(folder)) for folder in given["folders"]],
    folder=Path(given["state"]),
    listening=Listening(port=0, require_key=given["require_key"], tls_cert=given["cert"] and Path(given["cert"])),
    limits=Limits(**given["limits"]),
    watch_seconds=0.2,
    log=FileLog(given["log"]),
    feedback=MemoryFeedback(),
    say=say,
)
"""


def clerk(folder, suffix=""):
    """A model of rows; its labels end in the suffix."""
    output = {"task": "binary", "classes": [f"no{suffix}", f"yes{suffix}"], "target": "y", "decoder": {"regions": REGIONS}}
    return bundle_of(folder, TABLE, {"modality": "table", "columns": COLUMNS}, output)


def eye(folder, side=8):
    """A model of pictures."""
    output = {"task": "regression", "classes": [], "target": "ink"}
    return bundle_of(folder, PICTURE, {"modality": "image", "shape": [1, side, side], "levels": None}, output)


class Server:
    """A server of some folders on a free port; it keeps its log, keys and standard error in a folder."""

    def __init__(self, folder, *folders, require_key=False, cert=None, **limits):
        self.log, self.errors = folder / "log.jsonl", folder / "errors.txt"
        self.state = folder / "state"
        given = {
            "folders": [str(one) for one in folders], "state": str(self.state), "require_key": require_key, "cert": cert and str(cert),
            "limits": limits, "log": str(self.log),
        }  # fmt: skip
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVER, json.dumps(given)],
                stdout=subprocess.PIPE, stderr=errors, text=True,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )  # fmt: skip
        self.said = []
        while not self.said or "\nServing at" not in self.said[-1]:
            line = self.process.stdout.readline()
            assert line, f"the server did not start: {self.errors.read_text()[-2000:]}"
            self.said.append(json.loads(line))
        self.port = int(re.search(r"Serving at \S+:(\d+)", self.said[-1])[1])

    def ask(self, method, path, body=None, kind="application/json", **headers):
        """The status, the headers and the JSON of an answer."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if content is not None and kind:
            named["Content-Type"] = kind
        with contextlib.closing(line):
            line.request(method, path, content, named)
            answer = line.getresponse()
            text = answer.read()
            shown = json.loads(text) if answer.headers["Content-Type"] == "application/json" else text.decode()
            return answer.status, dict(answer.headers), shown

    def predict(self, *rows, **headers):
        """The predictions for rows."""
        status, _, answer = self.ask("POST", "/invocations", {"dataframe_records": rows or [ROW]}, **headers)
        assert status == 200, answer
        return answer["predictions"]

    def alive(self):
        return self.ask("GET", "/health")[0] == 200

    def logged(self):
        """What the log holds, when the server has ended."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def end(self, patience=30):
        """End it by SIGTERM; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(patience)
        finally:
            self.process.kill()
            self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def until(condition, seconds=20):
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
