"""Strong and generic values in normal text, by sections 4 and 6 of crates/edm/RULES.md.

Each finder yields candidates (begin, end, value) in the one form in which register values are kept too.
"""

import re
from typing import Iterator, NamedTuple

# For use inside a character class.
HYPHEN = r"\-" + "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc"
LOCAL_PLAIN = r"A-Za-z0-9._+\-"
LOCAL_OTHER = "!#$%&'*/=?^`{|}~"
LOCAL = re.compile(rf"[{LOCAL_PLAIN}{re.escape(LOCAL_OTHER)}]*\Z")
DOMAIN = re.compile(r"[A-Za-z0-9.-]*")
RUN = re.compile(r"[A-Za-z0-9]+")
DIGITS = re.compile(r"[0-9]+")
NOT_A_DOMAIN = set("png jpg jpeg gif svg webp ico css js map html htm php json woff woff2 mp4".split())
SHARED_MAX = 64


class Candidate(NamedTuple):
    begin: int
    end: int
    value: str


def domain_after(text: str, at: int) -> str | None:
    """The domain that begins at `at`."""
    run = DOMAIN.match(text, at)[0]
    if len(run) > 253:
        return None
    domain = run.split("..")[0].rstrip(".-")
    labels = domain.split(".")
    last = labels[-1]
    is_top = (len(last) >= 2 and last.isalpha()) or last.lower().startswith("xn--")
    good = 4 <= len(domain) and domain[0] not in ".-" and len(labels) > 1 and is_top
    return domain if good else None


def mails(text: str) -> Iterator[list[Candidate]]:
    """For each `@`, the candidates from the longest to the shortest."""
    for sign in re.finditer("@", text):
        at = sign.start()
        domain = domain_after(text, at + 1)
        if domain is None:
            continue
        end = at + 1 + len(domain)
        local = LOCAL.search(text[max(0, at - 64) : at])[0]
        begin = at - len(local)
        starts = {begin} | {begin + i + 1 for i, char in enumerate(local) if char in LOCAL_OTHER}
        starts |= {start + leading(text[start:at]) for start in starts}
        yield [Candidate(start, end, text[start:end].lower()) for start in sorted(starts) if start < at]


def leading(local: str) -> int:
    return len(local) - len(local.lstrip("._+-"))


def generic_mails(text: str) -> Iterator[Candidate]:
    """Mail addresses by their form alone."""
    for sign in re.finditer("@", text):
        at = sign.start()
        domain = domain_after(text, at + 1)
        if domain is None or domain.split(".")[-1].lower() in NOT_A_DOMAIN:
            continue
        local = re.search(rf"[{LOCAL_PLAIN}]*\Z", text[max(0, at - 64) : at])[0].lstrip("._+-")
        if local and not local.endswith("."):
            yield Candidate(at - len(local), at + 1 + len(domain), f"{local}@{domain}".lower())


def account_ids(text: str) -> Iterator[Candidate]:
    """Alphanumeric runs joined by single separators: every combination of at most six."""
    runs = [(found.start(), found.end()) for found in RUN.finditer(text)]
    for first in range(len(runs)):
        begin = runs[first][0]
        for last in range(first, min(first + 6, len(runs))):
            if last > first and text[runs[last - 1][1] : runs[last][0]] not in ("-", "_", "."):
                break
            end = runs[last][1]
            if end - begin > 40:
                break
            value = text[begin:end]
            if is_account_form(value) and not in_decimal_number(text, begin, end):
                yield Candidate(begin, end, value.lower())


def is_account_form(value: str) -> bool:
    return re.search("[0-9]{4}", value) is not None


def in_decimal_number(text: str, begin: int, end: int) -> bool:
    after = text[end - 1].isdigit() and re.match(r"\.[0-9]", text[end : end + 2])
    before = text[begin].isdigit() and re.match(r"[0-9]\.", text[max(0, begin - 2) : begin])
    return bool(after or before)


def chains(text: str, separator: str) -> Iterator[list[tuple[int, int]]]:
    """Maximal digit groups, chained where exactly a separator stands between them."""
    between = re.compile(separator)
    chain: list[tuple[int, int]] = []
    for found in DIGITS.finditer(text):
        if chain and not between.fullmatch(text, chain[-1][1], found.start()):
            yield chain
            chain = []
        chain.append(found.span())
    if chain:
        yield chain


def consecutive(chain: list[tuple[int, int]], digits_max: int) -> Iterator[list[tuple[int, int]]]:
    """Every run of neighbouring groups with at most that many digits."""
    for first in range(len(chain)):
        digits = 0
        for last in range(first, len(chain)):
            digits += chain[last][1] - chain[last][0]
            if digits > digits_max:
                break
            yield chain[first : last + 1]


def joined(text: str, groups: list[tuple[int, int]]) -> str:
    return "".join(text[begin:end] for begin, end in groups)


def luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits))]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0


def cards(text: str) -> Iterator[Candidate]:
    for chain in chains(text, f"[ {HYPHEN}]"):
        for groups in consecutive(chain, 19):
            digits = joined(text, groups)
            if len(digits) >= 13 and luhn(digits):
                yield Candidate(groups[0][0], groups[-1][1], digits)


def generic_cards(text: str) -> Iterator[Candidate]:
    """Cards by their form alone, before overlaps are resolved."""
    for card in cards(text):
        shape = tuple(len(group) for group in DIGITS.findall(text[card.begin : card.end]))
        if shape not in {(14,), (15,), (16,), (19,), (4, 4, 4, 4), (4, 6, 5), (4, 6, 4)}:
            continue
        before, after = text[max(0, card.begin - 2) : card.begin], text[card.end : card.end + 2]
        if re.search(r"[^\W_]\Z|_\Z", before) or re.match(r"[^\W_]|_", after):
            continue
        if re.search(r"[0-9]\.\Z", before) or re.match(r"\.[0-9]", after):
            continue
        if len(set(card.value)) > 1 and in_use(card.value):
            yield card


def in_use(digits: str) -> bool:
    two, three, four = int(digits[:2]), int(digits[:3]), int(digits[:4])
    ranges = {
        14: 300 <= three <= 305 or two in (36, 38, 39),
        15: two in (34, 37),
        16: two // 10 == 4 or 51 <= two <= 55 or 2221 <= four <= 2720 or 3528 <= four <= 3589
        or four == 6011 or 644 <= three <= 649 or two in (65, 62),
        19: two // 10 == 4,
    }
    return ranges.get(len(digits), False)


def phones(text: str) -> Iterator[Candidate]:
    for chain in chains(text, f"[ {HYPHEN}()]{{1,2}}"):
        for groups in consecutive(chain, 13):
            plus = text[max(0, groups[0][0] - 1) : groups[0][0]] == "+"
            if value := national(joined(text, groups)):
                yield Candidate(groups[0][0], groups[-1][1], value)
            if plus and (value := international(joined(text, groups))):
                yield Candidate(groups[0][0] - 1, groups[-1][1], value)


def national(digits: str) -> str | None:
    return digits if len(digits) in (10, 11) and digits[0] == "0" and digits[1] != "0" else None


def international(digits: str) -> str | None:
    """The national form of the digits behind a `+`."""
    rest = digits[2:].removeprefix("0")
    good = digits.startswith("81") and len(rest) in (9, 10) and not rest.startswith("0")
    return "0" + rest if good else None
