"""A server in a process of its own, pinned to a core: how long it takes to start, and how much memory it takes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import payloads

PATIENCE = 120.0  # seconds to start


@dataclass(kw_only=True)
class Contestant:
    """A server of a model.

    Args:
        name: A short name.
        command: What starts it.
        port: Its port.
        environment: Further environment variables.
        path: Where it takes requests.
        key: The key of a caller; empty for none.
    """

    name: str
    command: Sequence[str]
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    path: str = "/invocations"
    key: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Headers of a request."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """The status and the body of an answer."""
        return payloads.post(self.port, payloads.Payload("", body), path=self.path, headers=self.headers)


@dataclass(frozen=True)
class Running:
    """A server that runs.

    Args:
        process: Its first process.
        seconds: From its start to its first answer.
    """

    process: subprocess.Popen[bytes]
    seconds: float

    @property
    def memory_mb(self) -> float:
        """Memory of its processes in MB; what they share with others counts in proportion (PSS)."""
        return sum(map(_memory_kib, _with_children(self.process.pid))) * 1024 / 1e6

    @property
    def cpu_seconds(self) -> float:
        """Processor time of its processes until now; unlike latency, it hardly depends on what else the machine does."""
        return sum(map(_cpu_ticks, _with_children(self.process.pid))) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(contestant: Contestant, body: bytes, core: int, log: Path) -> Iterator[Running]:
    """Run a server until the block ends; it is told to end by SIGTERM.

    Args:
        contestant: The server.
        body: A request that it answers when it is ready.
        core: The core that all its processes run on.
        log: A file for what it prints.

    Raises:
        RuntimeError: It does not start.
    """
    environment = {**os.environ, **contestant.environment, "OMP_NUM_THREADS": "1"}
    command = ["taskset", "-c", str(core), *contestant.command]
    with log.open("ab") as output:
        start = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        while contestant.answer(body)[0] != 200:
            if process.poll() is not None or time.monotonic() > start + PATIENCE:
                raise RuntimeError(f"{contestant.name} does not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.02)
        yield Running(process, time.monotonic() - start)
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with contextlib.suppress(ProcessLookupError):  # processes that it has left behind
            os.killpg(process.pid, signal.SIGKILL)


def _with_children(pid: int) -> list[int]:
    found = [pid]
    for at in found:
        for task in Path(f"/proc/{at}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def _memory_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])  # user and system time
