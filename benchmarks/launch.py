"""Starts a command and prints as JSON its output, the seconds to its first line, and its peak memory in bytes.

This is a separate small process, because the kernel includes the memory of the forking process in the child's peak.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def main(command: list[str]) -> None:
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    output = child.stdout.readline()
    seconds = time.perf_counter() - began
    output += child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"code": os.waitstatus_to_exitcode(status), "said": output, "seconds": seconds, "peak_bytes": peak}))


if __name__ == "__main__":
    main(sys.argv[1:])
