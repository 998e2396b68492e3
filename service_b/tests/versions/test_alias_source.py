from collections.abc import Callable
from pathlib import Path

from predictor.versions.alias_source import AliasSource
from predictor.versions.repository import ModelRepository


def test_version_is_the_one_that_the_alias_names_in_the_source_of_the_moment(
    write_version: Callable[..., Path], models_folder: Path, tmp_path: Path
) -> None:
    write_version("1")
    write_version("2")
    alias = models_folder / "tiny" / "alias.json"
    alias.write_text('{"champion": "1", "aliases": {"challenger": "2"}}')
    sources = [ModelRepository(str(tmp_path)), ModelRepository(str(models_folder / "tiny"))]
    source = AliasSource("challenger", lambda: sources[-1])
    assert source.find().number == "2"
    assert source.location == sources[-1].location
    assert source.list_aliases() == []
    sources.reverse()
    assert source.location == str(tmp_path)
