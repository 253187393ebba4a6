"""What the AWS CLI prints for a lab's API, functions and load balancers.

Names of the documents are the commands that print them; `get-stages` of REST APIs says `item`, everything else of
theirs `items`, and `apigatewayv2` speaks with capitals.
"""

from typing import Any

from apigw_doctor.lab.evidence.forms import access_group, digest, uuid
from apigw_doctor.lab.setup import LabApi, LabAuthorizer, LabFunction, LabRoute, LabSetup
from apigw_doctor.model.terms import ApiType

Document = dict[str, Any]
_SINCE = "2026-01-12T09:30:00+00:00"
#: what a REST integration's timeout is where nobody set one
_REST_DEFAULT_MS, _WEBSOCKET_DEFAULT_MS, _HTTP_DEFAULT_MS = 29_000, 29_000, 30_000
#: response type -> status of REST APIs (API Gateway: gateway response types); DEFAULT_4XX and DEFAULT_5XX have none
_RESPONSES = {
    "ACCESS_DENIED": 403,
    "API_CONFIGURATION_ERROR": 500,
    "AUTHORIZER_CONFIGURATION_ERROR": 500,
    "AUTHORIZER_FAILURE": 500,
    "BAD_REQUEST_BODY": 400,
    "BAD_REQUEST_PARAMETERS": 400,
    "DEFAULT_4XX": None,
    "DEFAULT_5XX": None,
    "EXPIRED_TOKEN": 403,
    "INTEGRATION_FAILURE": 504,
    "INTEGRATION_TIMEOUT": 504,
    "INVALID_API_KEY": 403,
    "INVALID_SIGNATURE": 403,
    "MISSING_AUTHENTICATION_TOKEN": 403,
    "QUOTA_EXCEEDED": 429,
    "REQUEST_TOO_LARGE": 413,
    "RESOURCE_NOT_FOUND": 404,
    "THROTTLED": 429,
    "UNAUTHORIZED": 401,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "WAF_FILTERED": 403,
}
_MESSAGE = {"application/json": '{"message":$context.error.messageString}'}


def configuration(setup: LabSetup) -> dict[str, Document]:
    """File name, the command's words, -> the document that it prints."""
    documents = _rest(setup) if setup.api.api_type is ApiType.REST else _v2(setup)
    for function in setup.functions:
        documents |= _function(function)
    for balancer in setup.balancers:
        name = balancer.name.split("/")[1] if "/" in balancer.name else balancer.name
        values = {
            "idle_timeout.timeout_seconds": f"{balancer.idle_timeout_ms / 1000.0:.0f}",
            "client_keep_alive.seconds": f"{balancer.keep_alive_ms / 1000.0:.0f}",
            "routing.http2.enabled": "true",
            "deletion_protection.enabled": "false",
            "access_logs.s3.enabled": "true",
        }
        attributes = [{"Key": key, "Value": value} for key, value in values.items()]
        documents[f"elbv2/describe-load-balancer-attributes-{name}.json"] = {"Attributes": attributes}
    return documents


# --- REST APIs


def _rest(setup: LabSetup) -> dict[str, Document]:
    api = setup.api
    documents = {
        "apigateway/get-rest-apis.json": {"items": [_rest_api(api)]},
        "apigateway/get-stages.json": {"item": [_rest_stage(api)]},
        "apigateway/get-resources.json": {"items": _resources(setup)},
        "apigateway/get-gateway-responses.json": {"items": _responses(api)},
    }
    if api.authorizers:
        authorizers = [_rest_authorizer(one, api) for one in api.authorizers]
        documents["apigateway/get-authorizers.json"] = {"items": authorizers}
    return documents


def _rest_api(api: LabApi) -> Document:
    return {
        "id": api.api_id,
        "name": api.name,
        "createdDate": _SINCE,
        "apiKeySource": "HEADER",
        "endpointConfiguration": {"types": [api.endpoint_type], "ipAddressType": "ipv4"},
        "disableExecuteApiEndpoint": False,
        "rootResourceId": _resource_id(api, "/"),
    }


