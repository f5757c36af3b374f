//! Time as the database keeps it (Unix milliseconds) and as the API shows it (RFC 3339, UTC).

use chrono::{DateTime, Datelike as _, SecondsFormat, Utc};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Millis(pub i64);

/// One second in milliseconds.
pub const SECOND: i64 = 1_000;
/// One minute in milliseconds.
pub const MINUTE: i64 = 60 * SECOND;
/// One hour in milliseconds.
pub const HOUR: i64 = 60 * MINUTE;
/// One day in milliseconds.
pub const DAY: i64 = 24 * HOUR;

impl Millis {
    /// This moment plus `millis`, at most the end of time.
    #[must_use]
    pub const fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// This moment minus `millis`.
    #[must_use]
    pub const fn minus(self, millis: i64) -> Self {
        Self(self.0.saturating_sub(millis))
    }

    /// Milliseconds from `earlier` to this moment; negative when it lies before.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// The start of the UTC hour that holds this moment.
    #[must_use]
    pub const fn hour(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(HOUR)))
    }

    /// The UTC calendar month, `2026-11`.
    pub fn month(self) -> String {
        // Not chrono's `format`: its language of patterns is 12 KB in every function.
        let date = self.date_time();
        format!("{:04}-{:02}", date.year(), date.month())
    }

    /// Seconds until the next UTC calendar month begins.
    pub fn until_next_month(self) -> i64 {
        let next = month_bounds(&self.month()).map_or(self, |(_, next)| next);
        next.seconds().saturating_sub(self.seconds())
    }

    /// The minute as letters tell it, `2026-11-20 at 10:18 UTC`.
    pub fn minute(self) -> String {
        let text = self.rfc3339();
        let (day, time) = text.split_once('T').unwrap_or_default();
        let time = time.get(..5).unwrap_or_default();
        format!("{day} at {time} UTC")
    }

    /// RFC 3339 in UTC with milliseconds, `2026-11-20T10:18:00.000Z`.
    pub fn rfc3339(self) -> String {
        self.date_time()
            .to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Reads RFC 3339 with any offset; `None` for what is not a date that exists.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|time| Self(time.timestamp_millis()))
    }

    /// The same moment as chrono keeps it; beyond year 262,000 it is 1970.
    pub fn date_time(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }
}

/// First moment of a UTC calendar month such as `2026-11`, and of the next; `None` for what is no month
/// before December 9999.
pub(crate) fn month_bounds(month: &str) -> Option<(Millis, Millis)> {
    let (year, number) = month.split_once('-')?;
    if year.len() != 4 || number.len() != 2 {
        return None;
    }
    // Numbers parse with a sign, which is no month.
    if !year
        .bytes()
        .chain(number.bytes())
        .all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let (year, number): (i32, i32) = (year.parse().ok()?, number.parse().ok()?);
    let start =
        |year: i32, month: i32| Millis::parse(&format!("{year:04}-{month:02}-01T00:00:00Z"));
    let (next_year, next) = if number == 12 {
        (year.checked_add(1)?, 1)
    } else {
        (year, number.checked_add(1)?)
    };
    Some((start(year, number)?, start(next_year, next)?))
}

impl From<Millis> for crate::sql::Value {
    fn from(time: Millis) -> Self {
        Self::Int(time.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_and_hours_are_utc() {
        let moment = Millis::parse("2026-11-01T01:30:00+02:00").unwrap();
        assert_eq!(moment.month(), "2026-10");
        assert_eq!(moment.minute(), "2026-10-31 at 23:30 UTC");
        assert_eq!(moment.rfc3339(), "2026-10-31T23:30:00.000Z");
        assert_eq!(moment.hour().rfc3339(), "2026-10-31T23:00:00.000Z");
        assert_eq!(moment.until_next_month(), 30 * 60);
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        for text in [
            "2026-02-30T00:00:00Z",
            "2026-11-20",
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
        ] {
            assert_eq!(Millis::parse(text), None, "{text}");
        }
    }

    #[test]
    fn months_have_their_bounds() {
        let (from, to) = month_bounds("2026-12").unwrap();
        assert_eq!(
            (from.rfc3339().as_str(), to.rfc3339().as_str()),
            ("2026-12-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z")
        );
        for bad in [
            "2026-13", "2026-00", "2026", "26-01", "2026-1", "9999-12", "-001-01", "aaaa-bb",
            "2026-+1", "+026-11",
        ] {
            assert_eq!(month_bounds(bad), None, "{bad}");
        }
    }
}
