"""The contract of network families that keep a state between calls. A plug-in's own test inherits `StreamContract`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lepton_automl.data.open import Data
from lepton_automl.deployment.bundle import write_bundle
from lepton_automl.deployment.predictor import Predictor
from lepton_automl.deployment.programs import export_network
from lepton_automl.errors import InputError
from lepton_automl.modality import modality_of
from lepton_automl.models.build import build
from lepton_automl.models.deployable import deployable
from lepton_automl.models.files import WEIGHTS, save

from .family import CLOSE, FamilyContract

EXAMPLES = 5


class StreamContract(FamilyContract):
    """The contract as pytest tests, with those of `FamilyContract`: a subclass provides `family`, `source` and `pieces`."""

    def pieces(self, example: Any) -> Sequence[Any]:
        """A raw example split into two or more pieces, each in the form of an example."""
        raise NotImplementedError

    @pytest.fixture
    def predictor(self, data: Data, tmp_path: Path) -> Predictor:
        """A bundle with an untrained network, opened."""
        network = build(next(self._recipes(data)), seed=1)
        model, weights = tmp_path / "model.onnx", tmp_path / "weights"
        export_network(deployable(network, data.spec), self._rows(data)[0], model)
        save(network, weights)
        write_bundle(
            tmp_path / "bundle",
            model=model,
            weights=weights / WEIGHTS,
            recipe=network.recipe.to_json(),
            preprocess=data.preprocess.to_json(),
            provenance={},
            card="# A model",
        )
        return Predictor(tmp_path / "bundle")

    def test_the_answer_to_pieces_is_that_to_the_whole(self, data: Data, predictor: Predictor) -> None:
        """Pieces are fed one by one; after a reset another example starts."""
        stream = predictor.stream()
        for example in list(data.examples)[:EXAMPLES]:
            pieces = self.pieces(example)
            assert len(pieces) > 1
            answers = [stream.feed(piece) for piece in pieces]
            assert _is_close(answers[-1], predictor.predict(example))
            stream.reset()

    def test_streams_do_not_mix(self, data: Data, predictor: Predictor) -> None:
        """Neither two streams that are fed in turns, nor two examples in one stream."""
        first, second = (self.pieces(example) for example in list(data.examples)[:2])
        pairs = list(zip(first, second, strict=False))
        streams = predictor.stream(), predictor.stream()
        apart = [[stream.feed(piece) for stream, piece in zip(streams, pair, strict=True)] for pair in pairs]
        both, call = predictor.stream(), modality_of(data.spec).call
        together = [both.feed(call(pair)) for pair in pairs]
        assert all(_is_close(joint, alone) for joint, alone in zip(together, apart, strict=True))
        with pytest.raises(InputError):
            both.feed(call([first[0]] * 3))


def _is_close(answer: Any, expected: Any) -> bool:
    """Whether two answers are equal, or close if they are numbers."""
    both = np.asarray(answer), np.asarray(expected)
    if both[1].dtype.kind != "f":
        return bool((both[0] == both[1]).all())
    return bool(np.allclose(*both, atol=CLOSE * max(1.0, float(np.abs(both[1]).max())), rtol=CLOSE))
