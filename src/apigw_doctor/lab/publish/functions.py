"""Creates a lab's functions at an endpoint: code, settings, versions, aliases, concurrency."""

import json

from apigw_doctor.aws.clients import Caller, Callers, Document
from apigw_doctor.aws.errors import AwsError, ExistsError
from apigw_doctor.lab.evidence.configuration import configuration
from apigw_doctor.lab.publish.code import zipped
from apigw_doctor.lab.publish.ledger import Ledger
from apigw_doctor.lab.setup import LabFunction, LabSetup
from apigw_doctor.model.errors import DoctorError

ROLE = "apigw-doctor-lab"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
_SETTINGS = (
    "FunctionName",
    "Runtime",
    "Handler",
    "Timeout",
    "MemorySize",
    "Environment",
    "TracingConfig",
    "LoggingConfig",
)


def create_functions(setup: LabSetup, callers: Callers, ledger: Ledger) -> dict[str, str]:
    """Create them; function -> number of the version that an alias names there."""
    if not setup.functions:
        return {}
    role = _role(callers.service("iam"), setup, ledger)
    vpc = _vpc(callers.service("ec2"), ledger) if any(one.in_vpc for one in setup.functions) else None
    caller, documents, versions = callers.service("lambda"), configuration(setup), dict[str, str]()
    for function in setup.functions:
        document = documents[f"lambda/get-function-configuration-{function.name}.json"]
        params = {name: document[name] for name in _SETTINGS if name in document}
        if function.in_vpc and vpc is not None:
            params["VpcConfig"] = vpc
        if _create(caller, function, params | {"Role": role}, ledger):
            version = _concurrency(caller, function, ledger)
            if version is not None:
                versions[function.name] = version
            _permit(caller, function, setup, ledger)
    return versions


def _create(caller: Caller, function: LabFunction, params: Document, ledger: Ledger) -> bool:
    try:
        made = ledger.attempt(
            caller, "create_function", needs=("FunctionArn",), Code={"ZipFile": zipped(function)}, **params
        )
    except ExistsError as error:
        raise DoctorError(
            f"a function {function.name} exists at {caller.endpoint_url} already: nothing was published",
            hint="remove what an earlier run has created there, or empty the endpoint",
        ) from error
    if made is None:
        return False
    ledger.add(caller, "function", function.name, "delete_function", FunctionName=function.name)
    return True


def _role(caller: Caller, setup: LabSetup, ledger: Ledger) -> str:
    """The role that all functions run as; there may be one from before."""
    own = f"arn:aws:iam::{setup.api.account_id}:role/{ROLE}"
    try:
        made = ledger.attempt(
            caller, "create_role", needs=("Role",), RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(_TRUST)
        )
    except ExistsError:
        return own
    if made is None:
        return own
    ledger.add(caller, "role", ROLE, "delete_role", RoleName=ROLE)
    return str(made["Role"]["Arn"])


def _vpc(caller: Caller, ledger: Ledger) -> Document | None:
    """A subnet and a security group of it; functions stay outside where the endpoint has none."""
    try:
        subnets = ledger.attempt(caller, "describe_subnets", needs=("Subnets",))
        known = (subnets or {}).get("Subnets", [])
        if subnets is not None and known:
            whose = [{"Name": "vpc-id", "Values": [known[0]["VpcId"]]}]
            groups = ledger.attempt(caller, "describe_security_groups", needs=("SecurityGroups",), Filters=whose)
            if groups is not None and groups["SecurityGroups"]:
                group = groups["SecurityGroups"][0]["GroupId"]
                return {"SubnetIds": [known[0]["SubnetId"]], "SecurityGroupIds": [group]}
    except AwsError as error:
        ledger.note(error.message)
    ledger.note("the endpoint has no subnet with a security group, so functions are outside of VPCs there")
    return None


def _concurrency(caller: Caller, function: LabFunction, ledger: Ledger) -> str | None:
    """Version, alias, reserved and provisioned concurrency; the version's number."""
    name: Document = {"FunctionName": function.name}
    version = None
    if function.qualifier is not None:
        made = ledger.attempt(caller, "publish_version", needs=("Version",), **name)
        version = None if made is None else str(made["Version"])
        if version is not None and not function.qualifier.isdigit():
            ledger.attempt(caller, "create_alias", **name, Name=function.qualifier, FunctionVersion=version)
    if function.reserved_concurrency is not None:
        count = function.reserved_concurrency
        ledger.attempt(caller, "put_function_concurrency", **name, ReservedConcurrentExecutions=count)
    if function.provisioned_concurrency:
        count = function.provisioned_concurrency
        if function.qualifier is None:
            ledger.note(f"{function.name} is called without a version, so it can have no provisioned concurrency")
            return version
        ledger.attempt(
            caller,
            "put_provisioned_concurrency_config",
            **name,
            Qualifier=function.qualifier if not function.qualifier.isdigit() else version,
            ProvisionedConcurrentExecutions=count,
        )
    return version


def _permit(caller: Caller, function: LabFunction, setup: LabSetup, ledger: Ledger) -> None:
    """The gateway may call it."""
    api = setup.api
    alias: Document = {}
    if function.qualifier is not None and not function.qualifier.isdigit():
        alias["Qualifier"] = function.qualifier
    ledger.attempt(
        caller,
        "add_permission",
        FunctionName=function.name,
        StatementId="apigateway",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{api.region}:{api.account_id}:*",
        **alias,
    )
