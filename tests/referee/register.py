"""A firm's register as the referee keeps it: in clear, by value."""

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path

from . import values
from .text import name_text, normalise

STRONG = ("email", "account_id", "pan", "phone", "secret")
NAMES = ("name", "kana", "romaji")
KATAKANA = re.compile("[\u30a1-\u30fa\u30fc]+")
LATIN_PART = re.compile("[a-z](?:[a-z'-]*[a-z])?")


@dataclass(frozen=True)
class Name:
    """A name as it is looked for: its parts in normal form, and their script."""

    surname: str
    given: str | None
    script: str


@dataclass
class Register:
    """`strong[kind][value]` holds (row key, column); `names[row key]` holds (column, name)."""

    columns: dict[str, str]
    strong: dict[str, dict[str, set[tuple[str, str]]]] = field(default_factory=dict)
    names: dict[str, list[tuple[str, Name]]] = field(default_factory=dict)
    secrets_by_run: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, columns: dict[str, str], key: str) -> "Register":
        """Reads a UTF-8 CSV; `columns` gives the kind of each column that has a detector."""
        register = cls(columns, {kind: {} for kind in STRONG})
        with open(path, encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                register.add(row[key], row)
        register.drop_shared()
        return register

    def add(self, key: str, row: dict[str, str]) -> None:
        for column, kind in self.columns.items():
            value = normalise(row[column].strip()).strip()
            if kind in STRONG:
                form = strong_form(kind, value)
                if form:
                    self.strong[kind].setdefault(form, set()).add((key, column))
                    if kind == "secret":
                        run = re.search("[A-Za-z0-9]{12,}", form)[0]
                        self.secrets_by_run.setdefault(run, set()).add(form)
            elif kind in NAMES and (name := name_form(value)):
                self.names.setdefault(key, []).append((column, name))

    def drop_shared(self) -> None:
        """A value that too many share identifies nobody."""
        for forms in self.strong.values():
            for form, owners in forms.items():
                for column in {column for _, column in owners}:
                    sharers = {owner for owner in owners if owner[1] == column}
                    if len(sharers) > values.SHARED_MAX:
                        owners -= sharers


def strong_form(kind: str, value: str) -> str | None:
    """The form under which a register value is kept; None when it cannot be indexed."""
    return {"email": mail_form, "account_id": account_form, "pan": card_form, "phone": phone_form, "secret": secret_form}[
        kind
    ](value)


def mail_form(value: str) -> str | None:
    local, sign, domain = value.partition("@")
    allowed = re.fullmatch(f"[{values.LOCAL_PLAIN}{re.escape(values.LOCAL_OTHER)}]{{1,64}}", local)
    return value.lower() if sign and allowed and values.domain_after(domain, 0) == domain else None


def account_form(value: str) -> str | None:
    shape = re.fullmatch("[A-Za-z0-9]+(?:[-_.][A-Za-z0-9]+){0,5}", value)
    return value.lower() if shape and len(value) <= 40 and values.is_account_form(value) else None


def card_form(value: str) -> str | None:
    digits = re.sub(f"[ {values.HYPHEN}]", "", value)
    good = re.fullmatch("[0-9]{13,19}", digits) and values.luhn(digits) and len(set(digits)) > 1
    return digits if good else None


def phone_form(value: str) -> str | None:
    digits = re.sub(f"[ {values.HYPHEN}()]", "", value)
    if not re.fullmatch(r"\+?[0-9]+", digits):
        return None
    return values.international(digits[1:]) if digits.startswith("+") else values.national(digits)


def secret_form(value: str) -> str | None:
    return value if re.fullmatch("[!-~]{1,256}", value) and re.search("[A-Za-z0-9]{12,}", value) else None


def name_form(value: str) -> Name | None:
    parts = name_text(value).split()
    if not parts or any(len(part) > 31 for part in parts):
        return None
    if len(parts) == 1:
        return Name(parts[0], None, script(parts)) if len(parts[0]) >= 2 else None
    return Name(parts[0], parts[-1], script([parts[0], parts[-1]]))


def script(parts: list[str]) -> str:
    if all(LATIN_PART.fullmatch(part) for part in parts):
        return "latin"
    return "kana" if all(KATAKANA.fullmatch(part) for part in parts) else "kanji"
