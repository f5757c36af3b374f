//! Meters: definitions, and queries by windows of time zones.

use serde_json::{Value, json};

use super::metering::{read, ready};
use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{api_key, member};

const HOUR: i64 = 3_600_000;

tests! { "meters":
    definitions_are_made_replaced_and_removed [];
    odd_definitions_are_refused [];
    meters_without_a_definition_are_sums ["J-03"];
    every_aggregation_is_told ["J-03"];
    groups_and_subjects_are_told_apart ["J-03"];
    hours_and_events_say_the_same ["J-03" "J-09"];
    days_are_those_of_the_time_zone ["V-05"];
    corrected_readings_do_not_count ["J-03"];
    late_events_change_the_window_they_happened_in ["J-03" "J-09"];
    odd_questions_are_refused [];
    meters_are_their_tenants_own ["L-04"];
    a_query_is_one_round_trip ["AC-09"];
}

fn put(api: &Api, key: &str, meter: &str, body: &Value) -> Answer {
    let path = format!("/api/v1/meters/{meter}");
    let call = api.call("PUT", &path).json(body);
    call.bearer(key).send()
}

fn send(api: &Api, key: &str, events: &Value) {
    let call = api.post("/api/v1/usage/events", events).bearer(key);
    let told = call.send().data(200);
    assert_eq!(told["invalid"], 0, "{told}");
}

fn ask(api: &Api, key: &str, query: &str) -> Value {
    read(api, key, &format!("/api/v1/usage/query?{query}"))
}

/// The values that are not 0 or null, with their groups.
fn values(answer: &Value) -> Vec<(Option<String>, i64)> {
    let values = answer["values"].as_array().unwrap().iter();
    values
        .filter_map(|one| {
            let group = one["group"].as_str().map(str::to_owned);
            let value = one["value"].as_i64().filter(|value| *value != 0)?;
            Some((group, value))
        })
        .collect()
}

fn sum(answer: &Value) -> i64 {
    values(answer).iter().map(|(_, value)| value).sum()
}

fn definitions_are_made_replaced_and_removed(api: &Api) {
    let (_, key) = ready(api);
    let wanted = json!({"aggregation": "sum", "eventType": "chat", "property": "tokens",
        "groupBy": ["model"], "unit": "token"});
    let made = put(api, &key, "tokens", &wanted).data(200);
    assert_eq!(
        (&made["eventType"], &made["property"], &made["groupBy"]),
        (&json!("chat"), &json!("tokens"), &json!(["model"]))
    );
    assert_eq!(read(api, &key, "/api/v1/meters/tokens"), made);
    let other = put(api, &key, "tokens", &json!({"aggregation": "max"})).data(200);
    assert_eq!(
        (&other["aggregation"], &other["eventType"], &other["unit"]),
        (&json!("max"), &json!("tokens"), &Value::Null)
    );
    assert_eq!(other["createdAt"], made["createdAt"]);
    assert_eq!(
        read(api, &key, "/api/v1/meters").as_array().unwrap().len(),
        1
    );
    let gone = || api.delete("/api/v1/meters/tokens").bearer(&key).send();
    assert_eq!(gone().data(200)["status"], "deleted");
    gone().refused(404, "NOT_FOUND");
    let get = api.get("/api/v1/meters/tokens").bearer(&key).send();
    get.refused(404, "NOT_FOUND");
}

fn odd_definitions_are_refused(api: &Api) {
    let (founder, key) = ready(api);
    for (field, body) in [
        ("aggregation", json!({})),
        ("aggregation", json!({"aggregation": "median"})),
        ("property", json!({"aggregation": "sum", "property": "a.b"})),
        ("property", json!({"aggregation": "sum", "property": "1st"})),
        ("groupBy", json!({"aggregation": "sum", "groupBy": ["a b"]})),
        ("groupBy", json!({"aggregation": "sum", "groupBy": "model"})),
        ("formula", json!({"aggregation": "sum", "formula": "x"})),
    ] {
        put(api, &key, "tokens", &body).blames(field);
    }
    put(api, &key, "to%20ken", &json!({"aggregation": "sum"})).blames("meter");
    let reader = api_key(api, &founder, &["usage:read"]);
    let refused = put(api, &reader, "tokens", &json!({"aggregation": "sum"}));
    refused.refused(403, "SCOPE_MISSING");
    let client = member(api, &founder, "client");
    let refused = put(
        api,
        &client.access,
        "tokens",
        &json!({"aggregation": "sum"}),
    );
    refused.refused(403, "FORBIDDEN");
    // Only a hundred: the next is refused, one that is there is not.
    for n in 0..100 {
        put(api, &key, &format!("m{n}"), &json!({"aggregation": "sum"})).data(200);
    }
    put(api, &key, "one-more", &json!({"aggregation": "sum"})).refused(409, "STATE_CONFLICT");
    put(api, &key, "m7", &json!({"aggregation": "max"})).data(200);
}

