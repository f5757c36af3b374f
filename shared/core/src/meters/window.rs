//! The windows of a query: hours, days or months of a time zone.

use chrono::{Datelike as _, NaiveDate};

use super::zone::Zone;
use crate::time::{HOUR, Millis};

/// Windows of one query.
const MAX_WINDOWS: usize = 1_000;

/// How long a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Hour,
    Day,
    Month,
}

impl Size {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "hour" => Some(Self::Hour),
            "day" => Some(Self::Day),
            "month" => Some(Self::Month),
            _ => None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The first moment of the window that holds `at`.
    fn start(self, zone: &Zone, at: Millis) -> Millis {
        match self {
            Self::Hour => {
                let local = at.plus(zone.ahead(at));
                at.minus(local.since(local.hour()))
            }
            Self::Day => zone.midnight(zone.date(at)),
            Self::Month => zone.midnight(first_of_month(zone.date(at))),
        }
    }

    /// The first moment of the window after the one that begins at `start`.
    fn next(self, zone: &Zone, start: Millis) -> Millis {
        match self {
            Self::Hour => start.plus(HOUR),
            Self::Day => {
                let date = zone.date(start);
                zone.midnight(date.succ_opt().unwrap_or(date))
            }
            Self::Month => {
                let first = first_of_month(zone.date(start));
                let next = first.checked_add_months(chrono::Months::new(1));
                zone.midnight(next.unwrap_or(first))
            }
        }
    }

    /// First and last-but-one moment of each window, from the one that holds `from` to the one that
    /// holds the moment before `to`; `None` when there are too many or none.
    pub(super) fn windows(self, zone: &Zone, from: Millis, to: Millis) -> Option<Vec<(i64, i64)>> {
        let mut windows = Vec::new();
        let mut start = self.start(zone, from);
        while start < to {
            let next = self.next(zone, start);
            if windows.len() >= MAX_WINDOWS || next <= start {
                return None;
            }
            windows.push((start.0, next.0));
            start = next;
        }
        (!windows.is_empty()).then_some(windows)
    }
}

fn first_of_month(date: NaiveDate) -> NaiveDate {
    date.with_day(1).unwrap_or(date)
}

/// Whether the hours of the rollup make up the windows.
pub(super) fn are_whole_hours(windows: &[(i64, i64)]) -> bool {
    windows
        .iter()
        .all(|(from, to)| from % HOUR == 0 && to % HOUR == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(zone: &str, size: Size, from: &str, to: &str) -> Vec<i64> {
        let zone = Zone::parse(zone).unwrap();
        let moment = |text| Millis::parse(text).unwrap();
        let windows = size.windows(&zone, moment(from), moment(to)).unwrap();
        let mut last = None;
        for (from, to) in &windows {
            assert!(last.is_none_or(|last| last == *from), "no gap, no overlap");
            last = Some(*to);
        }
        windows
            .iter()
            .map(|(from, to)| (to - from) / HOUR)
            .collect()
    }

    /// Rows: V-05
    #[test]
    fn days_are_as_long_as_clocks_make_them() {
        let days = |zone, from, to| hours(zone, Size::Day, from, to);
        let (from, to) = ("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z");
        assert_eq!(days("Europe/Berlin", from, to), [24, 23, 24]);
        assert_eq!(days("UTC", from, to), [24, 24, 24]);
        let (from, to) = ("2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z");
        assert_eq!(days("America/New_York", from, to), [24, 25, 24]);
        let (from, to) = ("2026-09-05T12:00:00Z", "2026-09-07T12:00:00Z");
        assert_eq!(days("America/Santiago", from, to), [24, 23, 24]);
    }

    /// Rows: V-05
    #[test]
    fn months_are_as_long_as_clocks_make_them() {
        let months = hours(
            "Europe/Berlin",
            Size::Month,
            "2026-02-15T00:00:00Z",
            "2026-04-15T00:00:00Z",
        );
        assert_eq!(months, [28 * 24, 31 * 24 - 1, 30 * 24]);
        let one = hours(
            "UTC",
            Size::Hour,
            "2026-02-15T00:10:00Z",
            "2026-02-15T02:00:00Z",
        );
        assert_eq!(one, [1, 1]);
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let day = |days: i64| Millis(1_760_000_000_000).plus(days * 24 * HOUR);
        let windows =
            |size: Size, from, to| size.windows(&Zone::UTC, from, to).map(|all| all.len());
        assert_eq!(windows(Size::Hour, day(0), day(41)), Some(985));
        assert_eq!(windows(Size::Hour, day(0), day(42)), None);
        assert_eq!(windows(Size::Day, day(1), day(0)), None);
        assert!(are_whole_hours(&[(0, HOUR)]) && !are_whole_hours(&[(0, HOUR / 2)]));
    }
}
