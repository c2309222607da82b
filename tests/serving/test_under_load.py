"""A server under attack and under load: nothing harms it, and no request is lost."""

import contextlib
import datetime as dt
import http.client
import io
import json
import shutil
import signal
import socket
import ssl
import threading
import time

import pytest

from benchmarks import payloads
from lepton_automl.serving.keys import KeyFile

from .models import ROW, Server, clerk, eye, until

pytest.importorskip("httptools", reason="the extra serve is not installed")
pytestmark = pytest.mark.slow

SLOW_HEADERS = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nX-A: "
SLOW_BODY = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"
SECOND = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\nGET /pi"  # a whole request, and a part of the next
REFUSED_BODY = SLOW_BODY.replace(b"application/json", b"text/plain")  # answered at once; the rest still arrives slowly


class Load:
    """Threads that ask one after the other, each on its connection, and keep what came."""

    def __init__(self, server, threads=6, path="/v2/models/clerk/infer"):
        self.server, self.path = server, path
        tensors = [("age", "FP64", 80), ("paid", "BOOL", True), ("city", "BYTES", "Bern")]
        inputs = [{"name": name, "shape": [1], "datatype": kind, "data": [cell]} for name, kind, cell in tensors]
        self.body = json.dumps({"inputs": inputs}).encode()
        self.answers, self.lost, self.refused = [], [], 0
        self.stop = False
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def run(self):
        line = None
        while not self.stop:
            if line is None:
                line = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
                try:
                    line.connect()
                except ConnectionRefusedError:  # nothing was asked, so nothing is lost
                    self.refused += 1
                    return
            try:
                line.request("POST", self.path, self.body, {"Content-Type": "application/json"})
                answer = line.getresponse()
                self.answers.append((answer.status, json.loads(answer.read())))
                if answer.headers["Connection"] == "close":
                    line.close()
                    line = None
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.lost.append(repr(error))
                line.close()
                line = None
        if line is not None:
            line.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        for thread in self.threads:
            thread.join(30)


def test_no_request_harms_the_server(tmp_path):
    from PIL import Image

    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG")
    hostile = [*payloads.for_any(ROW), *payloads.for_tables(ROW, "age")]
    pictures = [
        *payloads.for_images(file.getvalue()),
        payloads.Payload("too many pixels", payloads.image(payloads.bomb(1001, 1000))),
    ]
    for make, attacks in ((clerk, hostile), (eye, pictures)):
        with Server(tmp_path, make(tmp_path / make.__name__), pixels=1_000_000) as server:
            for attack in attacks:
                status, told = payloads.post(server.port, attack)
                assert 400 <= status < 500, f"{attack.name}: {status} {told[:300]!r}"
                message = json.loads(told)["error"]
                assert 10 < len(message) < 2000 and "Traceback" not in message, attack.name
            assert server.alive()
            assert server.end() == 0 and "Traceback" not in server.errors.read_text()


@pytest.mark.parametrize(("sent", "many"), [(b"", 80), (SLOW_HEADERS, 80), (SLOW_BODY, 80), (SECOND, 80), (REFUSED_BODY, 80)])
def test_slow_and_idle_connections_block_no_one_and_are_closed(tmp_path, sent, many):
    with (
        Server(tmp_path, clerk(tmp_path / "clerk"), header_seconds=3, body_seconds=3) as server,
        contextlib.ExitStack() as stack,
    ):
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 15)) for _ in range(many)]
        for one in slow:
            one.sendall(sent)
        for _ in range(20):
            start = time.monotonic()
            assert server.predict(ROW) and time.monotonic() - start < 2
        end = time.monotonic() + 12
        while slow and time.monotonic() < end:  # a byte now and then, as slow clients do
            for one in list(slow):
                with contextlib.suppress(OSError):
                    one.settimeout(0.002)
                    one.sendall(b" ") if sent else None
                    try:
                        if one.recv(65536):
                            continue
                    except TimeoutError:
                        continue
                slow.remove(one)
        assert not slow, f"{len(slow)} are still open"
        assert server.predict(ROW)


def _first_bytes(server):
    """What a server sends to a client that sends nothing; nothing if it waits."""
    with socket.create_connection(("127.0.0.1", server.port), 0.2) as line, contextlib.suppress(TimeoutError):
        return line.recv(99)
    return b""


