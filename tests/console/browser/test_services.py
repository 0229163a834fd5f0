"""What people see of a service that stops and comes back, and of one whose models say several things."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from api import inference_calls
from console.browser.visits import visiting
from console.cohort_files import write_cohort
from console.filled_service import MODEL, bundled_alerts
from console.running_console import running_console
from free_ports import free_ports
from matrix import BY_NAME, copy_models
from playwright.sync_api import Browser, expect
from sequela_client.client import Sequela
from sequela_client.files import read_sequence
from sequela_client.local_server import server_package
from serving import Serving, embedded

REPOSITORY = server_package() / "demo" / "models"


def test_a_service_that_stops_and_comes_back(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says so by itself, the list and cohorts can still be read, and it goes on when the service is back."""
    monkeypatch.setattr("sequela_console.sessions.service_door.PROBE_SECONDS", 0.0)
    store = f"sqlite:{tmp_path / 'store.db'}"
    # A port that nobody else is given while the service is away.
    (port,) = free_ports(1)
    with Serving(embedded(port=port, model_repository=REPOSITORY, store=store)) as service:
        address = service.bound.grpc
        with Sequela(address) as client:
            client.explain(read_sequence(bundled_alerts()[-1]), model=MODEL, target_standard_error=0.02)
        cohorts = {"shop": write_cohort(tmp_path / "shop", 5)}
        with running_console(address, tmp_path, cohorts=cohorts) as console:
            console.console.index.refresh()
            with visiting(browser, console.url) as visit:
                visit.expected += ["503", "504", "401"]
                page = visit.go("/alerts")
                rows = page.locator("tbody tr")
                expect(rows).to_have_count(1)
                service.drain()
                banner = page.locator(".banner")
                expect(banner).to_contain_text("The service does not answer")
                expect(rows).to_have_count(1)
                page.get_by_role("link", name="Cohorts").first.click()
                page.get_by_role("link", name="shop").first.click()
                expect(page.get_by_role("heading", level=1)).to_contain_text("shop")
                with Serving(embedded(port=port, model_repository=REPOSITORY, store=store)):
                    expect(banner).to_be_empty(timeout=60_000)
                    page.get_by_role("link", name="Alerts").first.click()
                    rows.first.get_by_role("link").first.click()
                    expect(page.get_by_role("heading", name="History")).to_be_visible()


def test_the_list_of_another_output(browser: Browser, tmp_path: Path) -> None:
    """Scores of the chosen output stand in the list; an alert opens with it, and the export has it."""
    root = copy_models(tmp_path / "models", ("classes",))
    with Serving(embedded(model_repository=root)) as service:
        inference_calls.create_background(service, BY_NAME["classes"])
        with Sequela(service.bound.grpc) as client:
            answer = client.explain(BY_NAME["classes"].sample(5, 1), model="classes", background="usual")
        last = answer.targets[-1]
        with running_console(service.bound.grpc, tmp_path) as console:
            console.console.index.refresh()
            with visiting(browser, console.url) as visit:
                page = visit.go("/alerts")
                page.get_by_label("Output whose scores").select_option(last.name)
                score = page.locator("tbody tr td.score")
                expect(score).to_contain_text(f"{last.raw_score:.3f}")
                page.get_by_role("button", name="Export decisions").click()
                export = page.get_by_role("link", name="CSV, for a spreadsheet")
                expect(export).to_have_attribute("href", f"/api/labels.csv?target={last.name}")
                page.keyboard.press("Escape")
                page.locator("tbody tr").first.get_by_role("link").first.click()
                expect(page.locator(".score .number")).to_have_text(f"{last.raw_score:.3f}")
                expect(page.get_by_label("Score of").locator("option:checked")).to_have_text(
                    last.label or last.name
                )


def test_the_result_of_another_model(browser: Browser, tmp_path: Path) -> None:
    """The dialog offers the service's models; both results stand side by side, and nothing is stored."""
    root = tmp_path / "models"
    for name in (MODEL, "second_opinion"):
        shutil.copytree(REPOSITORY / MODEL, root / name)
    with Serving(embedded(model_repository=root)) as service, Sequela(service.bound.grpc) as client:
        # Exact at the level of events, so that the same model under another name has the same numbers.
        stored = client.explain(read_sequence(bundled_alerts()[-1]), model=MODEL, target_standard_error=0.02)
        with running_console(service.bound.grpc, tmp_path) as console:
            console.console.index.refresh()
            with visiting(browser, console.url) as visit:
                page = visit.go(f"/alerts/{stored.name.rpartition('/')[2]}")
                page.get_by_role("button", name="Another model…").click()
                dialog = page.get_by_role("dialog")
                dialog.get_by_label("Model").select_option(label="second_opinion, version 1")
                dialog.get_by_role("button", name="Explain and compare").click()
                events = page.locator("section").filter(has=page.get_by_role("heading", name="Events"))
                expect(events.locator("tbody tr").first).to_be_visible()
                for model in (MODEL, "second_opinion"):
                    expect(page.locator("main")).to_contain_text(f"{model}, version 1")
                for row in events.locator("tbody tr").all():
                    one, other, difference = (
                        each.split()[0] for each in row.locator("td").all_inner_texts()[:3]
                    )
                    assert one == other
                    assert difference.strip("+−") in ("0", "0.000")
        assert [each.name for each in client.list_explanations()] == [stored.name]