def _rest_stage(api: LabApi) -> Document:
    stage: Document = {
        "deploymentId": api.deployment_id,
        "stageName": api.stage,
        "cacheClusterEnabled": False,
        "cacheClusterStatus": "NOT_AVAILABLE",
        "methodSettings": {
            "*/*": {
                "metricsEnabled": False,
                "loggingLevel": api.log_level,
                "dataTraceEnabled": api.data_trace,
                "throttlingBurstLimit": 5000,
                "throttlingRateLimit": 10000.0,
                "cachingEnabled": False,
                "cacheTtlInSeconds": 300,
                "cacheDataEncrypted": False,
                "requireAuthorizationForCacheControl": True,
                "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
            }
        },
    }
    for route in api.routes:
        if route.throttle_rate is not None:
            key = f"{route.path.replace('~', '~0').replace('/', '~1')}/{_star(route.method)}"
            stage["methodSettings"][key] = {
                **stage["methodSettings"]["*/*"],
                "throttlingBurstLimit": route.throttle_burst,
                "throttlingRateLimit": route.throttle_rate,
            }
    if api.access_log_format is not None:
        stage["accessLogSettings"] = {"format": api.access_log_format, "destinationArn": _log_arn(api)}
    return stage | {"tracingEnabled": api.tracing, "createdDate": _SINCE, "lastUpdatedDate": _SINCE}


def _star(method: str) -> str:
    return "*" if method == "ANY" else method


def _log_arn(api: LabApi) -> str:
    return f"arn:aws:logs:{api.region}:{api.account_id}:log-group:{access_group(api)}"


def _resource_id(api: LabApi, path: str) -> str:
    known = next((route.resource_id for route in api.routes if route.path == path), None)
    shared = known is not None and len({route.path for route in api.routes if route.resource_id == known}) > 1
    return known if known is not None and not shared else digest("resource", api.api_id, path)[:6]


def _resources(setup: LabSetup) -> list[Document]:
    """All resources down from the root: a route's path makes those above it."""
    api = setup.api
    paths = {"/"}
    for route in api.routes:
        parts = route.path.strip("/").split("/")
        paths |= {"/" + "/".join(parts[: n + 1]) for n in range(len(parts))} if route.path != "/" else set()
    return [_resource(path, setup) for path in sorted(paths)]


def _resource(path: str, setup: LabSetup) -> Document:
    resource: Document = {"id": _resource_id(setup.api, path)}
    if path != "/":
        parent = path.rpartition("/")[0] or "/"
        resource |= {"parentId": _resource_id(setup.api, parent), "pathPart": path.rpartition("/")[2]}
    resource["path"] = path
    if methods := {route.method: _method(route, setup) for route in setup.api.routes if route.path == path}:
        resource["resourceMethods"] = methods
    return resource


def _method(route: LabRoute, setup: LabSetup) -> Document:
    method: Document = {
        "httpMethod": route.method,
        "authorizationType": "CUSTOM" if route.authorizer else "NONE",
        "apiKeyRequired": False,
        "requestParameters": {},
        "methodIntegration": get_integration(route, setup),
    }
    if route.authorizer:
        method["authorizerId"] = route.authorizer
    return method


def get_integration(route: LabRoute, setup: LabSetup) -> Document:
    """What `aws apigateway get-integration` prints for one method, and `get-resources` below each."""
    kind = {"aws-proxy": "AWS_PROXY", "http-proxy": "HTTP_PROXY", "mock": "MOCK"}[route.kind]
    integration: Document = {"type": kind}
    if kind != "MOCK":
        integration |= {"httpMethod": "POST" if route.function else route.method, "uri": _uri(route, setup)}
    if route.vpc_link:
        integration |= {"connectionType": "VPC_LINK", "connectionId": digest("vpc-link", setup.api.api_id)[:6]}
    elif kind == "HTTP_PROXY":
        integration["connectionType"] = "INTERNET"
    integration |= {
        "passthroughBehavior": "WHEN_NO_MATCH",
        "timeoutInMillis": round(route.timeout_ms or _REST_DEFAULT_MS),
        "cacheNamespace": _resource_id(setup.api, route.path),
        "cacheKeyParameters": [],
    }
    if route.stream:
        integration["responseTransferMode"] = "STREAM"
    return integration


def _uri(route: LabRoute, setup: LabSetup) -> str | None:
    if route.function is None:
        return route.url
    arn = _function_arn(route.function, setup)
    version = "2021-11-15" if route.stream else "2015-03-31"
    what = "response-streaming-invocations" if route.stream else "invocations"
    return f"arn:aws:apigateway:{setup.api.region}:lambda:path/{version}/functions/{arn}/{what}"


def _function_arn(name: str, setup: LabSetup) -> str:
    """Also of a function that is not ours to call: the gateway has only its name."""
    if known := [one for one in setup.functions if one.name == name]:
        return known[0].called_arn
    return f"arn:aws:lambda:{setup.api.region}:{setup.api.account_id}:function:{name}"


