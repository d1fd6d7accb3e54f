"""What MkDocs calls while it builds the site: pages made from other files, and the links to them.

The changelog and the notebook are kept once, where GitHub and Jupyter read them; here they become pages.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]


def on_files(files: Files, config: Any) -> Files:
    """Add the pages, and leave the notebook's own file out."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").replace("](docs/", "](")
    notebook = json.loads((ROOT / "docs" / "walkthrough.ipynb").read_text(encoding="utf-8"))
    for name, text in (("changes.md", changes), ("walkthrough.md", page_of(notebook))):
        files.append(File.generated(config, name, content=text))
    files.remove(files.get_file_from_path("walkthrough.ipynb"))
    return files


def on_page_markdown(markdown: str, **kwargs: Any) -> str:
    """Links to the notebook lead to its page."""
    return markdown.replace("](walkthrough.ipynb)", "](walkthrough.md)")


def page_of(notebook: dict[str, Any]) -> str:
    """The notebook as Markdown, with what its cells showed."""
    parts: list[str] = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        parts.append(f"```python\n{source}\n```" if cell["cell_type"] == "code" else source)
        parts += [shown(output) for output in cell.get("outputs", [])]
    return "\n\n".join(parts)


def shown(output: dict[str, Any]) -> str:
    """One output of a cell: its HTML, its image or its text, whichever shows most."""
    data = {kind: "".join(text) for kind, text in output.get("data", {}).items()}
    if "text/html" in data:
        unbroken = re.sub(r"\n\s*\n", "\n", data["text/html"])  # an empty line would end the HTML
        return f'<div class="output">{unbroken}</div>'
    if "image/png" in data:
        image = data["image/png"].replace("\n", "")
        return (
            f'<div class="output"><img alt="What the cell draws" src="data:image/png;base64,{image}"></div>'
        )
    text = data.get("text/plain") or "".join(output["text"])
    return f'<div class="output"><pre>{html.escape(text.rstrip())}</pre></div>'
