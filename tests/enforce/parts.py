"""What masking must leave as it was: the parts of HTML, JSON and CSV, read by Python's own parsers."""

import csv
import io
import json
from html.parser import HTMLParser


def parts_of(media: str, body: bytes) -> object:
    """The parts of a body of this content type; an error where it cannot be read."""
    text = body.decode("cp932" if "shift_jis" in media.lower() else "utf-8")
    if "json" in media or text.startswith(("{", "[")):
        lines = text.splitlines() if "text/plain" in media else [text]
        return [json_parts(line) for line in lines if line]
    return csv_parts(text) if "csv" in media or "text/plain" in media else html_parts(text)


def html_parts(text: str) -> list:
    """Tags with the names of their attributes, and where text stands."""
    class Parts(HTMLParser):
        def __init__(self):
            super().__init__()
            self.parts: list = []

        def handle_starttag(self, tag, attrs):
            self.parts.append((tag, [name for name, _ in attrs]))

        def handle_endtag(self, tag):
            self.parts.append(("/", tag))

        def handle_data(self, data):
            self.parts.append(("text", len(data.split("\n"))))

    reader = Parts()
    reader.feed(text)
    reader.close()
    return reader.parts


def json_parts(text: str) -> object:
    """The types of values in their objects and lists. Keys may be masked: some interfaces use values as such."""
    def shape(value: object) -> object:
        if isinstance(value, tuple):
            return {"values": [shape(below) for _, below in value]}
        return [shape(below) for below in value] if isinstance(value, list) else type(value).__name__

    return shape(json.loads(text, object_pairs_hook=tuple))


def csv_parts(text: str) -> list[int]:
    """Cells of each row, and the first row itself."""
    rows = list(csv.reader(io.StringIO(text), strict=True))
    return [rows[0], *(len(row) for row in rows)]
