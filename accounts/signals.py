"""What accounts announces to apps above it."""

from __future__ import annotations

from django.dispatch import Signal

# Sent with `workspace` (accounts.models.Workspace) inside the transaction that creates it.
workspace_created = Signal()

# workspace: what its senders can be limited to. Receivers give {"phones": {mark: name}} or {"people": …},
# in the order in which they are offered (see accounts.limits).
limits_asked = Signal()

# workspace: nobody enters it any more, and nothing shall leave it. Inside a transaction.
workspace_archived = Signal()

# feature (accounts.features.Feature): it was left out, and nothing of it shall go on.
feature_left_out = Signal()

# workspace: it is being deleted. Who holds something that does not go with the row itself deletes
# some of it and says whether (True) there is more; it is asked again. Outside transactions.
workspace_deleting = Signal()
