//! Time zones: where a day begins.
//!
//! The whole database of time zones has 49 KB gzipped of data alone, which no function has room for
//! (docs/decisions/0018-time-zones.md). `zones.txt` has the rules in force instead, a line for each: minutes
//! ahead of UTC; where clocks change, the same in summer and both changes (month, week, where 5 is the last, day
//! of the week, minutes after midnight); and the names. A test in tests/repo compares it with the database.

use chrono::{Datelike as _, Days, NaiveDate, NaiveTime};

use crate::time::{MINUTE, Millis};

const ZONES: &str = include_str!("zones.txt");

/// A time zone, by its rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone {
    /// Milliseconds ahead of UTC.
    standard: i64,
    summer: Option<Summer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Summer {
    ahead: i64,
    begins: Change,
    ends: Change,
}

/// When clocks change: month, week of the month, day of the week from Sunday, minutes after midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    month: i64,
    week: i64,
    day: i64,
    minutes: i64,
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self {
        standard: 0,
        summer: None,
    };

    /// By its name in the IANA database, or as an offset such as `+05:30`.
    pub fn parse(name: &str) -> Option<Self> {
        if name.starts_with(['+', '-']) {
            return offset(name);
        }
        let wanted = |line: &&str| line.split(' ').any(|word| word == name);
        // A number is no name.
        let named = name.starts_with(|first: char| first.is_ascii_alphabetic());
        Self::of_line(ZONES.lines().find(wanted).filter(|_| named)?)
    }

    /// Names of all zones.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let words = ZONES.lines().flat_map(|line| line.split(' '));
        words.filter(|word| word.starts_with(|first: char| first.is_ascii_alphabetic()))
    }

    fn of_line(line: &str) -> Option<Self> {
        let numbers: Vec<i64> = line
            .split(' ')
            .map_while(|word| word.parse().ok())
            .collect();
        let minutes = |count: i64| count.saturating_mul(MINUTE);
        match *numbers.as_slice() {
            [standard] => Some(Self {
                standard: minutes(standard),
                summer: None,
            }),
            [standard, summer, m1, w1, d1, t1, m2, w2, d2, t2] => Some(Self {
                standard: minutes(standard),
                summer: Some(Summer {
                    ahead: minutes(summer),
                    begins: Change::new(m1, w1, d1, t1),
                    ends: Change::new(m2, w2, d2, t2),
                }),
            }),
            _ => None,
        }
    }

    /// Milliseconds that its clocks are ahead of UTC at that moment.
    pub fn ahead(&self, at: Millis) -> i64 {
        let Some(summer) = &self.summer else {
            return self.standard;
        };
        let year = at.plus(self.standard).date_time().year();
        let begins = summer.begins.in_year(year).minus(self.standard);
        let ends = summer.ends.in_year(year).minus(summer.ahead);
        let is_summer = if begins < ends {
            begins <= at && at < ends
        } else {
            begins <= at || at < ends
        };
        if is_summer {
            summer.ahead
        } else {
            self.standard
        }
    }

    /// The date there at that moment.
    pub fn date(&self, at: Millis) -> NaiveDate {
        at.plus(self.ahead(at)).date_time().date_naive()
    }

    /// The first moment of a date there. Where clocks skip midnight, that is the moment of the change;
    /// where they show it twice, the first time.
    pub fn midnight(&self, date: NaiveDate) -> Millis {
        let local = Millis(date.and_time(NaiveTime::MIN).and_utc().timestamp_millis());
        let other = self.summer.map_or(self.standard, |summer| summer.ahead);
        let (more, less) = if other > self.standard {
            (other, self.standard)
        } else {
            (self.standard, other)
        };
        let (first, second) = (local.minus(more), local.minus(less));
        if self.ahead(first) == more {
            first
        } else {
            second
        }
    }
}

impl Change {
    const fn new(month: i64, week: i64, day: i64, minutes: i64) -> Self {
        Self {
            month,
            week,
            day,
            minutes,
        }
    }

