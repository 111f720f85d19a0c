"""The referee: whose fields are in a response, by crates/edm/RULES.md. Reads whole bodies; slow and plain.

`Decoder(register).response(request, bodies)` gives {(row key, column)} of what left and of what was reflected.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from itertools import islice
from typing import Iterable, NamedTuple

from . import values
from .register import LATIN_PART, Name, Register
from .text import name_text, normal_text

WINDOW = 320
# No value is longer: a mail has 64 + 1 + 253 characters.
ANCHOR_MAX = 320
APART = 160
APART_SINGLE = 40
KATAKANA = re.compile("[\u30a1-\u30fa\u30fc]")
HONORIFIC = re.compile("(?:サマ|サン|クン|チヤン)(?![\u30a1-\u30fa\u30fc])")

Fields = set[tuple[str, str]]


class Anchor(NamedTuple):
    begin: int
    end: int
    owners: frozenset[tuple[str, str]]  # (row key, column)

    @property
    def keys(self) -> set[str]:
        return {key for key, _ in self.owners}


class Decoder:
    def __init__(self, register: Register):
        self.register = register

    def response(self, request: Iterable[bytes], parts: Iterable[tuple[bytes, str]]) -> tuple[Fields, Fields]:
        """What left, and what was there only because the request held it."""
        found: Fields = set()
        for part, charset in parts:
            found |= self.fields(normal_text(part, charset))
        if not found:
            return set(), set()
        reflected = self.reflected(list(request), found)
        return found - reflected, reflected

    def fields(self, text: str) -> Fields:
        """Every (row key, column) whose value stands in the text."""
        anchors = self.anchors(text)
        found = {owner for anchor in anchors for owner in anchor.owners}
        taken = Taken([(a.begin, a.end) for a in anchors] + self.generic(text, anchors))
        names = name_text(text)
        for anchor in anchors:
            for key in anchor.keys:
                wanted = [item for item in self.register.names.get(key, []) if (key, item[0]) not in found]
                if wanted:
                    begin, end = window(anchors, anchor, key, len(text))
                    found |= {(key, column) for column, name in wanted if has_name(names, begin, end, name, taken)}
        return found

    def anchors(self, text: str) -> list[Anchor]:
        """Strong values that the register lists, in the order of their begin."""
        strong = self.register.strong
        found = []
        for candidates in values.mails(text):
            listed = [c for c in candidates if strong["email"].get(c.value)]
            if listed:
                found.append(Anchor(listed[0].begin, listed[0].end, frozenset(strong["email"][listed[0].value])))
        for kind, finder in (("account_id", values.account_ids), ("pan", values.cards), ("phone", values.phones)):
            if not strong[kind]:
                continue
            for candidate in finder(text):
                if owners := strong[kind].get(candidate.value):
                    found.append(Anchor(candidate.begin, candidate.end, frozenset(owners)))
        for begin, end, value in self.secrets(text):
            found.append(Anchor(begin, end, frozenset(strong["secret"][value])))
        return sorted(found, key=lambda anchor: (anchor.begin, anchor.end))

    def secrets(self, text: str) -> Iterable[tuple[int, int, str]]:
        if not self.register.secrets_by_run:
            return
        for run in re.finditer("[A-Za-z0-9]{12,}", text):
            for value in self.register.secrets_by_run.get(run[0], ()):
                begin = run.start() - re.search("[A-Za-z0-9]{12,}", value).start()
                end = begin + len(value)
                if begin >= 0 and text[begin:end] == value and not touches(text, begin, end, value):
                    yield begin, end, value

    def generic(self, text: str, anchors: list[Anchor]) -> list[tuple[int, int]]:
        """Spans of mails and cards by their form; names do not overlap them either."""
        return [(c.begin, c.end) for c in values.generic_mails(text)] + [
            (c.begin, c.end) for c in values.generic_cards(text)
        ]

    def reflected(self, request: list[bytes], found: Fields) -> Fields:
        """Which of `found` the request itself contained."""
        columns = self.register.columns
        reflected: Fields = set()
        for part in request:
            for raw in {part, part.replace(b"+", b" ")}:
                text = normal_text(raw)
                anchors = self.anchors(text)
                reflected |= {owner for anchor in anchors for owner in anchor.owners}
                taken = Taken([(a.begin, a.end) for a in anchors] + self.generic(text, anchors))
                names = name_text(text)
                for key in {key for key, column in found if columns[column] in ("name", "kana", "romaji")}:
                    for column, name in self.register.names.get(key, []):
                        if has_name(names, 0, len(names), name, taken):
                            reflected.add((key, column))
        return reflected & found


class Taken:
    """Spans that a name may not overlap."""

    def __init__(self, spans: list[tuple[int, int]]):
        self.by_block = defaultdict(list)
        for begin, end in spans:
            for block in range(begin // 256, end // 256 + 1):
                self.by_block[block].append((begin, end))

    def overlaps(self, begin: int, end: int) -> bool:
        blocks = range(begin // 256, end // 256 + 1)
        return any(b < end and begin < e for block in blocks for b, e in self.by_block.get(block, ()))


def touches(text: str, begin: int, end: int, value: str) -> bool:
    alphanumeric = re.compile("[A-Za-z0-9]")
    before = begin > 0 and alphanumeric.match(value[0]) and alphanumeric.match(text[begin - 1])
    after = end < len(text) and alphanumeric.match(value[-1]) and alphanumeric.match(text[end])
    return bool(before or after)


def window(anchors: list[Anchor], anchor: Anchor, key: str, length: int) -> tuple[int, int]:
    """How far around an anchor a subject's name is believed: not over another subject's anchor."""
    begin, end = max(0, anchor.begin - WINDOW), min(length, anchor.end + WINDOW)
    first = bisect_left(anchors, begin - ANCHOR_MAX, key=lambda other: other.begin)
    for other in islice(anchors, first, None):
        if other.begin > end:
            break
        if key in other.keys:
            continue
        if other.end <= anchor.begin:
            begin = max(begin, other.end)
        if other.begin >= anchor.end:
            end = min(end, other.begin)
    return begin, end


def has_name(text: str, begin: int, end: int, name: Name, taken: Taken) -> bool:
    """Whether the name stands in text[begin:end]; context beyond is looked at, not matched."""
    if name.given is None:
        gap = "" if name.script == "latin" else " {0,2}"
        pattern = gap.join(map(re.escape, name.surname))
        return any(True for _ in occurrences(text, begin, end, pattern, None, name.script, taken))
    surnames = list(occurrences(text, begin, end, re.escape(name.surname), name.given, name.script, taken))
    if not surnames:
        return False
    givens = list(occurrences(text, begin, end, re.escape(name.given), name.surname, name.script, taken))
    single = name.script != "latin" and 1 in (len(name.surname), len(name.given))
    limit = APART_SINGLE if single else APART
    return any(distance(s, g) <= limit for s in surnames for g in givens if distance(s, g) >= 0)


def distance(one: tuple[int, int], other: tuple[int, int]) -> int:
    """Characters between two spans; negative when they overlap."""
    return max(other[0] - one[1], one[0] - other[1])


def occurrences(text, begin, end, pattern, other, script, taken):
    """Spans of a part of a name that may stand for it. Overlapping ones count too."""
    for found in re.compile(f"(?=({pattern}))").finditer(text, begin, end):
        span = found.span(1)
        if span[1] <= end and not taken.overlaps(*span) and stands(text, span, other, "latin" if LATIN_PART.fullmatch(found.group(1)) else script):
            yield span


def stands(text: str, span: tuple[int, int], other: str | None, script: str) -> bool:
    """Whether what is directly beside a part lets it be a word."""
    before, after = text[max(0, span[0] - 1) : span[0]], text[span[1] : span[1] + 1]
    if script == "latin":
        return not (re.match("[A-Za-z0-9]", before) or re.match("[A-Za-z0-9]", after))
    if script == "kana":
        good_before = not KATAKANA.match(before) or (other and text.endswith(other, 0, span[0]))
        good_after = (
            not KATAKANA.match(after)
            or (other and text.startswith(other, span[1]))
            or HONORIFIC.match(text, span[1])
        )
        return bool(good_before and good_after)
    return True
