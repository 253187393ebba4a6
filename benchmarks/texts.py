"""Words to fill the lines with: header maps, bodies, and the traps that a careless reader falls into.

The traps are what real bodies hold: texts that look like the gateway's own words (`Method completed with status: 500`
of an old incident, `Integration latency: 31000 ms`), and JSON that somebody printed prettily, so that one event runs
over several lines of which only the first has a time and a request id.
"""

import json
import random

_RNG = random.Random("apigw-doctor texts")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

#: Something that looks like a base64 token wherever it is cut.
NOISE = "".join(_RNG.choices(_LETTERS, k=1 << 16))

BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "okhttp/4.12.0",
    "python-requests/2.32.3",
    "axios/1.7.9",
)
LANGUAGES = ("en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.8", "ja", "fr-FR,fr;q=0.9,en-US;q=0.8,en;q=0.7")

_TRAPS = (
    "support ticket quotes: Method completed with status: 500",
    "old log said Integration latency: 31000 ms, please check",
    "Execution failed due to a timeout error (copied from last week)",
    "customer wrote 'Task timed out after 29.00 seconds' in the comment field",
)
_WORDS = (
    "blue",
    "green",
    "garden",
    "chair",
    "lamp",
    "table",
    "outdoor",
    "wooden",
    "steel",
    "set",
    "of",
    "two",
    "large",
)


def noise(dice: int, length: int) -> str:
    """A piece of the noise."""
    start = dice % (len(NOISE) - length)
    return NOISE[start : start + length]


def _item(number: int, *, trap: bool) -> dict[str, object]:
    words = " ".join(_RNG.choices(_WORDS, k=6))
    return {
        "sku": f"SKU-{_RNG.randrange(10**7):07d}",
        "name": words,
        "quantity": _RNG.randrange(1, 9),
        "price": round(_RNG.random() * 300, 2),
        "note": _RNG.choice(_TRAPS) if trap else f"gift wrap {number}",
    }


def _bodies(items: int) -> tuple[str, ...]:
    """Request and answer bodies; every eighth with a trap, every sixteenth over several lines."""
    found: list[str] = []
    for number in range(64):
        body = {"id": f"{_RNG.randrange(10**9):09d}", "items": [_item(n, trap=number % 8 == 0) for n in range(items)]}
        found.append(json.dumps(body, indent=2 if number % 16 == 0 else None, separators=None))
    return tuple(found)


REQUEST_BODIES = _bodies(2)
ANSWER_BODIES = _bodies(3)
#: As a Lambda function hands them to the gateway: the body is a string inside the answer.
PROXY_ANSWERS = tuple(
    json.dumps({"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": body})
    if "\n" not in body
    else json.dumps({"statusCode": 200, "body": body}, indent=2)
    for body in ANSWER_BODIES
)
NOT_FOUND = '{"message": "no such item", "hint": "status 500 in the old system"}'
