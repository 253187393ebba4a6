"""Creates at an endpoint what a lab's evidence is about: functions, the API with its stage, log groups."""

from apigw_doctor.aws.clients import Callers
from apigw_doctor.aws.errors import AwsError
from apigw_doctor.aws.writing import Logs
from apigw_doctor.lab.evidence.forms import access_group, execution_group, lambda_group
from apigw_doctor.lab.publish.functions import create_functions
from apigw_doctor.lab.publish.ledger import Ledger
from apigw_doctor.lab.publish.renaming import Renaming, renamed
from apigw_doctor.lab.publish.rest_api import create_rest_api
from apigw_doctor.lab.publish.routed_api import create_routed_api
from apigw_doctor.lab.records import Journal
from apigw_doctor.lab.setup import LabSetup
from apigw_doctor.model.terms import ApiType


def services(setup: LabSetup) -> list[str]:
    """The services that a publication calls."""
    gateway = "apigateway" if setup.api.api_type is ApiType.REST else "apigatewayv2"
    functions = ["lambda", "iam"] if setup.functions else []
    network = ["ec2"] if any(one.in_vpc for one in setup.functions) else []
    return ["sts", gateway, *functions, *network, "logs", "cloudwatch", "xray"]


def create_resources(setup: LabSetup, callers: Callers, ledger: Ledger) -> Renaming:
    """Create everything; how the lab's ids are called there."""
    rest = setup.api.api_type is ApiType.REST
    gateway = callers.service("apigateway" if rest else "apigatewayv2")
    identity = ledger.attempt(callers.service("sts"), "get_caller_identity", needs=("Account",))
    account = setup.api.account_id if identity is None else str(identity["Account"])
    place = Renaming(api_id=setup.api.api_id, region=gateway.region, account_id=account)
    # ARNs in integrations and authorizers name region and account.
    there, _ = renamed(setup, Journal(), place)
    versions = create_functions(there, callers, ledger)
    link = _vpc_link(there, callers, ledger) if any(route.vpc_link for route in there.api.routes) else None
    create_api = create_rest_api if rest else create_routed_api
    ids = create_api(there, gateway, ledger, link)
    return Renaming(
        api_id=place.api_id if ids is None else ids.api_id,
        region=place.region,
        account_id=account,
        deployment_id=None if ids is None else ids.deployment_id,
        resources={} if ids is None else ids.resources,
        integrations={} if ids is None else ids.integrations,
        authorizers={} if ids is None else ids.authorizers,
        versions=versions,
    )


def log_groups(setup: LabSetup) -> list[str]:
    """The groups that a lab's API and functions write to."""
    api, found = setup.api, []
    if api.api_type is not ApiType.HTTP and api.log_level != "OFF":
        found.append(execution_group(api))
    if api.access_log_format is not None:
        found.append(access_group(api))
    return [*found, *(lambda_group(one.name) for one in setup.functions)]


def create_log_groups(setup: LabSetup, callers: Callers, ledger: Ledger) -> list[str]:
    """Create those that are not there; the names of all."""
    caller, found = callers.service("logs"), log_groups(setup)
    logs = Logs(caller)
    for group in found:
        if logs.create_group(group):
            ledger.add(caller, "log group", group, "delete_log_group", logGroupName=group)
        else:
            ledger.note(f"the log group {group} was there before; it holds other events, too")
    return found


def _vpc_link(setup: LabSetup, callers: Callers, ledger: Ledger) -> str | None:
    """A link to a balancer, or to a subnet, that need not exist."""
    api = setup.api
    try:
        if api.api_type is ApiType.HTTP:
            caller, name = callers.service("apigatewayv2"), f"{api.name}-link"
            made = ledger.attempt(
                caller, "create_vpc_link", needs=("VpcLinkId",), Name=name, SubnetIds=["subnet-0a1b2c3d4e5f60718"]
            )
            if made is not None:
                ledger.add(caller, "VPC link", name, "delete_vpc_link", VpcLinkId=made["VpcLinkId"])
                return str(made["VpcLinkId"])
            return None
        caller, name = callers.service("apigateway"), f"{api.name}-link"
        place = f"arn:aws:elasticloadbalancing:{api.region}:{api.account_id}"
        target = f"{place}:loadbalancer/net/{api.name}/50dc6c495c0c9188"
        made = ledger.attempt(caller, "create_vpc_link", needs=("id",), name=name, targetArns=[target])
    except AwsError as error:
        ledger.note(error.message)
        return None
    if made is None:
        return None
    ledger.add(caller, "VPC link", name, "delete_vpc_link", vpcLinkId=made["id"])
    return str(made["id"])
