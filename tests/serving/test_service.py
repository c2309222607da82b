"""A server that is started and ended from Python."""

import pytest

from lepton_automl.errors import StudyError
from lepton_automl.serving.service import Service

from .models import ROW, clerk

pytest.importorskip("httptools", reason="the extra serve is not installed")
pytestmark = pytest.mark.slow


def test_a_service_answers_and_ends(tmp_path):
    folder = clerk(tmp_path / "clerk")
    with Service(f"other={folder}", home=tmp_path / "home") as service:
        assert service.predict([ROW, ROW])[0].keys() == {"prediction", "probability_no", "probability_yes"}
        assert service.predict([ROW], model="other") and service.url in repr(service)
        with pytest.raises(StudyError, match="columns are missing: age"):
            service.predict([{"paid": True, "city": None}])
    assert service.stop() == 0 and "ended" in repr(service)
    with pytest.raises(StudyError, match="does not answer"):
        service.predict([ROW])


def test_a_service_that_cannot_start_says_why(tmp_path):
    with pytest.raises(StudyError, match=r"did not start[\s\S]*no folder"):
        Service(str(tmp_path / "nothing"), home=tmp_path / "home")
