"""Rates shared by all processes: a token bucket in Redis (GCRA), in units per second.

GCRA keeps one number, the theoretical arrival time of the next unit
(https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm). Losing it lets one extra burst through.
"""

from __future__ import annotations

from redis import Redis

# KEYS: bucket. ARGV: units per second, burst in units, units wanted. Time is the server's.
_TAKE = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1000000
local step, burst, want = 1 / ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
-- No debt is that large: the server's clock was set back.
if at > now + (burst + 1000) * step then at = now end
local free = math.floor((now + burst * step - at) / step + 0.000001)
if free < 1 then return {0, tostring(at + step - burst * step - now)} end
local given = math.min(free, want)
at = at + given * step
local life = math.ceil((at - now + burst * step) * 1000) + 1000
redis.call('SET', KEYS[1], string.format('%.6f', at), 'PX', life)
return {given, '0'}
"""
_CHARGE = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1000000
local at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + ARGV[2] / ARGV[1]
local life = math.max(1000, math.ceil((at - now) * 1000) + 1000)
redis.call('SET', KEYS[1], string.format('%.6f', at), 'PX', life)
return 1
"""


def take(redis: Redis, key: str, *, rate: float, burst: float, want: int) -> tuple[int, float]:
    """Take up to `want` units: (how many were given, seconds until the next one when none was)."""
    given, wait = redis.eval(_TAKE, 1, f"rate:{key}", rate, burst, want)
    return int(given), max(0.0, float(wait))


def charge(redis: Redis, key: str, *, rate: float, units: int) -> None:
    """Take `units` more as a debt, or give some back (negative)."""
    if units:
        redis.eval(_CHARGE, 1, f"rate:{key}", rate, units)
