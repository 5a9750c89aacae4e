"""Check the built site: links lead to what is there, and nothing is loaded from the network.

Usage: check_links.py FOLDER
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "iframe": "src", "video": "src", "source": "src"}
"""Attributes of what a page loads by itself; of `link` those that are style sheets or icons."""


class Page(HTMLParser):
    """Links of a page, places in it, and what it loads."""

    def __init__(self, text):
        super().__init__()
        self.links, self.places, self.loads = set(), {"", "top"}, set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.places |= {attrs[name] for name in ("id", "name") if attrs.get(name)}
        if tag == "a" and attrs.get("href"):
            self.links.add(attrs["href"])
        if tag == "link" and attrs.get("rel") in ("stylesheet", "icon", "preload", "shortcut icon"):
            self.loads.add(attrs["href"])
        if attrs.get(LOADED.get(tag)):
            self.loads.add(attrs[LOADED[tag]])


def wrong(folder):
    """What is wrong with the pages in a folder, in words."""
    found = (path for path in folder.rglob("*.html") if "_static" not in path.parts)  # there are templates
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in found}
    for path, page in pages.items():
        where = path.relative_to(folder)
        for address in sorted(page.links | page.loads):
            parts = urlsplit(address)
            if parts.scheme == "data":
                continue
            if parts.scheme or parts.netloc:
                if address in page.loads:
                    yield f"{where} loads {address}"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                yield f"{where} has a link to {address}, which is not there"
            elif target in pages and unquote(parts.fragment) not in pages[target].places:
                yield f"{where} has a link to {address}, which is no place on that page"


def main():
    folder = Path(sys.argv[1]).resolve()
    found = list(wrong(folder))
    print("\n".join(found) or f"links of {len(list(folder.rglob('*.html')))} pages are good")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
