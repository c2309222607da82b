"""A bounded load of HTTP requests on this machine: closed loop, raw sockets, a process of its own that may be pinned to a core.

`python -m benchmarks.http_load PORT BODIES` prints one line of JSON; `loaded` runs it. wrk is faster, but is not everywhere.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
MOST_CONNECTIONS, MOST_SECONDS = 64, 60.0
PATIENCE = 20.0  # seconds for one answer


@dataclass(frozen=True)
class Measured:
    """What a load found.

    Args:
        p50_ms: Half of the answers took at most so long.
        p99_ms: 99 % of them did.
        rps: Answers per second.
        failed: Answers other than 200, and connections that broke.
    """

    p50_ms: float
    p99_ms: float
    rps: float
    failed: int


def loaded(
    port: int,
    bodies: Path,
    *,
    connections: int,
    seconds: float,
    path: str = "/invocations",
    key: str = "",
    core: int | None = None,
) -> Measured:
    """Put a load on a server on this machine, from another process.

    Args:
        port: The server's.
        bodies: A file with one JSON body a line, sent in turn.
        connections: How many send at a time.
        seconds: How long.
        path: Of the requests.
        key: Sent as a bearer token; empty for none.
        core: The core to run on; None for any.
    """
    command = [sys.executable, "-m", "benchmarks.http_load", str(port), str(bodies), f"--connections={connections}"]
    command += [f"--seconds={seconds}", f"--path={path}"] + ([] if core is None else [f"--core={core}"])
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "LOAD_KEY": key}
    ended = subprocess.run(command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return Measured(**json.loads(ended.stdout.strip().splitlines()[-1]))


class Connection:
    """One connection with at most one request in progress."""

    def __init__(self, port: int, at: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.at, self.sent, self.content = at, 0.0, b""

    def send(self, requests: Sequence[bytes]) -> None:
        """Send the next request; each is small enough for the socket's buffer."""
        self.sent, self.content = time.perf_counter(), b""
        self.socket.sendall(requests[self.at % len(requests)])
        self.at += 1

    def received(self) -> int:
        """Read what arrived; the status when the answer is complete, else 0.

        Raises:
            ConnectionError: The server closed the connection.
        """
        part = self.socket.recv(1 << 18)
        if not part:
            raise ConnectionError
        self.content = self.content + part if self.content else part
        end = self.content.find(b"\r\n\r\n")
        if end < 0:
            return 0
        head = self.content[:end].lower()
        _, _, after = head.partition(b"content-length:")
        if len(self.content) < end + 4 + int(after.split(b"\r", 1)[0]):
            return 0
        return int(self.content[9:12])


def requests_of(bodies: Sequence[bytes], path: str, key: str) -> list[bytes]:
    """Whole requests, ready to be sent."""
    bearer = f"Authorization: Bearer {key}\r\n" if key else ""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{bearer}Content-Type: application/json\r\nContent-Length: "
    return [head.encode() + b"%d\r\n\r\n" % len(body) + body for body in bodies]


def load(
    port: int,
    requests: Sequence[bytes],
    connections: int,
    seconds: float,
    check: Callable[[int, bytes], bool] | None = None,
) -> tuple[list[float], int, float]:
    """Send requests for some seconds, one at a time on each connection.

    Args:
        port: The server's.
        requests: Whole requests, sent in turn.
        connections: How many send at a time.
        seconds: How long.
        check: Whether an answer is right: called with the index of its request, and the answer with its headers.

    Returns:
        The seconds that each answer took, the number of failures, and the seconds that all took.
    """
    if not 0 < connections <= MOST_CONNECTIONS or not 0 < seconds <= MOST_SECONDS:
        raise ValueError(f"at most {MOST_CONNECTIONS} connections and {MOST_SECONDS:g} seconds")
    times: list[float] = []
    failed = 0
    start = time.perf_counter()
    until = start + seconds
    with selectors.DefaultSelector() as selector:
        for number in range(connections):
            connection = Connection(port, number * len(requests) // connections)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(requests)
        while selector.get_map():
            ready = selector.select(PATIENCE)
            if not ready:
                failed += len(selector.get_map())
                break
            for key, _ in ready:
                connection = key.data
                try:
                    status = connection.received()
                    if not status:
                        continue
                    now = time.perf_counter()
                    times.append(now - connection.sent)
                    at = (connection.at - 1) % len(requests)
                    failed += status != 200 or (check is not None and not check(at, connection.content))
                    if now < until:
                        connection.send(requests)
                        continue
                except OSError:
                    failed += 1
                selector.unregister(connection.socket)
                connection.socket.close()
    return times, failed, time.perf_counter() - start


def main() -> None:
    """Run a load and print what it found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("bodies", type=Path)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--path", default="/invocations")
    parser.add_argument("--core", type=int)
    given = parser.parse_args()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    bodies = [line for line in given.bodies.read_bytes().splitlines() if line]
    requests = requests_of(bodies, given.path, os.environ.get("LOAD_KEY", ""))
    times, failed, took = load(given.port, requests, given.connections, given.seconds)
    times.sort()
    found = {"p50_ms": times[len(times) // 2] * 1e3, "p99_ms": times[int(len(times) * 0.99)] * 1e3}
    print(json.dumps(found | {"rps": len(times) / took, "failed": failed}))


if __name__ == "__main__":
    main()