fn meters_without_a_definition_are_sums(api: &Api) {
    let (_, key) = ready(api);
    send(
        api,
        &key,
        &json!([{"id": "1", "meter": "gb", "quantity": 3}, {"id": "2", "meter": "gb", "quantity": 4}]),
    );
    let told = ask(api, &key, "meter=gb");
    assert_eq!((&told["aggregation"], sum(&told)), (&json!("sum"), 7));
    assert_eq!(told["values"].as_array().unwrap().len(), 31);
    assert_eq!(sum(&ask(api, &key, "meter=other")), 0);
}

fn every_aggregation_is_told(api: &Api) {
    let (_, key) = ready(api);
    let now = api.now();
    let at = |seconds: i64| now.minus(seconds * 1_000).rfc3339();
    send(
        api,
        &key,
        &json!([
            {"id": "1", "meter": "seats", "quantity": 4, "subject": "a", "timestamp": at(3),
                "properties": {"plan": "x", "size": 40}},
            {"id": "2", "meter": "seats", "quantity": 9, "subject": "b", "timestamp": at(2),
                "properties": {"plan": "y", "size": 10}},
            {"id": "3", "meter": "seats", "quantity": 5, "subject": "a", "timestamp": at(1),
                "properties": {"plan": "x", "size": 20}},
        ]),
    );
    for (aggregation, property, wanted) in [
        ("sum", None, 18),
        ("count", None, 3),
        ("max", None, 9),
        ("unique", None, 2),
        ("latest", None, 5),
        ("sum", Some("size"), 70),
        ("max", Some("size"), 40),
        ("latest", Some("size"), 20),
        ("unique", Some("plan"), 2),
        ("sum", Some("plan"), 0),
        ("sum", Some("nothing"), 0),
        ("count", Some("nothing"), 0),
    ] {
        let mut body = json!({"aggregation": aggregation, "eventType": "seats"});
        if let Some(property) = property {
            body["property"] = json!(property);
        }
        put(api, &key, "m", &body).data(200);
        let told = ask(api, &key, "meter=m&window=month");
        assert_eq!(told["aggregation"], aggregation);
        // A month may have begun within these seconds.
        let last = told["values"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            last["value"].as_i64().unwrap_or(0),
            wanted,
            "{aggregation} {property:?}"
        );
    }
}

fn groups_and_subjects_are_told_apart(api: &Api) {
    let (_, key) = ready(api);
    put(
        api,
        &key,
        "chat",
        &json!({"aggregation": "sum", "groupBy": ["model", "cached"]}),
    )
    .data(200);
    send(
        api,
        &key,
        &json!([
            {"id": "1", "meter": "chat", "quantity": 1, "subject": "a", "properties": {"model": "large", "cached": true}},
            {"id": "2", "meter": "chat", "quantity": 2, "subject": "a", "properties": {"model": "small", "cached": false}},
            {"specversion": "1.0", "source": "/x", "id": "3", "type": "chat", "subject": "b",
                "data": {"quantity": 4, "model": "large"}},
            {"id": "4", "meter": "chat", "quantity": 8},
        ]),
    );
    let grouped = |query: &str| {
        let mut values = values(&ask(api, &key, &format!("meter=chat&window=month&{query}")));
        values.sort();
        values
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        grouped("group_by=model"),
        [(None, 8), (text("large"), 5), (text("small"), 2)]
    );
    assert_eq!(
        grouped("group_by=subject"),
        [(None, 8), (text("a"), 3), (text("b"), 4)]
    );
    assert_eq!(
        grouped("group_by=cached"),
        [(None, 12), (text("false"), 2), (text("true"), 1)]
    );
    assert_eq!(grouped("subject=a"), [(None, 3)]);
    assert_eq!(
        grouped("subject=a&group_by=model"),
        [(text("large"), 1), (text("small"), 2)]
    );
    assert_eq!(grouped("subject=nobody"), []);
}

