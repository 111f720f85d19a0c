//! A small register in clear and its index.

use sekisho_edm::{ColumnConfig, Encoding, HashKey, Index, IndexBuilder, RegisterConfig};
use sekisho_model::{FieldKind, Timestamp};
use std::sync::Arc;

pub(crate) const KINDS: [FieldKind; 8] = [
    FieldKind::Email,
    FieldKind::Name,
    FieldKind::Kana,
    FieldKind::Romaji,
    FieldKind::AccountId,
    FieldKind::Pan,
    FieldKind::Phone,
    FieldKind::Secret,
];

/// One person: a cell for each of [`KINDS`].
pub(crate) type Person = [String; 8];

/// Persons chosen for their traps: shared values, values inside others, short names, names without spaces.
pub(crate) fn persons() -> Vec<Person> {
    let rows = [
        "taro@mail.example|山田 太郎|ヤマダ タロウ|Taro Yamada|HK-0001234|4111111111111111|03-5550-0101|0123456789abcdef0123456789abcdef",
        "family@mail.example|山田 花子|ヤマダ ハナコ|Hanako Yamada|HK-0001235|4111111111111111|03-5550-0101|$2b$12$abcdefghijklmnop/qrs.tuv",
        "family@mail.example|髙橋花子|ﾀｶﾊｼ ﾊﾅｺ|Hanako Takahashi|12345678|5555555555554444|090-5550-0102|12345678-abcd-1234-abcd-123456789abc",
        "o'brien+fx@mail.example|林 進|ハヤシ ススム|Jean-Paul O'Brien|A12-3456-B|378282246310005|+81 90 5550 0103|Zm9vYmFyYmF6cXV4+w==",
        "brien@mail.example|渡邉 一|ワタナベ ハジメ|Brien|1234|30569309025904|0355500104|LONG",
        "x_y.z@sub.mail.example|斉藤 さくら|サイトウ サクラ|SAITO SAKURA|ab_1234.cd|4222222222222220|0555-50-0105|secretsecret1",
    ];
    rows.map(|row| {
        let long = format!("{}anchorrun123", "ab-".repeat(70));
        let cells: Vec<String> = row.split('|').map(|cell| cell.replace("LONG", &long)).collect();
        cells.try_into().expect("eight cells")
    })
    .to_vec()
}

/// The index of these persons; the subject's number is the person's position.
pub(crate) fn index(persons: &[Person]) -> Arc<Index> {
    let column = |kind: FieldKind| ColumnConfig { name: kind.name().to_owned(), kind, pattern: None };
    let config = RegisterConfig {
        name: "account_holders".to_owned(),
        row_key: "row".to_owned(),
        columns: KINDS.into_iter().map(column).collect(),
        encoding: Encoding::Utf8,
    };
    let mut csv = String::from("row");
    KINDS.iter().for_each(|kind| csv = format!("{csv},{}", kind.name()));
    csv.push('\n');
    for (row, person) in persons.iter().enumerate() {
        csv.push_str(&format!("{row},\"{}\"\n", person.join("\",\"")));
    }
    let mut builder = IndexBuilder::new(Arc::new(HashKey::new([9; 16])), Timestamp(0));
    let built = builder.register(&config, csv.as_bytes(), "persons.csv").expect("the persons are a good register");
    assert_eq!(built.warnings, [], "every value is indexed");
    Arc::new(builder.build())
}
