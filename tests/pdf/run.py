"""Asks qpdf and poppler about what `sekisho-pdf` writes. `--images FOLDER` keeps the pages as PNG, to be looked at."""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

EXECUTABLE = ""
IMAGES = None
# Every character that a typesetter could take for more than text.
MARKUP = '#import "x" $ \\ @ref <label> *b* _i_ `raw` = h // c /* */ [ ] { } ~ --- "q" #panic()'
CODE = "04HMA-SW9NF-6YY00-H48SM5"


def notice(*blocks):
    return {"kind": "notice", "blocks": list(blocks)}


def letter(number, name="髙橋 花子 様", *more):
    return {
        "kind": "letter",
        "address": ["〒100-0001", "東京都千代田区千代田1丁目2番3号", "箱根マンション405号室", name],
        "sender": ["箱根FX株式会社", "代表取締役社長 箱根 次郎", "〒250-0522 神奈川県足柄下郡箱根町元箱根1番地", "電話 0120-000-000"],
        "blocks": [
            {"heading": {"level": 1, "text": "お客様情報の流出に関するおわびとお知らせ"}},
            {"paragraph": "拝啓　時下ますますご清祥のこととお慶び申し上げます。平素は当社をご利用いただき、誠にありがとうございます。"},
            {"paragraph": "このたび、当社の会員専用サイト（https://www.example.jp/）に対する第三者からの不正アクセスにより、お客様の個人情報の一部が"
             "流出したことが判明いたしました。お客様には多大なるご迷惑とご心配をおかけいたしますことを、深くおわび申し上げます。"},
            {"heading": {"level": 2, "text": "1. 流出したお客様の情報"}},
            {"table": {"head": ["項目", "流出の有無"], "rows": [
                ["お名前", "流出を確認しました"], ["メールアドレス", "流出を確認しました"],
                ["電話番号", "調査した範囲では確認されませんでした"], ["ご住所", "調査の対象としておりません"]]}},
            {"heading": {"level": 2, "text": "2. お願いしたいこと"}},
            {"list": ["当社を名乗る不審なメールや電話にご注意ください。当社から、パスワードや暗証番号をお尋ねすることはありません。",
                      "他のサービスで同じパスワードをお使いの場合は、変更をお願いいたします。"]},
            {"heading": {"level": 2, "text": "3. ご確認の方法"}},
            {"paragraph": f"ブラウザーで affected.example.jp を開き、次の照会コードをご入力ください。\n照会コード　{CODE}"},
            {"small": f"整理番号 {number:06}。この書面は、お客様ご本人にのみお送りしております。"},
            *more,
        ],
    }


def document(*pages, lang="ja"):
    return {"format": "sekisho-pdf/1", "lang": lang, "title": "お客様情報の流出に関するお知らせ", "author": "箱根FX株式会社",
            "date": "2026-11-23T15:00:00+09:00", "pages": list(pages)}


def run(*command, stdin=b"", env=None):
    return subprocess.run([str(part) for part in command], input=stdin, capture_output=True, env=env, check=False)


