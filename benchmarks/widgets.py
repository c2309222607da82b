"""The dashboard in a real kernel: the kernel's response times, the delay of a click, and the time to show a long study again."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import streamed
from .report import Figure, Result

NAME = "streamed"
PATIENCE = 120.0  # seconds, for slow steps on a busy machine
TICK = 0.05  # seconds between two cells of a user who works during the search
SHOW = "from lepton_automl import open_study\nd = open_study({name!r}).dashboard()\nd"
MEMORY = "import resource; print(int(open('/proc/self/statm').read().split()[1]) * resource.getpagesize())"
ALL_TABS = "for at in range(len(d.views)): d.tabs.selected_index = at"


@dataclass
class Kernel:
    """A real ipykernel that is controlled by messages, as by a page."""

    client: Any
    received: list[tuple[float, dict[str, Any]]] = field(default_factory=list)  # all received messages, with the time

    def run(self, code: str, *, wait: bool = True) -> tuple[float, str]:
        """Run a cell; returns the seconds it took and what it printed, or, without waiting, the message's id."""
        began = time.monotonic()
        request = self.client.execute(code)
        if not wait:
            return 0.0, request
        output = ""
        for at, message in self.listen():
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["msg_type"] == "error":
                raise RuntimeError("\n".join(message["content"]["traceback"]))
            output += message["content"].get("text", "") if message["msg_type"] == "stream" else ""
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return at - began, output.strip()
        raise AssertionError

    def listen(self, seconds: float = PATIENCE) -> Iterator[tuple[float, dict[str, Any]]]:
        """Yield the kernel's messages from now on."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            with contextlib.suppress(Exception):  # queue.Empty
                message = self.client.get_iopub_msg(timeout=min(left, 0.5))
                self.received.append((time.monotonic(), message))
                yield self.received[-1]

    def until(self, good: Callable[[dict[str, Any]], bool], seconds: float = PATIENCE) -> float:
        """Wait for a message; returns its time."""
        for at, message in self.listen(seconds):
            if good(message):
                return at
        raise TimeoutError("the kernel did not send the expected message")

    def subshell(self) -> str:
        """Open a subshell, as JupyterLab does for widget messages."""
        request = self.client.session.msg("create_subshell_request", {})
        self.client.control_channel.send(request)
        return str(self.client.get_control_msg(timeout=PATIENCE)["content"]["subshell_id"])

    def click(self, comm: str, subshell: str) -> float:
        """Press a button; returns the time."""
        data = {"method": "custom", "content": {"event": "click"}}
        message = self.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)
        return time.monotonic()

    def updates(self, since: float) -> list[tuple[float, int]]:
        """The times and sizes in bytes of widget messages since a time."""
        return [
            (at, len(json.dumps(message["content"])) + sum(map(len, message["buffers"])))
            for at, message in self.received
            if at >= since and message["msg_type"] == "comm_msg"
        ]


@contextlib.contextmanager
def kernel(home: Path) -> Iterator[Kernel]:
    """Run a fresh kernel with a home of studies."""
    from jupyter_client.manager import KernelManager

    env = os.environ | {"LEPTON_HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=env)
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def shows_text(text: str) -> Callable[[dict[str, Any]], bool]:
    """Return a function that tells whether a message shows this text on the page."""
    return lambda message: (
        message["msg_type"] == "comm_msg" and text in str(message["content"]["data"].get("state", {}).get("value", ""))
    )


@contextlib.contextmanager
def streaming(home: Path, name: str, trials: int, seconds: float) -> Iterator[None]:
    """Run a study whose trials end one after another."""
    streamed.begin(home, name, trials)
    folder = home / "studies" / name
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.streamed", str(folder), str(seconds)])
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def latencies(kernel: Kernel, seconds: float) -> list[float]:
    """Run small cells one after another; returns the milliseconds from request to reply of each."""
    latencies_ms, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        latencies_ms.append(1e3 * kernel.run("1 + 1")[0])
        time.sleep(TICK)
    return latencies_ms


def beside_a_stream(home: Path, trials: int, seconds: float) -> tuple[list[Figure], list[str]]:
    """Run cells while trials stream in, then click buttons while a cell sleeps."""
    with kernel(home) as running, streaming(home, NAME, trials, seconds):
        quiet = latencies(running, min(5.0, seconds))
        running.run(SHOW.format(name=NAME))
        running.run("import json; ids = {n: getattr(d.controls, n).model_id for n in ('pause', 'resume', 'stop')}")
        ids = json.loads(running.run("print(json.dumps(ids))")[1])
        (home / "studies" / NAME / streamed.GO).touch()
        began = time.monotonic()
        busy = latencies(running, seconds)
        updates = running.updates(began)
        delays = [at - ended for at, ended in _update_times(running, home, began)]
        shell = running.subshell()
        running.run("import time; time.sleep(8)", wait=False)
        acts = {}
        for name, effect in (("pause", ">paused<"), ("resume", ">running<"), ("stop", "Stopping")):
            clicked = running.click(ids[name], shell)
            acts[name] = running.until(shows_text(effect)) - clicked
    rate = [sum(1 for at, _ in updates if second <= at - began < second + 1) for second in range(int(seconds))]
    volume = sum(size for _, size in updates)
    figures = [
        Figure(name="kernel_p95_ms", value=_p95(busy), unit="ms", target="< 100"),
        Figure(name="kernel_p95_alone_ms", value=_p95(quiet), unit="ms"),
        Figure(name="stop_s", value=acts["stop"], unit="s", target="< 1"),
        Figure(name="pause_s", value=acts["pause"], unit="s", target="< 1"),
        Figure(name="resume_s", value=acts["resume"], unit="s", target="< 1"),
        Figure.of("seen_s", delays or [float("nan")], unit="s"),
        Figure.of("messages_per_s", rate, unit="/s"),
        Figure(name="bytes_per_trial", value=volume / trials, unit="B"),
    ]
    note = (
        f"{len(busy)} cells beside {trials} trials in {seconds:g} s; clicks are comm messages over a subshell, as JupyterLab sends"
        " them, while a cell of the main shell sleeps; the browser's own time is not included."
    )
    return figures, [note]


def _update_times(kernel: Kernel, home: Path, since: float) -> list[tuple[float, float]]:
    """For each update of the page's header: its time, and the end of the last trial that it counts."""
    import re

    from lepton_automl.events import TrialEnded
    from lepton_automl.journal import Journal

    ends = [event.at for _, event in Journal(home / "studies" / NAME / "journal.jsonl").read() if isinstance(event, TrialEnded)]
    offset, known, delays = time.time() - time.monotonic(), 0, []
    for at, message in kernel.received:
        html = (
            str(message["content"].get("data", {}).get("state", {}).get("value", ""))
            if message["msg_type"] == "comm_msg"
            else ""
        )
        counted = sum(int(count) for count in re.findall(r"(\d+) (?:complete|stopped)", html)) if "l-badge" in html else 0
        if counted > known and at > since and counted <= len(ends):
            delays.append((at + offset, ends[counted - 1]))
        known = max(known, counted)
    return delays


