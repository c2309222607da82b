"""Find secrets in the URL of a store, so that they can be rejected, and mask them in messages."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

SERVERS = {"http", "https"}
# Parts of a parameter's name that mark its value as a secret; names are compared in lower case, without `_`, `-` and `.`.
PARTS = ("password", "passwd", "passphrase", "pwd", "token", "secret", "credential", "signature", "bearer", "jwt", "cookie")
WHOLE = {"pass", "pw", "auth", "authorization", "sig", "sas", "code", "session", "sessionid"}
PATHS = {"sslkey", "keyfile", "sslkeyfile", "privatekeyfile", "privatekeypath", "publickey"}  # names of files, or public keys
_PAIR = re.compile(r"(?<![\w.-])([\w.-]+)(\s*=\s*)(\{[^}]*\}|[^&;#\s'\")]+)")
_USER = re.compile(r"(?<=://)[^/\s'\"@][^\s'\"@?#]*@")
_MASK = "***"


def secret_in(uri: str) -> str:
    """The name of a secret in a URL, such as `"token"` or `"password"`; empty if there is none.

    The user name of a server counts as a secret, as tokens are passed in its place.

    Args:
        uri: The URL.
    """
    scheme, _, rest = uri.partition("://")
    if rest and not rest.startswith("/"):
        server = scheme.lower().partition("+")[0] in SERVERS
        head = re.split(r"[/?#]" if server else r"[?#]", rest, maxsplit=1)[0]  # a database's password may contain a slash
        user, at, _ = head.rpartition("@")
        if at and (server or ":" in user):
            return "password" if ":" in user else "user name"
    text = uri
    for _ in range(4):  # a connection string may be quoted inside a parameter
        secret = next((name for name, _, _ in _PAIR.findall(_tail(text)) if _is_secret(name)), "")
        if secret or unquote(text) == text:
            return secret
        text = unquote(text)
    return ""


def masked(text: str) -> str:
    """A text, such as a URL or an error message, with every secret of a URL replaced by `***`.

    Args:
        text: The text.
    """
    text = _USER.sub(f"{_MASK}@", text)
    head, tail = text[: len(text) - len(_tail(text))], _tail(text)
    if secret_in(f"x:?{tail}") and not any(_is_secret(name) for name, _, _ in _PAIR.findall(tail)):
        return f"{head}{_MASK}"  # it is quoted inside another parameter
    return head + _PAIR.sub(lambda pair: f"{pair[1]}{pair[2]}{_MASK}" if _is_secret(pair[1]) else pair[0], tail)


def host_of(uri: str) -> str:
    """The host of a URL, for a message; the scheme if there is no host."""
    try:
        parts = urlsplit(uri)
        return parts.hostname or parts.scheme or "the store"
    except ValueError:  # not a valid URL
        return "the store"


def _tail(text: str) -> str:
    """The part that may contain parameters: everything from the first separator on."""
    match = re.search(r"[?#;]", text)
    return text[match.start() :] if match else ""


def _is_secret(name: str) -> bool:
    plain = re.sub(r"[_.-]", "", name).lower()
    if plain in PATHS:
        return False
    return plain in WHOLE or plain.endswith("key") or any(part in plain for part in PARTS)
