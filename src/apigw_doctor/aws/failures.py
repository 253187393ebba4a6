"""From boto3's exceptions to one sentence with a hint."""

from typing import Any

from apigw_doctor.aws import errors
from apigw_doctor.aws.errors import AwsError

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedAccess"})
_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_THROTTLED = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_EXISTS = frozenset(
    {"ConflictException", "EntityAlreadyExists", "ResourceAlreadyExistsException", "ResourceConflictException"}
)
_MISSING = frozenset({"NoSuchEntity", "NotFoundException", "ResourceNotFoundException"})
_UNKNOWN = frozenset(
    {"InvalidAction", "NotImplemented", "NotImplementedException", "UnknownOperation", "UnknownOperationException"}
)
#: Errors of AWS have a name; a bare status, or nothing, comes from a server that does not know the path or the call.
_NAMELESS = frozenset({"", "400", "404", "405", "500", "501", "Unknown"})
_UNKNOWN_WORDS = ("not implemented", "has not been implemented", "unknown path", "unknown action", "not supported")


def failure(error: Exception, service: str, operation: str, endpoint: str) -> AwsError | None:
    """What to tell of an exception of botocore; None: it is none that a user can mend."""
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    where = f"{service} {operation} at {endpoint}"
    if isinstance(error, exceptions.ClientError):
        return _refusal(error.response, where)
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        return no_credentials(f"{where}: there are no AWS credentials")
    if isinstance(error, (exceptions.CredentialRetrievalError, exceptions.TokenRetrievalError, exceptions.SSOError)):
        return no_credentials(f"{where}: the AWS credentials could not be had ({error})")
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError)):
        return errors.UnreachableError(
            f"{where}: no answer ({_short(str(error))})",
            hint="is the endpoint up? --endpoint-url or AWS_ENDPOINT_URL names it; the region must be one that AWS has",
        )
    if isinstance(error, ResponseParserError):
        return errors.NotSupportedError(f"{where}: the answer is none of AWS's ({_short(str(error))})")
    return None


def no_credentials(message: str) -> AwsError:
    """Nobody says who we are."""
    return errors.CredentialsError(
        message,
        hint="name a profile with --profile, sign in (`aws sso login`), or set AWS_ACCESS_KEY_ID and"
        " AWS_SECRET_ACCESS_KEY; any words will do for a local endpoint",
    )


def _refusal(response: Any, where: str) -> AwsError:  # noqa: ANN401 - botocore's
    known = response.get("Error", {})
    code, words = str(known.get("Code", "")), _short(str(known.get("Message", "")))
    message = f"{where}: {code or 'refused'}{f' ({words})' if words else ''}"
    # Emulators that lack a call say so in their own ways; with a name of AWS's an error is an answer.
    if code in _UNKNOWN or (code in _NAMELESS and _nameless(response)) or _says_unknown(words):
        return errors.NotSupportedError(message)
    if code in _CREDENTIALS:
        return no_credentials(message)
    if code in _DENIED:
        action = where.split(" at ")[0].replace(" ", ":")
        return errors.AccessDeniedError(message, hint=f"allow {action} to this role, or name another --profile")
    if code in _THROTTLED:
        return errors.ThrottledError(message, hint="try again later, or ask for less")
    if code in _EXISTS:
        return errors.ExistsError(message)
    if code in _MISSING:
        return errors.MissingError(message)
    return errors.RefusedError(message)


def _nameless(response: Any) -> bool:  # noqa: ANN401 - botocore's
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status in (400, 404, 405, 500, 501)


def _says_unknown(words: str) -> bool:
    return any(one in words.lower() for one in _UNKNOWN_WORDS)


def _short(words: str) -> str:
    """The first line of it; an HTML page is no sentence."""
    if words.lstrip().startswith("<"):
        return "a page, no words of AWS's"
    line = next((one.strip() for one in words.splitlines() if one.strip()), "")
    return line if len(line) <= 200 else f"{line[:197]}..."
