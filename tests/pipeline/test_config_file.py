"""The config.py that `init` writes: whole, commented, that of the project, and never over another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyimagesearch_lr.pipeline import config_file
from pyimagesearch_lr.pipeline.plan import Settings

ROOT = Path(__file__).resolve().parents[2]


def settings_of(text):
    namespace = {}
    exec(compile(text, "config.py", "exec"), namespace)
    return {name: value for name, value in namespace.items() if name.isupper()}


def test_written_config_is_that_of_the_project_but_for_the_names_of_classes(tmp_path):
    path = config_file.write(tmp_path)
    written, project = (settings_of(file.read_text(encoding="utf-8")) for file in (path, ROOT / "config.py"))
    assert written.keys() == project.keys()
    assert {name for name in written if written[name] != project[name]} == {"CLASSES"}
    assert written["CLASSES"] is None


def test_every_setting_of_the_written_config_has_a_comment_or_a_telling_name(tmp_path):
    text = config_file.write(tmp_path).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if re.match(r"[A-Z_]+ = ", line)]
    assert {line.split(" = ")[0].lower() for line in lines} == set(Settings.__dataclass_fields__)
    assert [line for line in lines if "  # " not in line and "PLOT_PATH" not in line] == []


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_what_is_there_is_never_written_over(tmp_path, kind):
    path = tmp_path / "config.py"
    {
        "file": lambda: path.write_text("MINE = 1"),
        "folder": path.mkdir,
        "dangling link": lambda: path.symlink_to(tmp_path / "nowhere"),
    }[kind]()
    with pytest.raises(config_file.UnusableConfig, match=r"config\.py exists already and is left as it is"):
        config_file.write(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["config.py"]
