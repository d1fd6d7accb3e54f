"""The API reference: made from the docstrings as they are now, in Markdown that reads well."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import pyimagesearch_lr

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "api.md"
SCRIPT = ROOT / "scripts" / "make" / "api_reference.py"

DOCSTRING = """Turns things.

`a = 1`
`b = 2`

More about it.

Args:
    size: Int, how large
        it is.
    name: String, "a: b" or None.

Returns:
    The thing,
    turned.

Raises:
    ValueError: If it is
        square.

Reference: Smith, 2017.

Example:

>>> turn(1)
2

And then this.
"""
EXPECTED = """Turns things.

`a = 1`\\
`b = 2`

More about it.

**Args**

- `size`: Int, how large it is.
- `name`: String, "a: b" or None.

**Returns**

The thing, turned.

**Raises**

- `ValueError`: If it is square.

**Reference**

Smith, 2017.

**Example**

```pycon
>>> turn(1)
2
```

And then this."""


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("api_reference", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_docstring_becomes_markdown(script):
    assert script.markdown(DOCSTRING) == EXPECTED


def test_single_argument_on_two_lines_is_one_entry(script):
    assert (
        script.markdown("Does.\n\nArgs:\n    a: One\n        two.\n")
        == "Does.\n\n**Args**\n\n- `a`: One two."
    )


def test_long_signature_has_an_argument_a_line_and_marks_keywords(script):
    def call(
        self, first_of_the_arguments, second_of_the_arguments=1.5, *, third_of_the_arguments: int = 3
    ): ...

    lines = ["first_of_the_arguments,", "second_of_the_arguments=1.5,", "*,", "third_of_the_arguments=3,"]
    expected = "\n".join(
        ["```python", "Owner.the_name_of_the_call(", *(f"    {line}" for line in lines), ")", "```", ""]
    )
    assert script._signature(call, "Owner.the_name_of_the_call") == expected


def test_committed_reference_is_that_of_the_docstrings(script):
    assert script.main(["--check"]) == 0, "write it again: python scripts/make/api_reference.py"


def test_check_sees_a_page_that_is_not_up_to_date(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "PAGE", tmp_path / "api.md")
    assert script.main(["--check"]) == 1
    assert script.main([]) == 0
    assert script.main(["--check"]) == 0
    (tmp_path / "api.md").write_text((tmp_path / "api.md").read_text() + "x")
    assert script.main(["--check"]) == 1


def test_every_public_name_has_its_place_and_every_link_leads_somewhere():
    text = PAGE.read_text(encoding="utf-8")
    headings = re.findall(r"^## (\w+)$", text, flags=re.MULTILINE)
    assert sorted(headings) == sorted(pyimagesearch_lr.__all__)
    links = re.findall(r"\]\(#([^)]+)\)", text)
    assert links == [heading.lower() for heading in headings]


def test_every_call_has_its_arguments_explained():
    text = PAGE.read_text(encoding="utf-8")
    for heading, section in re.findall(r"^###? (\S+)\n(.*?)(?=^##|\Z)", text, flags=re.MULTILINE | re.DOTALL):
        call = re.search(r"```python\n(.*?)```", section, flags=re.DOTALL)[1]
        names = re.findall(r"[(,]\s*(\w+)(?=[=,)])", call)
        assert not names or "**Args**" in section or len(names) == 1, heading
