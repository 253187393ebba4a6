"""Read a template, whatever its kind.

The kind is told by what the file says, not by its name. A file that is something else is refused with one sentence.
"""

import re
from collections.abc import Mapping as AbstractMapping
from pathlib import Path

from apigw_doctor.model.errors import DoctorError, NothingReadable, UsageError
from apigw_doctor.templates import cloudformation, openapi, sam
from apigw_doctor.templates.drafts import Drafts
from apigw_doctor.templates.functions import CFN_FUNCTION, read_functions
from apigw_doctor.templates.intrinsics import Resolver, Unknown
from apigw_doctor.templates.marked import BrokenText, Document, Mapping, Mark, Node, Scalar, Sequence, load_text
from apigw_doctor.templates.model import OtherResource, Problem, Template
from apigw_doctor.templates.reading import Reading, Resource, other_resource

NO_PARAMETERS: AbstractMapping[str, str] = {}
#: CloudFormation takes 1 MB, API Gateway 6 MB.
MAX_BYTES = 12_000_000
_MAX_INCLUDED = 100
_READ = "CloudFormation, SAM and OpenAPI files in YAML or JSON are read."
_NAMES = ("template.yaml", "template.yml", "template.json", "openapi.yaml", "openapi.json")
_API_FREE = (sam.TYPES | cloudformation.TYPES) | {CFN_FUNCTION}
#: Keys that tell another kind of file, in the order in which they are tried.
_OTHER_KINDS: tuple[tuple[frozenset[str], str, str], ...] = (
    (frozenset({"planned_values"}), "the plan of a Terraform configuration", ""),
    (
        frozenset({"service", "provider"}),
        "a Serverless Framework configuration",
        "Run `serverless package` and name .serverless/cloudformation-template-update-stack.json.",
    ),
    (frozenset({"apiVersion", "kind"}), "a Kubernetes manifest", ""),
    (frozenset({"jobs", "on"}), "a GitHub workflow", ""),
    (frozenset({"services"}), "a Docker Compose file", ""),
    (frozenset({"version", "artifacts"}), "the manifest of a CDK assembly", "Name one of its *.template.json files."),
    (
        frozenset({"app", "context"}),
        "the settings of a CDK app",
        "Run `cdk synth` and name cdk.out/STACK.template.json.",
    ),
    (frozenset({"version", "phases"}), "a CodeBuild build specification", ""),
    (frozenset({"asyncapi"}), "an AsyncAPI document", ""),
    (frozenset({"name", "version", "dependencies"}), "a package.json", ""),
    (frozenset({"name", "version", "scripts"}), "a package.json", ""),
)
_TERRAFORM = re.compile(
    r'^[ \t]*(?:resource|data|module|provider|variable|terraform)[ \t]+(?:"[^"\n]*"[ \t]*){0,2}\{', re.MULTILINE
)
_FUNCTION_ONLY_SECTIONS = ("AWSTemplateFormatVersion", "Transform", "Parameters", "Outputs", "Globals")


def read_template(path: Path, parameters: AbstractMapping[str, str] = NO_PARAMETERS) -> Template:
    """Read a CloudFormation, SAM or OpenAPI file (YAML or JSON) into the one model.

    `parameters` are values for the template's parameters, in place of their defaults; pseudo parameters
    (`AWS::Region`) may be among them.

    Raises:
        DoctorError: one sentence saying what the file is, and what can be read.
    """
    document = _loaded(path, str(path))
    root = document.root
    if not isinstance(root, Mapping):
        raise NothingReadable(f"{path} is no template: it holds {_what(root)}.", _READ)
    try:
        return _read(path, root, document, parameters)
    except RecursionError:
        # Conditions that ask for one another in a chain, or files that include one another.
        raise NothingReadable(f"{path} has expressions that lead on and on.", "Shorten the chain.") from None


def _read(path: Path, root: Mapping, document: Document, parameters: AbstractMapping[str, str]) -> Template:
    is_openapi = openapi.is_openapi(root) and root.get("Resources") is None
    if not is_openapi:
        _refuse_others(path, root)
    files = _Files(path.parent)
    resolver = Resolver(root, parameters, files.include)
    reading = Reading(path.parent, resolver, files.include)
    files.reading = reading
    for oddity in document.oddities:
        reading.problem(oddity.mark, oddity.text)
    for name in parameters:
        if name not in resolver.parameters and name not in resolver.pseudo:
            raise UsageError(f"{path} has no parameter {name}.", _parameters_hint(root))
    if is_openapi:
        api = openapi.read_file(reading, root, path.stem)
        return Template(file=str(path), path=path, kind="openapi", apis=(api,), problems=_in_order(reading))
    return _read_stack(path, root, reading)


