"""The fixed words of the answer: layers, boundaries, confidences and their kin.

The values are what the JSON answer carries; they never change their meaning.
"""

from enum import StrEnum


class ApiType(StrEnum):
    """Kind of API Gateway API."""

    REST = "rest"
    HTTP = "http"
    WEBSOCKET = "websocket"
    UNKNOWN = "unknown"


class Boundary(StrEnum):
    """The timer whose firing ended the request for the one who got the error."""

    INTEGRATION_TIMEOUT = "integration-timeout"
    FUNCTION_TIMEOUT = "function-timeout"
    INIT_TIMEOUT = "init-timeout"
    AUTHORIZER_TIMEOUT = "authorizer-timeout"
    CONNECT_TIMEOUT = "connect-timeout"
    LOAD_BALANCER_TIMEOUT = "load-balancer-timeout"
    EDGE_TIMEOUT = "edge-timeout"
    CLIENT_TIMEOUT = "client-timeout"
    NONE = "none"
    UNKNOWN = "unknown"


class Layer(StrEnum):
    """Where the time was spent."""

    CLIENT = "client"
    EDGE = "edge"
    GATEWAY = "gateway"
    AUTHORIZER = "authorizer"
    NETWORK = "network"
    CAPACITY = "capacity"
    INIT = "init"
    FUNCTION = "function"
    DEPENDENCY = "dependency"
    BACKEND = "backend"
    UNKNOWN = "unknown"


class Confidence(StrEnum):
    """How sure an answer is; see `RANK` for the order."""

    PROVEN = "proven"
    LIKELY = "likely"
    POSSIBLE = "possible"
    UNDETERMINED = "undetermined"

    @property
    def rank(self) -> int:
        """0 for undetermined up to 3 for proven."""
        return _RANK[self]

    def at_most(self, other: "Confidence") -> "Confidence":
        """The weaker of the two."""
        return self if self.rank <= other.rank else other


_RANK = {Confidence.UNDETERMINED: 0, Confidence.POSSIBLE: 1, Confidence.LIKELY: 2, Confidence.PROVEN: 3}


class Join(StrEnum):
    """By what an invocation was joined to its request."""

    REQUEST_ID = "request-id"
    TRACE_ID = "trace-id"
    LOGGED_ID = "logged-id"
    SEGMENT = "segment"
    TIME_WINDOW = "time-window"


class Outcome(StrEnum):
    """How an invocation ended."""

    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """Whether a verdict is about a failed request or about one that came near its limit."""

    FAILED = "failed"
    NEAR_LIMIT = "near-limit"


class LimitBasis(StrEnum):
    """Where the integration's effective limit is known from."""

    CONFIGURED = "configured"
    OBSERVED = "observed"
    DEFAULT = "default"


class ElapsedBasis(StrEnum):
    """Where the elapsed time is known from."""

    MEASURED = "measured"
    INFERRED = "inferred"
    CLIENT = "client"


class EvidenceKind(StrEnum):
    """The kinds of evidence that coverage speaks about."""

    EXECUTION_LOG = "execution-log"
    ACCESS_LOG = "access-log"
    LAMBDA_LOG = "lambda-log"
    TRACES = "traces"
    METRICS = "metrics"
    CONFIGURATION = "configuration"
    LOAD_BALANCER_LOG = "load-balancer-log"
    EDGE_LOG = "edge-log"
    CLIENT = "client"
