"""A user's template on a port of this machine: requests as with curl, what the terminal says, and the evidence."""

import gzip
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.lab.up.running import Up, call, up

EXAMPLE = Path(__file__).parents[3] / "examples" / "lab-template" / "template.yaml"
HANDLERS = """
import os, sys, time

def quick(event, context):
    return {"statusCode": 200, "body": os.environ.get("TABLE", "-") + " " + context.function_name}

def slow(event, context):
    time.sleep(float((event.get("queryStringParameters") or {}).get("s", "1")))
    return {"statusCode": 200, "body": "late"}

def hostile(event, context):
    print("\\x1b[2J\\x1b]0;owned\\x07cleared\\u202egnp")
    return {"statusCode": 200, "body": "ok"}

def fail(event, context):
    raise KeyError("missing")
"""
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Table: {Type: String}
Globals:
  Function: {Runtime: python3.13, CodeUri: src/, Timeout: 5}
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      DefinitionBody:
        openapi: 3.0.1
        info: {title: t, version: "1"}
        paths:
PATHS
FUNCTIONS
"""
# name, handler or whole properties, more of the integration
FUNCTIONS = {
    "quick": "Handler: app.quick, AutoPublishAlias: live, Environment: {Variables: {TABLE: !Ref Table}}",
    "slow": "Handler: app.slow",
    "killed": "Handler: app.slow, Timeout: 1",
    "hostile": "Handler: app.hostile",
    "fail": "Handler: app.fail",
    "node": "Handler: index.handler, Runtime: nodejs22.x",
    "image": "PackageType: Image, ImageUri: repo/image",
    "elsewhere": "Handler: app.quick, CodeUri: s3://bucket/code.zip",
    "gone": "Handler: app.quick, CodeUri: nowhere/",
    "nomodule": "Handler: other.handler",
    "inline": "Handler: index.handler, InlineCode: \"def handler(e, c): return {'statusCode': 201}\", CodeUri: !Ref AWS::NoValue",
}
_URI = "!Sub 'arn:aws:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/${{{name}.Arn}}/invocations'"


def write_template(folder: Path) -> Path:
    paths, functions = "", ""
    for name, properties in FUNCTIONS.items():
        logical = name.capitalize()
        limit = "timeoutInMillis: 400, " if name == "slow" else ""
        paths += (
            f"          /{name}:\n            get:\n              x-amazon-apigateway-integration:\n"
            f"                {{type: aws_proxy, httpMethod: POST, {limit}uri: {_URI.format(name=logical)}}}\n"
        )
        functions += f"  {logical}:\n    Type: AWS::Serverless::Function\n    Properties: {{FunctionName: {name}-fn, {properties}}}\n"
    (folder / "src").mkdir()
    (folder / "src" / "app.py").write_text(HANDLERS, encoding="utf-8")
    template = folder / "template.yaml"
    template.write_text(TEMPLATE.replace("PATHS", paths).replace("FUNCTIONS", functions), encoding="utf-8")
    return template


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(write_template(tmp_path_factory.mktemp("template")), "--parameter", "Table=orders") as running:
        yield running


def test_the_terminal_has_address_routes_limits_and_how_to_stop(lab: Up) -> None:
    assert f"at http://127.0.0.1:{lab.port}/prod" in lab.output
    assert "  GET /slow -> slow-fn, limit 0.4 s, function timeout 5.0 s" in lab.lines
    assert "  GET /quick -> quick-fn, limit 29.0 s, function timeout 5.0 s" in lab.lines
    assert f"Try:  curl -i http://127.0.0.1:{lab.port}/prod/quick" in lab.lines
    assert "Stop: Ctrl-C" in lab.lines


def test_a_handler_runs_with_its_variables_and_parameters(lab: Up) -> None:
    assert lab.get("/quick")[:2] == (200, "orders quick-fn")
    assert re.search(r"GET /quick -> 200 in \d+ ms", lab.output)
    lab.wait_for(r"^    quick-fn \| REPORT RequestId: \S+ Duration: ")


def test_code_in_the_template_runs(lab: Up) -> None:
    assert lab.get("/inline")[0] == 201


def test_the_functions_own_timeout_is_502(lab: Up) -> None:
    status, body, spent_ms = lab.get("/killed?s=3")
    assert (status, json.loads(body)) == (502, {"message": "Internal server error"})
    assert 1_000 <= spent_ms < 2_500
    lab.wait_for(r"GET /killed\?s=3 -> 502 in \d+ ms; function-timeout \(1\.0 s\) fired")


def test_an_exception_is_502_and_its_words_are_on_the_terminal(lab: Up) -> None:
    assert lab.get("/fail")[0] == 502
    lab.wait_for(r"GET /fail -> 502 in \d+ ms; Lambda Customer Function Error:'missing'")


def test_a_module_that_is_missing_is_an_init_error_as_on_lambda(lab: Up) -> None:
    assert re.search(
        r"template\.yaml:\d+:\d+: function nomodule-fn: \S+/src has no module for the handler other", lab.output
    )
    assert lab.get("/nomodule")[0] == 502
    lab.wait_for(r"nomodule-fn \| .*Runtime\.ImportModuleError")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("node", "runtime nodejs22.x cannot run here, only Python does"),
        ("image", "a container image cannot run here"),
        ("elsewhere", "its code is not on this machine (s3://bucket/code.zip)"),
        ("gone", "its code .*nowhere does not exist"),
    ],
)
def test_what_cannot_run_here_is_told_and_answers_502(lab: Up, name: str, reason: str) -> None:
    pattern = reason if name == "gone" else re.escape(reason)
    assert re.search(rf"template\.yaml:\d+:\d+: function {name}-fn: {pattern}; its routes answer", lab.output)
    assert re.search(rf"GET /{name} -> {name}-fn: answers 502, function {name}-fn: {pattern}", lab.output)
    assert lab.get(f"/{name}")[0] == 502


def test_log_text_cannot_steer_the_terminal(lab: Up) -> None:
    assert lab.get("/hostile")[0] == 200
    lab.wait_for(r"hostile-fn \| cleared")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", lab.output)


def test_no_route_is_403(lab: Up) -> None:
    assert lab.get("/nothing")[:2] == (403, '{"message":"Missing Authentication Token"}')


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Up]:
    """One request that was cut at 400 ms while its function went on to a second."""
    folder = tmp_path_factory.mktemp("cut")
    evidence = folder / "evidence"
    with up(write_template(folder), "--parameter", "Table=t", "--out", evidence) as running:
        assert running.get("/quick")[0] == 200
        status, body, spent_ms = running.get("/slow?s=1.2")
        assert (status, json.loads(body)) == (504, {"message": "Endpoint request timed out"})
        assert 400 <= spent_ms < 1_000
        running.wait_for(
            r"GET /slow\?s=1.2 -> 504 in \d+ ms; integration-timeout \(0\.4 s\) fired; function slow-fn still"
        )
        running.wait_for(
            r"function slow-fn, still running, ended after 12\d\d ms \(success\), \d+ ms after the caller had"
        )
        assert running.stop()[0] == 0
        running.wait_for(rf"evidence is in {evidence}; now: apigw-doctor diagnose {evidence}")
    return evidence, running


def test_report_comes_after_the_504_and_is_longer_than_the_limit(cut: tuple[Path, Up]) -> None:
    logs = {path: gzip.decompress(path.read_bytes()).decode() for path in cut[0].rglob("*.gz")}
    function = "".join(text for path, text in logs.items() if "slow-fn" in str(path))
    execution = "".join(text for path, text in logs.items() if "API-Gateway-Execution-Logs_" in str(path))
    report = re.search(r"(\S+) REPORT RequestId: \S+\tDuration: ([\d.]+) ms", function)
    answered = re.search(r"(\S+) \(\S+\) Method completed with status: 504", execution)
    assert report is not None
    assert answered is not None
    assert float(report[2]) > 1_200
    assert datetime.fromisoformat(report[1]) > datetime.fromisoformat(answered[1])


def test_diagnose_names_clock_and_cause(cut: tuple[Path, Up]) -> None:
    done = call("diagnose", cut[0], "--format", "json")
    assert done.returncode == 1, done.stderr
    (verdict,) = json.loads(done.stdout)["verdicts"]
    assert (verdict["boundary"], verdict["cause"]) == ("integration-timeout", "integration-timeout-too-low")
    assert verdict["limit_ms"] == 400
    assert verdict["invocation"]["function"] == "slow-fn"
    assert verdict["invocation"]["duration_ms"] > 1_200


def test_the_example_is_quick_to_try(tmp_path: Path) -> None:
    with up(EXAMPLE, "--quiet", "--out", tmp_path / "evidence") as running:
        assert running.get("/orders/17")[:2] == (200, '{"order": "17"}')
        status, _, spent_ms = running.get("/reports?seconds=2.2")
        assert status == 504
        assert 2_000 <= spent_ms < 3_000
        running.wait_for("still running, ended after 22")
        assert not any("|" in line for line in running.lines)


HTTP_API = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Web:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      InlineCode: |
        import time
        def handler(event, context):
            time.sleep(float(event["queryStringParameters"]["s"]))
            return event["routeKey"]
      Events:
        Any: {Type: HttpApi, Properties: {Path: /any, Method: any, TimeoutInMillis: 300}}
"""


