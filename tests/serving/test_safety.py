"""What is refused before anything is served."""

import pytest

from lepton_automl.errors import ConfigError
from lepton_automl.serving.limits import Limits
from lepton_automl.serving.safety import Listening


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_this_machine_needs_no_key(host):
    listening = Listening(host=host)
    listening.check()
    assert listening.local and not listening.needs_key
    assert Listening(host=host, behind_proxy=True).needs_key and Listening(host=host, require_key=True).needs_key


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org"])
def test_other_addresses_need_tls_and_a_key(host, tmp_path):
    with pytest.raises(ConfigError, match=r"other machines[\s\S]*--tls-cert[\s\S]*--behind-proxy"):
        Listening(host=host).check()
    behind = Listening(host=host, behind_proxy=True)
    behind.check()
    assert behind.needs_key
    wrong = tmp_path / "cert.pem"
    wrong.write_text("no certificate")
    with pytest.raises(ConfigError, match="TLS cannot be set up"):
        Listening(host=host, tls_cert=wrong).check()


def test_all_wrong_settings_are_named_at_once(tmp_path):
    with pytest.raises(ConfigError, match=r"3 things are wrong:[\s\S]*other machines[\s\S]*port is 70000[\s\S]*no certificate"):
        Listening(host="10.0.0.1", port=70_000, tls_key=tmp_path / "key.pem").check()
    with pytest.raises(ConfigError, match=r"rows is 0[\s\S]*body_seconds is 'long'"):
        Limits(rows=0, body_seconds="long")
