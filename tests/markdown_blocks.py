"""The fenced blocks of a Markdown page, and its links: to be run, and to be followed."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FENCE = re.compile(
    r"^(?:<!-- not run: (?P<reason>.+?) -->\n)?"
    r"(?P<fence>```+)(?P<language>[^\n]*)\n(?P<code>.*?)^(?P=fence)$",
    flags=re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Args:
        language: String, as the fence names it.
        code: String.
        reason: String, why the tests do not run it, as `<!-- not run: reason -->` above it says; None where
            they do.
    """

    language: str
    code: str
    reason: str | None


def all_blocks(text: str) -> list[Block]:
    """Every block of a page, in order."""
    return [Block(found["language"], found["code"], found["reason"]) for found in FENCE.finditer(text)]


def blocks(text: str, language: str) -> list[str]:
    """The code of the blocks in this language that are run, in order."""
    return [block.code for block in all_blocks(text) if block.language == language and not block.reason]


def run_python(text: str, name: str) -> dict[str, Any]:
    """Run a page's Python blocks one after the other; return the names they leave."""
    namespace: dict[str, Any] = {}
    for number, code in enumerate(blocks(text, "python"), 1):
        exec(compile(code, f"{name}, Python block {number}", "exec"), namespace)
    return namespace


def prose(text: str) -> str:
    """The page without its blocks and its code."""
    return re.sub(r"`[^`\n]+`", "", FENCE.sub("", text))


def links(text: str) -> list[str]:
    """Where the links and images of a page lead."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(text))


def anchors(page: Path) -> set[str]:
    """The anchors of a page: those of its headings, which GitHub and MkDocs make alike, and its own."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    made = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)"></a>', text))
