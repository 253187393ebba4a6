"""Lambda functions of CloudFormation and SAM, with their aliases and versions."""

from pathlib import Path

from apigw_doctor.templates.intrinsics import Unknown, Unresolved
from apigw_doctor.templates.links import Callables, named
from apigw_doctor.templates.marked import Mapping, Scalar
from apigw_doctor.templates.model import Function
from apigw_doctor.templates.reading import Fields, Reading, Resource

CFN_FUNCTION = "AWS::Lambda::Function"
SAM_FUNCTION = "AWS::Serverless::Function"
_ALIAS, _VERSION = "AWS::Lambda::Alias", "AWS::Lambda::Version"
_SECOND_MS = 1_000.0
_ASSET = "aws:asset:path"
_REMOTE = ("s3://", "https://", "http://")
_SNAP_START = {"PUBLISHEDVERSIONS": True, "NONE": False}


def read_functions(reading: Reading) -> tuple[list[Function], Callables]:
    """All functions of the template, and what URIs may name them by."""
    aliases = _aliases(reading)
    functions = [_function(reading, one, aliases) for one in reading.of_type(CFN_FUNCTION, SAM_FUNCTION)]
    callables = Callables(
        functions={one.logical_id for one in functions},
        qualified=_qualified(reading, functions),
        names={one.name: one.logical_id for one in functions if isinstance(one.name, str)},
        aliases={one.logical_id: str(one.alias) for one in functions if one.alias is not None},
    )
    return functions, callables


def _function(reading: Reading, resource: Resource, aliases: dict[str, list[Fields]]) -> Function:
    is_sam = resource.type == SAM_FUNCTION
    fields = Fields(reading, resource.properties, resource.logical_id)
    fields.text("name", "FunctionName")
    fields.choice("package", "PackageType", {"ZIP": "Zip", "IMAGE": "Image"})
    for field, key in (("handler", "Handler"), ("runtime", "Runtime")):
        fields.text(field, key)
    fields.number("timeout_ms", "Timeout", _SECOND_MS)
    fields.number("memory_mb", "MemorySize")
    fields.number("reserved_concurrency", "ReservedConcurrentExecutions")
    _environment(fields)
    _list(fields, "layers", "Layers")
    _first(fields, "architecture", "Architectures")
    _place(fields)
    _evidence(fields, "Tracing" if is_sam else "TracingConfig")
    if is_sam:
        _sam_code(fields, resource)
        _sam_alias(fields)
    else:
        _cfn_code(fields, resource)
        _cfn_alias(fields, aliases.get(resource.logical_id, []))
    if isinstance(fields.values.get("package"), Unresolved):
        del fields.values["package"]
    fields.note_misspelt()
    return Function(mark=resource.mark, logical_id=resource.logical_id, construct=resource.construct, **fields.record())


def _environment(fields: Fields) -> None:
    below = fields.child("Environment")
    below.texts("environment", "Variables")
    fields.adopt(below)


def _list(fields: Fields, field: str, key: str) -> None:
    if found := fields.item_texts(key):
        fields.put(field, found, key)


def _first(fields: Fields, field: str, key: str) -> None:
    if found := fields.item_texts(key):
        fields.put(field, found[0], key)


def _place(fields: Fields) -> None:
    """What lies around the function: its VPC, and SnapStart."""
    settled = fields.settled("VpcConfig")
    if isinstance(settled, Mapping):
        ids = [fields.reading.resolver.settle(settled.get(key)) for key in ("SubnetIds", "SecurityGroupIds")]
        is_unknown = settled.get("SubnetIds") is None and "Fn::" in "".join(settled.entries)
        fields.put(
            "in_vpc", Unresolved("VpcConfig") if is_unknown else any(one is not None for one in ids), "VpcConfig"
        )
    elif isinstance(settled, Unknown):
        fields.put("in_vpc", settled.value, "VpcConfig")
    below = fields.child("SnapStart")
    below.choice("snap_start", "ApplyOn", _SNAP_START)
    fields.adopt(below)


def _evidence(fields: Fields, tracing: str) -> None:
    if tracing == "Tracing":
        fields.text("tracing", "Tracing")
    else:
        below = fields.child(tracing)
        below.text("tracing", "Mode")
        fields.adopt(below)
    below = fields.child("LoggingConfig")
    below.text("log_format", "LogFormat")
    fields.adopt(below)


def _sam_alias(fields: Fields) -> None:
    fields.text("alias", "AutoPublishAlias")
    below = fields.child("ProvisionedConcurrencyConfig")
    below.number("provisioned_concurrency", "ProvisionedConcurrentExecutions")
    fields.adopt(below)


