//! Individual numbers (マイナンバー) in texts that people type. The law forbids to keep one beyond its purpose, and to publish it.
//!
//! Stricter than the scanner of responses: no label is needed, for in a notice or a case nothing else has this form.

use crate::card::plain;

/// Whether a text holds twelve digits with the check digit of an individual number, in one run or in groups of four.
#[must_use]
pub fn find(text: &str) -> bool {
    let plain: Vec<char> = plain(text).chars().collect();
    let is_digit = |at: usize| plain.get(at).is_some_and(char::is_ascii_digit);
    let starts = (0..plain.len()).filter(|at| is_digit(*at) && (*at == 0 || !is_digit(at - 1)));
    starts.into_iter().any(|start| {
        let length = (start..).take_while(|at| is_digit(*at)).count();
        let grouped = || {
            let is_sign = |at: usize| matches!(plain.get(at), Some(' ' | '-'));
            let is_group = |at: usize| (at..at + 4).all(is_digit) && !is_digit(at + 4);
            let in_fours = [start, start + 5, start + 10].into_iter().all(is_group);
            in_fours && is_sign(start + 4) && is_sign(start + 9)
        };
        let digits: String = match length {
            12 => plain[start..start + 12].iter().collect(),
            4 if grouped() => plain[start..start + 14].iter().filter(|c| c.is_ascii_digit()).collect(),
            _ => return false,
        };
        is_number(&digits)
    })
}

/// The check digit of the ministerial ordinance No. 85 of 2014, article 5.
fn is_number(digits: &str) -> bool {
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(10)).collect();
    let weighed = (1..=11).zip(digits[..11].iter().rev()).map(|(n, digit)| digit * if n <= 6 { n + 1 } else { n - 5 });
    let check = match weighed.sum::<u32>() % 11 {
        0 | 1 => 0,
        remainder => 11 - remainder,
    };
    digits.iter().any(|digit| *digit != digits[0]) && check == digits[11]
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_number_is_found_however_it_is_written() {
        for text in ["123456789018", "番号は1234-5678-9018です", "１２３４ ５６７８ ９０１８", "A123456789018B"]
        {
            assert!(find(text), "{text}");
        }
    }

    #[test]
    fn other_digits_are_none() {
        for text in [
            "",
            "123456789012",
            "0123456789018",
            "1234567890181",
            "000000000000",
            "03-1234-5678",
            "112,364 名",
            "1234-5678-901",
            "SHA-256 a123456789018b00112233445566778899aabbccddeeff00112233445566778e",
        ] {
            assert!(!find(text), "{text}");
        }
    }
}
