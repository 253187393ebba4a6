r"""Text that comes from outside, made such that it can be read and written down.

>>> parse('{"a": 1}'), parse("{")
({'a': 1}, None)
>>> parse('"\\ud800 alone"'), whole("\udcff")
('? alone', '?')
"""

import json
from typing import Any


def whole(text: str) -> str:
    """The text with question marks for what no encoding can write: lone surrogates, and bytes that were no text."""
    return text.encode(errors="replace").decode()


def parse(payload: str | bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """What a JSON text holds; None for what is none, or is nested too deep to be read."""
    try:
        text = payload if isinstance(payload, str) else payload.decode()
        found = json.loads(text)
        if "\\ud" in text.lower():
            # Only an escape can bring half a character.
            found = json.loads(whole(json.dumps(found, ensure_ascii=False)))
    except (ValueError, RecursionError):
        return None
    return found
