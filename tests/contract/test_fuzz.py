"""Whatever can be made up from the document, sent to the server: it answers as documented, or refuses as
documented, and never fails."""

import os

import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi

from conftest import URL, keys_of

EXAMPLES = int(os.environ["CLM_FUZZ_EXAMPLES"])
CHECKS = [
    checks.not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_headers_conformance,
    openapi.response_schema_conformance,
    openapi.unsupported_method,
]
CONFIG = schemathesis.Config.from_dict({"seed": 8, "generation": {"max-examples": EXAMPLES}})
API = schemathesis.openapi.from_url(f"{URL}/openapi.json", config=CONFIG)
SESSION = requests.Session()
SESSION.trust_env = False


# Their answers never end by themselves.
LIVE = ["watchTurns", "watchSession"]
LIMITS = settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)


@API.exclude(operation_id=LIVE).parametrize()
@LIMITS
def test_whatever_is_sent_is_answered_as_documented(case):
    response = case.call(session=SESSION, headers=keys_of(case.operation.definition.raw), timeout=20)
    case.validate_response(response, checks=CHECKS)


@API.include(operation_id=LIVE).parametrize()
@LIMITS
def test_a_stream_without_end_begins_as_documented(case):
    """Its head is judged; the rest would be waited for in vain."""
    wanted = case.as_transport_kwargs(headers=keys_of(case.operation.definition.raw))
    with SESSION.request(**wanted, stream=True, timeout=20) as response:
        if response.status_code == 200 and response.request.method != "HEAD":
            assert response.headers["content-type"] == "text/event-stream"
            return
        case.validate_response(response, checks=CHECKS)
