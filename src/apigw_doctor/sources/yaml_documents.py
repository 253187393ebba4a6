r"""YAML as templates and API descriptions are written in it: texts only, with tags that stay visible.

>>> list(yaml_documents("Timeout: 010\nUri: !Sub arn:${AWS::Region}"))
[{'Timeout': '010', 'Uri': {'!Sub': 'arn:${AWS::Region}'}}]
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

_MAX_MERGED = 20_000


class _Loader(yaml.SafeLoader):
    """YAML with strings only, where a template's tags stay visible as `{"!Sub": ...}`.

    Merge keys are kept, within bounds: nested ones can multiply a small text without end.
    """

    merged = 0
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way to say it
        "<": [("tag:yaml.org,2002:merge", re.compile(r"^<<$"))]
    }

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Count what merge keys bring in."""
        super().flatten_mapping(node)
        self.merged += len(node.value)
        if self.merged > _MAX_MERGED:
            raise yaml.YAMLError("merge keys bring in too much")


def _tagged(loader: _Loader, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.MappingNode):
        return {node.tag: loader.construct_mapping(node, deep=True)}
    if isinstance(node, yaml.SequenceNode):
        return {node.tag: loader.construct_sequence(node, deep=True)}
    return {node.tag: node.value}


_Loader.add_constructor(None, _tagged)


def yaml_documents(words: str) -> Iterator[Any]:
    """The documents of a text.

    Raises:
        ValueError: where the text is no YAML; whatever else PyYAML lets out comes through.
    """
    try:
        yield from yaml.load_all(words, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