def _parameters_hint(root: Mapping) -> str:
    section = root.get("Parameters")
    names = list(section.entries) if isinstance(section, Mapping) else []
    return f"It has {', '.join(names[:20])}." if names else "It has no parameters."


# -- CloudFormation and SAM ---------------------------------------------------------------------------


def _read_stack(path: Path, root: Mapping, reading: Reading) -> Template:
    _note_resources(root, reading)
    is_sam = _is_sam(root)
    has_sam_types = any(one.type.startswith("AWS::Serverless::") for one in reading.resources.values())
    if has_sam_types and not is_sam:
        mark = next(one.mark for one in reading.resources.values() if one.type.startswith("AWS::Serverless::"))
        reading.problem(
            mark, f"AWS::Serverless resources without the transform {sam.TRANSFORM}; read as if it were there"
        )
    functions, callables = read_functions(reading)
    drafts = Drafts(reading, callables)
    cloudformation.read_apis(drafts)
    sam.read_apis(drafts)
    events = sam.read_events(drafts, _implicit_globals(root))
    cloudformation.read_parts(drafts)
    return Template(
        file=str(path),
        path=path,
        kind="sam" if is_sam or has_sam_types else "cloudformation",
        apis=drafts.finished(),
        functions=tuple(functions),
        others=tuple(_others(reading)) + tuple(events),
        problems=_in_order(reading),
        parameters={**reading.resolver.pseudo, **reading.resolver.parameters},
    )


def _is_sam(root: Mapping) -> bool:
    node = root.get("Transform")
    items = node.items if isinstance(node, Sequence) else (node,)
    return any(isinstance(item, Scalar) and item.text == sam.TRANSFORM for item in items)


def _implicit_globals(root: Mapping) -> dict[str, Mapping]:
    """Globals of the APIs that SAM makes by itself, by the type of their events."""
    section = root.get("Globals")
    found: dict[str, Mapping] = {}
    for name in ("Api", "HttpApi"):
        node = section.get(name) if isinstance(section, Mapping) else None
        if isinstance(node, Mapping):
            found[name] = node
    return found


def _note_resources(root: Mapping, reading: Reading) -> None:
    section = reading.resolver.settle(root.get("Resources"))
    if not isinstance(section, Mapping):
        reading.problem(root.mark, "Resources is not a mapping")
        return
    for key, node in section.items():
        if key.text.startswith("Fn::"):
            reading.problem(key.mark, f"{key.text} makes resources that only AWS can tell; they are not read")
            continue
        resource = _resource(key, node, root, reading)
        if resource is not None:
            reading.resources[key.text] = resource


def _resource(key: Scalar, node: Node, root: Mapping, reading: Reading) -> Resource | None:
    settled = reading.resolver.settle(node)
    if not isinstance(settled, Mapping):
        reading.problem(key.mark, f"the resource {key.text} is not a mapping")
        return None
    type_ = settled.get("Type")
    if not isinstance(type_, Scalar):
        reading.problem(key.mark, f"the resource {key.text} has no Type")
        return None
    condition = settled.get("Condition")
    if isinstance(condition, Scalar) and reading.resolver.condition(condition.text) is False:
        reading.problem(key.mark, f"{key.text} is left out: the condition {condition.text} is false here", "left-out")
        return None
    properties = _section(settled, "Properties", key, reading)
    return Resource(
        logical_id=key.text,
        type=type_.text,
        properties=sam.with_globals(root, type_.text, settled, properties),
        mark=key.mark,
        metadata=_section(settled, "Metadata", key, reading),
        attributes=settled,
    )


def _section(resource: Mapping, name: str, key: Scalar, reading: Reading) -> Mapping:
    node = resource.get(name)
    settled = reading.resolver.settle(node) if node is not None else None
    if isinstance(settled, Mapping):
        return settled
    if settled is not None and not (isinstance(settled, Scalar) and settled.value is None):
        reading.problem(settled.mark, f"{name} of {key.text} is not a mapping")
    return Mapping({}, key.mark)