    /// When it happens in a year, as local clocks show it.
    fn in_year(self, year: i32) -> Millis {
        let month = u32::try_from(self.month).unwrap_or(1);
        let first = NaiveDate::from_ymd_opt(year, month, 1).unwrap_or_default();
        let weekday = i64::from(first.weekday().num_days_from_sunday());
        let mut days = self.day.saturating_sub(weekday).rem_euclid(7);
        days = days.saturating_add(self.week.saturating_sub(1).saturating_mul(7));
        let on = |days: i64| first.checked_add_days(Days::new(days.unsigned_abs()));
        let inside = |date: &NaiveDate| date.month() == month;
        let date = on(days)
            .filter(inside)
            .or_else(|| on(days.saturating_sub(7)));
        let date = date.unwrap_or(first).and_time(NaiveTime::MIN).and_utc();
        Millis(date.timestamp_millis()).plus(self.minutes.saturating_mul(MINUTE))
    }
}

/// `+05:30`, at most a day.
fn offset(text: &str) -> Option<Zone> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let two = |text: &str, most: i64| {
        let plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number: i64 = text.parse().ok()?;
        (plain && number <= most).then_some(number)
    };
    let (hours, minutes) = (two(hours, 14)?, two(minutes, 59)?);
    let ahead = hours.saturating_mul(60).saturating_add(minutes);
    Some(Zone {
        standard: ahead.saturating_mul(sign).saturating_mul(MINUTE),
        summer: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Millis {
        Millis::parse(text).unwrap()
    }

    fn midnight(zone: &str, day: &str) -> String {
        let date = NaiveDate::parse_from_str(day, "%Y-%m-%d").unwrap();
        Zone::parse(zone).unwrap().midnight(date).rfc3339()
    }

    /// Rows: V-05
    #[test]
    fn days_begin_where_clocks_say_so() {
        for (zone, day, wanted) in [
            ("UTC", "2026-03-29", "2026-03-29T00:00:00.000Z"),
            ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00.000Z"),
            ("Europe/Berlin", "2026-03-30", "2026-03-29T22:00:00.000Z"),
            ("Europe/Berlin", "2026-10-26", "2026-10-25T23:00:00.000Z"),
            ("America/New_York", "2026-11-01", "2026-11-01T04:00:00.000Z"),
            ("America/New_York", "2026-11-02", "2026-11-02T05:00:00.000Z"),
            ("Asia/Kolkata", "2026-06-01", "2026-05-31T18:30:00.000Z"),
            // South of the equator, summer crosses the new year.
            ("Australia/Sydney", "2027-01-01", "2026-12-31T13:00:00.000Z"),
            ("Australia/Sydney", "2026-07-01", "2026-06-30T14:00:00.000Z"),
            // Summer time that is standard, and winter time that is behind.
            ("Europe/Dublin", "2026-07-01", "2026-06-30T23:00:00.000Z"),
            ("Europe/Dublin", "2026-12-01", "2026-12-01T00:00:00.000Z"),
            // Midnight is skipped, and shown twice.
            ("America/Santiago", "2026-09-06", "2026-09-06T04:00:00.000Z"),
            ("America/Havana", "2026-11-01", "2026-11-01T04:00:00.000Z"),
            ("+05:45", "2026-06-01", "2026-05-31T18:15:00.000Z"),
            ("-03:00", "2026-06-01", "2026-06-01T03:00:00.000Z"),
        ] {
            assert_eq!(midnight(zone, day), wanted, "{zone} {day}");
        }
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for odd in [
            "",
            " ",
            "0",
            "60",
            "-60",
            "+1",
            "+15:00",
            "+05:60",
            "+5:30",
            "Europe",
            "europe/berlin",
            "Mars/Phobos",
            "Europe/Berlin America/New_York",
        ] {
            assert_eq!(Zone::parse(odd), None, "{odd:?}");
        }
        assert_eq!(Zone::names().count(), 595);
    }

    #[test]
    fn clocks_change_at_their_moment() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let hours = |text: &str| berlin.ahead(at(text)) / 3_600_000;
        assert_eq!(hours("2026-03-29T00:59:59.999Z"), 1);
        assert_eq!(hours("2026-03-29T01:00:00Z"), 2);
        assert_eq!(hours("2026-10-25T00:59:59.999Z"), 2);
        assert_eq!(hours("2026-10-25T01:00:00Z"), 1);
    }
}
