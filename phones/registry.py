"""The phone types there are, in `phones/types/`: one file, or one folder where a file would be long.

Each holds one `PhoneType`; the name of the file or folder is its slug.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from phones import types
from phones.base import PhoneType


@cache
def all_types() -> dict[str, type[PhoneType]]:
    """Give {slug: type}, in the order of their labels. Raises TypeError for a module without a type."""
    found: dict[str, type[PhoneType]] = {}
    for module in pkgutil.iter_modules(types.__path__):
        if module.name.startswith("_"):
            continue  # what two types of one provider share
        found[module.name] = _type_in(module.name)
    return dict(sorted(found.items(), key=lambda item: str(item[1].label).casefold()))


def _type_in(slug: str) -> type[PhoneType]:
    module = import_module(f"phones.types.{slug}")
    classes = [
        item
        for item in vars(module).values()
        if isinstance(item, type)
        and issubclass(item, PhoneType)
        and item.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise TypeError(f"phones.types.{slug} must hold exactly one PhoneType, not {len(classes)}.")
    kind = classes[0]
    kind.slug = slug
    kind.provider = kind.provider or kind.label
    return kind


def get(slug: str) -> type[PhoneType]:
    """Give one type. Raises KeyError when its file or folder is gone."""
    return all_types()[slug]