class Pdf(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, made, *arguments):
        result = run(EXECUTABLE, *arguments, stdin=json.dumps(made).encode())
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        path = self.folder / "out.pdf"
        path.write_bytes(result.stdout)
        if IMAGES:
            run("pdftoppm", "-r", "80", "-png", path, IMAGES / self.id().rsplit(".", 1)[-1])
        return path

    def text(self, path, *arguments):
        result = run("pdftotext", *arguments, path, "-")
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout.decode()

    def refused(self, made, *expected, code=1, arguments=()):
        stdin = made if isinstance(made, bytes) else json.dumps(made).encode()
        result = run(EXECUTABLE, *arguments, stdin=stdin)
        self.assertEqual((result.returncode, result.stdout), (code, b""), result.stderr.decode())
        for part in expected:
            self.assertIn(part, result.stderr.decode())

    def test_a_notice_and_letters(self):
        long = letter(3, "山﨑 一郎 様", *[{"paragraph": f"{number}. " + "お問い合わせは下記の窓口までお願いいたします。" * 6} for number in range(10)])
        path = self.write(document(notice({"heading": {"level": 1, "text": "お知らせ（第2報）"}}, {"paragraph": "おわび申し上げます。"}),
                                   letter(1), long, letter(2)), "--index", self.folder / "index.json")
        check = run("qpdf", "--check", path)
        self.assertEqual(check.returncode, 0, check.stdout + check.stderr)
        index = json.loads((self.folder / "index.json").read_text())
        self.assertEqual([(part["kind"], part["first"], part["last"]) for part in index["parts"]],
                         [("notice", 1, 1), ("letter", 2, 2), ("letter", 3, 4), ("letter", 5, 5)])
        self.assertEqual(index["pages"], 5)
        self.assertIn("髙橋 花子 様", self.text(path, "-f", "2", "-l", "2"))
        third = self.text(path, "-f", "3", "-l", "4")
        self.assertIn("山﨑 一郎 様", third)
        self.assertNotIn("髙橋", third, "a letter has nobody else's name")
        for shown in ("1/2", "2/2", CODE, "2026年11月23日"):
            self.assertIn(shown, third)

    def test_the_address_alone_is_in_the_window(self):
        """Wherever the sheet slides, the window shows at most x -3..112 mm, y -9..57 mm of it."""
        path = self.write(document(letter(1)))
        words = re.findall(r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">(.*?)</word>', self.text(path, "-bbox"))
        mm = [tuple(float(side) * 25.4 / 72 for side in word[:4]) + (word[4],) for word in words]
        in_window = [word for word in mm if word[0] < 112 and word[1] < 57]
        self.assertEqual("".join(word[4] for word in in_window), "〒100-0001東京都千代田区千代田1丁目2番3号箱根マンション405号室髙橋花子様")
        for left, top, right, bottom, text in in_window:
            self.assertTrue(22 <= left and right <= 87 and 11.5 <= top and bottom <= 36.5, (left, top, right, bottom, text))

    def test_text_is_never_markup(self):
        path = self.write(document(notice({"heading": {"level": 1, "text": MARKUP}}, {"paragraph": MARKUP}, {"small": MARKUP},
                                          {"list": [MARKUP]}, {"table": {"head": [MARKUP], "rows": [[MARKUP]]}})))
        squeezed = re.sub(r"\s", "", self.text(path))
        self.assertEqual(squeezed.count(re.sub(r"\s", "", MARKUP)), 6)

    def test_the_same_document_gives_the_same_bytes(self):
        made = document(letter(1), letter(2))
        first = self.write(made).read_bytes()
        # A PDF that took the time of the run would differ in the next second.
        time.sleep(1.1)
        result = run(EXECUTABLE, stdin=json.dumps(made).encode(), env={"TZ": "America/New_York"})
        self.assertEqual(result.stdout, first)
        self.assertIn(b"2026-11-23", run("pdfinfo", "-isodates", self.folder / "out.pdf").stdout)

    def test_it_says_that_it_is_archival_and_accessible(self):
        path = self.write(document(letter(1)))
        metadata = run("pdfinfo", "-meta", path).stdout.decode()
        for part in ("<pdfaid:part>2", "<pdfaid:conformance>A", "<pdfuaid:part>1"):
            self.assertIn(part, metadata)
        fonts = run("pdffonts", path).stdout.decode().splitlines()[2:]
        self.assertTrue(fonts)
        for font in fonts:
            self.assertRegex(font, r"yes\s+yes\s+yes", "embedded, subset, with Unicode")
        structure = run("pdfinfo", "-struct", path).stdout.decode(errors="replace")
        for part in ("H1", "TH", "TD", "LI"):
            self.assertIn(part, structure)
        self.assertIn(b"/OutputIntents", run("qpdf", "--qdf", "--object-streams=disable", path, "-").stdout)

    def test_english(self):
        made = letter(1, "Taro Yamada")
        made["blocks"] = [{"heading": {"level": 1, "text": "Notice of a data breach"}}, {"paragraph": "Some of your data left our systems. " * 5}]
        path = self.write(document(made, lang="en"))
        self.assertIn("23 November 2026", self.text(path))

    def test_a_character_without_a_glyph_is_an_error(self):
        self.refused(document(letter(1, "𠮷田 太郎 様")), "`𠮷` (U+20BB7, pages[0].address[3])")

    def test_an_address_that_does_not_fit_is_an_error(self):
        made = letter(1)
        made["address"] = ["東京都千代田区千代田1丁目2番3号" * 4] * 6
        self.refused(document(notice({"paragraph": "一"}), made), "pages[1].address", "does not fit the envelope's window")

    def test_what_is_wrong_is_told(self):
        self.refused(b"{", "EOF")
        self.refused(document(notice({"image": "x"})), "pages[0].blocks[0]", "unknown variant `image`")
        self.refused(document(notice({"paragraph": "一"})), "install fonts-morisawa-bizud-gothic", code=3,
                     arguments=("--font-dir", self.folder))
        self.refused(b"", "Usage", code=2, arguments=("--color",))
        self.refused(document(notice({"paragraph": "一"})), "cannot write the index", code=3,
                     arguments=("--index", self.folder / "none" / "index.json"))

    def test_a_mailing(self):
        count = 200
        begin = time.monotonic()
        result = run(EXECUTABLE, stdin=json.dumps(document(*[letter(number) for number in range(count)])).encode())
        seconds = time.monotonic() - begin
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        path = self.folder / "mailing.pdf"
        path.write_bytes(result.stdout)
        self.assertEqual(run("pdfinfo", path).stdout.decode().split("Pages:")[1].split()[0], str(count))
        print(f"{count} letters in {seconds:.1f} s: {count / seconds:.0f} letters a second")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("executable")
    parser.add_argument("--images", type=Path)
    arguments = parser.parse_args()
    EXECUTABLE, IMAGES = arguments.executable, arguments.images
    if IMAGES:
        IMAGES.mkdir(parents=True, exist_ok=True)
    unittest.main(argv=[sys.argv[0]])
