"""What mkdocstrings calls while it reads the package: docstrings as Markdown that reads well.

The docstrings say types in words, so no annotation is shown beside them.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from griffe import Class, Extension, Function, Module, Object


class DocstringsInWords(Extension):
    """Removes annotations and sets formulas, references and examples apart, once everything is read."""

    def on_package(self, *, pkg: Module, **kwargs: Any) -> None:
        _in_words(pkg)


def _in_words(documented: Object) -> None:
    if documented.docstring is not None:
        documented.docstring.value = markdown(documented.docstring.value)
    if isinstance(documented, Function):
        documented.returns = None
        for parameter in documented.parameters:
            parameter.annotation = None
    elif isinstance(documented, Module | Class):
        for member in documented.members.values():
            if not member.is_alias:
                _in_words(member)
    else:
        documented.annotation = None


def markdown(docstring: str) -> str:
    """The docstring with formulas and doctests in fences, and titles for what is not a list."""
    text = inspect.cleandoc(docstring)
    text = re.sub(r"(?:^`[^`\n]+`(?:\n|\Z)){2,}", _formulas, text, flags=re.MULTILINE)
    text = re.sub(r"^(Reference|Source): ", r"**\1:** ", text, flags=re.MULTILINE)
    text = re.sub(r"^Returns:\n((?: +.*(?:\n|\Z))+)", _returned, text, flags=re.MULTILINE)
    text = re.sub(r"^Example:$", "**Example:**", text, flags=re.MULTILINE)
    return re.sub(r"^>>> .*\n?(?:.+\n?)*", _doctest, text, flags=re.MULTILINE)


def _formulas(match: re.Match) -> str:
    return "```python\n" + match[0].replace("`", "").rstrip() + "\n```\n"


def _returned(match: re.Match) -> str:
    return f"**Returns:** {' '.join(match[1].split())}\n"


def _doctest(match: re.Match) -> str:
    return f"```pycon\n{match[0].rstrip()}\n```\n"
