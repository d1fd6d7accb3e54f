"""Write docs/api.md from the docstrings of the public names; `--check` only says whether it is right."""

import inspect
import re
import sys
import textwrap
from pathlib import Path

import pyimagesearch_lr

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
HEAD = """# API reference

Made from the docstrings by `python scripts/make/api_reference.py`; tests hold that the two agree and that
every example runs.
"""


def main(argv: list[str]) -> int:
    page = reference()
    if "--check" in argv:
        return int(not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page)
    PAGE.write_text(page, encoding="utf-8")
    return 0


def reference() -> str:
    """The whole page."""
    names = sorted(pyimagesearch_lr.__all__, key=str.lower)
    contents = "\n".join(f"- [{name}](#{name.lower()}): {_first_line(name)}" for name in names)
    return "\n".join([HEAD, contents, "", *(_class(name) for name in names)])


def markdown(docstring: str) -> str:
    """A Google-style docstring as Markdown: arguments as lists, examples as code."""
    parts = re.split(rf"^({'|'.join(SHOWN)}):[ ]*", docstring, flags=re.MULTILINE)
    text = [_with_code(parts[0])]
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        body, after = (body, "") if SHOWN[name] is _with_code else _split_off(body)
        text += [f"**{name}**", SHOWN[name](body), _with_code(after)]
    return "\n\n".join(part.strip("\n") for part in text if part.strip())


def _split_off(body: str) -> tuple[str, str]:
    """The indented lines of a section, or its one line, and whatever follows them."""
    lines = body.strip("\n").split("\n")
    end = next((i for i, line in enumerate(lines) if i and line and not line.startswith(" ")), len(lines))
    return "\n".join(lines[:end]), "\n".join(lines[end:])


def _entries(body: str) -> str:
    """`name: meaning` at one depth, deeper lines joined to them, as a list."""
    entries: list[str] = []
    for line in filter(str.strip, textwrap.dedent(body).split("\n")):
        if line.startswith(" ") and entries:
            entries[-1] += " " + line.strip()
        else:
            entries.append(re.sub(r"^(\w+): ", r"`\1`: ", line))
    return "\n".join(f"- {entry}" for entry in entries)


def _with_code(text: str) -> str:
    """Doctests in code fences, formulas a line each, prose as it is."""
    lines: list[str] = []
    inside = False
    for line in inspect.cleandoc(text).split("\n"):
        if line.startswith(">>> ") and not inside:
            lines.append("```pycon")
            inside = True
        if inside and not line:
            lines.append("```")
            inside = False
        lines.append(line)
    text = "\n".join([*lines, "```"] if inside else lines)
    return re.sub(r"^(`[^`\n]+`)\n(?=`)", r"\1\\\n", text, flags=re.MULTILINE)


def _prose(body: str) -> str:
    return " ".join(body.split())


SHOWN = {
    "Args": _entries,
    "Attributes": _entries,
    "Raises": _entries,
    "Returns": _prose,
    "Example": _with_code,
    "Reference": _with_code,
    "Source": _with_code,
}


def _first_line(name: str) -> str:
    return inspect.getdoc(getattr(pyimagesearch_lr, name)).split("\n")[0]


def _class(name: str) -> str:
    owner = getattr(pyimagesearch_lr, name)
    parts = [f"## {name}\n", _signature(owner, name), markdown(inspect.getdoc(owner)) + "\n"]
    for member, value in vars(owner).items():
        function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
        if member.startswith("_") or not inspect.isfunction(function) or not function.__doc__:
            continue
        parts += [
            f"### {name}.{member}\n",
            _signature(function, f"{name}.{member}"),
            markdown(inspect.getdoc(function)) + "\n",
        ]
    return "\n".join(parts)


def _signature(function: object, name: str) -> str:
    """The call, an argument a line where it is long; types are in the list below it."""
    if isinstance(function, type) and issubclass(function, Exception):
        return f"```python\n{name}(message)\n```\n"
    if isinstance(function, type) and issubclass(function, dict):
        return f"```python\n{name}(curves_by_label)\n```\n"
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name not in ("self", "cls")
    ]
    shown = str(inspect.Signature(parameters))
    if len(name + shown) > 100:
        shown = "(\n    " + ",\n    ".join(_arguments(parameters)) + ",\n)"
    shown = shown.replace("'", '"')  # as `ruff format` has it
    return f"```python\n{name}{shown}\n```\n"


def _arguments(parameters: list[inspect.Parameter]) -> list[str]:
    shown = [str(parameter) for parameter in parameters]
    keyword_only = [parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters]
    if True in keyword_only:
        shown.insert(keyword_only.index(True), "*")
    return shown


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
