"""What can go wrong between us and an AWS endpoint; each is one sentence with a hint.

AwsError
+-- CredentialsError     nobody says who we are, or what we have has expired
+-- UnreachableError     nobody answers at the endpoint
+-- AccessDeniedError    it answers: you may not
+-- ThrottledError       too many calls, after all retries
+-- NotSupportedError    the endpoint does not have this operation (an emulator's gap)
+-- ExistsError          there is one of this name
+-- MissingError         there is none of this name
+-- IncompleteError      the answer lacks what it must have
+-- RefusedError         any other refusal, in the endpoint's own words
"""

from apigw_doctor.model.errors import DoctorError


class AwsError(DoctorError):
    """A call of an AWS API failed."""


class CredentialsError(AwsError):
    """There are no credentials, or they are not valid any more."""


class UnreachableError(AwsError):
    """No answer came."""


class AccessDeniedError(AwsError):
    """The caller is known and may not do this."""


class ThrottledError(AwsError):
    """The endpoint said "too many requests" as often as it was asked."""


class NotSupportedError(AwsError):
    """The endpoint does not know the operation."""


class ExistsError(AwsError):
    """Something of this name exists."""


class MissingError(AwsError):
    """Nothing of this name exists."""


class IncompleteError(AwsError):
    """A success without the members that such an answer always has."""


class RefusedError(AwsError):
    """The endpoint refused the request for another reason."""
