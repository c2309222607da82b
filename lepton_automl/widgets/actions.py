"""Doing what a person clicked: at once, beside everything else, and with a word of how it went."""

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
    """Runs what is asked in threads of its own, so that the next click is heard meanwhile, and tells what came of it.

    Args:
        after: Called when something was done, whether it went well or not.
    """

    def __init__(self, after: Callable[[], None] = lambda: None) -> None:
        self.message = w.HTML()
        self._after = after
        self._latest = 0
        self.show("")

    def show(self, text: str, *, code: str = "", link: str = "", bad: bool = False) -> None:
        """Show a sentence.

        Args:
            text: What happened.
            code: The Python that it equals.
            link: An address to open; only one of this machine is shown.
            bad: Whether it went wrong.
        """
        html = f'<span class="l-warn">{html_text(text, 2000)}</span>' if bad else html_text(text, 2000)
        html += f" <code>{html_text(code)}</code>" if code else ""
        if link.startswith(HERE):
            html += f' <a href="{escape(link)}" target="_blank" rel="noopener">{html_text(link)}</a>'
        self.message.value = f'<div role="status" aria-live="polite" style="min-height:20px">{html}</div>'

    def start(self, doing: str, act: Callable[[], str], *, code: str = "") -> threading.Thread:
        """Do something beside everything else.

        Args:
            doing: What is being done, such as `"pausing"`.
            act: Does it, and gives the word that it is done; an address among them is shown as a link.
            code: The Python that it equals, shown with the word.
        """
        self._latest = mine = self._latest + 1
        self.show(f"{doing} …")
        thread = threading.Thread(target=self._run, args=(mine, doing, act, code), name=f"lepton-{doing}", daemon=True)
        thread.start()
        return thread

    def _run(self, mine: int, doing: str, act: Callable[[], str], code: str) -> None:
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
            if mine == self._latest:  # a later click has the word
                self.show("" if link else done + took, code=code, link=link)
        self._after()
