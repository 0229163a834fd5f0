"""The built front end: pages and assets, which are part of the package."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import FileResponse, Response

from sequela_console.http.errors import not_found

STATIC = Path(__file__).resolve().parent.parent / "static"
_FOR_EVER = "public, max-age=31536000, immutable"


def page(name: str) -> Response:
    """Returns a page of the front end, such as `index.html`, which browsers ask for anew each time."""
    return FileResponse(STATIC / name, headers={"Cache-Control": "no-cache"})


def asset(name: str) -> Response:
    """Returns an asset, whose name has a digest of its content. Raises ApiError (404) if there is none."""
    # Only what the folder lists is opened, whatever dots, slashes or other signs the name has.
    if name not in _assets():
        raise not_found("ASSET_NOT_FOUND", f"there is no asset {name[:80]!r}")
    return FileResponse(STATIC / "assets" / name, headers={"Cache-Control": _FOR_EVER})


def _assets() -> frozenset[str]:
    return frozenset(each.name for each in (STATIC / "assets").iterdir() if each.is_file())
