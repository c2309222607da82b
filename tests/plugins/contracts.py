"""The plug-ins of this package keep lepton_automl's contracts. Run by tests/contracts/test_plugin_package.py, after an installation."""

import json
from functools import partial
from typing import ClassVar

import numpy as np
from lepton_example.caption import Caption
from lepton_example.change import Change
from lepton_example.executor import WanderingWorkers
from lepton_example.objective import Steps
from lepton_example.runtime import ReferenceRuntime
from lepton_example.sampler import ClimbingSampler
from lepton_example.scorers import PADDING, edit_error_rate
from lepton_example.sequence import SequenceModality
from lepton_example.sequence.family import PooledFamily
from lepton_example.sequence.recurrent import RecurrentFamily
from lepton_example.sequence.writer import WriterFamily

from lepton_automl.execution.local import LocalExecutor
from lepton_automl.testing.executor import SCRIPTED, ExecutorContract
from lepton_automl.testing.family import FamilyContract
from lepton_automl.testing.metric import ScorerContract
from lepton_automl.testing.modality import ModalityContract
from lepton_automl.testing.objective import CostContract
from lepton_automl.testing.runtime import RuntimeContract
from lepton_automl.testing.sampler import SamplerContract
from lepton_automl.testing.stream import StreamContract
from lepton_automl.testing.task import TaskContract


def write_sequences(path, rows, seed=0, *, captions=False):
    """Lines with some noise, of 3 to 12 numbers; the target is the step to the next number, or a word for it."""
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(rows):
        slope, start = rng.normal(), rng.normal(0, 10)
        values = start + slope * np.arange(rng.integers(3, 13)) + rng.normal(0, 0.05)
        word = "up" if slope > 0.5 else "down" if slope < -0.5 else "level"
        lines.append(json.dumps({"values": values.tolist(), "target": word if captions else float(slope)}))
    path.write_text("\n".join(lines))
    return path


class TestSequences(ModalityContract):
    modality = SequenceModality()

    def source(self, folder, seed):
        return write_sequences(folder / "sequences.jsonl", 60, seed)

    def strangers(self, folder):
        (folder / "rows.csv").write_text("a,b\n1,2\n")
        return [folder, folder / "rows.csv", {"a": [1]}]


class TestChanges(TaskContract):
    task = Change()
    inferred = False

    def cells(self, rows):
        return np.random.default_rng(0).normal(0, 2, rows)

    def perfect(self, stored, output):
        return stored[:, None]

    def context(self, rows):
        return {"last": np.arange(rows) / 7}

    def truth(self, cells, context):
        return (context["last"] + cells).tolist()


class TestEditErrorRate(ScorerContract):
    scorer = edit_error_rate

    def sample(self):
        """Sequences of 1 to 9 symbols; one model forgets the last symbol of each, the other swaps some."""
        rng = np.random.default_rng(0)
        rows = [rng.integers(4, size=rng.integers(1, 10)).tolist() for _ in range(50)]
        swapped = [[(symbol + (rng.random() < 0.3)) % 4 for symbol in row] for row in rows]
        return tuple(
            np.array([row + [PADDING] * (10 - len(row)) for row in kind])
            for kind in ([row[:-1] for row in rows], swapped, rows)
        )

    def test_it_is_of_the_corpus_and_no_mean_over_rows(self):
        answers, _, targets = self.sample()
        lengths = (targets != PADDING).sum(1)
        assert edit_error_rate.value(answers, targets) == len(lengths) / lengths.sum()
        assert edit_error_rate.value(answers, targets) != np.mean(1 / lengths)


class TestPooledNetworks(FamilyContract):
    family = PooledFamily()
    options: ClassVar = {"task": "change"}

    def source(self, folder):
        return write_sequences(folder / "sequences.jsonl", 100)


class TestWanderingWorkers(ExecutorContract):
    def start(self, slots, folder):
        local = partial(LocalExecutor, trial_function=SCRIPTED)
        return WanderingWorkers(slots, folder / "workers", start=local, reports=float("inf"))

    def lose_place(self, executor):
        executor.lose_place()


class TestRecurrentNetworks(StreamContract):
    family = RecurrentFamily()
    options: ClassVar = {"task": "change"}

    def source(self, folder):
        return write_sequences(folder / "sequences.jsonl", 100)

    def pieces(self, example):
        return [example[:1], example[1:3], *([number] for number in example[3:])]


class TestCaptions(TaskContract):
    task = Caption()
    inferred = False

    def cells(self, rows):
        return np.array(["up", "level", "down"])[np.arange(rows) % 3]

    def perfect(self, stored, output):
        return 10 * np.eye(len(output.letters) + 1, dtype=np.float32)[stored].reshape(len(stored), -1)


class TestWriters(FamilyContract):
    family = WriterFamily()
    options: ClassVar = {"task": "caption"}

    def source(self, folder):
        return write_sequences(folder / "captions.jsonl", 100, captions=True)


class TestReference(RuntimeContract):
    runtime = ReferenceRuntime()


class TestClimbing(SamplerContract):
    factory = ClimbingSampler


class TestSteps(CostContract):
    cost = Steps()
    name = "steps"
