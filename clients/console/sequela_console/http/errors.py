"""Errors of the API, as JSON with a reason, a message and the field that is wrong."""

from __future__ import annotations


class ApiError(Exception):
    """An error that is reported to the caller.

    Args:
        status: the HTTP status.
        reason: a stable UPPER_SNAKE_CASE code.
        message: what is wrong, and what to do.
        field: the parameter or the part of the body that is wrong; empty if it is none.
    """

    def __init__(self, status: int, reason: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.field = field


def bad_request(reason: str, message: str, field: str = "") -> ApiError:
    """Returns an error for a request that is wrong."""
    return ApiError(400, reason, message, field)


def not_found(reason: str, message: str) -> ApiError:
    """Returns an error for something that does not exist."""
    return ApiError(404, reason, message)