def _authorizer_uri(authorizer: LabAuthorizer, api: LabApi) -> str:
    arn = f"arn:aws:lambda:{api.region}:{api.account_id}:function:{authorizer.function}"
    return f"arn:aws:apigateway:{api.region}:lambda:path/2015-03-31/functions/{arn}/invocations"


def _rest_authorizer(authorizer: LabAuthorizer, api: LabApi) -> Document:
    return {
        "id": authorizer.id,
        "name": authorizer.name,
        "type": authorizer.kind,
        "authType": "custom",
        "authorizerUri": _authorizer_uri(authorizer, api),
        "identitySource": "method.request.header.Authorization",
        "authorizerResultTtlInSeconds": authorizer.cache_ttl_s,
    }


def _responses(api: LabApi) -> list[Document]:
    changed = {one.response_type: one for one in api.gateway_responses}
    found: list[Document] = []
    for response_type, default in _RESPONSES.items():
        own = changed.get(response_type)
        response: Document = {"responseType": response_type}
        # A changed response without a status falls back to the default of its type.
        status = own.status if own is not None and own.status is not None else default
        if status is not None:
            response["statusCode"] = str(status)
        headers = {} if own is None else own.headers
        response["responseParameters"] = {
            f"gatewayresponse.header.{name}": f"'{text}'" for name, text in headers.items()
        }
        response["responseTemplates"] = {"application/json": own.body} if own is not None and own.body else _MESSAGE
        found.append(response | {"defaultResponse": own is None})
    return found


# --- HTTP and WebSocket APIs


def _v2(setup: LabSetup) -> dict[str, Document]:
    api = setup.api
    documents = {
        "apigatewayv2/get-apis.json": {"Items": [_v2_api(api)]},
        "apigatewayv2/get-stages.json": {"Items": [_v2_stage(api)]},
        "apigatewayv2/get-routes.json": {"Items": [_v2_route(route, api) for route in api.routes]},
        "apigatewayv2/get-integrations.json": {"Items": _v2_integrations(setup)},
    }
    if api.authorizers:
        authorizers = [_v2_authorizer(one, api) for one in api.authorizers]
        documents["apigatewayv2/get-authorizers.json"] = {"Items": authorizers}
    return documents


def _v2_api(api: LabApi) -> Document:
    websocket = api.api_type is ApiType.WEBSOCKET
    return {
        "ApiEndpoint": f"{'wss' if websocket else 'https'}://{api.domain_name}",
        "ApiId": api.api_id,
        "ApiKeySelectionExpression": "$request.header.x-api-key",
        "CreatedDate": _SINCE,
        "DisableExecuteApiEndpoint": False,
        "IpAddressType": "ipv4",
        "Name": api.name,
        "ProtocolType": "WEBSOCKET" if websocket else "HTTP",
        "RouteSelectionExpression": "$request.body.action" if websocket else "$request.method $request.path",
        "Tags": {},
    }


def _v2_stage(api: LabApi) -> Document:
    settings: Document = {"DetailedMetricsEnabled": False}
    if api.api_type is ApiType.WEBSOCKET:
        settings |= {"DataTraceEnabled": api.data_trace, "LoggingLevel": api.log_level}
    stage: Document = {"AutoDeploy": api.api_type is ApiType.HTTP, "CreatedDate": _SINCE}
    if api.access_log_format is not None:
        stage["AccessLogSettings"] = {"DestinationArn": _log_arn(api), "Format": api.access_log_format}
    throttled = [route for route in api.routes if route.throttle_rate is not None]
    return stage | {
        "DefaultRouteSettings": settings,
        "DeploymentId": api.deployment_id,
        "LastUpdatedDate": _SINCE,
        "RouteSettings": {
            route.key: {
                **settings,
                "ThrottlingBurstLimit": route.throttle_burst,
                "ThrottlingRateLimit": route.throttle_rate,
            }
            for route in throttled
        },
        "StageName": api.stage,
        "StageVariables": {},
        "Tags": {},
    }


def _v2_route(route: LabRoute, api: LabApi) -> Document:
    node: Document = {
        "ApiKeyRequired": False,
        "AuthorizationType": "CUSTOM" if route.authorizer else "NONE",
        "RouteId": digest("route", api.api_id, route.key)[:7],
        "RouteKey": route.key,
        "Target": f"integrations/{_integration_id(route, api)}",
    }
    if route.authorizer:
        node["AuthorizerId"] = route.authorizer
    return node


def _integration_id(route: LabRoute, api: LabApi) -> str:
    """Routes with one integration id but different targets have integrations of their own."""
    alike = [one for one in api.routes if one.integration_id == route.integration_id]
    targets = {(one.kind, one.function, one.url, one.timeout_ms) for one in alike}
    return route.integration_id if len(targets) == 1 else digest("integration", api.api_id, route.key)[:7]


