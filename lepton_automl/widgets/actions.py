"""Run the actions behind the buttons in background threads and report their results."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from html import escape

import ipywidgets as w

from lepton_automl.errors import LeptonError
from lepton_automl.reporting.labels import html_text

HERE = "http://127.0.0.1:"


class Actions:
    """Runs each action in its own thread, so that the next click is handled meanwhile, and shows the results.

    An action that ends after a later one was started is still reported: each has its own line until the next click.

    Args:
        after: Called when an action has ended, whether it succeeded or failed.
    """

    def __init__(self, after: Callable[[], None] = lambda: None) -> None:
        self.message = w.HTML()
        self._after = after
        self._lock = threading.Lock()
        self._lines: dict[int, str] = {}  # what is shown, as HTML, by the number of the action
        self._running: dict[int, tuple[tuple[str, str], threading.Thread]] = {}  # with what was asked
        self._latest = 0
        self.show("")

    def show(self, text: str, *, code: str = "", link: str = "", bad: bool = False) -> None:
        """Show a message in place of the results so far.

        Args:
            text: What happened.
            code: The equivalent Python code.
            link: A URL to open; only URLs of this machine are shown.
            bad: Whether the action failed.
        """
        with self._lock:
            self._add(_message_html(text, code=code, link=link, bad=bad))

    def start(self, doing: str, act: Callable[[], str], *, code: str = "", once: bool = False) -> threading.Thread:
        """Start an action in a background thread.

        Args:
            doing: What is being done, such as `"pausing"`.
            act: The action; returns the message to show, or a URL of this machine, which is shown as a link.
            code: The equivalent Python code, shown with the message.
            once: Whether a second click is ignored while the same action still runs.

        Returns:
            The thread; that of the running action if this one is ignored.
        """
        with self._lock:
            for asked, running in self._running.values():
                if once and asked == (doing, code):
                    return running
            number = self._add(_message_html(f"{doing} …"))
            thread = threading.Thread(target=self._run, args=(number, doing, act, code), name=f"lepton-{doing}", daemon=True)
            self._running[number] = (doing, code), thread
        thread.start()
        return thread

    def _run(self, number: int, doing: str, act: Callable[[], str], code: str) -> None:
        began = time.monotonic()
        try:
            done = act()
        except Exception as error:
            line = _message_html(_failure(doing, error), bad=True)
        else:
            took = f" ({time.monotonic() - began:.1f} s)"
            link = done if done.startswith(HERE) else ""
            line = _message_html("" if link else done + took, code=code, link=link)
        with self._lock:
            del self._running[number]
            if number in self._lines:
                self._lines[number] = line
                self._draw()
        self._after()

    def _add(self, line: str) -> int:
        """Append a line, which replaces those of actions that have ended; returns its number."""
        self._latest += 1
        self._lines = {number: text for number, text in self._lines.items() if number in self._running} | {self._latest: line}
        self._draw()
        return self._latest

    def _draw(self) -> None:
        lines = "".join(f"<div>{line}</div>" for line in self._lines.values())
        self.message.value = f'<div role="status" aria-live="polite" style="min-height:20px">{lines}</div>'


def _message_html(text: str, *, code: str = "", link: str = "", bad: bool = False) -> str:
    """A message as HTML without scripts; after the first line of a failure comes what to do."""
    first, *more = ([line.strip() for line in text.splitlines()] if bad else [text]) or [""]
    html = f'<span class="l-warn">{html_text(first, 2000)}</span>' if bad else html_text(first, 2000)
    html += "".join(f"<div>{html_text(line, 2000)}</div>" for line in more if line)
    html += f" <code>{html_text(code)}</code>" if code else ""
    if link.startswith(HERE):
        html += f' <a href="{escape(link)}" target="_blank" rel="noopener">{html_text(link)}</a>'
    return html


def _failure(doing: str, error: Exception) -> str:
    """What failed, and on the next line what to do."""
    if not isinstance(error, LeptonError):
        return f"{doing}: {type(error).__name__}: {error}"
    if error.where in doing:  # "exporting" says "export" already
        return f"{doing}: {error.what}\n{error.fix}"
    return f"{doing}: {error}"