fn hours_and_events_say_the_same(api: &Api) {
    let (_, key) = ready(api);
    let now = api.now();
    let events: Vec<Value> = (0..120)
        .map(|n| {
            let at = now.minus(n * 5 * HOUR + n * 60_000).rfc3339();
            json!({"id": n.to_string(), "meter": "m", "quantity": n, "subject": "s", "timestamp": at})
        })
        .collect();
    send(api, &key, &json!(events));
    for window in ["hour", "day", "month"] {
        let query = format!("meter=m&window={window}");
        let rolled = ask(api, &key, &query);
        let read = ask(api, &key, &format!("{query}&subject=s"));
        assert_eq!(rolled["values"], read["values"], "{window}");
        assert_eq!(sum(&rolled), 119 * 60, "{window}");
        // Half an hour beside the hours, only the events know.
        let zone = "time_zone=Asia/Kolkata";
        assert_eq!(
            sum(&ask(api, &key, &format!("{query}&{zone}"))),
            119 * 60,
            "{window}"
        );
    }
}

fn days_are_those_of_the_time_zone(api: &Api) {
    let (_, key) = ready(api);
    let midnight = api.now().minus(26 * HOUR).0.div_euclid(24 * HOUR) * 24 * HOUR;
    let at = |millis: i64| edgekeep_core::time::Millis(midnight + millis).rfc3339();
    // Just before and just after midnight in UTC: in Auckland and Los Angeles both are of one day.
    send(
        api,
        &key,
        &json!([
            {"id": "1", "meter": "m", "quantity": 1, "timestamp": at(-1)},
            {"id": "2", "meter": "m", "quantity": 2, "timestamp": at(0)},
        ]),
    );
    let (from, to) = (at(-36 * HOUR), at(36 * HOUR));
    let told = |zone: &str| {
        let query = format!("meter=m&from={from}&to={to}&time_zone={zone}");
        let answer = ask(api, &key, &query);
        let days = answer["values"].as_array().unwrap().clone();
        for pair in days.windows(2) {
            assert_eq!(pair[0]["to"], pair[1]["from"], "{zone}");
        }
        values(&answer)
            .into_iter()
            .map(|(_, value)| value)
            .collect::<Vec<_>>()
    };
    assert_eq!(told("UTC"), [1, 2]);
    assert_eq!(told("Pacific/Auckland"), [3]);
    assert_eq!(told("America/Los_Angeles"), [3]);
    assert_eq!(told("Asia/Kolkata"), [3]);
    assert_eq!(told("%2B00:00"), [1, 2]);
    // The 29th of March has 23 hours in Berlin, whatever was used in it.
    let query = "meter=m&from=2026-03-28T23:30:00Z&to=2026-03-29T12:00:00Z&time_zone=Europe/Berlin";
    let day = &ask(api, &key, query)["values"];
    assert_eq!(
        (&day[0]["from"], &day[0]["to"], &day[1]),
        (
            &json!("2026-03-28T23:00:00.000Z"),
            &json!("2026-03-29T22:00:00.000Z"),
            &Value::Null
        )
    );
    let query =
        "meter=m&from=2026-11-01T05:00:00Z&to=2026-11-01T12:00:00Z&time_zone=America/New_York";
    let day = &ask(api, &key, query)["values"];
    assert_eq!(
        (&day[0]["from"], &day[0]["to"]),
        (
            &json!("2026-11-01T04:00:00.000Z"),
            &json!("2026-11-02T05:00:00.000Z")
        )
    );
}

