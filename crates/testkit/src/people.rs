//! Synthetic persons from a seed: names that agree in kanji, kana and romaji, and contact data in reserved ranges.
//!
//! Nobody in here exists. Mails use the example domains of RFC 2606, telephone numbers blocks of zeros, cards the test
//! ranges of the card brands. The same seed gives the same persons on every machine.

use encoding_rs::SHIFT_JIS;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::borrow::Cow;
use std::io::{self, Write};

/// A surname or given name in three scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePart {
    /// 山田
    pub kanji: String,
    /// ヤマダ
    pub kana: String,
    /// Yamada
    pub romaji: String,
}

/// An invented customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// `HK` and 8 digits, unique within a seed.
    pub account_id: String,
    /// The surname.
    pub family: NamePart,
    /// The given name.
    pub given: NamePart,
    /// Unique, save that one person in 50 shares the mail of the one before: a family.
    pub email: String,
    /// `090-0000-1234`, `03-0000-1234`; unique within the first million persons of a seed.
    pub phone: String,
    /// 16 digits with a valid check digit, unique within a seed.
    pub card: String,
    /// What a bcrypt hash looks like; a hash of nothing.
    pub password_hash: String,
    /// `1980-02-03`
    pub birth_date: String,
    /// An invented address.
    pub address: String,
}

impl Person {
    /// 山田 太郎
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.family.kanji, self.given.kanji)
    }

    /// ヤマダ タロウ
    #[must_use]
    pub fn kana(&self) -> String {
        format!("{} {}", self.family.kana, self.given.kana)
    }

    /// Taro Yamada
    #[must_use]
    pub fn romaji(&self) -> String {
        format!("{} {}", self.given.romaji, self.family.romaji)
    }
}

/// Endless persons of a seed.
pub fn people(seed: u64) -> impl Iterator<Item = Person> {
    let mut rng = StdRng::seed_from_u64(seed);
    let offset = rng.random_range(0..1_000_000);
    let mut previous_email: Option<String> = None;
    (0u32..).map(move |number| {
        let mut person = person(&mut rng, offset, number);
        if let Some(email) = previous_email.take()
            && number % 50 == 49
        {
            person.email = email;
        }
        previous_email = Some(person.email.clone());
        person
    })
}

fn person(rng: &mut StdRng, offset: u32, number: u32) -> Person {
    let family = part(FAMILY[rng.random_range(0..FAMILY.len())]);
    let given = part(GIVEN[rng.random_range(0..GIVEN.len())]);
    let domain = ["example.jp", "example.com", "example.org", "mail.example.net"][rng.random_range(0..4)];
    let email = format!("{}.{}{number}@{domain}", given.romaji.to_lowercase(), family.romaji.to_lowercase());
    let area = ["090", "080", "070", "03", "06"][rng.random_range(0..5)];
    let phone = format!("{area}-00{:02}-{:04}", number / 10_000 % 100, number % 10_000);
    Person {
        account_id: format!("HK{:08}", 10_000_000 + (offset + number * 7) % 90_000_000),
        email,
        phone,
        card: card(number),
        password_hash: password_hash(rng),
        birth_date: format!(
            "{}-{:02}-{:02}",
            rng.random_range(1945..2005),
            rng.random_range(1..13),
            rng.random_range(1..29)
        ),
        address: address(rng),
        family,
        given,
    }
}

fn part((kanji, kana, romaji): (&str, &str, &str)) -> NamePart {
    NamePart { kanji: kanji.to_owned(), kana: kana.to_owned(), romaji: romaji.to_owned() }
}

