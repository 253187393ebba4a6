"""What cannot be served is refused with one sentence, and status 2."""

from pathlib import Path

import pytest
from tests.lab.up.running import call

TWO_APIS = """
Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      {Runtime: python3.13, Handler: index.handler, InlineCode: "def handler(e, c): return 1",
       Events: {A: {Type: Api, Properties: {Path: /a, Method: get}}, H: {Type: HttpApi, Properties: {Path: /h, Method: get}}}}
"""
NO_API = """
Transform: AWS::Serverless-2016-10-31
Resources:
  F: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.13, Handler: a.b, CodeUri: src/}}
"""


def refused(*arguments: str | Path) -> str:
    done = call("lab", "up", *arguments, "--port", "0")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Resources:\n  A: {Type: [\n", "t.yaml:3:"),
        (NO_API, "t.yaml has no API; there is nothing to serve"),
        (TWO_APIS, "t.yaml has several APIs: ServerlessRestApi (rest, 1 route), ServerlessHttpApi (http, 1 route)"),
        ("a text", "is no template: it holds a single text"),
    ],
    ids=["broken-yaml", "no-api", "several-apis", "no-template"],
)
def test_a_template_that_cannot_be_served_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.yaml").write_text(text, encoding="utf-8")
    assert said in refused(tmp_path / "t.yaml")


def test_several_apis_are_told_with_the_option_that_chooses(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(TWO_APIS, encoding="utf-8")
    assert "--api ServerlessRestApi" in refused(tmp_path / "t.yaml")
    assert "has no API 'Other'" in refused(tmp_path / "t.yaml", "--api", "Other")


def test_a_time_scale_is_for_scenarios(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(NO_API, encoding="utf-8")
    assert "--time-scale 5 is for scenarios" in refused(tmp_path / "t.yaml", "--time-scale", "5")


def test_either_a_template_or_a_scenario() -> None:
    assert "lab up wants a template, or --scenario NAME" in refused()
    assert "not both" in refused("t.yaml", "--scenario", "healthy")
    assert "--parameter 'A' has no value" in refused("t.yaml", "--parameter", "A")
    assert "there is no scenario 'nothing'" in refused("--scenario", "nothing")


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    assert f"{tmp_path} is not empty" in refused("--scenario", "healthy", "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_evidence_is_not_published_to_a_real_account() -> None:
    said = refused("--scenario", "healthy", "--aws-endpoint", "https://logs.eu-west-1.amazonaws.com")
    assert "is no address of a local AWS endpoint" in said
