"""What the referee finds, as examples. Run: python3 -m unittest discover -s tests -t tests"""

import csv
import tempfile
import unittest
from pathlib import Path

from referee.decoder import Decoder
from referee.register import Register
from referee.text import normal_text, normalise, unescape

COLUMNS = {
    "id": "account_id", "name": "name", "kana": "kana", "romaji": "romaji",
    "mail": "email", "phone": "phone", "card": "pan", "token": "secret",
}
ROWS = [
    ("HK-100001", "高橋 花子", "タカハシ ハナコ", "Takahashi Hanako", "hanako@example.jp", "090-0000-1234", "4111 1111 1111 1111", "tk_abcdefGHIJKL0123"),
    ("HK-100002", "林 翔", "ハヤシ ショウ", "Hayashi Sho", "sho.h@example.com", "03-0000-5678", "5555555555554444", "pw$2b$10$QWERTYqwerty99"),
    ("HK-100003", "佐藤太郎", "サトウタロウ", "", "hanako@example.jp", "", "", ""),
]


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([list(COLUMNS), *ROWS])
            file.flush()
            cls.decoder = Decoder(Register.read(Path(file.name), COLUMNS, "id"))

    def check(self, body, *expected, request=(), charset="utf-8"):
        """`1.mail` is the mail of HK-100001."""
        left, _ = self.decoder.response([part.encode() for part in request], [(body.encode(charset), charset)])
        shown = sorted(f"{key[-1]}.{column}" for key, column in left)
        self.assertEqual(shown, sorted(expected), body)

    def test_escapes_are_read_once_from_left_to_right(self):
        self.assertEqual(unescape(r"\u3042\\u3042 &#x3042; &amp;#64; %E3%81%82 %E3%81 \ud842\udfb7 \ud842"),
                         "あ\\u3042 あ &#64; あ %E3%81 𠮷 \ufffd")
        self.assertEqual(unescape("&#0; &#xD800; &copy; &nbsp;%"), "&#0; &#xD800; &copy; \u00a0%")

    def test_width_kana_and_variants(self):
        self.assertEqual(normalise("ﾀｶﾞｼ　ｳﾞ１２ー ゃヵ 髙﨑渡邉"), "タガシ ヴ12ー ヤカ 高崎渡辺")
        self.assertEqual(normal_text("\u304b\u3099".encode()), "ガ")

    def test_a_shared_mail_is_everyones(self):
        self.check("HANAKO@example.jp", "1.mail", "3.mail")
        self.check("to=x|hanako@example.jp.", "1.mail", "3.mail")
        self.check("ahanako@example.jp hanako@example.jpx")

    def test_account_ids_are_whole_runs(self):
        self.check("x-hk-100001-y", "1.id")
        self.check("HK-1000012 AHK-100001 HK_100001")

    def test_cards_and_phones_in_their_ways_of_writing(self):
        self.check("4111-1111-1111-1111 ５５５５５５５５５５５５４４４４", "1.card", "2.card")
        self.check("(03) 0000-5678 / +81 90 0000 1234", "2.phone", "1.phone")
        self.check("41111111111111112 0900000123")

    def test_secrets_are_exact(self):
        self.check("pw$2b$10$QWERTYqwerty99", "2.token")
        self.check("PW$2B$10$qwertyqwerty99 xpw$2b$10$QWERTYqwerty99")

    def test_names_are_believed_near_an_anchor_only(self):
        self.check("髙橋花子")
        self.check("髙橋　花子様 HK-100001", "1.id", "1.name")
        self.check("ﾀｶﾊｼ ﾊﾅｺ hk-100001 HANAKO, Takahashi", "1.id", "1.kana", "1.romaji")
        self.check("HK-100001 " + "x" * 400 + " 高橋 花子", "1.id")
        self.check("HK-100001 HK-100002 高橋 花子", "1.id", "2.id")

    def test_a_name_of_one_character_must_be_close(self):
        self.check("林 翔 HK-100002", "2.id", "2.name")
        self.check("林" + "x" * 41 + "翔 HK-100002", "2.id")

    def test_a_name_without_a_space_may_be_written_with_spaces(self):
        self.check("佐藤  太郎 サトウ タロウ様 HK-100003", "3.id", "3.name", "3.kana")
        self.check("サトウタロウマル HK-100003", "3.id")

    def test_names_are_not_read_out_of_addresses(self):
        self.check("takahashi.hanako@example.org HK-100001", "1.id")

    def test_what_the_request_held_is_reflected(self):
        self.check("HK-100001 hanako@example.jp", "1.mail", "3.mail", request=["/customers/HK-100001"])
        self.check("高橋 花子 HK-100001", "1.id", request=["/?q=%E9%AB%98%E6%A9%8B+%E8%8A%B1%E5%AD%90"])

    def test_shift_jis(self):
        self.check("ﾊﾔｼ ｼｮｳ HK-100002", "2.id", "2.kana", charset="shift_jis")


if __name__ == "__main__":
    unittest.main()
