"""How much a workspace, and each person in it, may send (docs/quotas.md).

What is granted is a ledger that only grows (`ledger`). What is used is kept by the database itself
(`counting`): each message names the periods that it is charged to, and counts there while it may leave or
has left. So what is cancelled, skipped or refused is given back by itself, whatever statement did it, and
left = granted - used at any moment. Charging (`charging`) and renewing lock the quota's row.
"""
