//! Durations in buckets. Each bucket is a counter of its own here, and the page adds them up, so
//! that a request moves two rows and not ten.

use super::families::Series;

/// Upper bounds in milliseconds, and in seconds as they are written. 0.2 s is what nearly all
/// requests are to stay under, 3 s what somebody is called for.
const BOUNDS: [(i64, &str); 10] = [
    (5, "0.005"),
    (10, "0.01"),
    (25, "0.025"),
    (50, "0.05"),
    (100, "0.1"),
    (200, "0.2"),
    (500, "0.5"),
    (1_000, "1"),
    (3_000, "3"),
    (10_000, "10"),
];

/// The last bucket.
const REST: &str = "+Inf";
/// In place of a bound: the sum of all durations, in milliseconds.
const SUM: &str = "sum";

/// What a request of this duration adds to a family, by its first label: one to its bucket, and its
/// milliseconds to the sum.
pub(crate) fn bucket(
    family: fn(&'static str, &'static str) -> Series,
    label: &'static str,
    millis: i64,
) -> [(Series, i64); 2] {
    let bound = BOUNDS.iter().find(|(bound, _)| millis <= *bound);
    let le = bound.map_or(REST, |(_, name)| *name);
    [(family(label, le), 1), (family(label, SUM), millis.max(0))]
}

/// The durations of one route, as they were read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Buckets {
    counts: [i64; 11],
    millis: i64,
}

impl Buckets {
    /// Takes a row; one with a bound of another build is left out.
    pub(super) fn take(&mut self, le: &str, value: i64) {
        if le == SUM {
            self.millis = value;
            return;
        }
        let names = BOUNDS.iter().map(|(_, name)| *name).chain([REST]);
        for (count, name) in self.counts.iter_mut().zip(names) {
            if name == le {
                *count = value;
            }
        }
    }

    /// Each bound with how many were as fast or faster; the last one is the number of all.
    pub(super) fn cumulative(&self) -> Vec<(&'static str, i64)> {
        let names = BOUNDS.iter().map(|(_, name)| *name).chain([REST]);
        let mut total: i64 = 0;
        let mut add = |count: &i64| {
            total = total.saturating_add(*count);
            total
        };
        names.zip(self.counts.iter().map(&mut add)).collect()
    }

    /// Seconds, exactly.
    pub(super) fn seconds(&self) -> String {
        let (whole, rest) = (self.millis.div_euclid(1_000), self.millis.rem_euclid(1_000));
        format!("{whole}.{rest:03}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::families::http_duration;
    use super::*;

    /// Rows: O-12
    #[test]
    fn buckets_hold_what_is_as_fast_or_faster() {
        let mut counted = std::collections::BTreeMap::<Series, i64>::new();
        for millis in [0, 5, 6, 200, 201, 3_000, 3_001, 60_000, -1] {
            for (series, amount) in bucket(http_duration, "r", millis) {
                *counted.entry(series).or_default() += amount;
            }
        }
        let mut buckets = Buckets::default();
        for (series, value) in &counted {
            buckets.take(series.labels().strip_prefix("r ").unwrap(), *value);
        }
        let expected = [
            ("0.005", 3),
            ("0.01", 4),
            ("0.025", 4),
            ("0.05", 4),
            ("0.1", 4),
            ("0.2", 5),
            ("0.5", 6),
            ("1", 6),
            ("3", 7),
            ("10", 8),
            ("+Inf", 9),
        ];
        assert_eq!(buckets.cumulative(), expected);
        assert_eq!(buckets.seconds(), "66.413");
    }

    #[test]
    fn bounds_are_written_as_they_are() {
        for (millis, name) in BOUNDS {
            let seconds: f64 = name.parse().unwrap();
            assert!((seconds * 1_000.0 - f64::from(i32::try_from(millis).unwrap())).abs() < 1e-9);
        }
    }
}
