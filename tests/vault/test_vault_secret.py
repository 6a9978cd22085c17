"""A secret does not show itself, whatever is done to it."""

import copy
import dataclasses
import pickle

import orjson
import pytest

from worker.vault.redact import redact
from worker.vault.secret import Secret

VALUE = "canary-9f3b1c77-secret"


def test_a_secret_prints_as_a_mask() -> None:
    """Every way of making text of a secret gives the mask."""
    secret = Secret(VALUE)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", f"{secret!r}", f"{[secret]}"]
    assert VALUE not in " ".join(shown)
    assert str(secret) == "Secret(***)"


def test_a_secret_is_not_pickled() -> None:
    """Pickling raises and names no value."""
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret(VALUE))
    with pytest.raises(TypeError, match="reveal"):
        Secret(VALUE).__getstate__()


def test_a_secret_has_no_dictionary_and_no_hash() -> None:
    """Neither `vars` nor a set nor a JSON encoder gets at the value."""
    with pytest.raises(TypeError):
        vars(Secret(VALUE))
    with pytest.raises(TypeError):
        hash(Secret(VALUE))
    with pytest.raises(TypeError) as caught:
        orjson.dumps(Secret(VALUE))
    assert VALUE not in str(caught.value)


def test_secrets_are_equal_by_value() -> None:
    """Equality compares values, and only with secrets."""
    assert Secret(VALUE) == Secret(VALUE)
    assert Secret(VALUE) != Secret(VALUE + "x")
    assert Secret("\udcff") == Secret("\udcff")
    assert Secret(VALUE) != VALUE


def test_a_copy_is_the_same_secret() -> None:
    """Copies, deep copies and `dataclasses.asdict` keep the secret closed."""

    @dataclasses.dataclass
    class Holder:
        password: Secret

    secret = Secret(VALUE)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret
    assert dataclasses.asdict(Holder(secret))["password"] is secret


def test_only_reveal_shows_the_value() -> None:
    """`reveal` gives back what was put in."""
    assert Secret(VALUE).reveal() == VALUE


def test_making_a_secret_masks_its_value() -> None:
    """A value becomes unspeakable by becoming a secret, and stays so for a while after the secret is gone."""
    value = "canary-4410aa-rotated-token"
    assert value in redact(f"before {value}")
    secret = Secret(value)
    assert value not in redact(f"during {value}")
    del secret
    Secret("canary-the-next-token")
    assert value not in redact(f"after {value}")


def test_a_short_value_is_not_masked_by_value() -> None:
    """A word of seven letters stays readable, because paths and names hold it by chance."""
    secret = Secret("airflow")
    assert redact("/opt/airflow/logs") == "/opt/airflow/logs"
    assert secret.reveal() == "airflow"


def test_each_line_of_a_key_is_masked() -> None:
    """A message may quote one line of a key in PEM form; what every such key has stays readable."""
    lines = ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "uKhkiG9w0BAQEFZmFrZSBmb3IgdGVzdHM="]
    key = Secret("\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"]))

    assert redact(f"line 2: {lines[0]}, line 3: {lines[1]}") == "line 2: ***, line 3: ***"
    assert "-----BEGIN PRIVATE KEY-----" in redact("expected -----BEGIN PRIVATE KEY-----, found none")
    assert redact(f"whole: {key.reveal()}") == "whole: ***"
