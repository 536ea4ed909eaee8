"""Files of messages: for members and for providers that were told, and never to run in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone

from accounts.models import User, Workspace
from messaging import media
from messaging.models import Media

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 30


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def stored(workspace: Workspace, content_type: str = "image/png", content: bytes = PNG) -> Media:
    item = Media(workspace=workspace, content_type=content_type, size=len(content))
    item.file.save("upload.bin", ContentFile(content))
    return item


def public_path(item: Media) -> str:
    return media.attachment(item).url.partition("/media/")[2].join(["/media/", ""])


def content_of(response: Any) -> bytes:
    # The test client closes a stream once it was read to its end.
    return b"".join(response.streaming_content)


def test_a_member_sees_a_picture(as_vera: Client, workspace: Workspace) -> None:
    response = as_vera.get(f"/files/{stored(workspace).pk}/")

    assert content_of(response) == PNG
    assert response["Content-Type"] == "image/png"
    assert response["Content-Disposition"].startswith("inline")
    assert response["Cache-Control"].startswith("private")


@pytest.mark.parametrize(
    "content_type",
    ["image/svg+xml", "text/html", "application/pdf", "application/xhtml+xml", "text/xml", ""],
)
def test_what_is_no_plain_picture_is_only_downloaded(
    as_vera: Client, workspace: Workspace, content_type: str
) -> None:
    item = stored(workspace, content_type, b"<script>alert(1)</script>")

    response = as_vera.get(f"/files/{item.pk}/")
    content_of(response)

    assert response["Content-Disposition"].startswith("attachment")
    assert response["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("content_type", ["image/png", "text/html"])
def test_nothing_in_a_file_can_run(
    as_vera: Client, client: Client, workspace: Workspace, content_type: str
) -> None:
    item = stored(workspace, content_type)

    for response in (as_vera.get(f"/files/{item.pk}/"), client.get(public_path(item))):
        content_of(response)
        assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert response["X-Content-Type-Options"] == "nosniff"


def test_a_file_of_another_workspace_is_not_there(as_charlie: Client, workspace: Workspace) -> None:
    assert as_charlie.get(f"/files/{stored(workspace).pk}/").status_code == 404


def test_who_is_not_logged_in_gets_no_file_by_its_number(
    client: Client, alice: User, workspace: Workspace
) -> None:
    response = client.get(f"/files/{stored(workspace).pk}/")

    assert response.status_code == 302
    assert response["Location"].startswith("/login/")


def test_a_provider_gets_a_file_by_its_signed_address(
    client: Client, alice: User, workspace: Workspace
) -> None:
    path = public_path(stored(workspace))

    for address in (path, path.rstrip("/")):
        response = client.get(address)
        assert response.status_code == 200
        assert content_of(response) == PNG
        assert response["Content-Type"] == "image/png"
    assert not client.cookies


def test_a_signed_address_ends(client: Client, alice: User, workspace: Workspace) -> None:
    path = public_path(stored(workspace))

    with time_machine.travel(timezone.now() + media.LINK_LIFE * 1.01):
        assert client.get(path).status_code == 404


def test_a_signed_address_cannot_be_changed_to_another_file(
    client: Client, alice: User, workspace: Workspace
) -> None:
    first, second = stored(workspace), stored(workspace)
    forged = public_path(first).replace(f"/media/{first.pk}:", f"/media/{second.pk}:")

    assert forged != public_path(first)
    assert client.get(forged).status_code == 404
    assert client.get(f"/media/{second.pk}/").status_code == 404


def test_a_file_that_is_gone_or_never_came_is_not_there(
    as_vera: Client, workspace: Workspace
) -> None:
    gone, never = stored(workspace), Media.objects.create(workspace=workspace, source="x")
    Path(gone.file.path).unlink()

    assert as_vera.get(f"/files/{gone.pk}/").status_code == 404
    assert as_vera.get(public_path(gone)).status_code == 404
    assert as_vera.get(f"/files/{never.pk}/").status_code == 404
