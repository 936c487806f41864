"""Names that others chose, shown as they are: a task may be called `<b>`, `$x$` or `_`."""

import html
import re

# of ASCII all but letters, digits, and marks that mean nothing between words
SPECIAL = re.compile(r"[!-$&-+./:-@\[-`{-~]|(?<!\w)-|-(?!\w)")
MATH = "$\\"  # found by MathJax in the finished page, after references are resolved, but not across elements
JOINER = "\u2060"  # has no width


def markdown(text: str) -> str:
    """A text that stands literally in Markdown, in a table's cell or a link's name as well: nothing of it is markup,
    HTML, a link or a formula, neither in JupyterLab nor in nbconvert's pages. Its lines become one."""
    return SPECIAL.sub(_reference, " ".join(text.split()))


def _reference(found: re.Match) -> str:
    reference = f"&#{ord(found[0])};"
    return f"<span>{reference}</span>" if found[0] in MATH else reference


def legend(text: str) -> str:
    """A text as the label of a line or patch: matplotlib leaves out of a legend what begins with an underscore."""
    return f" {text}" if text.startswith("_") else text


def in_html(value: object) -> str:
    """Text that stands literally in HTML, and is no formula either."""
    return no_formula(html.escape(str(value)))


def no_formula(page: str) -> str:
    """MathJax reads a page's text after it is made, but not across elements; attributes must have none of these."""
    return page.replace("\\", "<span>\\</span>").replace("$", "<span>$</span>")


def description(text: str) -> str:
    """A text that describes a control. JupyterLab and Voilà read them for formulas, and neither an invisible character
    after a `$` nor an element around it hides it: where two could enclose a formula, each is escaped."""
    text = text.replace("\\", f"\\{JOINER}")
    return text.replace("$", r"\$") if text.count("$") > 1 else text
