"""Packages that only some features need, and how to install them."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from sequela_client.errors import CallerError


def require(module: str, extra: str) -> ModuleType:
    """Imports a module of a package that an extra installs.

    Args:
        module: the module, such as "duckdb" or "matplotlib.figure".
        extra: the extra of sequela that installs it.

    Raises:
        CallerError: if the package is not installed; the message says how to install it.
    """
    try:
        # The import is late, because most users need none of the extras.
        return import_module(module)
    except ModuleNotFoundError as missing:
        # If a module deeper inside is missing, the installation is broken, and the original error says more.
        if missing.name is None or missing.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise CallerError(
            f"this needs {missing.name.partition('.')[0]}, which is not installed; run pip install '.[{extra}]' in a "
            "clone of the repository",
            reason="EXTRA_NOT_INSTALLED",
        ) from None
