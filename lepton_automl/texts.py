"""Texts that come from data or from a person: made visible, and escaped for Markdown."""

from __future__ import annotations

import re
import unicodedata

JOINERS = "\u200c\u200d"  # of letters and of emoji; no other invisible mark is needed to read a word
MOST = 60  # characters of a name in a picture
MORE = "…"
_MARKS = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")  # what Markdown, or MathJax in its pages, may read as its own
_FIRST = re.compile(r"^(?=[-+#=])|(?<=^\d)(?=[.)])")  # what makes a heading or a list at the start of a line
_HTML = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


def clean(text: object, most: int = MOST) -> str:
    """A name on one line and of bounded length, without what a reader cannot see.

    Args:
        text: The name; anything that has one.
        most: Characters at most.

    Returns:
        Text without control characters, marks that turn the direction of writing, and halves of characters. It is not
        escaped.
    """
    told = str(text)
    kept = told[: most + 1]
    if not (kept.isascii() and kept.isprintable()):
        kept = "".join(map(_visible, kept))
    return kept if len(told) <= most else kept[: most - 1].rstrip() + MORE


def _visible(character: str) -> str:
    kind = unicodedata.category(character)
    if kind in {"Zs", "Zl", "Zp"} or character in "\t\n\r":
        return " "
    if kind in {"Cc", "Cs", "Co", "Cn"}:
        return "\ufffd"
    return character if kind != "Cf" or character in JOINERS else ""


def markdown(text: object, most: int = 300) -> str:
    """A text on a line of Markdown, to be read as it is: it makes no markup and no HTML.

    Args:
        text: The text; anything that has one.
        most: Characters at most.
    """
    plain = clean(text, most).strip()
    return _FIRST.sub(r"\\", _MARKS.sub(r"\\\g<0>", plain)).translate(_HTML)


def code_span(text: object, most: int = 300) -> str:
    """A text as inline code in Markdown, also in a table, whatever backticks it holds.

    Args:
        text: The text; anything that has one.
        most: Characters at most.
    """
    plain = clean(text, most).replace("|", "\uff5c")  # a bar would end a table's cell even in code
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    padded = f" {plain} " if not plain.strip(" ") or plain[0] in "` " or plain[-1] in "` " else plain
    return f"{fence}{padded}{fence}"


def many(number: int, what: str) -> str:
    """A number of things, in words.

    Args:
        number: How many.
        what: One of them.
    """
    return f"{number:,} {what}{'s' * (number != 1)}"
