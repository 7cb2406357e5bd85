"""Records that only the key opens, and tokens that only the key compares."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.catalog import CatalogError, RecordCipher

KEYS = st.binary(min_size=32, max_size=32).map(bytes.hex)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
RECORDS = st.dictionaries(st.text(), PLAIN, max_size=5).map(lambda record: {**record, "id": "ada"})
SEAL = RecordCipher("5e" * 32)


@given(KEYS, RECORDS)
def test_a_record_comes_back_as_it_was(key: str, record: dict[str, Any]) -> None:
    sealed = RecordCipher(key).seal(record)
    assert RecordCipher(key).open(sealed, "ada") == record
    assert RecordCipher(key).opens(sealed)
    assert sealed != RecordCipher(key).seal(record), "nobody sees that two records are the same"
    assert sealed.isascii()


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8))
def test_nothing_of_a_secret_can_be_read(secret: str) -> None:
    sealed = SEAL.seal({"id": "ada", "anthropicApiKey": secret})
    assert secret not in sealed
    assert secret not in SEAL.digest(secret)


@given(KEYS.filter(lambda key: key != "5e" * 32))
def test_another_key_opens_nothing_and_is_told_as_such(other: str) -> None:
    sealed = SEAL.seal({"id": "ada"})
    assert not RecordCipher(other).opens(sealed)
    with pytest.raises(CatalogError, match="record of ada was encrypted with another key"):
        RecordCipher(other).open(sealed, "ada")
    assert RecordCipher(other).digest("token") != SEAL.digest("token")


def test_a_record_in_another_customers_place_is_not_opened() -> None:
    with pytest.raises(CatalogError, match="record of grace is damaged, or another customer's"):
        SEAL.open(SEAL.seal({"id": "ada"}), "grace")


@given(st.data())
def test_an_altered_record_is_not_opened(data: st.DataObject) -> None:
    sealed = SEAL.seal({"id": "ada", "plan": "free"})
    begin = sealed.rindex(".") + 1
    position = data.draw(st.integers(begin, len(sealed) - 3))
    letter = data.draw(st.sampled_from("ABCDwxyz0189-_").filter(lambda one: one != sealed[position]))
    with pytest.raises(CatalogError, match="damaged"):
        SEAL.open(sealed[:position] + letter + sealed[position + 1 :], "ada")


@given(st.text())
def test_any_other_text_is_not_opened(text: str) -> None:
    with pytest.raises(CatalogError, match=r"damaged|another key"):
        SEAL.open(text, "ada")


@pytest.mark.parametrize("key", ["", "5e" * 31, "5E" * 32, "g" * 64, "5e" * 32 + "\n"])
def test_what_is_no_key_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(CatalogError, match="64 lower-case hexadecimal digits") as raised:
        RecordCipher(key)
    assert not key or key not in str(raised.value)


def test_a_key_shows_nothing_of_itself() -> None:
    assert repr(SEAL) == str(SEAL) == "RecordCipher(…)"
    assert not hasattr(SEAL, "__dict__")
    with pytest.raises(TypeError, match="not serialized"):
        pickle.dumps(SEAL)
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(SEAL)


def test_a_digest_depends_on_the_key_and_the_token_alone() -> None:
    assert SEAL.digest("one") == RecordCipher("5e" * 32).digest("one")
    assert SEAL.digest("one") != SEAL.digest("two")
    assert len(SEAL.digest("\ud800")) == 64