/// A number of the test range 4111 11, spread over its last nine digits.
fn card(number: u32) -> String {
    let body = format!("411111{:09}", u64::from(number) * 100_003 % 1_000_000_000);
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

fn password_hash(rng: &mut StdRng) -> String {
    const ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    // No dots and slashes in the first characters: a hash without a run of 12 letters and digits cannot be indexed.
    let random = (0..53).map(|at| char::from(ALPHABET[rng.random_range(if at < 12 { 2..64 } else { 0..64 })]));
    format!("$2b$12${}", random.collect::<String>())
}

fn address(rng: &mut StdRng) -> String {
    let town = ["神奈川県足柄下郡箱根町", "東京都架空区見本町", "大阪府例示市中央", "福岡県試験郡浜町"]
        [rng.random_range(0..4)];
    format!("{town}{}-{}-{}", rng.random_range(1..10), rng.random_range(1..30), rng.random_range(1..30))
}

/// A column of a register file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The account id.
    AccountId,
    /// `SA` and the position, from 1, in six digits.
    ApplicantId,
    /// The name in kanji.
    Name,
    /// The name in katakana.
    Kana,
    /// The name in Latin letters.
    Romaji,
    /// The mail address.
    Email,
    /// The telephone number.
    Phone,
    /// The card number.
    Card,
    /// The password hash.
    PasswordHash,
    /// The date of birth.
    BirthDate,
    /// The address.
    Address,
}

/// The register of account holders.
pub const ACCOUNT_HOLDERS: [Column; 10] = [
    Column::AccountId,
    Column::Name,
    Column::Kana,
    Column::Romaji,
    Column::Email,
    Column::Phone,
    Column::Card,
    Column::PasswordHash,
    Column::BirthDate,
    Column::Address,
];

/// The register of seminar applicants.
pub const SEMINAR_APPLICANTS: [Column; 5] =
    [Column::ApplicantId, Column::Name, Column::Kana, Column::Email, Column::Phone];

impl Column {
    /// The column's head in the file.
    #[must_use]
    pub fn head(self) -> &'static str {
        match self {
            Column::AccountId => "account_id",
            Column::ApplicantId => "applicant_id",
            Column::Name => "name",
            Column::Kana => "kana",
            Column::Romaji => "romaji",
            Column::Email => "email",
            Column::Phone => "phone",
            Column::Card => "card",
            Column::PasswordHash => "password_hash",
            Column::BirthDate => "birth_date",
            Column::Address => "address",
        }
    }

    fn value(self, person: &Person, position: usize) -> String {
        match self {
            Column::AccountId => person.account_id.clone(),
            Column::ApplicantId => applicant_id(position),
            Column::Name => person.name(),
            Column::Kana => person.kana(),
            Column::Romaji => person.romaji(),
            Column::Email => person.email.clone(),
            Column::Phone => person.phone.clone(),
            Column::Card => person.card.clone(),
            Column::PasswordHash => person.password_hash.clone(),
            Column::BirthDate => person.birth_date.clone(),
            Column::Address => person.address.clone(),
        }
    }
}

/// The id of the applicant at a position, counted from 0: `SA000001`.
#[must_use]
pub fn applicant_id(position: usize) -> String {
    format!("SA{:06}", position + 1)
}

/// The encoding of a register file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileEncoding {
    /// UTF-8 without a byte order mark.
    Utf8,
    /// Shift_JIS as Windows understands it, which has 髙 and 﨑.
    ShiftJis,
}

impl FileEncoding {
    /// Every character of the synthetic persons exists in both encodings.
    fn bytes(self, text: &str) -> Cow<'_, [u8]> {
        match self {
            FileEncoding::Utf8 => Cow::Borrowed(text.as_bytes()),
            FileEncoding::ShiftJis => SHIFT_JIS.encode(text).0,
        }
    }
}

/// Writes a register file. No value here needs quotes.
pub fn write_csv<'p>(
    people: impl IntoIterator<Item = &'p Person>,
    columns: &[Column],
    encoding: FileEncoding,
    out: &mut impl Write,
) -> io::Result<()> {
    let line = |cells: Vec<String>| cells.join(",") + "\n";
    out.write_all(&encoding.bytes(&line(columns.iter().map(|column| column.head().to_owned()).collect())))?;
    for (position, person) in people.into_iter().enumerate() {
        let cells = columns.iter().map(|column| column.value(person, position)).collect();
        out.write_all(&encoding.bytes(&line(cells)))?;
    }
    Ok(())
}

