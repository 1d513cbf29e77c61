"""Flag > environment > config.toml > default, and nothing unknown is accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence_kit.cli.settings import KEYS, Settings, home, template
from evidence_kit.core.errors import ConfigError


def write(folder: Path, text: str) -> None:
    (folder / "config.toml").write_text(text, "utf-8")


def test_each_origin_wins_over_the_next(tmp_path: Path) -> None:
    assert Settings(tmp_path, {}).values["identity"].origin == "default"
    write(tmp_path, 'identity = "from-file"\ntsa = ["http://a.example", "http://b.example"]\n')
    assert Settings(tmp_path, {}).text("identity") == "from-file"
    assert Settings(tmp_path, {}).many("tsa") == ("http://a.example", "http://b.example")
    settings = Settings(tmp_path, {"EVIDENCE_KIT_IDENTITY": "from-env"})
    assert settings.text("identity") == "from-env"
    assert settings.values["identity"].origin == "EVIDENCE_KIT_IDENTITY"
    assert settings.text("identity", "from-flag") == "from-flag"
    assert settings.many("tsa", ("http://c.example",)) == ("http://c.example",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tsas = []", "unknown setting 'tsas'"),
        ("tsa = 'one'", "list"),
        ("identity = 3", "text in quotes"),
        ("language = 'fr'", "'fr'"),
        ("= broken", "not TOML"),
    ],
)
def test_a_wrong_file_is_an_error_with_its_place(tmp_path: Path, text: str, why: str) -> None:
    write(tmp_path, text)
    with pytest.raises(ConfigError, match=why) as caught:
        _ = Settings(tmp_path, {}).values
    assert str(tmp_path) in caught.value.message


def test_a_wrong_environment_value_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="EVIDENCE_KIT_LANGUAGE"):
        _ = Settings(tmp_path, {"EVIDENCE_KIT_LANGUAGE": "xx"}).values


def test_the_template_is_valid_and_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, template())
    assert Settings(tmp_path, {}).values == Settings(tmp_path / "none", {}).values
    uncommented = "\n".join(
        line[2:] if any(line.startswith(f"# {key.name} = ") for key in KEYS) else line
        for line in template().splitlines()
    )
    write(tmp_path, uncommented)
    values = Settings(tmp_path, {}).values
    assert {value.origin for value in values.values()} == {str(tmp_path / "config.toml")}
    assert {key.name: values[key.name].value for key in KEYS} == {
        key.name: key.default for key in KEYS
    }


def test_home_is_the_variable_or_the_users_data_folder(tmp_path: Path) -> None:
    assert home({"EVIDENCE_KIT_HOME": str(tmp_path)}) == tmp_path
    assert home({}).name == "evidence-kit"