def _cfn_alias(fields: Fields, aliases: list[Fields]) -> None:
    for alias in aliases:
        below = alias.child("ProvisionedConcurrencyConfig")
        below.number("provisioned_concurrency", "ProvisionedConcurrentExecutions")
        fields.adopt(below)
    with_name = [alias for alias in aliases if alias.has("Name")]
    if len(with_name) == 1:
        with_name[0].text("alias", "Name")
        fields.values["alias"] = with_name[0].values["alias"]
        fields.marks["alias"] = with_name[0].marks["alias"]


# -- where the code lies ----------------------------------------------------------------------------


def _sam_code(fields: Fields, resource: Resource) -> None:
    fields.text("inline_code", "InlineCode")
    if fields.values.get("package") == "Image" or fields.has("ImageUri"):
        fields.values["package"] = "Image"
        fields.text("code_uri", "ImageUri")
        _local_path(fields, _asset_or(resource, "DockerContext"), "ImageUri")
        return
    if isinstance(fields.settled("CodeUri"), Mapping):
        fields.put("code_uri", _bucket(fields.child("CodeUri"), "Bucket", "Key"), "CodeUri")
    elif fields.has("CodeUri"):
        _local_or_remote(fields, "CodeUri")
    elif "inline_code" not in fields.values:
        # Without a CodeUri the SAM command line takes the template's own directory.
        fields.values["code_path"] = fields.reading.directory


def _cfn_code(fields: Fields, resource: Resource) -> None:
    asset = _asset_or(resource, "")
    if isinstance(fields.settled("Code"), Scalar):
        _local_or_remote(fields, "Code")
    else:
        code = fields.child("Code")
        code.text("inline_code", "ZipFile")
        if code.has("ImageUri"):
            fields.values["package"] = "Image"
            code.text("code_uri", "ImageUri")
        elif code.has("S3Key") or code.has("S3Bucket"):
            code.put("code_uri", _bucket(code, "S3Bucket", "S3Key"), "S3Key")
            asset = asset or _cdk_asset(code)
        fields.adopt(code)
    _local_path(fields, asset, "Code")


def _local_or_remote(fields: Fields, key: str) -> None:
    text = fields.peek(key)
    if isinstance(text, Unresolved) or str(text).startswith(_REMOTE):
        fields.put("code_uri", text, key)
    else:
        _local_path(fields, text, key)


def _local_path(fields: Fields, text: str | None, key: str) -> None:
    if text and "\0" not in text:
        fields.put("code_path", Path(fields.reading.directory, text), key)


def _bucket(fields: Fields, bucket: str, key: str) -> str | Unresolved:
    parts = fields.peek(bucket), fields.peek(key)
    text = f"s3://{parts[0]}/{parts[1]}"
    return Unresolved(text) if any(isinstance(part, Unresolved) for part in parts) else text


def _asset_or(resource: Resource, other: str) -> str | None:
    for name in (_ASSET, other):
        found = resource.metadata.get(name)
        if isinstance(found, Scalar) and not found.text.startswith(_REMOTE):
            return found.text
    return None


def _cdk_asset(code: Fields) -> str | None:
    """CDK keeps `HASH.zip` of its bucket as the directory `asset.HASH` beside the template."""
    key = code.peek("S3Key")
    name = f"asset.{key.removesuffix('.zip')}" if isinstance(key, str) else ""
    is_plain = bool(name) and "/" not in name and "\0" not in name and len(name) < 200
    return name if is_plain and Path(code.reading.directory, name).is_dir() else None


# -- aliases and versions ----------------------------------------------------------------------------


def _aliases(reading: Reading) -> dict[str, list[Fields]]:
    """The aliases and versions of each function, by the function's logical id."""
    found: dict[str, list[Fields]] = {}
    for resource in reading.of_type(_ALIAS, _VERSION):
        fields = Fields(reading, resource.properties, resource.logical_id)
        function = named(fields.peek("FunctionName"))
        if function is not None:
            found.setdefault(function, []).append(fields)
    return found


def _qualified(reading: Reading, functions: list[Function]) -> dict[str, tuple[str, str]]:
    names = {one.name: one.logical_id for one in functions if isinstance(one.name, str)}
    found: dict[str, tuple[str, str]] = {}
    for resource in reading.of_type(_ALIAS, _VERSION):
        fields = Fields(reading, resource.properties, resource.logical_id)
        function = fields.peek("FunctionName")
        logical_id = named(function) or names.get(str(function))
        if logical_id is not None:
            qualifier = fields.known("Name") if resource.type == _ALIAS else None
            found[resource.logical_id] = (logical_id, qualifier or resource.logical_id)
    return found


def sam_qualifier(function: Function) -> str | None:
    """The alias that SAM's own integrations of a function call."""
    return str(function.alias) if function.alias is not None and function.is_explicit("alias") else None
