"""Handlers that the sample templates name."""


def get(event: dict[str, object], context: object) -> dict[str, object]:
    """Answer an order."""
    return {"statusCode": 200, "body": "one order"}


def create(event: dict[str, object], context: object) -> dict[str, object]:
    """Take an order."""
    return {"statusCode": 201, "body": "made"}