def test_an_http_api_answers_503_at_its_limit(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(HTTP_API, encoding="utf-8")
    with up(tmp_path / "t.yaml") as running:
        assert running.get("/any?s=0", method="PUT")[:2] == (200, "ANY /any")
        status, body, spent_ms = running.get("/any?s=0.8")
        assert (status, json.loads(body)) == (503, {"message": "Service Unavailable"})
        assert 300 <= spent_ms < 790


def test_openapi_with_http_proxy_calls_its_url(tmp_path: Path, slow_backend: int) -> None:
    integration = {"type": "http_proxy", "httpMethod": "GET", "timeoutInMillis": 500}
    paths: dict[str, Any] = {
        f"/{name}": {
            "get": {
                "x-amazon-apigateway-integration": {**integration, "uri": f"http://127.0.0.1:{slow_backend}/{name}"}
            }
        }
        for name in ("quick", "slow")
    }
    template = tmp_path / "openapi.json"
    template.write_text(json.dumps({"openapi": "3.0.1", "info": {"title": "p", "version": "1"}, "paths": paths}))
    with up(template) as running:
        assert f"GET /quick -> http://127.0.0.1:{slow_backend}/quick, limit 0.5 s" in running.output
        assert running.get("/quick")[:2] == (200, "here")
        assert running.get("/slow")[0] == 504
