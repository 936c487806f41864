"""Names as text."""

import html
import re


def markdown(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|$~])", r"\\\1", html.escape(str(text)))
