"""Texts that come from data or from the user: made printable, and escaped for Markdown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

JOINERS = "\u200c\u200d"  # zero-width: they join letters and emoji; no other invisible character is needed to read a word
MOST = 60  # characters of a name in a figure
MORE = "…"
_MARKS = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")  # what Markdown or MathJax may take for markup
_FIRST = re.compile(r"^(?=[-+#=])|(?<=^\d)(?=[.)])")  # what starts a heading or a list at the beginning of a line
_HTML = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


def clean(text: object, most: int = MOST) -> str:
    """A name on one line, of bounded length and without invisible characters.

    Args:
        text: The name, or any object; its `str` is used.
        most: Maximum number of characters.

    Returns:
        Text without control characters, bidirectional marks and lone surrogates. It is not escaped.
    """
    whole = str(text)
    shown = whole[: most + 1]
    if not (shown.isascii() and shown.isprintable()):
        shown = "".join(map(_visible, shown))
    return shown if len(whole) <= most else shown[: most - 1].rstrip() + MORE


def _visible(character: str) -> str:
    kind = unicodedata.category(character)
    if kind in {"Zs", "Zl", "Zp"} or character in "\t\n\r":
        return " "
    if kind in {"Cc", "Cs", "Co", "Cn"}:
        return "\ufffd"
    return character if kind != "Cf" or character in JOINERS else ""


def markdown(text: object, most: int = 300) -> str:
    """A text escaped for one line of Markdown, so that it is shown as it is written.

    Args:
        text: The text, or any object; its `str` is used.
        most: Maximum number of characters.
    """
    plain = clean(text, most).strip()
    return _FIRST.sub(r"\\", _MARKS.sub(r"\\\g<0>", plain)).translate(_HTML)


def code_span(text: object, most: int = 300) -> str:
    """A text as inline code in Markdown, also within a table, even if it contains backticks.

    Args:
        text: The text, or any object; its `str` is used.
        most: Maximum number of characters.
    """
    plain = clean(text, most).replace("|", "\uff5c")  # a bar would end a table's cell even in code
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    padded = f" {plain} " if not plain.strip(" ") or plain[0] in "` " or plain[-1] in "` " else plain
    return f"{fence}{padded}{fence}"


def many(number: int, what: str) -> str:
    """A count with its noun, in the plural unless it is 1: `3 trials`.

    Args:
        number: The count.
        what: The noun in the singular.
    """
    return f"{number:,} {what}{'s' * (number != 1)}"


def join_words(parts: Sequence[str]) -> str:
    """Parts of a sentence, with commas and an "and"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
