//! Parquet's RLE / bit-packing hybrid: small numbers as runs of one value, or packed in groups of eight.
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE>

/// The widest number.
const WIDTH_MAX: u8 = 32;

/// Appends `count` numbers of `width` bits; `None` when the bytes do not hold them.
pub(crate) fn decode(mut bytes: &[u8], width: u8, count: usize, numbers: &mut Vec<u32>) -> Option<()> {
    if width > WIDTH_MAX {
        return None;
    }
    let end = numbers.len().checked_add(count)?;
    while numbers.len() < end {
        let missing = end - numbers.len();
        let header = varint(&mut bytes)?;
        if header & 1 == 0 {
            let value_bytes = usize::from(width).div_ceil(8);
            let value = little_endian(bytes.get(..value_bytes)?);
            bytes = &bytes[value_bytes..];
            let run = usize::try_from(header >> 1).ok()?.min(missing);
            numbers.resize(numbers.len() + run, u32::try_from(value).ok()?);
        } else {
            let groups = usize::try_from(header >> 1).ok()?;
            let packed = groups.checked_mul(usize::from(width))?.min(bytes.len());
            let run = groups.checked_mul(8)?.min(missing);
            if run * usize::from(width) > packed * 8 {
                return None;
            }
            unpack(&bytes[..packed], width, run, numbers);
            bytes = &bytes[packed..];
        }
    }
    Some(())
}

/// Hot: a number costs one unaligned load of eight bytes, of which at most 7 + 32 bits are used.
fn unpack(packed: &[u8], width: u8, count: usize, numbers: &mut Vec<u32>) {
    let mask = (1u64 << width) - 1;
    let number = |index: usize| {
        let bit = index * usize::from(width);
        let word = match packed.get(bit / 8..bit / 8 + 8) {
            Some(eight) => u64::from_le_bytes(eight.try_into().expect("eight bytes")),
            None => little_endian(packed.get(bit / 8..).unwrap_or_default()),
        };
        u32::try_from(word >> (bit % 8) & mask).expect("at most 32 bits")
    };
    numbers.extend((0..count).map(number));
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// At most eight bytes.
fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], width: u8, count: usize, expected: Option<&[u32]>) {
        let mut numbers = Vec::new();
        let decoded = decode(bytes, width, count, &mut numbers);
        assert_eq!(decoded.map(|()| numbers.as_slice()), expected, "{bytes:?}");
    }

    #[test]
    fn runs_and_groups_are_those_of_the_specification() {
        // The specification's example: 0 to 7 in three bits each.
        check(&[0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010], 3, 8, Some(&[0, 1, 2, 3, 4, 5, 6, 7]));
        check(&[10, 7], 3, 5, Some(&[7; 5]));
        check(&[4, 1, 4, 2], 8, 4, Some(&[1, 1, 2, 2]));
        check(&[10], 0, 5, Some(&[0; 5]));
        check(&[2, 0x78, 0x56, 0x34, 0x12], 32, 1, Some(&[0x1234_5678]));
    }

    #[test]
    fn bytes_that_are_cut_off_are_refused() {
        check(&[], 3, 1, None);
        check(&[0b11, 1], 3, 8, None);
        check(&[10], 8, 5, None);
        check(&[0xFF; 9], 3, 8, None);
        check(&[2, 0], 33, 1, None);
        // A run of no rows, again and again, ends with the bytes.
        check(&[0, 1, 0, 1], 8, 1, None);
    }
}
