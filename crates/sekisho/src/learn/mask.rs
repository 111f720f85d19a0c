//! Shows what a value is like without showing it: the form stays, the person does not.

use sekisho_model::FieldKind;

/// `y***@e***.jp`, `山●●●`, `**** **** **** 1111`.
pub(super) fn mask(value: &str, kind: FieldKind) -> String {
    match kind {
        FieldKind::Email => mail(value),
        FieldKind::Pan | FieldKind::Phone => last_digits(value),
        FieldKind::Secret => "●".repeat(8),
        FieldKind::Name | FieldKind::Kana | FieldKind::Romaji | FieldKind::Address | FieldKind::Text => {
            first_letter(value)
        }
        FieldKind::BirthDate => {
            value.chars().map(|letter| if letter.is_ascii_digit() { '*' } else { letter }).collect()
        }
        FieldKind::AccountId => outside(value),
    }
}

fn mail(value: &str) -> String {
    let Some((local, domain)) = value.split_once('@') else { return first_letter(value) };
    let first = |text: &str| if text.chars().count() > 1 { text.chars().take(1).collect() } else { String::new() };
    let top = domain.rsplit_once('.').map_or("", |(_, top)| top);
    format!("{}***@{}***.{top}", first(local), first(domain))
}

/// Two digits stay.
fn last_digits(value: &str) -> String {
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let mut seen = 0;
    let hide = |letter: char| {
        seen += usize::from(letter.is_ascii_digit());
        if letter.is_ascii_digit() && seen + 2 <= digits { '*' } else { letter }
    };
    value.chars().map(hide).collect()
}

/// The first letter, and at most eight dots for the rest. A letter that stands alone is the whole value: a dot.
fn first_letter(value: &str) -> String {
    let mut letters = value.chars();
    let Some(first) = letters.next() else { return String::new() };
    let dot = if first.is_ascii() { '*' } else { '●' };
    if letters.as_str().is_empty() {
        return dot.to_string();
    }
    let dots = letters.take(8).map(|letter| if letter.is_whitespace() { letter } else { dot });
    std::iter::once(first).chain(dots).collect()
}

/// The letters of an id's form stay, its digits do not, save the first.
fn outside(value: &str) -> String {
    let hide = |(at, letter): (usize, char)| {
        if letter.is_ascii_digit() && (at > 0 || value.len() == 1) { '*' } else { letter }
    };
    value.chars().take(22).enumerate().map(hide).collect()
}
