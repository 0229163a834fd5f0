"""A feature whose package is missing says how to install it."""

import json
import subprocess
import sys

import pytest
from sequela_client.errors import CallerError
from sequela_client.extras import require


def test_a_package_that_is_installed_is_imported():
    assert require("json", "report") is json


def test_a_missing_package_is_named_with_its_extra():
    with pytest.raises(CallerError, match=r"needs nowhere_to_be_found.*pip install '.\[cohort\]'") as refused:
        require("nowhere_to_be_found.inside", "cohort")
    assert refused.value.reason == "EXTRA_NOT_INSTALLED"


def test_a_broken_installation_keeps_its_own_error(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import nowhere_to_be_found")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        require("half_installed", "report")


def test_the_plain_client_and_the_command_import_no_package_of_an_extra():
    """And who only asks a server does not wait for libraries of tables and of the command."""
    heavy = "matplotlib", "pandas", "jinja2", "pyarrow", "duckdb", "polars", "click", "rich"
    extras = "duckdb", "jinja2", "matplotlib", "pandas", "pyarrow", "pyspark", "ray"
    modules = (
        *("sequela_client.cli.main", "sequela_client.model_inputs.file_inputs"),
        "sequela_client.plots.alert",
    )
    code = (
        f"import sys, sequela_client; found = [each for each in {heavy} if each in sys.modules]; "
        f"import {', '.join(modules)}; print(found, [each for each in {extras} if each in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[] []"