fn corrected_readings_do_not_count(api: &Api) {
    let (_, key) = ready(api);
    let now = api.now();
    let at = |seconds: i64| now.minus(seconds * 1_000).rfc3339();
    send(
        api,
        &key,
        &json!([
            {"id": "1", "meter": "disk", "quantity": 10, "subject": "a", "timestamp": at(9)},
            {"id": "2", "meter": "disk", "quantity": 1000, "subject": "b", "timestamp": at(8)},
        ]),
    );
    send(
        api,
        &key,
        &json!(
            {"id": "3", "meter": "disk", "quantity": -990, "corrects": "2", "subject": "b", "timestamp": at(8)}
        ),
    );
    for (aggregation, wanted) in [
        ("sum", 20),
        ("count", 2),
        ("max", 10),
        ("latest", 10),
        ("unique", 1),
    ] {
        put(api, &key, "disk", &json!({"aggregation": aggregation})).data(200);
        assert_eq!(
            sum(&ask(api, &key, "meter=disk&window=month")),
            wanted,
            "{aggregation}"
        );
    }
}

fn late_events_change_the_window_they_happened_in(api: &Api) {
    let (_, key) = ready(api);
    let old = api.now().minus(20 * 24 * HOUR);
    let query = format!(
        "meter=m&window=hour&from={}&to={}",
        old.minus(HOUR).rfc3339(),
        old.plus(HOUR).rfc3339()
    );
    assert_eq!(sum(&ask(api, &key, &query)), 0);
    let late = json!({"id": "1", "meter": "m", "quantity": 5, "timestamp": old.rfc3339()});
    send(api, &key, &late);
    let told = ask(api, &key, &query);
    assert_eq!(told["values"][1]["value"], 5, "{told}");
    assert_eq!(sum(&told), 5);
}

fn odd_questions_are_refused(api: &Api) {
    let (_, key) = ready(api);
    for (query, field) in [
        ("", "meter"),
        ("meter=", "meter"),
        ("meter=m&window=week", "window"),
        ("meter=m&time_zone=Mars/Phobos", "time_zone"),
        ("meter=m&time_zone=%2B25:00", "time_zone"),
        ("meter=m&from=yesterday", "from"),
        (
            "meter=m&from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z",
            "to",
        ),
        ("meter=m&window=hour&from=2020-01-01T00:00:00Z", "to"),
        ("meter=m&group_by=model", "group_by"),
        ("meter=m&group_by=a'b", "group_by"),
        ("meter=m&subject=%00", "subject"),
    ] {
        let path = format!("/api/v1/usage/query?{query}");
        api.get(&path).bearer(&key).send().blames(field);
    }
}

fn meters_are_their_tenants_own(api: &Api) {
    let ((_, one), (_, other)) = (ready(api), ready(api));
    put(
        api,
        &one,
        "m",
        &json!({"aggregation": "max", "groupBy": ["region"]}),
    )
    .data(200);
    for (key, quantity) in [(&one, 5), (&other, 70)] {
        let events = json!([{"id": "1", "meter": "m", "quantity": quantity, "subject": "s"},
            {"id": "2", "meter": "m", "quantity": 1, "subject": "s"}]);
        send(api, key, &events);
    }
    assert_eq!(sum(&ask(api, &one, "meter=m&window=month")), 5);
    assert_eq!(sum(&ask(api, &other, "meter=m&window=month")), 71);
    assert_eq!(sum(&ask(api, &other, "meter=m&window=month&subject=s")), 71);
    assert_eq!(read(api, &other, "/api/v1/meters"), json!([]));
    let delete = api.delete("/api/v1/meters/m").bearer(&other).send();
    delete.refused(404, "NOT_FOUND");
    let get = api.get("/api/v1/meters/m").bearer(&other).send();
    get.refused(404, "NOT_FOUND");
}

fn a_query_is_one_round_trip(api: &Api) {
    let (founder, key) = ready(api);
    send(api, &key, &json!({"id": "1", "meter": "m"}));
    for query in [
        "meter=m",
        "meter=m&group_by=subject",
        "meter=m&window=hour&time_zone=Asia/Kolkata",
    ] {
        let path = format!("/api/v1/usage/query?{query}");
        // A member's tenant is in the token.
        assert_eq!(
            api.get(&path).bearer(&founder.access).send().sql(),
            1,
            "{query}"
        );
    }
}
