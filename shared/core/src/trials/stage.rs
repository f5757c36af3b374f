//! How far a trial has come, by nothing but two moments.

use crate::outbox::Topic;
use crate::time::{DAY, Millis};

/// Before the end, founders are told so many milliseconds ahead.
pub(super) const NOTICE: i64 = 3 * DAY;

/// What a trial's row says of it. Stages are only gone through in this order, and each once for an
/// end; an extension begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// More than three days are left.
    Started,
    /// Three days or less.
    Ending,
    /// A day or less.
    LastDay,
    /// None: the end is the first moment without the plan.
    Over,
}

impl Stage {
    /// The stage at `now` of a trial that ends at `ends`.
    pub(super) const fn at(ends: Millis, now: Millis) -> Self {
        let left = ends.since(now);
        if left <= 0 {
            Self::Over
        } else if left <= DAY {
            Self::LastDay
        } else if left <= NOTICE {
            Self::Ending
        } else {
            Self::Started
        }
    }

    /// What the row says, and what is published of it; who pays is not reminded.
    pub(super) const fn named(self, pays: bool) -> (&'static str, Option<&'static Topic>) {
        match (self, pays) {
            (Self::Started, _) => ("started", None),
            (Self::Ending, false) => ("ending", Some(Topic::TRIAL_ENDING)),
            (Self::Ending, true) => ("ending", None),
            (Self::LastDay, false) => ("last_day", Some(Topic::TRIAL_LAST_DAY)),
            (Self::LastDay, true) => ("last_day", None),
            (Self::Over, false) => ("expired", Some(Topic::TRIAL_EXPIRED)),
            (Self::Over, true) => ("converted", Some(Topic::TRIAL_CONVERTED)),
        }
    }
}

/// Days that are left, a begun one counted whole.
pub(super) const fn days_left(ends: Millis, now: Millis) -> i64 {
    let left = ends.since(now);
    if left <= 0 {
        0
    } else {
        left.saturating_add(DAY.saturating_sub(1)).div_euclid(DAY)
    }
}

/// The first moments of tomorrow and of the day after, in UTC whatever the server's own zone.
pub(super) const fn next_days(now: Millis) -> [Millis; 2] {
    let today = now.minus(now.0.rem_euclid(DAY));
    [today.plus(DAY), today.plus(2 * DAY)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Millis {
        Millis::parse(text).unwrap()
    }

    /// Rows: H-26
    #[test]
    fn a_trial_is_over_at_its_exact_end_and_not_a_millisecond_before() {
        let ends = at("2026-12-06T03:44:00Z");
        for (before, stage, days) in [
            (14 * DAY, Stage::Started, 14),
            (NOTICE + 1, Stage::Started, 4),
            (NOTICE, Stage::Ending, 3),
            (DAY + 1, Stage::Ending, 2),
            (DAY, Stage::LastDay, 1),
            (1, Stage::LastDay, 1),
            (0, Stage::Over, 0),
            (-1, Stage::Over, 0),
            (-400 * DAY, Stage::Over, 0),
        ] {
            let now = ends.minus(before);
            assert_eq!(Stage::at(ends, now), stage, "{before}");
            assert_eq!(days_left(ends, now), days, "{before}");
        }
    }

    /// Rows: H-26
    #[test]
    fn the_zone_in_which_an_end_is_written_does_not_matter() {
        let now = at("2026-12-05T20:00:00Z");
        for same in [
            "2026-12-06T03:44:00Z",
            "2026-12-06T12:44:00+09:00",
            "2026-12-05T19:44:00-08:00",
            "2026-12-06T09:29:00+05:45",
        ] {
            let ends = at(same);
            assert_eq!(ends, at("2026-12-06T03:44:00Z"));
            assert_eq!(Stage::at(ends, now), Stage::LastDay);
            let [tomorrow, after] = next_days(now);
            assert!(ends.0 >= tomorrow.0 && ends.0 < after.0);
        }
        // A clock that is put back or forward moves no end: moments are counted, not days of a calendar.
        let [started, over] = [
            at("2026-10-24T12:00:00+02:00"),
            at("2026-11-07T11:00:00+01:00"),
        ];
        assert_eq!(over.since(started), 14 * DAY);
    }

    /// Rows: H-26
    #[test]
    fn today_and_tomorrow_are_days_of_utc() {
        for (now, tomorrow) in [
            ("2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"),
            ("2026-11-22T23:59:59.999Z", "2026-11-23T00:00:00Z"),
            ("2026-12-31T12:00:00Z", "2027-01-01T00:00:00Z"),
            ("2028-02-28T20:00:00-05:00", "2028-03-01T00:00:00Z"),
        ] {
            let tomorrow = at(tomorrow);
            assert_eq!(next_days(at(now)), [tomorrow, tomorrow.plus(DAY)], "{now}");
        }
    }

    /// Rows: H-26
    #[test]
    fn who_pays_already_is_not_reminded_and_ends_as_converted() {
        assert_eq!(Stage::Ending.named(true), ("ending", None));
        assert_eq!(Stage::LastDay.named(true), ("last_day", None));
        let (name, topic) = Stage::Over.named(true);
        assert_eq!((name, topic), ("converted", Some(Topic::TRIAL_CONVERTED)));
        assert_eq!(topic.and_then(Topic::mail), None);
        for stage in [Stage::Ending, Stage::LastDay, Stage::Over] {
            let (_, topic) = stage.named(false);
            assert!(topic.and_then(Topic::mail).is_some(), "{stage:?}");
        }
    }

    /// Rows: H-26
    #[test]
    fn an_extended_trial_is_judged_by_its_new_end() {
        let (ends, now) = (at("2026-12-06T03:44:00Z"), at("2026-12-06T10:00:00Z"));
        assert_eq!(Stage::at(ends, now), Stage::Over);
        assert_eq!(Stage::at(ends.plus(DAY), now), Stage::LastDay);
        assert_eq!(Stage::at(ends.plus(7 * DAY), now), Stage::Started);
        assert_eq!(days_left(ends.plus(7 * DAY), now), 7);
    }
}
