"""Authorizers and WebSocket APIs of a template, served."""

import asyncio
from pathlib import Path

import aiohttp
from tests.lab.up.running import up

AUTHORIZED = """
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: python3.13, Handler: index.handler}
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      Auth: {DefaultAuthorizer: Token, Authorizers: {Token: {FunctionArn: !GetAtt Guard.Arn, Identity: {ReauthorizeEvery: 0}}}}
  Guard:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context):
            effect = "Allow" if event["authorizationToken"] == "yes" else "Deny"
            statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
            return {"principalId": "u", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context):
            return {"statusCode": 200, "body": event["requestContext"]["authorizer"]["principalId"]}
      Events: {One: {Type: Api, Properties: {Path: /orders, Method: get, RestApiId: !Ref Api}}}
"""
SOCKET = """
Resources:
  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: chat, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}}
  Stage: {Type: AWS::ApiGatewayV2::Stage, Properties: {ApiId: !Ref Api, StageName: prod}}
  Ask: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api, RouteKey: ask, Target: !Sub "integrations/${Call}"}}
  Call:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: AWS_PROXY
      TimeoutInMillis: 300
      IntegrationUri: !Sub "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${F.Arn}/invocations"
  F:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: chat-fn
      Runtime: python3.13
      Handler: index.handler
      Role: arn:aws:iam::123456789012:role/r
      Code:
        ZipFile: |
          import time
          def handler(event, context):
              time.sleep(0.8)
              return {"statusCode": 200}
"""


def test_a_lambda_authorizer_lets_in_and_keeps_out(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(AUTHORIZED, encoding="utf-8")
    with up(tmp_path / "t.yaml") as running:
        assert running.get("/orders", headers={"Authorization": "yes"})[:2] == (200, "u")
        assert running.get("/orders", headers={"Authorization": "no"})[0] == 403
        assert running.get("/orders")[0] == 401


def test_a_websocket_route_answers_a_frame_at_its_limit(tmp_path: Path) -> None:
    async def ask(url: str) -> dict[str, str]:
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            await socket.send_json({"action": "ask"})
            return dict(await socket.receive_json(timeout=10))

    (tmp_path / "t.yaml").write_text(SOCKET, encoding="utf-8")
    with up(tmp_path / "t.yaml") as running:
        frame = asyncio.run(ask(f"ws://127.0.0.1:{running.port}{running.stage}"))
        assert frame["message"] == "Endpoint request timed out"
        running.wait_for(
            r"message ask -> 504 in 3\d\d ms; integration-timeout \(0\.3 s\) fired; function chat-fn still"
        )
        running.wait_for("message ask: function chat-fn, still running, ended after 8")
