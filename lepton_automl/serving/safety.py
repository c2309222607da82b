"""Who can reach the server, and whether that is safe."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from lepton_automl.errors import Complaints, ConfigError

MOST_PORT = 65535


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where a server listens, and how it is protected.

    Args:
        host: The address; the default is reached from this machine only.
        port: The port; 0 for a free one.
        tls_cert: The certificate with its chain, a PEM file; None for no TLS.
        tls_key: Its private key, a PEM file; None if it is in the same file.
        behind_proxy: Whether a proxy on the way speaks TLS with the clients. Every request then needs a key, as the proxy's
            own address says nothing about who asks.
        require_key: Whether requests from this machine need a key, too.
    """

    host: str = "127.0.0.1"
    port: int = 5001
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False
    require_key: bool = False

    @property
    def local(self) -> bool:
        """Whether the address is reached from this machine only."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def needs_key(self) -> bool:
        """Whether every request needs a key."""
        return self.require_key or self.behind_proxy or not self.local

    @property
    def url(self) -> str:
        """The address, with a host that a client can use."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls_cert else 'http'}://{host}:{self.port}"

    def check(self) -> None:
        """Check that it is safe and possible.

        Raises:
            ConfigError: Other machines could read keys and data on the way, or a setting cannot be used; all reasons are named.
        """
        complaints = Complaints("serve")
        if not self.local and self.tls_cert is None and not self.behind_proxy:
            what = f"{self.host} can be reached by other machines, which would read keys and data on the way"
            fix = "Give --tls-cert and --tls-key; or --behind-proxy, if a proxy speaks TLS with the clients; or keep 127.0.0.1."
            complaints.add(what, fix)
        port = isinstance(self.port, int) and not isinstance(self.port, bool) and 0 <= self.port <= MOST_PORT
        complaints.check(port, f"port is {self.port!r}; it must be an integer from 0 to {MOST_PORT}")
        if self.tls_key is not None and self.tls_cert is None:
            complaints.add("there is a key for TLS but no certificate", "Give --tls-cert, too.")
        complaints.raise_any()
        self.tls()

    def tls(self) -> ssl.SSLContext | None:
        """The settings of TLS, from version 1.2 on; None without a certificate.

        Raises:
            ConfigError: The files cannot be used.
        """
        if self.tls_cert is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.tls_cert, self.tls_key, password="")  # no prompt for an encrypted key
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            fix = "Give a certificate and its private key without a password, as PEM files."
            raise ConfigError(f"TLS cannot be set up: {error}", where=str(self.tls_cert), fix=fix) from error
        return context
