"""What an interface says no with: RFC 9457 problem bodies with a stable code."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from gateway.privacy.masks import mask


class ProblemBody(msgspec.Struct, frozen=True):
    """An RFC 9457 problem with a stable code."""

    type: str
    title: str
    status: int
    code: str
    detail: str


class Problem(Exception):
    """A request that is refused; `detail` says what, where and what to do, `headers` what HTTP wants to stand beside it."""

    def __init__(self, status: HTTPStatus, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        """Take the HTTP status, the stable code and one sentence."""
        super().__init__(detail)
        self.status, self.code, self.detail, self.headers = status, code, detail, headers or {}

    def body(self) -> ProblemBody:
        """Return the body of the answer; what it repeats of the request is masked, as answers end up in logs."""
        return ProblemBody(
            type=f"urn:tpo:problem:{self.code}",
            title=self.status.phrase,
            status=int(self.status),
            code=self.code,
            detail=mask(self.detail.encode(errors="replace").decode()),
        )


def bad_request(code: str, detail: str) -> Problem:
    """Refuse what was asked as it was asked."""
    return Problem(HTTPStatus.BAD_REQUEST, code, detail)


def not_found(code: str, detail: str) -> Problem:
    """Refuse what names something that is not there."""
    return Problem(HTTPStatus.NOT_FOUND, code, detail)


def draining() -> Problem:
    """Refuse what is new while the gateway is on its way out."""
    detail = "this gateway is on its way out and takes nothing new: ask another one, or ask again when it is back"
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "gateway.runtime.drain", detail)


def conflict(code: str, detail: str) -> Problem:
    """Refuse what contradicts something done before."""
    return Problem(HTTPStatus.CONFLICT, code, detail)
