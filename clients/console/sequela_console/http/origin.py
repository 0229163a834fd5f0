"""Whether a request comes from the console's own pages, or from another site that a person has open."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from sequela_console.http.errors import ApiError


def check_origin(headers: Mapping[str, str]) -> None:
    """Raises ApiError (403) if a browser says that a request was made by another site.

    Programs that are not browsers send neither header, and no cookies by themselves.
    """
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        raise _foreign()
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        raise _foreign()


def check_host(host: str) -> None:
    """Raises ApiError (403) if a console on this machine is called by a name that is not of this machine.

    Another site could otherwise point its own name at this machine, and read what anybody here may read.
    """
    name = _host_name(host)
    if name != "localhost" and not _is_loopback(name):
        raise ApiError(
            403,
            "HOST_NOT_ALLOWED",
            f"the console listens on this machine only, and is not called {name[:80]!r}; open it as localhost",
        )


def check_public_host(host: str, public_url: str) -> None:
    """Raises ApiError (403) if a console behind a proxy is called by another name than its public one.

    Args:
        host: the header `Host`.
        public_url: the origin under which people reach the console.
    """
    if host.lower() != urlsplit(public_url).netloc:
        raise ApiError(
            403,
            "HOST_NOT_ALLOWED",
            f"people reach the console at {public_url}, and this request was for {host[:80]!r}; open that address, and "
            "let the proxy pass the header Host on unchanged",
        )


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return host


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _foreign() -> ApiError:
    return ApiError(
        403, "ORIGIN_NOT_ALLOWED", "the request was made by another site; open the console and try again"
    )
