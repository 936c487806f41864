"""Escape user strings (labels, tokens, texts, paths), so that they are shown literally everywhere."""

import html
import re

# ASCII except letters, digits, and marks without a meaning between words
SPECIAL = re.compile(r"[!-$&-+./:-@\[-`{-~]|(?<!\w)-|-(?!\w)")
MATH = "$\\"  # MathJax reads the finished page, after references are resolved, but not across elements


def markdown(text: str) -> str:
    """Escape a text for Markdown, including table cells and link names. Line breaks become spaces.

    Neither JupyterLab nor nbconvert reads any part of it as markup, HTML, a link or a formula.
    """
    return SPECIAL.sub(_reference, " ".join(text.split()))


def _reference(found: re.Match) -> str:
    reference = f"&#{ord(found[0])};"
    return f"<span>{reference}</span>" if found[0] in MATH else reference


def in_html(value: object) -> str:
    """Escape a value for HTML; it is not read as a formula either."""
    return no_formula(html.escape(str(value)))


def no_formula(page: str) -> str:
    """Wrap formula delimiters in spans. HTML attributes must not contain any."""
    return page.replace("\\", "<span>\\</span>").replace("$", "<span>$</span>")
