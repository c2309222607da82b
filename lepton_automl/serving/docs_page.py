"""The description of the endpoints as one page of HTML: no script, and nothing from elsewhere."""

from __future__ import annotations

import json
from html import escape
from typing import Any

_LONGEST = 1500  # characters of an example
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h2 { font-size: 1rem; margin: 1.6rem 0 .2rem; }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .6rem .8rem; border: 1px solid color-mix(in srgb, currentColor 20%, transparent); border-radius: 6px; }
.method { display: inline-block; min-width: 3.4rem; font-weight: 700; }
.role { opacity: .75; }
"""


def docs_page(description: dict[str, Any]) -> str:
    """The page.

    Args:
        description: What `openapi` returned.
    """
    shown: dict[str, str] = {}
    sections = [
        _section(path, method, operation, shown)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]
    info = description["info"]
    title = escape(info["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><h1>{title}</h1><p>{escape(info['description'])}</p>"
        "<p>Keys travel in a header: <code>Authorization: Bearer lepton_...</code>. Every answer to a request for predictions has "
        "an id, in the header <code>X-Prediction-Id</code>; feedback names it. <code>/openapi.json</code> is this page for "
        f"programs.</p>{''.join(sections)}</body></html>"
    )


def _section(path: str, method: str, operation: dict[str, Any], shown: dict[str, str]) -> str:
    """One endpoint; an example that another one has shown is not repeated.

    Args:
        path: Its path.
        method: Its method.
        operation: Its description.
        shown: The examples that were shown, and where; this one's is added.
    """
    role = escape(operation.get("description", "Open to all"))
    examples = [
        content["example"] for content in operation.get("requestBody", {}).get("content", {}).values() if "example" in content
    ]
    parts = []
    for text in map(_text, examples):
        known = shown.setdefault(text, path)
        same = f'<div class="role">The body is that of <code>{escape(known)}</code>.</div>'
        parts.append(f"<pre>{escape(text)}</pre>" if known == path else same)
    head = f'<h2><span class="method">{escape(method.upper())}</span> <code>{escape(path)}</code></h2>'
    return f'{head}<div>{escape(operation["summary"])}. <span class="role">{role}.</span></div>{"".join(parts)}'


def _text(example: Any) -> str:
    text = json.dumps(example, indent=1, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
