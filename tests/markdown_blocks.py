"""The fenced blocks of a Markdown page, to be run."""

import re
from typing import Any


def blocks(text: str, language: str) -> list[str]:
    """The blocks that are marked with exactly this language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def run_python(text: str, name: str) -> dict[str, Any]:
    """Run a page's Python blocks one after the other; return the names they leave."""
    namespace: dict[str, Any] = {}
    for number, block in enumerate(blocks(text, "python"), 1):
        exec(compile(block, f"{name}, Python block {number}", "exec"), namespace)
    return namespace
