"""Creates an HTTP or WebSocket API at an endpoint, from the documents that describe it in a lab's evidence."""

from apigw_doctor.aws.clients import Caller, Document
from apigw_doctor.lab.evidence.configuration import configuration
from apigw_doctor.lab.publish.ledger import Ledger
from apigw_doctor.lab.publish.rest_api import ApiIds
from apigw_doctor.lab.setup import LabSetup

_API = ("Name", "ProtocolType", "RouteSelectionExpression", "ApiKeySelectionExpression", "DisableExecuteApiEndpoint")
_STAGE = ("StageName", "AutoDeploy", "AccessLogSettings", "DefaultRouteSettings", "RouteSettings")


def create_routed_api(setup: LabSetup, caller: Caller, ledger: Ledger, vpc_link: str | None = None) -> ApiIds | None:
    """Create it all; None where the endpoint has no such APIs."""
    documents = configuration(setup)
    (api,) = documents["apigatewayv2/get-apis.json"]["Items"]
    made = ledger.attempt(caller, "create_api", needs=("ApiId",), **{name: api[name] for name in _API})
    if made is None:
        return None
    ids = ApiIds(api_id=made["ApiId"])
    what = f"{setup.api.api_type.value} API"
    ledger.add(caller, what, setup.api.name, "delete_api", ApiId=ids.api_id)

    def create(kind: str, items: list[Document]) -> dict[str, str]:
        """Old id -> new id."""
        name, found = f"{kind.capitalize()}Id", {}
        for one in items:
            params = {key: value for key, value in one.items() if key != name}
            answer = ledger.attempt(caller, f"create_{kind}", needs=(name,), ApiId=ids.api_id, **params)
            if answer is not None:
                found[one[name]] = answer[name]
        return found

    ids.authorizers = create("authorizer", documents.get("apigatewayv2/get-authorizers.json", {"Items": []})["Items"])
    integrations = documents["apigatewayv2/get-integrations.json"]["Items"]
    known = create("integration", [_linked(one, vpc_link) for one in integrations])
    routes = documents["apigatewayv2/get-routes.json"]["Items"]
    create("route", [_targeted(one, known, ids.authorizers) for one in routes])
    for route in routes:
        old = route["Target"].removeprefix("integrations/")
        ids.integrations[route["RouteKey"]] = known.get(old, old)
    (stage,) = documents["apigatewayv2/get-stages.json"]["Items"]
    params = {name: stage[name] for name in _STAGE if name in stage}
    if not stage["AutoDeploy"]:
        deployment = ledger.attempt(caller, "create_deployment", needs=("DeploymentId",), ApiId=ids.api_id)
        if deployment is not None:
            ids.deployment_id = params["DeploymentId"] = deployment["DeploymentId"]
    ledger.attempt(caller, "create_stage", ApiId=ids.api_id, **params)
    return ids


def _linked(integration: Document, vpc_link: str | None) -> Document:
    if integration["ConnectionType"] != "VPC_LINK":
        return integration
    return integration | {"ConnectionId": vpc_link or "lab-vpc-link"}


def _targeted(route: Document, integrations: dict[str, str], authorizers: dict[str, str]) -> Document:
    old = route["Target"].removeprefix("integrations/")
    found = route | {"Target": f"integrations/{integrations.get(old, old)}"}
    if (own := found.pop("AuthorizerId", None)) is None:
        return found
    if own in authorizers:
        return found | {"AuthorizerId": authorizers[own]}
    return found | {"AuthorizationType": "NONE"}
