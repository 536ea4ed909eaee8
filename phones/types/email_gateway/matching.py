"""From what a look-up calls a carrier to the one gateway of the list that is meant, or to none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

from phones.base import LookedUp
from phones.types.email_gateway.carriers import Carrier

# What stands behind a company's name and does not say which one it is.
_FILLERS = re.compile(
    r"( (ag|as|bv|communications|corp|corporation|gmbh|inc|incorporated|llc|lp|ltd|limited|mobile|mobility"
    r"|nv|pcs|plc|sa|sas|services|spa|srl|telecom|usa|us|wireless))+$"
)
# Networks by MCC-MNC, written from memory, for names that say less: "Cellco Partnership" is Verizon
# Wireless. Who rents a network is reached by its gateway or not at all, and nobody else has the number.
_NETWORKS = {
    "208-10": "fr-sfr",
    "208-20": "fr-bouygues-telecom",
    "302-220": "ca-telus-mobility",
    "302-610": "ca-bell-mobility-solo-mobile",
    "302-720": "ca-rogers-wireless",
    "310-260": "us-t-mobile",
    "310-410": "us-att",
    "311-480": "us-verizon",
}


def match(carriers: Mapping[str, Carrier], found: LookedUp) -> str:
    """Give the slug of the carrier that was found, "" where none or more than one is meant.

    The whole name comes before the name without what companies put behind theirs, a carrier of the
    number's country before one of any, and the network's code last. A gateway that has ended is found
    too, so that its message says so.
    """
    for write in (_whole, _core):
        for country in (found.country.upper(), ""):
            there = [one for one in carriers.values() if one.country == country]
            same = [one.slug for one in there if write(found.carrier) in _names(one, write)]
            if len(same) == 1:
                return same[0]
    network = _NETWORKS.get(found.code, "")
    return network if network in carriers else ""


def _names(carrier: Carrier, write: Callable[[str], str]) -> set[str]:
    """Give what a carrier of the list may be called: “Movistar/Telefonica” has two names."""
    return {write(name) for name in (carrier.name, *carrier.name.split("/"))} - {""}


def _whole(name: str) -> str:
    apart = unicodedata.normalize("NFKD", name.lower().replace("&", " and "))
    kept = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return " ".join(re.findall(r"\w+", kept))


def _core(name: str) -> str:
    """AT&T Wireless, Inc. - SVR → at and t; T-Mobile USA → t."""
    return _FILLERS.sub("", _whole(re.split(r"\(|,| - ", name)[0]))
