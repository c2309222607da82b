"""The contract of workspaces. A plug-in's own test inherits `WorkspaceContract` and defines how a search opens its workspace."""

from __future__ import annotations

import importlib
import os
import platform
from pathlib import Path

import pytest

from lepton_automl.data.open import open_data
from lepton_automl.errors import StudyError
from lepton_automl.execution.transfer import Deliverer, packed, place_contents, unpacked
from lepton_automl.jobs import ScoreJob
from lepton_automl.locks import open_lock, try_lock
from lepton_automl.study_store import CHECKPOINT
from lepton_automl.workspace import Ref, Workspace, content_digest

from .executor import job


class WorkspaceContract:
    """The contract as pytest tests: inherit it in a class whose name begins with `Test`."""

    def open(self, folder: Path) -> Workspace:
        """The workspace under test, as a search opens it.

        Args:
            folder: An empty folder for the workspace's `folder` and whatever else it needs.
        """
        raise NotImplementedError

    @staticmethod
    def worker(workspace: Workspace) -> Workspace:
        """The workspace as a worker opens it."""
        path, *arguments = workspace.for_worker()
        module, _, function = path.partition(":")
        opened: Workspace = getattr(importlib.import_module(module), function)(*arguments)
        return opened

    def test_a_worker_gets_what_the_search_has_put(self, tmp_path: Path) -> None:
        """A file and a folder, by their content, also if they are put twice."""
        search = self.open(tmp_path)
        worker, file, folder = self.worker(search), search.folder / "a" / "b.bin", search.folder / "a"
        folder.mkdir(parents=True)
        file.write_bytes(b"content")
        for path in (file, folder, file):
            ref = search.put(path)
            assert ref.digest == content_digest(path) and search.folder / ref.path == path and Ref.parse(str(ref)) == ref
            assert search.has(ref) and worker.has(ref) and content_digest(worker.get(ref)) == ref.digest
        assert search.put(file, "12ab").digest == "12ab"  # a known digest is not computed again

    def test_missing_content_is_an_error(self, tmp_path: Path) -> None:
        """It raises `StudyError` in the search and in a worker."""
        search = self.open(tmp_path)
        nothing = Ref(digest="0" * 64, path="a/nothing")
        for workspace in (search, self.worker(search)):
            assert not workspace.has(nothing)
            with pytest.raises(StudyError):
                workspace.get(nothing)

    def test_there_is_one_lock_per_host(self, tmp_path: Path) -> None:
        """It can be locked, and is the same on every call."""
        worker = self.worker(self.open(tmp_path))
        path = worker.lock(platform.node())
        assert path == worker.lock(platform.node()) and path.is_absolute()
        file = open_lock(path)
        try:
            assert try_lock(file)
        finally:
            os.close(file)

    def test_a_job_arrives_with_paths_of_the_worker(self, tmp_path: Path) -> None:
        """Its data can be opened, its parent and bundles read, and its folder is in the worker's."""
        search = self.open(tmp_path)
        worker, bundle = self.worker(search), search.folder / "trials" / "0" / "bundle"
        bundle.mkdir(parents=True)
        (bundle / "recipe.json").write_text("{}")
        lock = str(search.lock(platform.node()))
        sent = job(1, search.folder).replace(parent=str(bundle), measurement_lock=lock)
        scoring = packed(ScoreJob(data=sent.data, bundles={0: str(bundle)}), search)
        wire = packed(sent, search)
        assert str(tmp_path) not in str(wire.replace(measurement_lock="").to_json())
        received = unpacked(wire, worker)
        assert received.folder == str(worker.folder / "trials" / "1")
        assert received.measurement_lock == str(worker.lock(platform.node()))
        assert len(open_data(received.data).train) == sent.data.train
        for path in (received.parent, unpacked(scoring, worker).bundles[0]):
            assert (Path(str(path)) / "recipe.json").read_text() == "{}"
        if search.shared:
            assert received == sent

    def test_files_of_a_worker_are_returned_and_sent_with_the_trial_again(self, tmp_path: Path) -> None:
        """To the trial's folder in the study, once per change."""
        search = self.open(tmp_path)
        worker, sent = self.worker(search), job(1, search.folder)
        received = unpacked(packed(sent, search), worker)
        folder, deliverer = Path(received.folder), Deliverer(received, worker)
        (folder / "bundle").mkdir(parents=True)
        for text in ("first", "second"):
            (folder / CHECKPOINT).write_text(text)
            (folder / "bundle" / "model").write_text(text)
            deliveries = [deliverer.checkpoint(), deliverer.all()]
            assert all((delivery is None) == search.shared for delivery in deliveries)
            for delivery in deliveries:
                place_contents(delivery.contents if delivery else (), search)
            for path in (CHECKPOINT, "bundle/model"):
                assert (Path(sent.folder) / path).read_text() == text
            assert deliverer.checkpoint() is None and deliverer.all() is None
        (Path(sent.folder) / CHECKPOINT).write_text("third")
        again = unpacked(packed(sent, search), worker)
        assert (Path(again.folder) / CHECKPOINT).read_text() == "third"
