//! The table of time zones against the whole database.

use edgekeep_core::meters::zone::Zone;
use edgekeep_core::time::Millis;
use jiff::Timestamp;
use jiff::tz::{self, TimeZone};
use libtest_mimic::{Failed, Trial};

use super::none;

/// Zones whose clocks no rule tells: there they change with Ramadan.
const WITHOUT_A_RULE: [&str; 2] = ["Africa/Casablanca", "Africa/El_Aaiun"];
/// From the first release on, and as far as somebody could ask.
const FROM: &str = "2026-11-02T00:00:00Z";
const TO: &str = "2036-01-01T00:00:00Z";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        // Rows: V-05
        Trial::test("zones::every_zone_of_the_database_is_there", names),
        // Rows: V-05
        Trial::test("zones::clocks_are_as_the_database_says", clocks),
    ]
}

fn names() -> Result<(), Failed> {
    let missing = tz::db().available().map(|name| name.to_string());
    let missing = missing.filter(|name| {
        // What the C library calls its own.
        !["Factory", "localtime", "posixrules"].contains(&name.as_str())
            && !WITHOUT_A_RULE.contains(&name.as_str())
            && Zone::parse(name).is_none()
    });
    none("zones that the table lacks", &missing.collect::<Vec<_>>())
}

fn clocks() -> Result<(), Failed> {
    let (from, to): (Timestamp, Timestamp) = (FROM.parse()?, TO.parse()?);
    let mut findings = Vec::new();
    for name in Zone::names() {
        let zone = Zone::parse(name).ok_or(name)?;
        let other = TimeZone::get(name)?;
        let differs = |at: Timestamp| {
            let wanted = i64::from(other.to_offset(at).seconds()) * 1_000;
            zone.ahead(Millis(at.as_millisecond())) != wanted
        };
        // A month apart, and on both sides of every change.
        let mut times: Vec<Timestamp> = vec![from];
        let changes = other.following(from).map(|change| change.timestamp());
        for change in changes.take_while(|change| *change < to) {
            times.push(Timestamp::from_second(change.as_second() - 1)?);
            times.push(change);
        }
        let month = 30 * 86_400;
        times.extend(
            (from.as_second()..to.as_second())
                .step_by(month)
                .filter_map(|second| Timestamp::from_second(second).ok()),
        );
        if let Some(at) = times.into_iter().find(|at| differs(*at)) {
            findings.push(format!("{name} at {at}"));
        }
    }
    none("zones whose rules have changed", &findings)
}