def _v2_integrations(setup: LabSetup) -> list[Document]:
    found: dict[str, Document] = {}
    for route in setup.api.routes:
        found.setdefault(_integration_id(route, setup.api), _v2_integration(route, setup))
    return list(found.values())


def _v2_integration(route: LabRoute, setup: LabSetup) -> Document:
    websocket = setup.api.api_type is ApiType.WEBSOCKET
    integration: Document = {
        "ConnectionType": "VPC_LINK" if route.vpc_link else "INTERNET",
        "IntegrationId": _integration_id(route, setup.api),
        "IntegrationMethod": "POST" if route.function else route.method if route.method != "ANY" else "ANY",
        "IntegrationType": {"aws-proxy": "AWS_PROXY", "http-proxy": "HTTP_PROXY", "mock": "MOCK"}[route.kind],
        "TimeoutInMillis": round(route.timeout_ms or (_WEBSOCKET_DEFAULT_MS if websocket else _HTTP_DEFAULT_MS)),
    }
    if route.kind != "mock":
        # The API takes the function's own ARN and prints it; on WebSocket APIs it is the path of Lambda's API.
        arn = _function_arn(route.function, setup) if route.function else None
        integration["IntegrationUri"] = arn if arn is not None and not websocket else _uri(route, setup)
    if websocket:
        integration |= {"PassthroughBehavior": "WHEN_NO_MATCH"}
    else:
        integration["PayloadFormatVersion"] = route.payload_format if route.function else "1.0"
    return integration


def _v2_authorizer(authorizer: LabAuthorizer, api: LabApi) -> Document:
    http = api.api_type is ApiType.HTTP
    node: Document = {
        "AuthorizerId": authorizer.id,
        "AuthorizerType": "REQUEST",
        "AuthorizerUri": _authorizer_uri(authorizer, api),
        "IdentitySource": ["$request.header.Authorization" if http else "route.request.header.Authorization"],
        "Name": authorizer.name,
    }
    if http:
        node |= {"AuthorizerPayloadFormatVersion": "2.0", "EnableSimpleResponses": authorizer.simple_responses}
        node["AuthorizerResultTtlInSeconds"] = authorizer.cache_ttl_s
    return node


# --- functions


def _function(function: LabFunction) -> dict[str, Document]:
    settings: Document = {
        "FunctionName": function.name,
        "FunctionArn": function.called_arn,
        "Runtime": function.runtime,
        "Role": f"arn:aws:iam::{function.account_id}:role/{function.name}-role",
        "Handler": function.handler,
        "CodeSize": 18342,
        "Description": "",
        "Timeout": round(function.timeout_ms / 1000.0),
        "MemorySize": function.memory_mb,
        "LastModified": "2026-01-12T09:30:00.000+0000",
        "CodeSha256": f"{digest('code', function.name)}=",
        "Version": function.version,
    }
    if function.in_vpc:
        settings["VpcConfig"] = {
            "SubnetIds": ["subnet-0a1b2c3d4e5f60718"],
            "SecurityGroupIds": ["sg-0123456789abcdef0"],
            "VpcId": "vpc-0fedcba9876543210",
            "Ipv6AllowedForDualStack": False,
        }
    if function.environment:
        settings["Environment"] = {"Variables": function.environment}
    settings |= {
        "TracingConfig": {"Mode": "Active" if function.tracing else "PassThrough"},
        "RevisionId": uuid("revision", function.name),
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {
            "LogFormat": "JSON" if function.log_form == "json" else "Text",
            "LogGroup": f"/aws/lambda/{function.name}",
        },
    }
    documents = {f"lambda/get-function-configuration-{function.name}.json": settings}
    if function.reserved_concurrency is not None:
        reserved: Document = {"ReservedConcurrentExecutions": function.reserved_concurrency}
        documents[f"lambda/get-function-concurrency-{function.name}.json"] = reserved
    if function.provisioned_concurrency:
        count = function.provisioned_concurrency
        config = {
            "FunctionArn": function.called_arn,
            "RequestedProvisionedConcurrentExecutions": count,
            "AvailableProvisionedConcurrentExecutions": count,
            "AllocatedProvisionedConcurrentExecutions": count,
            "Status": "READY",
            "LastModified": "2026-01-12T09:30:00+0000",
        }
        name = f"lambda/list-provisioned-concurrency-configs-{function.name}.json"
        documents[name] = {"ProvisionedConcurrencyConfigs": [config]}
    return documents