/// Common surnames.
const FAMILY: [(&str, &str, &str); 60] = [
    ("佐藤", "サトウ", "Sato"),
    ("鈴木", "スズキ", "Suzuki"),
    ("高橋", "タカハシ", "Takahashi"),
    ("田中", "タナカ", "Tanaka"),
    ("伊藤", "イトウ", "Ito"),
    ("渡辺", "ワタナベ", "Watanabe"),
    ("山本", "ヤマモト", "Yamamoto"),
    ("中村", "ナカムラ", "Nakamura"),
    ("小林", "コバヤシ", "Kobayashi"),
    ("加藤", "カトウ", "Kato"),
    ("吉田", "ヨシダ", "Yoshida"),
    ("山田", "ヤマダ", "Yamada"),
    ("佐々木", "ササキ", "Sasaki"),
    ("山口", "ヤマグチ", "Yamaguchi"),
    ("松本", "マツモト", "Matsumoto"),
    ("井上", "イノウエ", "Inoue"),
    ("木村", "キムラ", "Kimura"),
    ("林", "ハヤシ", "Hayashi"),
    ("斎藤", "サイトウ", "Saito"),
    ("清水", "シミズ", "Shimizu"),
    ("山崎", "ヤマザキ", "Yamazaki"),
    ("森", "モリ", "Mori"),
    ("池田", "イケダ", "Ikeda"),
    ("橋本", "ハシモト", "Hashimoto"),
    ("阿部", "アベ", "Abe"),
    ("石川", "イシカワ", "Ishikawa"),
    ("山下", "ヤマシタ", "Yamashita"),
    ("中島", "ナカジマ", "Nakajima"),
    ("石井", "イシイ", "Ishii"),
    ("小川", "オガワ", "Ogawa"),
    ("前田", "マエダ", "Maeda"),
    ("岡田", "オカダ", "Okada"),
    ("長谷川", "ハセガワ", "Hasegawa"),
    ("藤田", "フジタ", "Fujita"),
    ("後藤", "ゴトウ", "Goto"),
    ("近藤", "コンドウ", "Kondo"),
    ("村上", "ムラカミ", "Murakami"),
    ("遠藤", "エンドウ", "Endo"),
    ("青木", "アオキ", "Aoki"),
    ("坂本", "サカモト", "Sakamoto"),
    ("福田", "フクダ", "Fukuda"),
    ("太田", "オオタ", "Ota"),
    ("西村", "ニシムラ", "Nishimura"),
    ("藤井", "フジイ", "Fujii"),
    ("金子", "カネコ", "Kaneko"),
    ("岡本", "オカモト", "Okamoto"),
    ("藤原", "フジワラ", "Fujiwara"),
    ("三浦", "ミウラ", "Miura"),
    ("中野", "ナカノ", "Nakano"),
    ("原田", "ハラダ", "Harada"),
    ("松田", "マツダ", "Matsuda"),
    ("竹内", "タケウチ", "Takeuchi"),
    ("小野", "オノ", "Ono"),
    ("田村", "タムラ", "Tamura"),
    ("中山", "ナカヤマ", "Nakayama"),
    ("和田", "ワダ", "Wada"),
    ("石田", "イシダ", "Ishida"),
    ("森田", "モリタ", "Morita"),
    ("髙木", "タカギ", "Takagi"),
    ("宮﨑", "ミヤザキ", "Miyazaki"),
];

