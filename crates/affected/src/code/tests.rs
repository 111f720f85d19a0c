use super::*;
use proptest::prelude::*;

fn code(hash: u128) -> CaseCode {
    CaseCode::from_hash(&hash.to_be_bytes())
}

fn check(typed: &str, expected: Result<&str, Mistyped>) {
    let printed = CaseCode::parse(typed).map(|code| code.printed());
    assert_eq!(printed.as_deref().map_err(|problem| *problem), expected, "{typed}");
}

#[test]
fn a_code_is_read_however_it_is_typed() {
    let printed = code(0x0123_4567_89ab_cdef_0011_2233_4455_6677).printed();
    assert_eq!(printed, "04HMA-SW9NF-6YY00-H48SM5");
    check(&printed, Ok(&printed));
    check(" 04hma sw9nf 6yyoo h48sm5 ", Ok(&printed));
    check("O4HMASW9NF6YYo0H48SM5", Ok(&printed));
    check("０４ＨＭＡーＳＷ９ＮＦー６ＹＹ００ーｈ４８ｓｍ５", Ok(&printed));
}

#[test]
fn what_is_no_code_is_told_apart() {
    check("", Err(Mistyped::Empty));
    check(" - ", Err(Mistyped::Empty));
    check("04HMA-SW9NF-6YY00-H48SM", Err(Mistyped::Length));
    check("04HMA-SW9NF-6YY00-H48SM55", Err(Mistyped::Length));
    check(&"-".repeat(100), Err(Mistyped::Length));
    check("04HMA-SW9NF-6YY00-H48SMU", Err(Mistyped::Character));
    check("04HMA-SW9NF-6YY00-H48SM6", Err(Mistyped::Check));
    check("山田太郎", Err(Mistyped::Character));
}

#[test]
fn a_code_is_not_shown_by_debug() {
    assert_eq!(format!("{:?}", code(7)), "CaseCode(…)");
}

/// Every single substitution and every exchange of two symbols, adjacent or not, of one code.
fn every_slip_is_found(code: &CaseCode) {
    let mut symbols = [0; TYPED_SYMBOLS];
    symbols[..SYMBOLS].copy_from_slice(code.symbols());
    symbols[SYMBOLS] = code.check();
    assert_eq!(parity(&symbols), 0);
    for place in 0..TYPED_SYMBOLS {
        for other in (0..32).filter(|&other| other != symbols[place]) {
            let mut slip = symbols;
            slip[place] = other;
            assert_ne!(parity(&slip), 0, "symbol {place} became {other}");
        }
        for second in place + 1..TYPED_SYMBOLS {
            let mut slip = symbols;
            slip.swap(place, second);
            assert!(slip == symbols || parity(&slip) != 0, "symbols {place} and {second} were exchanged");
        }
    }
}

proptest! {
    #[test]
    fn codes_round_trip(hash: u128) {
        let code = code(hash);
        prop_assert_eq!(CaseCode::parse(&code.printed()), Ok(code));
    }

    #[test]
    fn the_check_character_finds_every_single_slip(hash: u128) {
        every_slip_is_found(&code(hash));
    }

    #[test]
    fn nothing_typed_makes_the_parser_fail_otherwise(typed: String) {
        let _ = CaseCode::parse(&typed);
    }
}
