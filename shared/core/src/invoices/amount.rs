//! What usage costs, in whole minor units of the currency.

use core::fmt::Write as _;

use crate::sql::MAX_INTEGER;

/// The price of a meter's units in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Price {
    /// Of `per_units` units together, in minor units.
    pub(super) unit_amount: i64,
    /// At least 1.
    pub(super) per_units: i64,
    /// Units of a month that cost nothing.
    pub(super) included: i64,
}

impl Price {
    /// What so many units of one month cost; half a minor unit is one.
    fn of(self, quantity: i64) -> i128 {
        let charged = i128::from(quantity).saturating_sub(i128::from(self.included));
        let per = i128::from(self.per_units.max(1));
        let twice = charged
            .max(0)
            .saturating_mul(i128::from(self.unit_amount))
            .saturating_mul(2);
        twice.saturating_add(per).div_euclid(per.saturating_mul(2))
    }

    /// What is still to be charged of a month of which `billed` units are on an invoice already. By
    /// the difference of the two amounts, so that it does not matter in how many parts a month came;
    /// below zero for units that were taken back.
    pub(super) fn rest(self, billed: i64, quantity: i64) -> i64 {
        let rest = self.of(quantity).saturating_sub(self.of(billed));
        let most = i128::from(MAX_INTEGER);
        i64::try_from(rest.clamp(most.saturating_neg(), most)).unwrap_or(0)
    }
}

/// An amount as people read it: `1234.50 USD`. Digits after the point are the currency's (ISO 4217).
pub(super) fn money(minor: i64, currency: &str) -> String {
    let currency = currency.to_ascii_uppercase();
    let digits: u32 = match currency.as_str() {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    };
    let unit = 10_u64.saturating_pow(digits);
    let amount = minor.unsigned_abs();
    let sign = if minor < 0 { "-" } else { "" };
    let mut text = sign.to_owned();
    // Writing into a text cannot fail.
    let _ = write!(text, "{}", amount.div_euclid(unit));
    if digits > 0 {
        let width = digits as usize;
        let _ = write!(text, ".{:0width$}", amount.rem_euclid(unit));
    }
    text.push(' ');
    text.push_str(&currency);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Price = Price {
        unit_amount: 5,
        per_units: 1_000,
        included: 100,
    };

    #[test]
    fn half_a_unit_is_one_and_what_is_included_is_free() {
        let of = |quantity| PRICE.of(quantity);
        assert_eq!((of(-5), of(0), of(100), of(199)), (0, 0, 0, 0));
        assert_eq!((of(200), of(299), of(300), of(1_100)), (1, 1, 1, 5));
        let dear = Price {
            unit_amount: MAX_INTEGER,
            per_units: 1,
            included: 0,
        };
        assert_eq!(dear.rest(0, MAX_INTEGER), MAX_INTEGER);
    }

    /// In however many invoices a month comes, together they are what it costs.
    ///
    /// Rows: H-30
    #[test]
    fn parts_add_up() {
        for (unit_amount, per_units, included) in [
            (0, 1, 0),
            (1, 3, 0),
            (7, 2, 5),
            (99, 1_000, 12_345),
            (1_000_000, 7, 1),
        ] {
            let price = Price {
                unit_amount,
                per_units,
                included,
            };
            for step in [1, 2, 3, 1_001, -1, 777_777] {
                let (mut billed, mut sum) = (0, 0);
                for part in 0..50 {
                    let quantity = billed + step * part;
                    sum += price.rest(billed, quantity);
                    billed = quantity;
                }
                assert_eq!(sum, price.rest(0, billed), "{price:?} {step}");
            }
        }
    }

    #[test]
    fn amounts_have_their_currencys_digits() {
        assert_eq!(money(123_450, "usd"), "1234.50 USD");
        assert_eq!(money(-5, "eur"), "-0.05 EUR");
        assert_eq!(money(500, "jpy"), "500 JPY");
        assert_eq!(money(1_005, "kwd"), "1.005 KWD");
    }
}