def _others(reading: Reading) -> list[OtherResource]:
    for nested in reading.of_type("AWS::CloudFormation::Stack", "AWS::Serverless::Application"):
        reading.problem(nested.mark, f"{nested.logical_id} is a template of its own; name its file to have it read")
    return [other_resource(reading, one) for one in reading.resources.values() if one.type not in _API_FREE]


def _in_order(reading: Reading) -> tuple[Problem, ...]:
    return tuple(sorted(reading.problems, key=lambda one: (one.file, one.line, one.column)))


# -- files --------------------------------------------------------------------------------------------


class _Files:
    """Files beside the template that it includes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._loaded: dict[str, Node | None] = {}
        self.reading: Reading | None = None

    def include(self, location: str, mark: Mark) -> Node | None:
        """The root of a local file; None, with a problem noted, where it cannot be had."""
        if location not in self._loaded:
            self._loaded[location] = None  # a file that includes itself ends here
            self._loaded[location] = self._load(location, mark)
        return self._loaded[location]

    def _load(self, location: str, mark: Mark) -> Node | None:
        if "://" in location or "${" in location or "\0" in location or len(self._loaded) > _MAX_INCLUDED:
            self._note(mark, f"{location[:200]} is not a file beside the template, so it is not read")
            return None
        path = Path(self._directory, location)
        try:
            document = _loaded(path, str(path))
        except DoctorError as error:
            self._note(mark, error.message)
            return None
        for oddity in document.oddities:
            self._note(oddity.mark, oddity.text)
        return document.root

    def _note(self, mark: Mark, text: str) -> None:
        if self.reading is not None:
            self.reading.problem(mark, text)


def _loaded(path: Path, name: str) -> Document:
    text = _text(path)
    is_terraform = NothingReadable(f"{path} is Terraform, which is not read.", _READ)
    if path.suffix in (".tf", ".hcl"):
        raise is_terraform
    try:
        document = load_text(text, name)
    except BrokenText as error:
        if _TERRAFORM.search(text):
            raise is_terraform from None
        if path.suffix.lower() in (".yaml", ".yml", ".json", ".template", ".yaml~", ""):
            raise
        raise NothingReadable(f"{error.message[:-1]}; a {path.suffix} file is no template.", _READ) from None
    # A template may hold Terraform in a text of its own, so only what is no mapping is asked.
    if not isinstance(document.root, Mapping) and _TERRAFORM.search(text):
        raise is_terraform
    return document


def _text(path: Path) -> str:
    data = _bytes(path)
    if not data.strip():
        raise NothingReadable(f"{path} is empty.", _READ)
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if b"\0" in data[:100_000]:
        raise NothingReadable(f"{path} is a binary file, not a template.", _READ)
    # A comment in another encoding is no reason to refuse a template.
    return data.decode("utf-8", "replace")


def _bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            found = next((name for name in _NAMES if Path(path, name).is_file()), None)
            hint = f"Name {Path(path, found)}." if found else "Name the template in it."
            raise UsageError(f"{path} is a directory, not a template.", hint)
        if not path.exists():
            raise NothingReadable(f"{path} does not exist.", "Check the name, and the directory it is taken from.")
        if not path.is_file():
            raise NothingReadable(f"{path} is no ordinary file.", _READ)
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise NothingReadable(f"{path} has {size:,} bytes; templates have at most {MAX_BYTES:,}.", _READ)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NothingReadable(
            f"{str(path)[:300]!r} cannot be read: {reason}.", "Check the name and its rights."
        ) from None


# -- what a file is -----------------------------------------------------------------------------------


def _refuse_others(path: Path, root: Mapping) -> None:
    """Say what a file is that has no resources."""
    if isinstance(root.get("Resources"), Mapping):
        return
    keys = root.entries.keys()
    for signs, kind, hint in _OTHER_KINDS:
        if signs <= keys:
            raise NothingReadable(f"{path} is {kind}, which is not read.", hint or _READ)
    if any(name in keys for name in _FUNCTION_ONLY_SECTIONS):
        raise NothingReadable(
            f"{path} is a CloudFormation template without Resources.", "Nothing in it could be judged."
        )
    raise NothingReadable(f"{path} is neither a template nor an API description.", _READ)


def _what(root: Node | Unknown) -> str:
    if isinstance(root, Sequence):
        return "a list"
    return "nothing" if isinstance(root, Scalar) and root.value is None else "a single text"
