"""A notebook in a browser, as a user works with it."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

LIVE = ".lepton-live"
PATIENCE = 120_000  # milliseconds: a shared machine may be slow; what is fast is benchmarked
NOT_OURS = {
    "Cannot read properties of undefined (reading 'schema')",
    "Command 'filebrowser:open-path' not registered.",
    "Canceled future for create_subshell_request",
}  # Jupyter's own, in Notebook 7 and where a kernel starts slowly
SHOTS = os.environ.get("LEPTON_SHOTS")  # a folder for screenshots of each state


class Page:
    """One tab.

    Args:
        browser: Playwright's.
        address: The server's.
        face: `"lab"` or `"notebook"`.
        path: The notebook's name.
    """

    def __init__(self, browser: Any, address: str, face: str, path: str, *, dark: bool = False) -> None:
        self.tab = browser.new_page(viewport={"width": 1280, "height": 720}, color_scheme="dark" if dark else "light")
        self.face, self.path, self.errors = face, path, []
        self.tab.on("pageerror", lambda error: any(text in str(error) for text in NOT_OURS) or self.errors.append(str(error)))
        self.tab.on("dialog", self._asked)
        where = f"lab/tree/{path}?reset" if face == "lab" else f"notebooks/{path}"
        chosen = self.tab.locator(".jp-Dialog button:has-text('Select')")  # of a kernel, where the server is slow to start one
        self.tab.add_locator_handler(chosen, chosen.last.click)
        news = self.tab.get_by_role("button", name="No", exact=True)  # Jupyter's announcement dialog
        self.tab.add_locator_handler(news, news.click)
        self.tab.set_default_timeout(PATIENCE)
        self.tab.goto(f"{address}/{where}", wait_until="commit")
        self.tab.wait_for_selector(".jp-Notebook-cell", timeout=PATIENCE)
        self.idle()
        if face == "lab":
            self.tab.keyboard.press("Control+b")  # the list of files

    def _asked(self, dialog: Any) -> None:
        """A dialog of the browser's own: Jupyter asks before it leaves what is unsaved; nothing else may ask anything."""
        if dialog.type != "beforeunload":
            self.errors.append(f"{dialog.type}: {dialog.message}")
        dialog.accept()

    def save(self) -> None:
        """Save the notebook."""
        self.tab.keyboard.press("Escape")
        self.tab.keyboard.press("Control+s")
        self.tab.wait_for_timeout(2000)

    def idle(self) -> None:
        """Wait until the kernel does nothing."""
        self.tab.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=PATIENCE, state="attached")

    def restart(self) -> None:
        """Restart the kernel by the button of the notebook."""
        self.tab.locator('[data-command="notebook:restart-kernel"], [data-jp-item-name="restart"] jp-button').first.click()
        self.tab.locator(".jp-Dialog button:has-text('Restart')").click()
        self.tab.locator(".jp-Dialog").wait_for(state="detached")
        self.idle()

    def cell(self, number: int) -> Any:
        return self.tab.locator(".jp-Notebook .jp-CodeCell").nth(number)

    def run(self, number: int) -> None:
        """Run a cell, as Shift+Enter does."""
        before = self.prompt(number)
        for _ in range(20):
            self.cell(number).locator(".jp-InputArea-editor").click()
            self.tab.keyboard.press("Control+Enter")
            for _ in range(30):
                if self.prompt(number) != before:
                    return
                self.tab.wait_for_timeout(100)
        raise AssertionError("the cell is not run")

    def prompt(self, number: int) -> str:
        """The prompt of a cell: `[*]:` while it runs."""
        return self.cell(number).locator(".jp-InputPrompt").first.text_content() or ""

    def busy(self, number: int) -> bool:
        """Whether a cell runs."""
        return "*" in self.prompt(number)

    def finished(self, number: int) -> None:
        """Wait for the end of a cell."""
        until = time.monotonic() + PATIENCE / 1000
        while self.busy(number):
            assert time.monotonic() < until
            self.tab.wait_for_timeout(100)

    def live(self, selector: str = "") -> Any:
        return self.tab.locator(f"{LIVE} {selector}".strip()).first

    def appears(self) -> None:
        """Wait until the dashboard shows its figure."""
        self.live(".js-plotly-plot .xtitle").wait_for(timeout=PATIENCE)

    def says(self, text: str, within: str = "") -> None:
        """Wait until the dashboard shows a text."""
        self.tab.locator(f"{LIVE} {within}".strip()).filter(has_text=text).first.wait_for(timeout=PATIENCE)

    def status(self, word: str) -> None:
        """Wait until the study has a status."""
        self.says(word, ".l-badge")

    def press(self, text: str) -> None:
        self.live(f'button:has-text("{text}")').click(timeout=PATIENCE)

    def open(self, tab: str) -> None:
        self.tab.locator(f"{LIVE} .lm-TabBar-tab").filter(has_text=tab).first.click()

    def tour(self, prefix: str = "") -> None:
        """Open tab after tab, and leave the last one open."""
        for tab in ("curves", "importance", "slices", "growth", "timeline", "trials", "data", "notes", "log"):
            self.open(tab)
            self.tab.wait_for_timeout(1500)
            self.shot(prefix + tab.replace(" ", "-"))

    def points(self, within: str = LIVE) -> Any:
        """The points of the front."""
        trace = self.tab.locator(f"{within} .js-plotly-plot .scatterlayer .trace").filter(
            has=self.tab.locator(".errorbars path.xerror")
        )
        return trace.first.locator("path.point")

    def choose(self, within: str = LIVE) -> None:
        """Click the first point of the front; again if the figure was just being drawn."""
        from playwright.sync_api import TimeoutError as NotYet

        detail = self.tab.locator(f"{within} .l-detail")
        chosen = detail.filter(has_text="on the front", has_not_text="Click a point").first
        for _ in range(10):
            self.points(within).first.click(force=True)
            with contextlib.suppress(NotYet):
                chosen.wait_for(timeout=PATIENCE / 10)
                return
        seen = detail.first.inner_text()
        raise AssertionError(f"no click on a point of the front is heard; chosen is: {seen[:400]}")

    def drag(self, line: Any, right: float) -> None:
        """Drag a line by some pixels; retries, as nothing happens while the line is redrawn."""
        box = line.bounding_box()
        if box:
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            self.tab.mouse.move(x, y)
            self.tab.mouse.down()
            self.tab.mouse.move(x + right, y, steps=8)
            self.tab.mouse.up()

    def shot(self, name: str) -> None:
        """Save a screenshot, if a folder for them is given."""
        if SHOTS:
            self.live().evaluate("element => element.scrollIntoView()")
            self.tab.wait_for_timeout(400)
            self.picture(name)

    def picture(self, name: str) -> None:
        """The same of what is in sight."""
        if SHOTS:
            self.tab.screenshot(path=Path(SHOTS) / f"{self.face}-{name}.png")

    def element(self, element: Any, name: str) -> None:
        """The same of one element, whole."""
        if SHOTS:
            element.screenshot(path=Path(SHOTS) / f"{self.face}-{name}.png")

    def leave(self, name: str) -> None:
        """Close the tab after a last screenshot."""
        if SHOTS and not self.tab.is_closed():
            self.tab.screenshot(path=Path(SHOTS) / f"last-{name}.png")
        self.tab.close()
