"""What happens to phones, for those above who must act on it."""

from __future__ import annotations

from django.dispatch import Signal

# phone: it may send (again): it was added, started, or its settings have changed. Work that waits
# for it is worth a look. Sent again and again without harm; perhaps inside a transaction.
phone_ready = Signal()

# phone, by (User or None): it is about to be deleted, inside the transaction that deletes it. What
# waits for it must be given another fate now.
phone_deleted = Signal()

# pool: it may be deleted. Whoever uses it answers with a list of phones.pools.Use.
asked_for_uses = Signal()
