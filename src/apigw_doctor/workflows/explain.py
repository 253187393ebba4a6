"""`explain`: the page of a cause, a finding, a fix, or the web article."""


def names():
    return []


def page(code) -> None:
    return None
