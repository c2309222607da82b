"""The data source, and corrections of what was inferred about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as w

from lepton_automl.plugins import names
from lepton_automl.reporting.about_data import title
from lepton_automl.reporting.labels import html_text

from .fields import LABEL, Field, choice_field, set_options, text_field
from .preview_worker import Preview
from .sources import Source, completions, keep, path_source, same_objects
from .view import View, button

KINDS = ".csv,.tsv,.txt,.gz,.xz,.parquet,.pq,.zip,.tar,.png,.jpg,.jpeg,.bmp,.gif,.webp"
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
NOTHING = ("choose …", None)


class DataView(View):
    """Chooses a source, its target and its task.

    Args:
        uploads: The folder for uploaded files.
        changed: Called when the data have to be previewed again.
    """

    def __init__(self, uploads: Path, changed: Callable[[], None]) -> None:
        self._uploads, self._changed = uploads, changed
        self.variable = choice_field("variable", "A notebook variable: a table, or inputs with their labels", [NOTHING])
        path = w.Combobox(
            description="or a path",
            placeholder="photos/  or  table.csv",
            tooltip="A table's file, a folder with one folder of images per class, a zip of one, or a URL",
            style=LABEL,
            layout={"width": "290px"},
        )
        self.path = Field(path)
        self.reach = button("open", self._open_path, tip="Read this path (or press Enter)", icon="folder-open")
        self._opened = ""
        self.upload = w.FileUpload(accept=KINDS, multiple=True, description="or upload", layout={"width": "120px"})
        self.label = text_field("", "class of images", "For images: the class of all files uploaded together")
        self.label.control.layout.width = "126px"
        self._upload_message = w.HTML()
        self.target = choice_field("predict", "The column to predict", [("automatic", None)])
        self.task = choice_field("task", "The type of prediction", [("automatic", None)])
        self.ignore = Field(
            w.SelectMultiple(
                rows=4,
                description="ignore",
                tooltip="Columns to ignore; hold Ctrl to select several",
                style=LABEL,
                layout={"width": "290px"},
            )
        )
        self.variable.on_change(self._chosen)
        self.path.on_change(self._typed)
        path.on_msg(lambda _, content, __: self._open_path() if content.get("event") == "submit" else None)
        self.upload.observe(lambda _: self._uploaded(), "value")
        for field in (self.target, self.task, self.ignore):
            field.on_change(self._corrected)
        row = w.HBox([self.upload, self.label])
        row.add_class("l-upload")
        super().__init__(
            w.HTML("<h4>Data</h4>"),
            self.variable,
            w.HBox([self.path, self.reach]),
            row,
            self._upload_message,
            w.HTML("<h4>Correct what was detected</h4>"),
            self.target,
            self.task,
            self.ignore,
        )
        self.update(None)

    def refresh(self, sources: list[Source]) -> None:
        """Update the notebook variables on offer."""
        before: Source | None = self.variable.control.value
        same = next((source for source in sources if before and source.code == before.code), None)
        if before and same and same_objects(before, same):
            sources = [before if source is same else source for source in sources]
        with self.quietly():
            set_options(self.variable, [NOTHING, *((f"{source.code}  ({source.description})", source) for source in sources)])
        if before and self.variable.control.value is not before:
            if same:
                self.variable.control.value = same
            else:
                self._changed()

    @property
    def source(self) -> Source | None:
        """The chosen source; None before a choice."""
        path = self.path.control.value.strip()
        if path:
            return path_source(path) if path == self._opened else None
        chosen: Source | None = self.variable.control.value
        return chosen

    @property
    def fit_arguments(self) -> dict[str, Any]:
        """The entered arguments of `fit`, except the source."""
        ignore = list(self.ignore.value)
        arguments = {"target": self.target.value, "task": self.task.value, "ignore": ignore or None}
        return {name: value for name, value in arguments.items() if value is not None}

    def update(self, preview: Preview | None) -> None:
        """Update the corrections on offer for the previewed data."""
        spec = preview.spec if preview else None
        columns = [(name, name) for name in (preview.columns if preview else ())]
        target = f"automatic: {spec.target}" if spec and not self.target.value else "automatic"
        task = f"automatic: {title(spec).split()[0]}" if spec and not self.task.value else "automatic"
        with self.quietly():
            self._offer(columns, (target, None), (task, None))

    def _offer(self, columns: list[tuple[str, str]], target: tuple[str, None], task: tuple[str, None]) -> None:
        set_options(self.target, [target, *columns])
        set_options(self.task, [task, *((name, name) for name in names("tasks"))])
        set_options(self.ignore, columns)
        for field in (self.target, self.ignore):
            field.layout.display = "" if columns else "none"

    def _chosen(self) -> None:
        """Use the chosen variable: clear the path and the corrections."""
        if not self._hold:
            with self.quietly():
                self.path.control.value = ""
            self._source_changed()

    def _typed(self) -> None:
        """Offer completions of the path; open a file as soon as it exists, a folder only on request."""
        path = self.path.control
        path.options = completions(path.value) if path.value else []
        if Path(path.value).expanduser().is_file():
            self._open_path()
        elif path.value and self._opened and not self._hold:
            self._opened = ""
            self._source_changed()

    def _open_path(self) -> None:
        path = self.path.control.value.strip()
        if path and not self._hold:
            self._opened = path
            with self.quietly():
                self.variable.control.index = 0
            self._source_changed()

    def _source_changed(self) -> None:
        """Clear the corrections, which belong to the previous data, and report the change."""
        with self.quietly():
            self._clear_corrections()
        self._changed()

    def _clear_corrections(self) -> None:
        self.target.control.index = self.task.control.index = 0
        self.ignore.control.value = ()

    def _corrected(self) -> None:
        if not self._hold:
            self._changed()

    def _uploaded(self) -> None:
        files = list(self.upload.value)
        if not files or self._hold:
            return
        pictures = all(str(file["name"]).lower().endswith(PICTURES) for file in files)
        if pictures and not self.label.value:
            self.label.show_error("Enter the class name first")
        else:
            self.label.show_error("")
            self._save_uploads(files, self.label.value or "" if pictures else "")
        with self.quietly():
            self.upload.value = ()

    def _save_uploads(self, files: list[Any], label: str) -> None:
        try:
            folder = keep(files, self._uploads, label)
        except OSError as error:
            self._upload_message.value = f'<span class="l-warn">▲ The files cannot be saved: {html_text(error.strerror)}</span>'
            return
        self._upload_message.value = f'<span class="l-dim">{len(files)} saved in {html_text(folder)}</span>'
        with self.quietly():
            self.path.control.value = str(folder)
        self._open_path()
