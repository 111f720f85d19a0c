"""Synthetic customers from a seed: a register CSV, and the same persons as an application writes them.

Mails use example domains, telephone numbers the 0000 exchange and cards the networks' test prefixes.
"""

import csv
import random
import unicodedata
from pathlib import Path

SURNAMES = [line.split() for line in """
佐藤 サトウ Sato|鈴木 スズキ Suzuki|高橋 タカハシ Takahashi|田中 タナカ Tanaka|渡辺 ワタナベ Watanabe|伊藤 イトウ Ito
山本 ヤマモト Yamamoto|中村 ナカムラ Nakamura|小林 コバヤシ Kobayashi|加藤 カトウ Kato|吉田 ヨシダ Yoshida|山崎 ヤマザキ Yamazaki
森 モリ Mori|林 ハヤシ Hayashi|斎藤 サイトウ Saito|浜田 ハマダ Hamada|長谷川 ハセガワ Hasegawa|大谷 オオタニ Otani
服部 ハットリ Hattori|東 アズマ Azuma|原 ハラ Hara|五十嵐 イガラシ Igarashi|久保 クボ Kubo|桜井 サクライ Sakurai
""".replace("\n", "|").strip("|").split("|")]
GIVEN = [line.split() for line in """
太郎 タロウ Taro|花子 ハナコ Hanako|一郎 イチロウ Ichiro|美咲 ミサキ Misaki|翔 ショウ Sho|健 ケン Ken|愛 アイ Ai
陽菜 ヒナ Hina|大輔 ダイスケ Daisuke|純一 ジュンイチ Junichi|京子 キョウコ Kyoko|さくら サクラ Sakura|涼 リョウ Ryo
博 ヒロシ Hiroshi|真理子 マリコ Mariko|裕 ユウ Yu|直樹 ナオキ Naoki|久美 クミ Kumi|玲 レイ Rei|勇気 ユウキ Yuki
""".replace("\n", "|").strip("|").split("|")]

# The register's columns; `None` is a column without a detector.
COLUMNS = {
    "customer_no": "account_id", "name": "name", "name_kana": "kana", "name_romaji": "romaji", "email": "email",
    "phone": "phone", "card_number": "pan", "api_token": "secret", "birth_date": None, "address": None,
}
DETECTED = {column: kind for column, kind in COLUMNS.items() if kind}
KEY = "customer_no"
VARIANTS = {"高": "髙", "崎": "﨑", "浜": "濱", "斎": "齋", "桜": "櫻", "辺": "邊"}


def customers(count: int, seed: int) -> list[dict[str, str]]:
    rng = random.Random(seed)
    rows: list[dict[str, str]] = []
    for number in range(count):
        (surname, surname_kana, surname_romaji), (given, given_kana, given_romaji) = rng.choice(SURNAMES), rng.choice(GIVEN)
        row = {
            "customer_no": f"HK-{20_000_000 + number * 7}",
            "name": f"{surname} {given}",
            "name_kana": f"{surname_kana} {given_kana}",
            "name_romaji": f"{surname_romaji} {given_romaji}",
            "email": f"{given_romaji}.{surname_romaji}{number}@{rng.choice(['example.com', 'example.jp', 'mail.example'])}".lower(),
            "phone": f"0{rng.choice('789')}0-0000-{number % 10000:04}",
            "card_number": card(rng, number),
            "api_token": "tk_" + "".join(rng.choices("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=24)),
            "birth_date": f"{rng.randint(1945, 2004)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
            "address": f"神奈川県足柄下郡箱根町{rng.randint(1, 999)}",
        }
        # A family shares a mail and a telephone; some leave cells empty.
        if rows and rng.random() < 0.05:
            row["email"], row["phone"] = rows[-1]["email"], rows[-1]["phone"]
        for column in ("name_romaji", "card_number", "api_token"):
            if rng.random() < 0.1:
                row[column] = ""
        rows.append(row)
    return rows


def card(rng: random.Random, number: int) -> str:
    digits = f"{rng.choice(['411111', '555555', '352800'])}{number:09}"
    total = sum(int(d) if at % 2 else (int(d) * 2 - 9 if int(d) > 4 else int(d) * 2) for at, d in enumerate(digits))
    digits += str(-total % 10)
    return " ".join(digits[at : at + 4] for at in range(0, 16, 4)) if rng.random() < 0.5 else digits


def as_written(row: dict[str, str], rng: random.Random) -> dict[str, str]:
    """The same person as an application's database has it: other widths, groupings and forms of characters."""
    row = dict(row)
    row["name"] = rng.choice([row["name"], row["name"].replace(" ", "\u3000"), row["name"].replace(" ", ""), with_variants(row["name"])])
    row["name_kana"] = rng.choice([row["name_kana"], half_width(row["name_kana"]), hiragana(row["name_kana"])])
    row["name_romaji"] = rng.choice([row["name_romaji"], row["name_romaji"].upper(), " ".join(reversed(row["name_romaji"].split()))])
    row["email"] = rng.choice([row["email"], row["email"].upper(), row["email"].capitalize()])
    row["phone"] = rng.choice([row["phone"], row["phone"].replace("-", ""), "+81 " + row["phone"][1:], full_width(row["phone"])])
    digits = row["card_number"].replace(" ", "")
    row["card_number"] = rng.choice([digits, "-".join(digits[at : at + 4] for at in range(0, len(digits), 4))])
    row["customer_no"] = row["customer_no"]
    return row


def with_variants(text: str) -> str:
    return "".join(VARIANTS.get(char, char) for char in text)


def full_width(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def hiragana(text: str) -> str:
    return "".join(chr(ord(char) - 0x60) if "ァ" <= char <= "ヶ" else char for char in text)


HALF = {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0xFF66, 0xFF9E)} | {"\u3099": "ﾞ", "\u309a": "ﾟ"}


def half_width(text: str) -> str:
    return "".join(HALF.get(char, char) for char in unicodedata.normalize("NFD", text))


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