def again(home: Path, trials: int) -> tuple[list[Figure], list[str]]:
    """Open a long study in a restarted kernel, show every tab, and measure the memory."""
    streamed.write(home, "small", 1)
    streamed.write(home, "long", trials)
    attach, cold, choose = [], [], []
    with kernel(home) as running:
        cold.append(running.run(SHOW.format(name="long"))[0])
    with kernel(home) as running:
        running.run(SHOW.format(name="small"))
        running.run(ALL_TABS)
        before = int(running.run(MEMORY)[1])
        for _ in range(3):
            attach.append(running.run(SHOW.format(name="long"))[0])
        running.run(ALL_TABS)
        for trial in range(5):
            choose.append(running.run(f"d.choose({trial})")[0])
        after = int(running.run(MEMORY)[1])
    return [
        Figure.of("attach_s", cold, unit="s", target="< 3"),
        Figure.of("attach_warm_s", attach, unit="s"),
        Figure.of("choose_s", choose, unit="s"),
        Figure(name="memory_mb", value=(after - before) / 1e6, unit="MB"),
    ], [
        f"attach_s: a fresh kernel's imports and all {trials} trials; memory: of three such dashboards, after showing all tabs."
    ]


def _p95(samples: list[float]) -> float:
    return statistics.quantiles(samples, n=20)[-1]


def run(*, trials: int = 500, seconds: float = 60.0, long: int = 1000) -> Result:
    """Measure the dashboard without a browser.

    Args:
        trials: Trials that end while the user works in the kernel.
        seconds: The seconds in which they end.
        long: Number of trials of the study that is opened again.
    """
    with tempfile.TemporaryDirectory() as folder:
        figures, notes = beside_a_stream(Path(folder), trials, seconds)
        more, more_notes = again(Path(folder), long)
    return Result(figures=[*figures, *more], notes=[*notes, *more_notes])
