"""The comparisons on tables and photos: their records, splits and verdicts. No system is run."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks import photos, record, tables
from benchmarks.photo_rivals.data import Photos
from benchmarks.photo_rivals.verdict import OneFolder
from benchmarks.photo_rivals.verdict import verdict as photo_verdict
from benchmarks.record import Record, code_digest
from benchmarks.table_rivals import ours
from benchmarks.table_rivals.data import Table
from benchmarks.table_rivals.scaling import raw_error
from benchmarks.table_rivals.verdict import OneTable, standard_error, verdict
from lepton_automl.tasks.classification.decoder import ClassDecoder

SAME = ("dataset", "split", "system")


# The record


def test_a_record_is_resumed_and_refuses_lines_of_older_code_by_name(tmp_path):
    path, runs = tmp_path / "record.jsonl", []

    def run():
        runs.append(1)
        return {"score": float(len(runs))}

    first = Record(path, SAME, {"ours": "a", "peer": "p"})
    for system in ("ours", "peer", "peer"):
        first.once(("adult", 0, system), run)
    assert len(runs) == 2
    with path.open("a") as file:
        file.write('{"dataset": "adult", "spl')  # killed while it wrote

    later = Record(path, SAME, {"ours": "b", "peer": "p"})
    assert [line["system"] for line in later.lines.values()] == ["peer"]
    assert not Record(path, SAME, {"peer": "p"}).refused  # ours is not asked about
    (refusal,) = later.refusals()
    assert "older ours" in refusal and "adult/0" in refusal
    assert later.once(("adult", 0, "ours"), run)["score"] == 3
    known = Record(path, SAME, {"ours": "b", "peer": "p"})
    assert len(known.lines) == 2 and not known.refusals()
    assert {"commit", "code", "host", "at"} <= known.lines["adult", 0, "ours"].keys()


def test_the_digest_of_code_ignores_docstrings_and_comments(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "CHECKOUT", tmp_path)
    file = tmp_path / "code.py"
    digests = []
    for text in ('"""One."""\nX = 1\n', '"""Another."""\n\nX = 1  # a comment\n', "X = 2\n"):
        file.write_text(text)
        digests.append(code_digest([file]))
    assert digests[0] == digests[1] != digests[2]


# Tables


def table(regression):
    target = pd.Series(np.arange(40) / 10.0 if regression else ["b", "a"] * 20, name="y")
    return Table("t", pd.DataFrame({"x": range(40)}), target, [], None, regression)


def test_answers_are_scored_alike_for_all_systems(tmp_path):
    data = table(regression=False)
    rows = data.test_rows(1)
    assert len(rows) == 8 and not {*rows} & {*data.train_rows(1)}
    truth = (data.target.iloc[rows] == "b").to_numpy().astype(int)
    likely = np.where(truth[:, None] == [0, 1], 0.8, 0.2)
    np.savez(tmp_path / "answers.npz", labels=np.r_[1 - truth[:2], truth[2:]], probabilities=likely)
    scores = data.scores(1, tmp_path)
    expected = {"score": 75.0, "second": pytest.approx(-np.log(0.8)), "covered": None, "calibration_error": pytest.approx(20)}
    assert scores == expected

    numbers = table(regression=True)
    values = numbers.target.iloc[numbers.test_rows(1)].to_numpy()
    np.savez(tmp_path / "answers.npz", values=values + 2, low=values - 1, high=values + np.r_[-0.5, np.ones(7)])
    scores = numbers.scores(1, tmp_path)
    interval_score = (0.5 + 7 * 2 + 20 * 0.5) / 8
    assert (
        scores["score"] == pytest.approx(2) and scores["second"] == pytest.approx(interval_score) and scores["covered"] == 87.5
    )


def test_our_error_before_temperature_scaling_is_that_of_the_network(tmp_path, monkeypatch):
    data = table(regression=False)
    rows = data.test_rows(1)
    truth = (data.target.iloc[rows] == "b").to_numpy().astype(int)
    network = np.where(truth[:, None] == [1, 0], 0.9, 0.1)  # the model's own order of the classes: b, a

    class Opened:
        classes, path = ["b", "a"], tmp_path

        def __init__(self, path=None):
            regions = {"rows": 9, "levels": [0.9], "quantiles": [-0.5]}
            self.decoder = ClassDecoder({"classes": self.classes, "decoder": {"temperature": 2.0, "regions": regions}})

        def predict(self, raw, coverage=None):
            return self.decoder.decode(network, {}) if coverage is None else self.decoder.regions(network, {}, coverage)

        def predict_proba(self, raw):
            return self.decoder.probabilities(network)

    monkeypatch.setattr(ours, "Predictor", Opened)
    task = {"regression": False, "classes": data.classes, "coverage": 0.9}
    np.savez(tmp_path / "answers.npz", **ours.answers(Opened(), data.features.iloc[rows], task))
    scores = data.scores(1, tmp_path)
    assert scores["score"] == scores["covered"] == 100 and scores["calibration_error"] == pytest.approx(25)  # 3 : 1, not 9 : 1
    assert raw_error(data, 1, tmp_path) == pytest.approx(10) and raw_error(table(regression=True), 1, tmp_path) is None


def lines(*scores, ms=1.0):
    return [{"score": score, "second": None, "covered": None, "cpu_ms": ms, "wall_ms": 2 * ms} for score in scores]


def test_systems_within_one_standard_error_share_a_rank():
    one = OneTable(
        "t",
        regression=False,
        lines={"ours": lines(90, 91, 92, ms=0.1), "catboost": lines(90.1, 91.3, 91.9), "autogluon": lines(95, 96, 97, ms=9.0)},
    )
    assert [one.rank(system) for system in one.lines] == [2, 2, 1]
    assert standard_error([1.0]) == 0
    assert one.share_of_allowed("catboost") == pytest.approx((0.1 + 0.3 - 0.1) / 3 / 0.3)
    figures, notes = verdict([one])
    assert {figure.name: round(figure.value, 3) for figure in figures} == {
        "mean_rank": 2,
        "worst_gap": 0.333,
        "speedup_min": 90,
    }
    assert notes[-1].startswith("t, 3 splits") and "1. autogluon 96" in notes[-1]


def test_a_gap_in_rmse_is_relative():
    one = OneTable("t", regression=True, lines={"ours": lines(103.0), "catboost": lines(100.0)})
    assert one.behind("ours", "catboost") == [pytest.approx(3)] and one.share_of_allowed("catboost") == pytest.approx(2)


def test_coverage_and_calibration_are_means_over_the_tables_that_have_them():
    def one(name, regression, *found):
        return OneTable(
            name, regression, {"ours": [{**line, **more} for line, more in zip(lines(*[90.0] * 2), found, strict=True)]}
        )

    first, second = ({"covered": 92.0, "raw_error": 6.0, "calibration_error": 2.0}, {"covered": 90.0, "raw_error": 8.0})
    tables = [
        one("labels", False, first, second | {"calibration_error": 4.0}),
        one("numbers", True, *[{"covered": 88.0, "raw_error": None, "calibration_error": None}] * 2),
        one("few_rows", False, first | {"covered": None}, second | {"calibration_error": 0.0}),
    ]
    figures, notes = verdict(tables)
    shown = {figure.name: (figure.value, figure.target) for figure in figures if figure.name != "mean_rank"}
    assert shown == {
        "coverage": (89.5, "90 ± 1"),
        "calibration_error_before": (7.0, ""),
        "calibration_error_after": (2.0, ""),
    }
    assert "2 of 3 tables" in notes[1] and notes[2].endswith("no regions: few_rows.") and "2 tables with classes" in notes[3]
    assert "(covers 91.0 %, calibration error 3 %, 7 % before scaling)" in notes[4] and "(covers 88.0 %)" in notes[5]


def test_a_recording_of_tables_ends_in_time_and_continues(tmp_path, monkeypatch):
    ran, now = [], [0.0]

    def run_system(system, data, split, **settings):
        ran.append((split, system))
        now[0] += 1800
        if len(ran) == 2:
            raise RuntimeError("no memory")
        return {**lines(90.0)[0], "seconds": 1.0}

    monkeypatch.setattr(tables, "DATA", tmp_path)
    monkeypatch.setattr(tables.Table, "read", lambda _: table(regression=False))
    monkeypatch.setattr(tables, "run_system", run_system)
    monkeypatch.setattr(tables.time, "monotonic", lambda: now[0])
    settings = {"datasets": "t", "splits": 2, "systems": "ours,catboost", "results": str(tmp_path / "tables.jsonl")}
    result = tables.run(**settings, record=True, hours=1.5)
    assert ran == [(0, "ours"), (0, "catboost"), (1, "ours")]
    assert any("t 0 (catboost), t 1 (catboost)" in note for note in result.notes)
    tables.run(**settings, record=True)
    assert ran[3:] == [(0, "catboost"), (1, "catboost")]
    present = tables.codes()
    monkeypatch.setattr(tables, "codes", lambda _: {"ours": "later", "catboost": present["catboost"]})
    refused, missing, *_ = tables.run(**settings, check="").notes
    assert "older ours" in refused and refused.endswith("t/0/2.0/2, t/1/2.0/2.") and "t 0 (ours), t 1 (ours)" in missing


# Photos


def folder_of_photos(folder, counts):
    for path, count in counts.items():
        (folder / path).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (12, 9), (number, 0, 0)).save(folder / path / f"{number}.png")
    return folder


def test_a_small_official_test_split_is_pooled(tmp_path, monkeypatch):
    source = folder_of_photos(
        tmp_path / "pets", {"train/cat": 6, "train/dog": 6, "validation/cat": 2, "test/cat": 2, "test/dog": 4}
    )
    pooled = Photos.read(source)
    assert (pooled.name, pooled.classes, len(pooled.files), len(pooled.official_test)) == ("pets", ["cat", "dog"], 20, 0)
    assert len(pooled.test_rows(0)) == 4 and not {*pooled.test_rows(0)} & {*pooled.train_rows(0)}
    monkeypatch.setattr("benchmarks.photo_rivals.data.LEAST_TEST", 6)
    official = Photos.read(source)
    assert [official.files[place].parent.parent.name for place in official.test_rows(3)] == ["test"] * 6
    official.link_training(0, tmp_path / "links")
    assert len([*(tmp_path / "links" / "cat").iterdir()]) == 8


def test_photos_become_squares_around_the_centre(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.photo_rivals.data.WORK", tmp_path / "work")
    data = Photos.read(folder_of_photos(tmp_path / "pets", {"cat": 2, "dog": 2}))
    assert data.shorter_side == 9 and data.pixels(6).shape == (4, 3, 6, 6)
    assert data.pixels(6)[1, 0, 0, 0] == 1


def test_the_most_accurate_side_of_the_backbone_is_compared():
    accuracies = {"scratch": [80, 82], "pretrained": [90, 90], "plain": [79, 80], "tuned_96": [88, 89], "tuned_160": [90, 92]}
    runs = {system: {seed: {"accuracy": value} for seed, value in enumerate(rows)} for system, rows in accuracies.items()}
    clock = {"cpu_ms": {"scratch": 0.1, "pretrained": 0.5, "plain": 1.0, "tuned_96": 2.0, "tuned_160": 4.0}}
    figures, notes = photo_verdict([OneFolder("pets", 5, 0.0, runs, {0: clock})])
    totals = {figure.name: figure.value for figure in figures if figure.name.endswith("_min")}
    assert totals == {"scratch_gap_min": 1.5, "pretrained_gap_min": -1.0, "speedup_min": pytest.approx(8)}
    assert "tuned_160 91" in notes[0]


def test_runs_of_photos_resume_and_are_timed_once(tmp_path, monkeypatch):
    ran, timed = [], []

    class Contest:
        seed, minutes, threads, max_latency_ms = 1, 5.0, 2, 0.25
        photos = type("Photos", (), {"name": "pets"})

        def run(self, system):
            ran.append(system)
            if system == "pretrained":
                raise RuntimeError("no weights")
            return {"accuracy": 50.0}

        def time(self, systems):
            timed.append(systems)
            return {"cpu_ms": dict.fromkeys(systems, 1.0), "wall_ms": {}}

    path, systems = tmp_path / "photos.jsonl", ["scratch", "plain", "pretrained"]
    codes = dict.fromkeys([*systems, "clock"], "x")
    monkeypatch.setattr(photos, "codes", lambda _: codes)
    failures = photos.complete(Record(path, photos.SAME, codes), Contest(), systems)
    assert ran == ["plain", "pretrained", "scratch"] and timed == [["scratch", "plain"]] and "no weights" in failures[0]
    photos.complete(Record(path, photos.SAME, codes), Contest(), ["scratch", "plain"])
    assert len(ran) == 3 and len(timed) == 1
    (folder,) = photos.read(Record(path, photos.SAME, codes))
    assert (
        folder.max_latency_ms == 0.25 and folder.gaps("scratch", "plain") == [0] and folder.speedups("scratch", "plain") == [1]
    )
    assert photos.read(Record(path, photos.SAME, codes | {"scratch": "y", "plain": "y"})) == []  # latencies alone
    wishes = [json.loads(line)["max_latency_ms"] for line in path.read_text().splitlines()]
    assert wishes == [0.0, 0.25, 0.25]
