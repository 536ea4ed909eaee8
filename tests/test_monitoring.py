"""The dashboard and the alert rules ask for metrics that exist, with labels that they have."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.test import Client

from messaging import tallies
from phones import live
from phones.models import Phone

FOLDER = Path(__file__).parents[1] / "docs" / "monitoring"


def names_in(text: str) -> set[str]:
    return {
        re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"smsapp_[a-z_]+", text)
    }


@pytest.fixture
def told(db: None, phone: Phone) -> str:
    Phone.objects.create(workspace=phone.workspace, type="smpp", name="Line", settings={})
    line = Phone.objects.latest("pk")
    bind = {"name": "trx 1", "state": "bound", "in_flight": 1, "window": 10, "answer_ms": 2.0}
    live.show(line.pk, [bind])
    tallies.counters.count("throttles", phone.pk)
    return Client().get("/metrics").content.decode()


def test_the_dashboard_asks_for_what_is_told(told: str) -> None:
    board = json.loads((FOLDER / "grafana.json").read_text())
    asked = [t["expr"] for panel in board["panels"] for t in panel.get("targets", [])]
    families = set(re.findall(r"^# TYPE (\S+)", told, re.MULTILINE))

    assert len(asked) > 20
    assert names_in(" ".join(asked)) - families == set()


def test_the_alerts_ask_for_what_is_told_and_say_what_mends_it(told: str) -> None:
    rules = (FOLDER / "alerts.yaml").read_text()
    families = set(re.findall(r"^# TYPE (\S+)", told, re.MULTILINE))

    assert names_in(rules) - families == set()
    assert rules.count("- alert:") == rules.count("mend:") == rules.count("severity:")


def test_the_page_about_metrics_names_each_of_them(told: str) -> None:
    page = (FOLDER / "README.md").read_text()
    families = set(re.findall(r"^# TYPE (\S+)", told, re.MULTILINE))
    endings = set(re.findall(r"`(_[a-z_]+)`", page))
    named = set(re.findall(r"`(smsapp_[a-z_]+)`", page))

    missing = [f for f in families - named if not any(f.endswith(end) for end in endings)]
    assert missing == []
