"""Creates a REST API at an endpoint, from the documents that describe it in a lab's evidence."""

import msgspec

from apigw_doctor.aws.clients import Caller, Document
from apigw_doctor.lab.evidence.configuration import configuration
from apigw_doctor.lab.publish.ledger import Ledger
from apigw_doctor.lab.setup import LabSetup

_INTEGRATION = (
    "type",
    "uri",
    "connectionType",
    "connectionId",
    "passthroughBehavior",
    "timeoutInMillis",
    "responseTransferMode",
)
_SETTINGS = {
    "loggingLevel": "logging/loglevel",
    "dataTraceEnabled": "logging/dataTrace",
    "metricsEnabled": "metrics/enabled",
    "throttlingRateLimit": "throttling/rateLimit",
    "throttlingBurstLimit": "throttling/burstLimit",
}


class ApiIds(msgspec.Struct, kw_only=True):
    """The ids that the endpoint gave."""

    api_id: str
    deployment_id: str | None = None
    resources: dict[str, str] = {}
    integrations: dict[str, str] = {}
    authorizers: dict[str, str] = {}


def create_rest_api(setup: LabSetup, caller: Caller, ledger: Ledger, vpc_link: str | None = None) -> ApiIds | None:
    """Create it all; None where the endpoint has no REST APIs."""
    return _Builder(setup, caller, ledger, vpc_link).build()


class _Builder:
    def __init__(self, setup: LabSetup, caller: Caller, ledger: Ledger, vpc_link: str | None) -> None:
        self._setup, self._caller, self._ledger, self._vpc_link = setup, caller, ledger, vpc_link
        self._documents = configuration(setup)
        self._ids = ApiIds(api_id="")

    def build(self) -> ApiIds | None:
        api = self._setup.api
        made = self._ledger.attempt(
            self._caller,
            "create_rest_api",
            needs=("id",),
            name=api.name,
            endpointConfiguration={"types": [api.endpoint_type]},
        )
        if made is None:
            return None
        self._ids.api_id = made["id"]
        self._ledger.add(self._caller, "REST API", api.name, "delete_rest_api", restApiId=made["id"])
        self._authorizers()
        self._responses()
        self._resources(made.get("rootResourceId"))
        self._stage()
        return self._ids

    def _call(self, operation: str, *, needs: tuple[str, ...] = (), **params: object) -> Document | None:
        return self._ledger.attempt(self._caller, operation, needs=needs, restApiId=self._ids.api_id, **params)

    def _items(self, name: str) -> list[Document]:
        document = self._documents.get(f"apigateway/{name}.json", {})
        items: list[Document] = document.get("items") or document.get("item") or []
        return items

    def _authorizers(self) -> None:
        for one in self._items("get-authorizers"):
            made = self._call("create_authorizer", needs=("id",), **{k: v for k, v in one.items() if k != "id"})
            if made is not None:
                self._ids.authorizers[one["id"]] = made["id"]

    def _responses(self) -> None:
        for one in self._items("get-gateway-responses"):
            if not one["defaultResponse"]:
                self._call("put_gateway_response", **{k: v for k, v in one.items() if k != "defaultResponse"})

    def _resources(self, root: str | None) -> None:
        if root is None:
            found = self._call("get_resources", needs=("items",))
            root = next((one["id"] for one in (found or {}).get("items", ()) if one.get("path") == "/"), None)
        if root is None:
            return
        ids = self._ids.resources
        for one in self._items("get-resources"):
            path: str = one["path"]
            if path == "/":
                ids[path] = root
            else:
                parent = ids.get(path.rpartition("/")[0] or "/")
                made = parent and self._call(
                    "create_resource", needs=("id",), parentId=parent, pathPart=one["pathPart"]
                )
                if not made:
                    continue
                ids[path] = made["id"]
            for method, settings in one.get("resourceMethods", {}).items():
                self._method({"resourceId": ids[path], "httpMethod": method}, settings)

    def _method(self, where: Document, settings: Document) -> None:
        authorizer = self._ids.authorizers.get(settings.get("authorizerId", ""))
        # Without the authorizer, which the endpoint does not have, the method is open.
        who: Document = {"authorizationType": settings["authorizationType"], "authorizerId": authorizer}
        self._call("put_method", **where, **(who if authorizer else {"authorizationType": "NONE"}))
        integration: Document = settings["methodIntegration"]
        params = {name: integration[name] for name in _INTEGRATION if name in integration}
        if "connectionId" in params:
            params["connectionId"] = self._vpc_link or params["connectionId"]
        if "httpMethod" in integration:
            params["integrationHttpMethod"] = integration["httpMethod"]
        mock = integration["type"] == "MOCK"
        if mock:
            params["requestTemplates"] = {"application/json": '{"statusCode": 200}'}
        self._call("put_integration", **where, **params)
        self._call("put_method_response", **where, statusCode="200")
        if mock:
            self._call("put_integration_response", **where, statusCode="200", selectionPattern="")

    def _stage(self) -> None:
        if not self._setup.api.routes:
            self._ledger.note("the API has no routes, so there is no deployment and no stage of it")
            return
        deployment = self._call("create_deployment", needs=("id",))
        if deployment is None:
            return
        self._ids.deployment_id = deployment["id"]
        (stage,) = self._items("get-stages")
        name: Document = {"stageName": stage["stageName"]}
        made = self._call("create_stage", **name, deploymentId=deployment["id"], tracingEnabled=stage["tracingEnabled"])
        if made is not None:
            self._call("update_stage", **name, patchOperations=_patches(stage))


def _patches(stage: Document) -> list[dict[str, str]]:
    patches = []
    for where, settings in stage["methodSettings"].items():
        for name, path in _SETTINGS.items():
            patches.append(_replace(f"/{where}/{path}", settings[name]))
    for name, value in stage.get("accessLogSettings", {}).items():
        patches.append(_replace(f"/accessLogSettings/{name}", value))
    return patches


def _replace(path: str, value: object) -> dict[str, str]:
    return {"op": "replace", "path": path, "value": str(value).lower() if isinstance(value, bool) else str(value)}
