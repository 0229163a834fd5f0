"""The headers that every answer has: what browsers may load, run and show in frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_SOURCES = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'"
)

COMMON: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def page_headers() -> dict[str, str]:
    """Returns the headers of pages, assets and API answers, which no other site may show or load."""
    return {
        **COMMON,
        "Content-Security-Policy": f"{_SOURCES}; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }


def embed_headers(origins: Iterable[str]) -> dict[str, str]:
    """Returns the headers of the panel of one alert, which the given origins may show in a frame."""
    allowed = " ".join(origins) or "'none'"
    return {
        **COMMON,
        "Content-Security-Policy": f"{_SOURCES}; frame-ancestors {allowed}",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
