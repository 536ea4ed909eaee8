"""A data folder of the test's own, and a few people more."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Membership, User, Workspace
from tests.conftest import logged_in


@pytest.fixture
def data_dir(tmp_path: Path, settings: Settings) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def as_dora(dora: User) -> Client:
    return logged_in(dora)


@pytest.fixture
def owner(alice: User, workspace: Workspace) -> Membership:
    return alice.memberships.get(workspace=workspace)


@pytest.fixture
def admin(dora: User, workspace: Workspace) -> Membership:
    return dora.memberships.get(workspace=workspace)


@pytest.fixture
def sends(bob: User, workspace: Workspace) -> Membership:
    return bob.memberships.get(workspace=workspace)
