//! Values in bodies, queries and variables.

use edgekeep_core::config::{Config, VARIABLES};
use edgekeep_core::guard::rate_limit::Quota;
use edgekeep_core::http::{HeaderSource, Page, Reply, Request};
use edgekeep_core::time::Millis;
use edgekeep_robustness::{Call, text, variables};
use serde_json::{Value, json};

use crate::{Bench, Sides, check, draw};

/// JSON of the caller's own comes back as it was sent, or is refused by name.
///
/// Rows: AD-16
#[test]
fn json_comes_back_as_it_was() {
    let (bench, sides) = (Bench::new(), Sides::default());
    let made = bench
        .send(Call::post("/api/v1/projects", &json!({"name": "x"})).bearer(&bench.founder.access));
    let path = format!("/api/v1/projects/{}", text(&made.data(201)["id"]));
    check(|u| {
        let metadata = if u.ratio(1, 9)? {
            draw::json(u, 1)?
        } else {
            Value::Object(draw::object(u, 8)?)
        };
        let mut call = Call::post(&path, &json!({"metadata": metadata}));
        call.method = "PATCH".to_owned();
        let call = call.header("if-match", "*").bearer(&bench.founder.access);
        let answer = bench.send(call);
        sides.saw(answer.status() == 200);
        let told = answer.json();
        if answer.status() == 200 {
            let kept = if metadata.is_null() {
                json!({})
            } else {
                metadata
            };
            assert_eq!(told["data"]["metadata"], kept);
        } else {
            assert_eq!(
                (answer.status(), &told["error"]["field"]),
                (400, &json!("metadata")),
                "{metadata}"
            );
        }
        Ok(())
    });
    sides.both();
}

/// Rows: AD-16
#[test]
fn bodies_that_are_no_json_are_told_so() {
    let (bench, sides) = (Bench::new(), Sides::default());
    check(|u| {
        let right = json!({"name": draw::text(u, &["x"])?, "other": draw::json(u, 3)?}).to_string();
        let sent = draw::changed(u, &right)?;
        let mut call = Call::post("/api/v1/projects", &json!(null)).bearer(&bench.founder.access);
        call.body = sent.clone().into_bytes();
        let parsed = serde_json::from_str::<Value>(&sent).ok();
        let (status, code) = bench.told(call);
        sides.saw(parsed.is_some());
        // Nothing with another member is made, so none of these is.
        assert!(matches!(status, 201 | 400 | 429), "{sent}: {status}");
        if parsed.is_none() {
            assert_eq!((status, code.as_str()), (400, "INVALID_JSON"), "{sent}");
        }
        Ok(())
    });
    sides.both();
}

struct None;

impl HeaderSource for None {
    fn header(&self, _: &str) -> Option<String> {
        Option::None
    }
}

fn page(query: &str) -> Option<Page> {
    let request = Request {
        path: "/",
        query,
        headers: &None,
        body: b"",
    };
    Page::read(&request).ok()
}

/// The cursor of a page begins the next one after the last row; nothing else is a place.
///
/// Rows: AD-15
#[test]
fn cursors_lead_to_where_they_were_made() {
    let sides = Sides::default();
    check(|u| {
        let time = u.int_in_range(0..=9_007_199_254_740_991_i64)?;
        let id = format!("job_{:x}", u.arbitrary::<u64>()?);
        let rows = [(time, id.clone()), (0, "later".to_owned())];
        let one = page("limit=1").unwrap();
        let reply = one.reply(
            &rows,
            |row| Ok::<_, ()>(row.clone()),
            |row| Ok(json!(row.1)),
        );
        let Ok(Reply::Json {
            next_cursor: Some(cursor),
            ..
        }) = reply
        else {
            panic!("no cursor")
        };
        let next = page(&format!("limit=1&cursor={cursor}")).unwrap();
        let [place, name, _] = next.params();
        assert_eq!((place, name), (time.into(), id.as_str().into()));
        let changed = draw::changed(u, &cursor)?;
        sides.saw(page(&format!("cursor={changed}")).is_some());
        Ok(())
    });
    sides.both();
}

#[test]
fn times_are_read_as_they_are_written() {
    let sides = Sides::default();
    check(|u| {
        // The years 0 to 9999.
        let time = Millis(u.int_in_range(-62_167_219_200_000..=253_402_300_799_999)?);
        let written = time.rfc3339();
        assert_eq!(Millis::parse(&written), Some(time), "{written}");
        let read = Millis::parse(&draw::changed(u, &written)?);
        sides.saw(read.is_some());
        if let Some(read) = read {
            assert_eq!(Millis::parse(&read.rfc3339()), Some(read));
        }
        Ok(())
    });
    sides.both();
}

/// Whatever stands in a variable, it is read or refused by name, and never shown.
///
/// Rows: Q-02
#[test]
fn variables_are_refused_by_name_and_never_shown() {
    const MARK: &str = "zq7x";
    let sides = Sides::default();
    check(|u| {
        let name = u.choose(VARIABLES)?.name;
        let pieces = [
            MARK,
            MARK,
            ",",
            "=",
            "read=",
            "600",
            "https://",
            "127.0.0.0/8",
            "::1",
            "[",
            "{\"id\":\"",
            "\"}",
            "]",
            "true",
        ];
        let value = draw::text(u, &pieces)?;
        let all = variables(&[(name, &value)]);
        let loaded = Config::load(|name| all.get(name).cloned());
        sides.saw(loaded.is_ok());
        for problem in loaded.err().into_iter().flat_map(|error| error.problems) {
            assert!(!problem.contains(MARK), "{name}={value}: {problem}");
        }
        Ok(())
    });
    sides.both();
}

#[test]
fn rate_limits_are_pairs_of_a_policy_and_a_number() {
    let sides = Sides::default();
    check(|u| {
        let mut policies = vec!["global", "write", "ingest", "auth", "ai", "payments"];
        let mut pairs = Vec::new();
        for _ in 0..u.int_in_range(1..=4)? {
            let policy = policies.swap_remove(u.choose_index(policies.len())?);
            let algorithm = u.choose(&["", ":sliding", ":fixed", ":bucket"])?;
            let limit = u.int_in_range(1..=Quota::MOST)?;
            pairs.push(format!("{policy}={limit}{algorithm}"));
        }
        let right = pairs.join(*u.choose(&[",", ", ", " , "])?);
        let load = |value: &str| {
            let all = variables(&[("RATE_LIMITS", value)]);
            Config::load(|name| all.get(name).cloned())
        };
        assert!(load(&right).is_ok(), "{right}");
        let twice = format!("{right},{}", pairs[0]);
        assert!(load(&twice).is_err(), "{twice}");
        let changed = draw::changed(u, &right)?;
        let loaded = load(&changed);
        sides.saw(loaded.is_ok());
        for problem in loaded.err().into_iter().flat_map(|error| error.problems) {
            assert!(problem.starts_with("RATE_LIMITS "), "{changed}: {problem}");
        }
        Ok(())
    });
    sides.both();
}
