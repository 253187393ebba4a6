"""Read a template, whatever its kind."""

from collections.abc import Mapping
from pathlib import Path

from apigw_doctor.templates.model import Template

NO_PARAMETERS: Mapping[str, str] = {}


def read_template(path: Path, parameters: Mapping[str, str] = NO_PARAMETERS) -> Template:
    """Read a CloudFormation, SAM or OpenAPI file (YAML or JSON) into the one model.

    `parameters` are values for the template's parameters, in place of their defaults; pseudo parameters
    (`AWS::Region`) may be among them.

    Raises:
        DoctorError: one sentence saying what the file is, and what can be read.
    """
    raise NotImplementedError
