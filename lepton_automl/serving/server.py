"""The process that serves models: uvicorn with limits, and an end that loses no request."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from lepton_automl.errors import ConfigError, ExtraError

from .catalogue import Catalogue
from .keys import ROLES, KeyFile, KeyRing
from .limits import Limits
from .protocols import Explainer, FeedbackSink, RequestLog
from .safety import Listening
from .sources import ModelSource

if TYPE_CHECKING:
    import uvicorn

    from .state import ServerState

PACKAGES = ("uvicorn", "httptools", "prometheus_client")
BACKLOG = 2048  # connections that the system holds until they are accepted
LINGER = 1.0  # seconds in which connections end with their next answer, before idle ones are closed
FIRST_KEY = "first"  # the name of the key that is made when there is none
WATCH_SECONDS = 2.0
SWITCH = 0.001  # seconds that a thread computes before another may: a large request delays small ones less


def serve(
    sources: Sequence[ModelSource],
    *,
    folder: Path,
    listening: Listening | None = None,
    limits: Limits | None = None,
    threads: int = 1,
    watch_seconds: float = WATCH_SECONDS,
    log: RequestLog | None = None,
    feedback: FeedbackSink | None = None,
    explainer: Explainer | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Serve models until SIGTERM or SIGINT.

    On such a signal no new connection is taken, and what was asked is answered; a second signal ends at once.

    Args:
        sources: The models; the first one answers where a request names none.
        folder: Where the server keeps its keys, and the secret of its prediction ids.
        listening: The address and its protection; by default this machine only.
        limits: On everything that arrives.
        threads: Threads that one call of a model may use.
        watch_seconds: Between two looks for new versions; 0 for none.
        log: Receives what was asked and answered.
        feedback: Receives what turned out to be true.
        explainer: Explains predictions.
        say: Receives lines for whoever started the server, among them the first key, which is shown once.

    Raises:
        ConfigError: The address is not safe or not free, or a setting is wrong.
        BundleError: A model cannot be opened.
        ExtraError: The packages of the extra `serve` are not installed.
    """
    listening = listening or Listening()
    listening.check()
    check_packages()
    import uvicorn

    from .app import ServingApp
    from .connections import protocol_with
    from .state import ServerState

    limits = limits or Limits()
    catalogue = Catalogue(sources, limits, threads)
    file = KeyFile(folder)
    keys = KeyRing(file)
    listener = _bound(listening)
    try:
        listening = replace(listening, port=listener.getsockname()[1])
        _first_key(file, keys, listening, say)
        ids = file.prediction_ids()
        state = ServerState(catalogue, keys, ids, limits, log=log, feedback=feedback, explainer=explainer)
        context = listening.tls()
        config = uvicorn.Config(
            ServingApp(state, require_key=listening.needs_key),
            loop="asyncio" if sys.platform == "win32" or find_spec("uvloop") is None else "uvloop",
            http=protocol_with(limits),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=limits.idle_seconds,  # type: ignore[arg-type]  # it is a delay in seconds, also of a fraction
            timeout_graceful_shutdown=limits.drain_seconds,  # type: ignore[arg-type]  # likewise
        )
        _server(config, state, context, watch_seconds, lambda: say(_ready(catalogue, listening))).run([listener])
    finally:
        listener.close()


def _server(
    config: uvicorn.Config,
    state: ServerState,
    context: ssl.SSLContext | None,
    watch_seconds: float,
    ready: Callable[[], None],
) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        """Opens the models before it listens, and ends without losing a request."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            state.connections = lambda: len(self.server_state.connections)
            state.requests = lambda: len(self.server_state.tasks)
            await state.open(watch_seconds)
            loop, protocol = asyncio.get_running_loop(), self.config.http_protocol_class
            made = {"config": self.config, "server_state": self.server_state, "app_state": {}, "_loop": loop}
            secured: dict[str, Any] = {}
            if context is not None:  # uvicorn has no setting for this deadline, which is a minute otherwise
                secured = {"ssl": context, "ssl_handshake_timeout": state.limits.header_seconds}
            self.servers = [
                await loop.create_server(lambda: protocol(**made), sock=listener, backlog=BACKLOG, **secured)
                for listener in sockets or ()
            ]
            self.started = True
            gc.collect()
            gc.freeze()  # what is there stays: full collections would look at all of it while requests wait
            sys.setswitchinterval(SWITCH)
            ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            state.draining = True
            for server in self.servers:
                server.close()
            loop = asyncio.get_running_loop()
            until = loop.time() + LINGER
            while self.server_state.connections and loop.time() < until and not self.force_exit:  # noqa: ASYNC110  # uvicorn's set
                await asyncio.sleep(0.02)
            await super().shutdown(sockets)
            await state.close()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            del sig, frame
            self.force_exit = self.should_exit  # a second signal
            self.should_exit = True  # not captured: the process ends with 0 if everything was answered

    return Server(config)


def _ready(catalogue: Catalogue, listening: Listening) -> str:
    lines = [
        *(
            f"{entry.name}: version {entry.champion.version} of {entry.source}"
            for entry in catalogue.entries.values()
            if entry.champion
        ),
        f"Serving at {listening.url}",
        f"Try: POST {listening.url}/invocations; GET {listening.url}/docs",
    ]
    if listening.needs_key:
        lines.append("Every request needs a key, in the header Authorization: Bearer lepton_...")
    return "\n".join(lines)


def _first_key(file: KeyFile, keys: KeyRing, listening: Listening, say: Callable[[str], None]) -> None:
    """Make a first key if one is needed, and show it."""
    if not listening.needs_key or len(keys):
        return
    key = file.add(FIRST_KEY, ROLES)
    keys.refresh()
    say(f"The first key, with all roles; it is shown this once:\n  {key}\nMore: lepton keys add NAME --role predict")


def _bound(listening: Listening) -> socket.socket:
    """A socket that listens at the address.

    Raises:
        ConfigError: The address is not one of this machine, or the port is taken.
    """
    where, fix = f"{listening.host}:{listening.port}", "Choose another: --port 0 takes a free one."
    try:
        found = socket.getaddrinfo(listening.host, listening.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
            listener.setblocking(False)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise ConfigError(f"the address cannot be used: {error.strerror or error}", where=where, fix=fix) from error
    return listener


def check_packages() -> None:
    """Check that the optional packages are there.

    Raises:
        ExtraError: One is not.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        what = f"the packages {', '.join(missing)} are not installed"
        raise ExtraError(what, where="serve", fix="pip install 'lepton-automl[serve]', or use MLflow's server: --mlflow")


def quiet_logs(level: int = logging.INFO) -> None:
    """Send the server's log to standard error, with times; uvicorn's own notes on connections are left out.

    Args:
        level: The least severe messages that are shown.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    own: Any = logging.getLogger("lepton_automl.serving")
    own.addHandler(handler)
    own.setLevel(level)
    own.propagate = False
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    logging.getLogger("uvicorn.access").disabled = True
