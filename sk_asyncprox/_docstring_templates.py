"""Docstrings that share parts."""

import inspect
import re

ENTRY = r"^\**(\w+) : (.+)\n?((?:    .+\n?)*)"
"""Name, type and meaning of a parameter in a docstring."""

SECTION = r"\{parameters\}\n?((?:\**\w+ : .+\n?(?:    .+\n?)*)*)"
"""What stands for a section of parameters, with those that follow it."""


def entries(text):
    """Type and meaning of every parameter that a docstring tells of, by name."""
    return {name: words for name, *words in re.findall(ENTRY, text, re.MULTILINE)}


def filled(words=None, **parts):
    """Put parts in where a docstring has their names in braces (decorator). ``{parameters}`` is the section
    of the parameters in the signature, of which ``words`` and what follows tell type and meaning."""

    def fill(described):
        text = inspect.cleandoc(described.__doc__ or "")
        own = re.search(SECTION, text)
        if own is not None:
            known, signature = {**(words or {}), **entries(own[1])}, inspect.signature(described).parameters
            told = [_paragraph(p, *known[name]) for name, p in signature.items() if name in known]
            text = text.replace(own[0], "\n".join(["Parameters", "----------", *told, ""]))
        for name, part in parts.items():
            text = text.replace(f"{{{name}}}", part.strip("\n"))
        described.__doc__ = text
        return described

    return fill


def _paragraph(parameter, kind, text):
    stars = "**" if parameter.kind == parameter.VAR_KEYWORD else ""
    if parameter.default is not parameter.empty and not kind.endswith("optional"):
        kind += ", default=" + repr(parameter.default).replace("'", '"')
    return f"{stars}{parameter.name} : {kind}\n{text.rstrip()}"
