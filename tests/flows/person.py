"""A person with a browser that knows links and forms but no script: what a site must do for anybody."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import requests

EMAIL, PASSWORD = "claire@example.org", "correct horse battery"


class _Forms(HTMLParser):
    """Collect the forms of a page with what is filled in already."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        here = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append({"": here.get("action", "")})
        elif tag == "select":
            self._select = here.get("name", "")
        elif not self.forms:
            return
        elif tag == "input" and here.get("name"):
            chosen = here.get("type") not in ("checkbox", "radio") or "checked" in here
            if chosen and here.get("type") not in ("file", "submit"):
                self.forms[-1][here["name"]] = here.get("value", "")
        elif tag == "option" and "selected" in here:
            self.forms[-1][self._select] = here.get("value", "")


class Person:
    """Somebody at the site. `page` is the last page they saw."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Accept-Language"] = "en"
        self.page: requests.Response

    def open(self, path: str) -> str:
        self.page = self.session.get(self.url + path, timeout=30)
        assert self.page.status_code == 200, (path, self.page.status_code, self.page.text[:2000])
        return self.page.text

    def fill_in(self, path: str, having: str, **fields: Any) -> str:
        """Open a page, fill in the form that has the field `having`, and send it off."""
        html = self.open(path)
        reader = _Forms()
        reader.feed(html)
        form = next(form for form in reader.forms if having in form or having in form[""])
        action = form.pop("")
        target = self.page.url if not action else requests.compat.urljoin(self.page.url, action)
        self.page = self.session.post(target, data={**form, **fields}, timeout=30)
        assert self.page.status_code == 200, (path, self.page.status_code, self.page.text[:3000])
        return self.page.text

    def sees(self, path: str, words: str, seconds: float = 30) -> str:
        """Reload a page until it shows the words."""
        return until(lambda: html if words in (html := self.open(path)) else "", seconds)

    def find(self, pattern: str) -> str:
        found = re.search(pattern, self.page.text) or re.search(pattern, self.page.url)
        assert found, f"{pattern} is not on {self.page.url}"
        return found.group(1)


def until(look: Callable[[], Any], seconds: float = 30) -> Any:
    """Look again and again until there is something; give it."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "It did not come."
        time.sleep(0.2)
    return found


def log_in(url: str) -> Person:
    """Give the administrator of a site that was set up."""
    person = Person(url)
    person.fill_in("/login/", "password", login=EMAIL, password=PASSWORD)
    return person


def set_up(url: str, code: str) -> Person:
    """Make the administrator of an empty site."""
    person = Person(url)
    person.fill_in(
        "/setup/",
        "csrfmiddlewaretoken",
        code=code,
        name="Claire Morel",
        email=EMAIL,
        password=PASSWORD,
    )
    person.fill_in(
        "/setup/site/",
        "csrfmiddlewaretoken",
        name="Les Tilleuls",
        country="FR",
        time_zone="Europe/Paris",
        language="en",
    )
    return person
