"""A report's page as its text, its tags and what is embedded in it."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """Text, tags and attributes of a page."""

    VOID = ("meta", "link", "img", "input", "br", "path", "use", "image", "rect", "stop")

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.inside, self.source = [], [], [], text
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.inside.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if not {"script", "style", "svg"} & set(self.inside):
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(path):
    return Page(path.read_text(encoding="utf-8"))


def embedded(page):
    text = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page.source, re.S)[1]
    return json.loads(text)


def assert_self_contained(page):
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "xlink:href", "action", "data"):
                assert value.startswith(("#", "data:")), (tag, name, value[:80])
    assert "@import" not in page.source
    scripts = page.all("script")
    assert [script.get("type") for script in scripts if script.get("type")] in (
        [],
        ["application/json"],
    )
    code = re.findall(r"<script>(.*?)</script>", page.source, re.S)
    assert len(code) == 1
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    digest = base64.b64encode(hashlib.sha256(code[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert page.inside == []