def test_connections_and_their_readers_are_limited(tmp_path):
    with (
        Server(tmp_path, clerk(tmp_path / "clerk"), connections=20, write_seconds=2, idle_seconds=2) as server,
        contextlib.ExitStack() as stack,
    ):
        many = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 15)) for _ in range(20)]
        until(lambda: _first_bytes(server).startswith(b"HTTP/1.1 503"))
        for one in many:
            one.close()
        until(server.alive)
        rows = json.dumps({"instances": [ROW] * 10_000}).encode()
        head = f"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(rows)}\r\n\r\n"
        lazy = stack.enter_context(socket.socket())
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", server.port))
        lazy.sendall(head.encode() + rows)
        until(lambda: server.ask("GET", "/health/details")[2]["connections"] == 1)  # the asking one
        assert server.predict(ROW)


def test_a_swap_under_load_loses_nothing_and_mixes_nothing(tmp_path):
    versions = tmp_path / "clerk"
    versions.mkdir()
    clerk(versions / "1", "-1")
    with Server(tmp_path, versions) as server:
        key = KeyFile(server.state).add("admin", ["admin"])
        with Load(server) as load:
            for number in range(2, 8):
                clerk(tmp_path / "new", f"-{number}")
                shutil.move(tmp_path / "new", versions / str(number))
                until(lambda: load.answers and load.answers[-1][1].get("model_version") == str(number))  # noqa: B023
            until(
                lambda: server.ask("PUT", "/models/clerk/champion", {"version": "3"}, Authorization=f"Bearer {key}")[0] == 200
            )
            until(lambda: load.answers[-1][1]["model_version"] == "3")
            (versions / "8").mkdir()
            (versions / "8" / "manifest.json").write_text("{}")  # a damaged one is not served
            until(lambda: "8" in server.ask("GET", "/health/details")[2]["models"]["clerk"]["problem"])
            time.sleep(0.5)
        assert not load.lost and {status for status, _ in load.answers} == {200}
        seen = [(answer["model_version"], answer["outputs"][0]["data"][0].rpartition("-")[2]) for _, answer in load.answers]
        assert all(version == label for version, label in seen)
        assert {version for version, _ in seen} == {"1", "2", "3", "4", "5", "6", "7"} and seen[-1][0] == "3"
        assert server.end() == 0
    logged = {one["id"]: one["version"] for one in server.logged()}
    assert logged == {answer["id"]: answer["model_version"] for _, answer in load.answers}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_end_under_load_loses_nothing(tmp_path, number):
    with Server(tmp_path, clerk(tmp_path / "clerk")) as server:
        with Load(server, threads=8) as load:
            until(lambda: len(load.answers) > 200)
            server.process.send_signal(number)
            assert server.process.wait(20) == 0
            until(lambda: load.refused == 8)
        assert not load.lost and {status for status, _ in load.answers} == {200}
    assert len(server.logged()) == len(load.answers)


def test_large_requests_do_not_hold_up_small_ones(tmp_path):
    with Server(tmp_path, clerk(tmp_path / "clerk")) as server:
        large = json.dumps({"instances": [ROW] * 10_000}).encode()
        done = []
        threads = [threading.Thread(target=lambda: done.append(server.ask("POST", "/invocations", large))) for _ in range(3)]
        for thread in threads:
            thread.start()
        slowest = 0.0
        while any(thread.is_alive() for thread in threads):
            start = time.monotonic()
            assert server.predict(ROW)
            slowest = max(slowest, time.monotonic() - start)
        assert [status for status, *_ in done] == [200] * 3
        assert all(len(answer["predictions"]) == 10_000 for *_, answer in done)
        assert slowest < 1.0


def certificate(file):
    """A certificate of this machine with its key, in one file."""
    pytest.importorskip("cryptography", reason="the extra sign is not installed")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now).not_valid_after(now + dt.timedelta(days=1)).sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def test_tls_is_spoken_and_has_a_deadline_of_its_own(tmp_path):
    cert = certificate(tmp_path / "both.pem")
    with Server(tmp_path, clerk(tmp_path / "clerk"), cert=cert, header_seconds=2) as server, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 15)) for _ in range(80)]
        for one in slow[::2]:
            one.sendall(b"\x16\x03\x01")  # the first bytes of a handshake
        context = ssl.create_default_context(cafile=str(cert))
        line = http.client.HTTPSConnection("localhost", server.port, context=context, timeout=10)
        line.request("POST", "/invocations", json.dumps({"instances": [ROW]}), {"Content-Type": "application/json"})
        assert line.getresponse().status == 200
        line.close()
        for one in slow:
            with contextlib.suppress(ConnectionResetError):
                assert not one.recv(99)
        assert server.end() == 0
