"""Where models come from: folders of bundles, and the registry."""

import shutil

import pytest

from lepton_automl.errors import BundleError, StudyError
from lepton_automl.serving.registry_source import RegistryFollower
from lepton_automl.serving.sources import FixedSource, FolderSource

from .models import clerk, until


def test_a_folder_holds_a_bundle_or_versions(tmp_path):
    source = FolderSource(tmp_path / "models", "prices")
    with pytest.raises(BundleError, match="no bundle, and no folder of bundles"):
        source.poll()
    for version in ("v9", "v10", ".v11"):
        clerk(tmp_path / "models" / version)
    (tmp_path / "models" / "notes").mkdir()
    offer = source.poll()
    assert source.name == "prices" and offer.champion == "v10" and set(offer.versions) == {"v9", "v10"}
    shutil.rmtree(tmp_path / "models" / "v10")
    clerk(tmp_path / "models" / "v10", "-new")
    assert source.poll().champion == "v10" and source.poll().digest != offer.digest
    single = FolderSource(tmp_path / "models" / "v9")
    assert single.name == "v9" and single.poll().versions == {"1": tmp_path / "models" / "v9"}
    assert FixedSource("prices", "trial-3", tmp_path).poll().champion == "trial-3"


@pytest.mark.slow
def test_the_registry_is_followed(tmp_path):
    pytest.importorskip("mlflow")
    from lepton_automl.tracking.registry import promote, register

    home = tmp_path / "home"
    for number in (1, 2):
        register(clerk(tmp_path / str(number), f"-{number}"), "clerk", home=home)
    follower = RegistryFollower(home, cache=tmp_path / "cache")
    champion, challenger, nothing = (follower.source(*one) for one in [("clerk",), ("clerk", "challenger"), ("clark",)])
    try:
        offer = champion.poll()
        assert offer.champion == "2" and set(offer.versions) == {"1", "2"}
        assert (offer.versions["1"] / "manifest.json").is_file()
        with pytest.raises(StudyError, match=r"no version has the alias challenger[\s\S]*lepton promote clerk"):
            challenger.poll()
        with pytest.raises(StudyError, match="there is no registered model 'clark'"):
            nothing.poll()
        promote("clerk", "1", home=home)
        until(lambda: champion.poll().champion == "1")
        promote("clerk", "2", home=home, alias="challenger")
        until(lambda: _champion(challenger) == "2")
    finally:
        follower.close()
    assert follower._process.poll() is not None


def _champion(source):
    try:
        return source.poll().champion
    except StudyError:
        return ""
