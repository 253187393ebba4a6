"""Expressions come to what the template tells, and to no more."""

from typing import Any

import pytest

from apigw_doctor.templates.intrinsics import Resolver, Unresolved
from apigw_doctor.templates.marked import load_text

TEMPLATE = """
Parameters:
  Seconds: {Type: Number, Default: 20}
  Names: {Type: CommaDelimitedList, Default: "a, b"}
  Stage: {Type: String, AllowedValues: [dev, prod]}
  Secret: {Type: "AWS::SSM::Parameter::Value<String>", Default: /place/of/it}
  Flag: {Type: String, Default: "true"}
Mappings:
  Table:
    dev: {Size: 1, Text: "1"}
    prod: {Size: 2, Text: "2"}
Conditions:
  Long: !Equals [!Ref Seconds, "20"]
  Prod: !Equals [!Ref Stage, prod]
  Both: !And [!Condition Long, !Equals [!Ref Flag, true]]
  Either: !Or [!Condition Prod, !Condition Long]
  Neither: !Not [!Condition Either]
  Loop: !Not [!Condition Loop]
Resources:
  Fn: {Type: AWS::Lambda::Function}
"""


def resolve(expression: str, **parameters: str) -> Any:
    """The value of an expression in the template above."""
    resolver = Resolver(load_text(TEMPLATE, "t.yaml").root, parameters)
    return resolver.value(load_text(f"x: {expression}", "x.yaml").root)["x"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("!Ref Seconds", 20),
        ("!Ref Names", ["a", "b"]),
        ("!Ref Fn", "${Fn}"),
        ("!GetAtt Fn.Arn", "${Fn.Arn}"),
        ("!GetAtt [Fn, Arn]", "${Fn.Arn}"),
        ("!Ref AWS::Region", "eu-west-1"),
        ("!Sub '${AWS::AccountId}-${Fn.Arn}-${!Literal}'", "123456789012-${Fn.Arn}-${Literal}"),
        ("!Sub ['${a}/${b}', {a: 1, b: !Ref Seconds}]", "1/20"),
        ("!Join ['-', [a, !Ref Seconds, !Ref 'AWS::NoValue', c]]", "a-20-c"),
        ("!Join ['-', !Ref Names]", "a-b"),
        ("!Select [1, !Split ['.', a.b.c]]", "b"),
        ("!Select ['0', !Ref Names]", "a"),
        ("!FindInMap [Table, dev, Size]", 1),
        ("!FindInMap [Table, dev, Text]", "1"),
        ("!FindInMap [Table, dev, Gone, {DefaultValue: 9}]", 9),
        ("!If [Long, 1, 2]", 1),
        ("!If [Both, 1, 2]", 1),
        ("!If [Either, 1, 2]", 1),
        ("!If [Neither, 1, 2]", 2),
        ("!Base64 abc", "YWJj"),
        ("{Fn::ToJsonString: {a: [1, !Ref Seconds]}}", '{"a":[1,20]}'),
        ("{Fn::Length: !Ref Names}", 2),
        ("{a: !Ref 'AWS::NoValue', b: [!Ref 'AWS::NoValue', 1]}", {"b": [1]}),
        ("{Ref: Seconds, other: 1}", {"Ref": "Seconds", "other": 1}),
    ],
)
def test_what_the_template_tells(expression: str, value: object) -> None:
    """Known to the last part."""
    assert resolve(expression) == value


@pytest.mark.parametrize(
    ("expression", "written", "candidates"),
    [
        ("!Ref Stage", "${Stage}", ("dev", "prod")),
        ("!Ref Secret", "${Secret}", ()),
        ("!Sub 'x-${Stage}-${Fn.Arn}'", "x-${Stage}-${Fn.Arn}", ()),
        ("!If [Prod, 1, 2]", '["Prod", 1, 2]', (1, 2)),
        ("!If [Prod, !If [Prod, 3, 4], 2]", '["Prod", {"Fn::If": ["Prod", 3, 4]}, 2]', (3, 4, 2)),
        ("!If [Loop, 1, 2]", '["Loop", 1, 2]', (1, 2)),
        ("!FindInMap [Table, !Ref Stage, Size]", '["Table", {"Ref": "Stage"}, "Size"]', (1, 2)),
        ("!ImportValue shared", '{"Fn::ImportValue": "shared"}', ()),
        ("!Whatever 1", '{"!Whatever": "1"}', ()),
        ("'{{resolve:ssm:/x}}'", "{{resolve:ssm:/x}}", ()),
        ("!Select [9, [a]]", '[9, ["a"]]', ()),
    ],
)
def test_what_the_template_does_not_tell(expression: str, written: str, candidates: tuple[object, ...]) -> None:
    """The expression stays, with what it may come to."""
    assert resolve(expression) == Unresolved(written, candidates)


def test_a_given_parameter_wins() -> None:
    """The caller's values take the place of defaults, in the type of the parameter."""
    assert resolve("!Ref Seconds", Seconds="7") == 7
    assert resolve("!If [Prod, 1, 2]", Stage="prod") == 1
    assert resolve("!Sub '${AWS::Region}'", **{"AWS::Region": "us-east-1"}) == "us-east-1"


def test_what_a_value_hangs_on() -> None:
    """Parameters are named, through text and conditions alike."""
    resolver = Resolver(load_text(TEMPLATE, "t.yaml").root)
    for expression, names in (
        ("!If [Either, !Sub '${AWS::Region}', 2]", ("Stage", "Seconds", "AWS::Region")),
        ("!Sub '${Fn.Arn}'", ()),
        ("!Ref Flag", ("Flag",)),
    ):
        assert resolver.depends(load_text(expression, "x.yaml").root) == names
