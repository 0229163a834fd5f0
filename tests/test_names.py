"""Names and digests: one grammar, whoever reads them."""

from __future__ import annotations

import pytest
from sequela import names
from sequela.errors import InvalidInput
from sequela.names import ModelName, ModelPattern, parse_name

FORMS = {
    "m": ModelPattern("m", None),
    "m/7": ModelPattern("m", 7),
    "models/m": ModelPattern("m", None),
    "models/m/versions/7": ModelPattern("m", 7),
    "models": ModelPattern("models", None),
    "models/models/versions/0": ModelPattern("models", 0),
}
BAD = (
    "",
    ".",
    "models/..",
    "m/007",
    "models/m/versions/007",
    "models/m/7",
    "m/-1",
    "m/latest",
    "m/",
    "m/7/",
    "m\n",
    "m" * 129,
    "m/" + "9" * 19,
)


@pytest.mark.parametrize("text", FORMS)
def test_every_form_of_a_models_name_is_read(text: str) -> None:
    """Short and full, with and without a version; the owner and the version follow from it."""
    assert names.is_model_reference(text)
    assert parse_name(text, "name") == FORMS[text]
    assert names.model_owner(text) == f"models/{FORMS[text].model}"
    version = FORMS[text].version
    assert names.model_version(text) == ("" if version is None else str(version))


@pytest.mark.parametrize("text", BAD)
def test_other_texts_are_no_models_name(text: str) -> None:
    """A version has no leading zeros, wherever it is written. The error says which characters a name may have."""
    assert not names.is_model_reference(text)
    assert not (text and names.is_upload_name(text))
    with pytest.raises(InvalidInput) as caught:
        parse_name(text, "model.name")
    assert (caught.value.reason, caught.value.violations[0].field) == ("NAME_INVALID", "model.name")
    assert "m 1 to 128 letters (a to z, A to Z), digits, '.', '_' and '-'" in caught.value.message


def test_a_name_means_its_versions() -> None:
    """A model without a version is all of them; one that begins alike is another."""
    full = ModelName("m", 12).full
    for wanted in ("m", "models/m", "m/12", "models/m/versions/12", full):
        assert names.names_model(wanted, full)
    for other in ("m/1", "models/m/versions/1", "models/mm", "m1", ""):
        assert not names.names_model(other, full)


def test_backgrounds_belong_to_a_model() -> None:
    """Short, full, and not yet complete."""
    assert names.background_name("models/m", "b") == "models/m/backgrounds/b"
    assert names.background_name("models/m", "models/n/backgrounds/b") == "models/n/backgrounds/b"
    assert names.background_owner("models/m/backgrounds/") == "models/m"
    assert names.background_owner("") == names.background_prefix("") == ""
    assert names.is_new_background("models/m/backgrounds/")
    assert not names.is_background("models/m/backgrounds/")
    assert not names.is_background_reference("models/m/backgrounds/..")


@pytest.mark.parametrize("name", ["m", "models/m", "m/3", "models/m/versions/3"])
def test_entries_sort_as_versions_do(name: str) -> None:
    """And are read back."""
    pattern = parse_name(name, "name")
    nine, ten = (ModelName(pattern.model, version) for version in (9, 10))
    assert nine.entry < ten.entry
    assert ModelName.of_entry(ten.entry) == ten
