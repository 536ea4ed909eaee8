"""What accounts announces to apps above it."""

from __future__ import annotations

from django.dispatch import Signal

# Sent with `workspace` (accounts.models.Workspace) inside the transaction that creates it.
workspace_created = Signal()