/// Common given names.
const GIVEN: [(&str, &str, &str); 48] = [
    ("太郎", "タロウ", "Taro"),
    ("一郎", "イチロウ", "Ichiro"),
    ("健一", "ケンイチ", "Kenichi"),
    ("誠", "マコト", "Makoto"),
    ("翔太", "ショウタ", "Shota"),
    ("大輔", "ダイスケ", "Daisuke"),
    ("直樹", "ナオキ", "Naoki"),
    ("拓也", "タクヤ", "Takuya"),
    ("達也", "タツヤ", "Tatsuya"),
    ("和也", "カズヤ", "Kazuya"),
    ("浩", "ヒロシ", "Hiroshi"),
    ("隆", "タカシ", "Takashi"),
    ("剛", "ツヨシ", "Tsuyoshi"),
    ("学", "マナブ", "Manabu"),
    ("修", "オサム", "Osamu"),
    ("悠真", "ユウマ", "Yuma"),
    ("蓮", "レン", "Ren"),
    ("湊", "ミナト", "Minato"),
    ("陽翔", "ハルト", "Haruto"),
    ("颯太", "ソウタ", "Sota"),
    ("康平", "コウヘイ", "Kohei"),
    ("俊介", "シュンスケ", "Shunsuke"),
    ("雄大", "ユウダイ", "Yudai"),
    ("光一", "コウイチ", "Koichi"),
    ("花子", "ハナコ", "Hanako"),
    ("陽子", "ヨウコ", "Yoko"),
    ("恵子", "ケイコ", "Keiko"),
    ("由美", "ユミ", "Yumi"),
    ("美咲", "ミサキ", "Misaki"),
    ("愛", "アイ", "Ai"),
    ("彩", "アヤ", "Aya"),
    ("真由美", "マユミ", "Mayumi"),
    ("裕子", "ユウコ", "Yuko"),
    ("久美子", "クミコ", "Kumiko"),
    ("葵", "アオイ", "Aoi"),
    ("結衣", "ユイ", "Yui"),
    ("陽菜", "ヒナ", "Hina"),
    ("凛", "リン", "Rin"),
    ("さくら", "サクラ", "Sakura"),
    ("千尋", "チヒロ", "Chihiro"),
    ("舞", "マイ", "Mai"),
    ("遥", "ハルカ", "Haruka"),
    ("桃子", "モモコ", "Momoko"),
    ("智子", "トモコ", "Tomoko"),
    ("亜希子", "アキコ", "Akiko"),
    ("奈々", "ナナ", "Nana"),
    ("麻衣", "マイ", "Mai"),
    ("詩織", "シオリ", "Shiori"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_seed_always_gives_the_same_persons() {
        let first: Vec<Person> = people(7).take(100).collect();
        assert_eq!(first, people(7).take(100).collect::<Vec<_>>());
        assert_ne!(first, people(8).take(100).collect::<Vec<_>>());
    }

    #[test]
    fn ids_and_cards_are_unique_and_cards_pass_their_check_digit() {
        let persons: Vec<Person> = people(1).take(20_000).collect();
        let unique = |values: Vec<&String>| values.iter().collect::<HashSet<_>>().len();
        assert_eq!(unique(persons.iter().map(|person| &person.account_id).collect()), 20_000);
        assert_eq!(unique(persons.iter().map(|person| &person.card).collect()), 20_000);
        for person in &persons {
            let sum: u32 = person.card.bytes().rev().enumerate().fold(0, |sum, (place, digit)| {
                let digit = u32::from(digit - b'0') << (place % 2);
                sum + digit / 10 + digit % 10
            });
            assert_eq!(sum % 10, 0, "{}", person.card);
        }
    }

    #[test]
    fn a_family_shares_a_mail() {
        let persons: Vec<Person> = people(3).take(100).collect();
        assert_eq!(persons[48].email, persons[49].email);
        assert_eq!(persons.iter().map(|person| &person.email).collect::<HashSet<_>>().len(), 98);
    }

    #[test]
    fn a_register_file_has_a_line_for_its_head_and_each_person() {
        let persons: Vec<Person> = people(3).take(2).collect();
        let mut file = Vec::new();
        write_csv(&persons, &SEMINAR_APPLICANTS, FileEncoding::Utf8, &mut file).unwrap();
        let text = String::from_utf8(file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "applicant_id,name,kana,email,phone");
        assert!(lines[2].starts_with("SA000002,") && lines[2].ends_with(&persons[1].phone));
    }

    #[test]
    fn a_register_file_says_the_same_in_both_encodings() {
        let persons: Vec<Person> = people(4).take(3000).collect();
        assert!(persons.iter().any(|person| person.family.kanji == "髙木"));
        let [utf8, shift_jis] = [FileEncoding::Utf8, FileEncoding::ShiftJis].map(|encoding| {
            let mut file = Vec::new();
            write_csv(&persons, &ACCOUNT_HOLDERS, encoding, &mut file).unwrap();
            file
        });
        assert!(std::str::from_utf8(&shift_jis).is_err());
        assert_eq!(
            SHIFT_JIS.decode_without_bom_handling(&shift_jis),
            (Cow::from(String::from_utf8(utf8).unwrap()), false)
        );
    }

    #[test]
    fn a_mail_is_made_of_the_names_and_unique_save_for_families() {
        let persons: Vec<Person> = people(5).take(10_000).collect();
        let unique: HashSet<&String> = persons.iter().map(|person| &person.email).collect();
        assert_eq!(unique.len(), 10_000 - 200);
        for (number, person) in persons.iter().enumerate().filter(|(number, _)| number % 50 != 49) {
            let (given, family) = (person.given.romaji.to_lowercase(), person.family.romaji.to_lowercase());
            assert!(person.email.starts_with(&format!("{given}.{family}{number}@")), "{}", person.email);
        }
    }

    #[test]
    fn telephone_numbers_are_unique() {
        let persons: HashSet<String> = people(6).take(20_000).map(|person| person.phone).collect();
        assert_eq!(persons.len(), 20_000);
    }

    /// Hepburn, compared without long vowels: passports leave them out, save where two morphemes meet (Inoue).
    #[test]
    fn kana_and_latin_letters_spell_the_same_name() {
        for (kanji, kana, romaji) in FAMILY.iter().chain(&GIVEN) {
            assert_eq!(shortened(&spelled(kana)), shortened(&romaji.to_lowercase()), "{kanji} {kana}");
        }
    }

    fn spelled(kana: &str) -> String {
        let mut letters = String::new();
        let mut is_doubled = false;
        for character in kana.chars() {
            let syllable = syllable(character);
            match character {
                'ッ' => is_doubled = true,
                'ャ' | 'ュ' | 'ョ' => {
                    // シ + ョ is sho, キ + ョ is kyo.
                    letters.pop();
                    let vowel = if letters.ends_with(['h', 'j']) { &syllable[1..] } else { syllable };
                    letters.push_str(vowel);
                }
                _ => {
                    if std::mem::take(&mut is_doubled) {
                        letters.push_str(&syllable[..1]);
                    }
                    letters.push_str(syllable);
                }
            }
        }
        letters
    }

    fn shortened(letters: &str) -> String {
        letters.replace("ou", "o").replace("oo", "o").replace("uu", "u")
    }

    fn syllable(kana: char) -> &'static str {
        const SYLLABLES: &str = "アa イi ウu エe オo カka キki クku ケke コko ガga ギgi グgu ゲge ゴgo サsa シshi スsu セse \
            ソso ザza ジji ズzu ゼze ゾzo タta チchi ツtsu テte トto ダda デde ドdo ナna ニni ヌnu ネne ノno ハha ヒhi フfu \
            ヘhe ホho バba ビbi ブbu ベbe ボbo マma ミmi ムmu メme モmo ヤya ユyu ヨyo ラra リri ルru レre ロro ワwa ンn \
            ッ- ャya ュyu ョyo";
        let found = SYLLABLES.split(' ').find_map(|pair| pair.strip_prefix(kana));
        found.unwrap_or_else(|| panic!("no syllable for {kana}"))
    }
}
