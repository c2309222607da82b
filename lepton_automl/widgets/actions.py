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
    """Runs each action in its own thread, so that the next click is handled meanwhile, and shows the result.

    Args:
        after: Called when an action has ended, whether it succeeded or failed.
    """

    def __init__(self, after: Callable[[], None] = lambda: None) -> None:
        self.message = w.HTML()
        self._after = after
        self._latest = 0
        self.show("")

    def show(self, text: str, *, code: str = "", link: str = "", bad: bool = False) -> None:
        """Show a message.

        Args:
            text: What happened.
            code: The equivalent Python code.
            link: A URL to open; only URLs of this machine are shown.
            bad: Whether the action failed.
        """
        html = f'<span class="l-warn">{html_text(text, 2000)}</span>' if bad else html_text(text, 2000)
        html += f" <code>{html_text(code)}</code>" if code else ""
        if link.startswith(HERE):
            html += f' <a href="{escape(link)}" target="_blank" rel="noopener">{html_text(link)}</a>'
        self.message.value = f'<div role="status" aria-live="polite" style="min-height:20px">{html}</div>'

    def start(self, doing: str, act: Callable[[], str], *, code: str = "") -> threading.Thread:
        """Start an action in a background thread.

        Args:
            doing: What is being done, such as `"pausing"`.
            act: The action; returns the message to show, or a URL of this machine, which is shown as a link.
            code: The equivalent Python code, shown with the message.
        """
        self._latest = serial = self._latest + 1
        self.show(f"{doing} …")
        thread = threading.Thread(target=self._run, args=(serial, doing, act, code), name=f"lepton-{doing}", daemon=True)
        thread.start()
        return thread

    def _run(self, serial: int, doing: str, act: Callable[[], str], code: str) -> None:
        began = time.monotonic()
        try:
            done = act()
        except Exception as error:
            self.show(
                f"{doing}: {error}" if isinstance(error, LeptonError) else f"{doing}: {type(error).__name__}: {error}", bad=True
            )
        else:
            took = f" ({time.monotonic() - began:.1f} s)"
            link = done if done.startswith(HERE) else ""
            if serial == self._latest:  # else a later click owns the message
                self.show("" if link else done + took, code=code, link=link)
        self._after()
