"""A page of the contact sheet as a browser would take it, and words that try to be more than words."""

from html.parser import HTMLParser

HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(1)> \"' {{script}} & \ud800"


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, path):
        super().__init__()
        self.ends, self.frames = [], []
        self.tags, self.links, self.images, self.attributes, self.text = [], [], [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        found = dict(attrs)
        self.attributes |= set(found)
        if tag == "a":
            self.links.append(found["href"])
        if tag == "img" and "src" in found:
            self.images.append(found)
        if tag == "iframe":
            self.frames.append(found)

    def handle_endtag(self, tag):
        self.ends.append(tag)

    def handle_data(self, data):
        self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())
