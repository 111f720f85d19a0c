"""Bytes to normal text, by sections 1 to 3 of crates/edm/RULES.md.

Written from the rules alone, for a whole body at once; slow and plain on purpose. It shares no code with the
scanner that it judges. The standard library only.
"""

import re
import unicodedata

ENTITIES = {
    "amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": "\u00a0", "commat": "@", "period": ".",
    "plus": "+", "lowbar": "_", "hyphen": "\u2010", "dash": "\u2010", "sol": "/", "colon": ":", "equals": "=",
    "lpar": "(", "rpar": ")", "num": "#", "percnt": "%", "yen": "\u00a5", "Tab": "\t", "NewLine": "\n",
}
CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\", "/": "/"}

DECIMAL = re.compile(r"&#([0-9]{1,7});")
HEXADECIMAL = re.compile(r"&#[xX]([0-9a-fA-F]{1,6});")
ENTITY = re.compile("&(" + "|".join(ENTITIES) + ");")
UNIT = re.compile(r"\\u([0-9a-fA-F]{4})")
BYTE = re.compile(r"\\x([0-9a-fA-F]{2})")
CONTROL = re.compile(r"""\\([nrtbf"'\\/])""")
PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2}){1,4}")
SIGNIFICANT = re.compile(r"[&\\%]")

VARIANTS = str.maketrans(
    "亞佛來假傳兒冨參圀國圓壽學實嵜嶋嶌嶽廣彌德惠應戶斉曻會條榮橫櫻淸澤濱濵瀧瀨眞碕禮與萬薗藏豐邉邊鐵關靜髙黑齊齋龍﨑𠮷",
    "亜仏来仮伝児富参国国円寿学実崎島島岳広弥徳恵応戸斎昇会条栄横桜清沢浜浜滝瀬真崎礼与万園蔵豊辺辺鉄関静高黒斎斎竜崎吉",
)
FULL_WIDTH = {code: code - 0xFF01 + 0x21 for code in range(0xFF01, 0xFF5F)} | {0x3000: " ", 0x00A0: " "}
HALF_KANA = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFF66, 0xFF9E)}
MARKS = {0xFF9E: "\u3099", 0x309B: "\u3099", 0xFF9F: "\u309a", 0x309C: "\u309a"}
HIRAGANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}
SMALL = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ")
COMPATIBLE = {
    code: unicodedata.normalize("NFD", chr(code))
    for code in range(0xF900, 0xFB00)
    if len(unicodedata.normalize("NFD", chr(code))) == 1
}
VOICED = re.compile("[\u3041-\u30ff][\u3099\u309a]")
CODECS = {"utf-8": "utf-8", "shift_jis": "cp932", "euc-jp": "euc_jp"}


def normal_text(body: bytes, charset: str = "utf-8") -> str:
    """The text in which strong values are looked for."""
    return normalise(unescape(decode(body, charset)))


def decode(body: bytes, charset: str) -> str:
    return body.decode(CODECS[charset.lower()], errors="replace")


def unescape(text: str) -> str:
    """One pass from left to right; what an escape gave never begins another one."""
    out, at = [], 0
    while True:
        sign = SIGNIFICANT.search(text, at)
        if sign is None:
            out.append(text[at:])
            return "".join(out)
        out.append(text[at : sign.start()])
        value, at = escape_at(text, sign.start())
        out.append(value)


def escape_at(text: str, at: int) -> tuple[str, int]:
    """The character that an escape at `at` stands for, and where it ends; or the sign itself."""
    if found := DECIMAL.match(text, at) or HEXADECIMAL.match(text, at):
        code = int(found[1], 10 if found.re is DECIMAL else 16)
        if 0 < code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF:
            return chr(code), found.end()
    elif found := ENTITY.match(text, at):
        return ENTITIES[found[1]], found.end()
    elif found := UNIT.match(text, at):
        return utf16_at(text, found)
    elif found := BYTE.match(text, at):
        return chr(int(found[1], 16)), found.end()
    elif found := CONTROL.match(text, at):
        return CONTROLS[found[1]], found.end()
    elif found := PERCENT.match(text, at):
        octets = bytes.fromhex(found[0].replace("%", ""))
        for length in range(1, len(octets) + 1):
            try:
                return octets[:length].decode("utf-8"), at + 3 * length
            except UnicodeDecodeError:
                continue
    return text[at], at + 1


def utf16_at(text: str, first: re.Match) -> tuple[str, int]:
    unit = int(first[1], 16)
    if 0xD800 <= unit < 0xDC00 and (second := UNIT.match(text, first.end())):
        low = int(second[1], 16)
        if 0xDC00 <= low < 0xE000:
            return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)), second.end()
    return ("\ufffd" if 0xD800 <= unit < 0xE000 else chr(unit)), first.end()


def normalise(text: str) -> str:
    """Width, kana and variants: steps 1 to 5 of section 3."""
    text = text.translate(FULL_WIDTH).translate(HALF_KANA).translate(MARKS)
    text = VOICED.sub(compose, text)
    return text.translate(HIRAGANA).translate(SMALL).translate(COMPATIBLE).translate(VARIANTS)


def compose(pair: re.Match) -> str:
    one = unicodedata.normalize("NFC", pair[0])
    return one if len(one) == 1 else pair[0]


def name_text(text: str) -> str:
    """Step 6, for names only: as long as `text`, character by character."""
    return "".join(map(latin_base, text)) if not text.isascii() else text.lower()


def latin_base(char: str) -> str:
    if "\u00c0" <= char <= "\u017f":
        base = unicodedata.normalize("NFD", char)[0]
        return base.lower() if base.isascii() and base.isalpha() else char
    return char.lower() if char.isascii() else char
