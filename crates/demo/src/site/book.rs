//! Positions, trades and balances, drawn from the account id alone: the same account always has the same book.
//!
//! Pure. Not stored, and not a model of a market: rates stand still.

use super::dates;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A currency pair and its standing rate.
pub(super) struct Pair {
    pub(super) name: &'static str,
    bid_milliyen: i64,
    spread_milliyen: i64,
}

/// The pairs the broker quotes.
pub(super) const PAIRS: [Pair; 6] = [
    Pair { name: "米ドル/円", bid_milliyen: 148_252, spread_milliyen: 2 },
    Pair { name: "ユーロ/円", bid_milliyen: 161_418, spread_milliyen: 4 },
    Pair { name: "ポンド/円", bid_milliyen: 188_930, spread_milliyen: 9 },
    Pair { name: "豪ドル/円", bid_milliyen: 97_561, spread_milliyen: 6 },
    Pair { name: "NZドル/円", bid_milliyen: 89_204, spread_milliyen: 8 },
    Pair { name: "スイスフラン/円", bid_milliyen: 171_087, spread_milliyen: 15 },
];

impl Pair {
    pub(super) fn bid(&self) -> String {
        rate(self.bid_milliyen)
    }

    pub(super) fn ask(&self) -> String {
        rate(self.bid_milliyen + self.spread_milliyen)
    }
}

/// An open position.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Position {
    pub(super) pair: &'static str,
    pub(super) side: &'static str,
    pub(super) units: i64,
    pub(super) opened_rate: String,
    pub(super) rate: String,
    pub(super) profit_yen: i64,
}

impl Position {
    pub(super) fn units_grouped(&self) -> String {
        grouped(self.units)
    }

    pub(super) fn profit_grouped(&self) -> String {
        grouped(self.profit_yen)
    }
}

/// A closed trade.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trade {
    pub(super) traded_at: String,
    pub(super) pair: &'static str,
    pub(super) side: &'static str,
    pub(super) units: i64,
    pub(super) rate: String,
    pub(super) profit_yen: i64,
}

/// What an account holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Book {
    pub(super) deposit_yen: i64,
    pub(super) positions: Vec<Position>,
    pub(super) trades: Vec<Trade>,
}

impl Book {
    pub(super) fn of(account_id: &str) -> Book {
        let mut rng = StdRng::seed_from_u64(seed(account_id));
        let position_count = rng.random_range(1..6);
        let trade_count = rng.random_range(8_i32..25);
        Book {
            deposit_yen: rng.random_range(30..900) * 10_000 + rng.random_range(0..10_000),
            positions: (0..position_count).map(|_| position(&mut rng)).collect(),
            trades: (0..trade_count).map(|number| trade(&mut rng, number.unsigned_abs())).collect(),
        }
    }

    /// The profit of all open positions.
    pub(super) fn unrealised_yen(&self) -> i64 {
        self.positions.iter().map(|position| position.profit_yen).sum()
    }

    pub(super) fn deposit_grouped(&self) -> String {
        grouped(self.deposit_yen)
    }

    pub(super) fn unrealised_grouped(&self) -> String {
        grouped(self.unrealised_yen())
    }

    /// Deposit and open profit together.
    pub(super) fn equity_grouped(&self) -> String {
        grouped(self.deposit_yen + self.unrealised_yen())
    }
}

/// FNV-1a, 64 bits.
fn seed(account_id: &str) -> u64 {
    account_id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn position(rng: &mut StdRng) -> Position {
    let pair = &PAIRS[rng.random_range(0..PAIRS.len())];
    let (side, direction) = side(rng);
    let units = rng.random_range(1..21) * 1_000;
    let moved_milliyen = rng.random_range(-1_800..2_200);
    Position {
        pair: pair.name,
        side,
        units,
        opened_rate: rate(pair.bid_milliyen - direction * moved_milliyen),
        rate: pair.bid(),
        profit_yen: moved_milliyen * units / 1_000,
    }
}

fn trade(rng: &mut StdRng, number: u32) -> Trade {
    let pair = &PAIRS[rng.random_range(0..PAIRS.len())];
    let (side, _) = side(rng);
    let units = rng.random_range(1..21) * 1_000;
    let traded_at = format!(
        "{} {:02}:{:02}:{:02}",
        dates::trading_day(number),
        rng.random_range(8..24),
        rng.random_range(0..60),
        rng.random_range(0..60)
    );
    Trade {
        traded_at,
        pair: pair.name,
        side,
        units,
        rate: rate(pair.bid_milliyen + rng.random_range(-3_000..3_000)),
        profit_yen: rng.random_range(-1_500..1_700) * units / 1_000,
    }
}

fn side(rng: &mut StdRng) -> (&'static str, i64) {
    if rng.random_range(0..2) == 0 { ("買", 1) } else { ("売", -1) }
}

fn rate(milliyen: i64) -> String {
    format!("{}.{:03}", milliyen / 1_000, milliyen % 1_000)
}

/// `-1,234,567`
pub(super) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_always_has_the_same_book() {
        assert_eq!(Book::of("HK10000000"), Book::of("HK10000000"));
        assert_ne!(Book::of("HK10000000"), Book::of("HK10000007"));
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, -1_000, 1_234_567].map(grouped), ["0", "999", "-1,000", "1,234,567"]);
    }

    #[test]
    fn the_rate_has_three_decimals() {
        assert_eq!(rate(148_002), "148.002");
    }
}
