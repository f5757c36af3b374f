//! Prices of usage and monthly invoices. What moves the clock runs alone: it bills everybody's month.

use edgekeep_core::time::HOUR;
use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{Founder, api_key, founder, run_task, text, walk_pages};

tests! { "invoices":
    only_services_set_prices ["P-14"];
    bad_prices_are_refused ["AD-05"];
    the_present_month_is_shown_as_it_grows [];
    a_month_is_one_invoice_with_its_lines ["H-29" "H-30" "H-31" "L-04"] alone;
    late_usage_comes_with_the_next_invoice ["H-30" "J-09"] alone;
    parallel_runs_bill_once_and_without_a_gap ["H-30"] alone;
    an_invoice_is_settled_once [] alone;
}

fn put_price(api: &Api, body: &Value) -> Answer {
    api.call("PUT", "/api/v1/prices")
        .json(body)
        .bearer(&api.service_token("invoices"))
        .send()
}

/// A meter of this founder's own, because prices are for all who have the plan: 5 cents for 10 units,
/// a hundred of which are free.
fn priced_meter(api: &Api, founder: &Founder) -> String {
    let meter = format!("m_{}", &founder.tenant[10..]);
    let price = json!({"plan": "FREE", "meter": meter, "unitAmountMinor": 5, "perUnits": 10, "includedUnits": 100});
    put_price(api, &price).data(200);
    meter
}

fn used(api: &Api, key: &str, id: &str, meter: &str, quantity: i64) {
    let event = json!({"id": id, "meter": meter, "quantity": quantity});
    let sent = api.post("/api/v1/usage/events", &event).bearer(key).send();
    assert_eq!(sent.data(200)["invalid"], 0);
}

/// How long until the second day of the month that comes after `months` more, an hour into it.
fn until_billed(api: &Api, months: usize) -> i64 {
    let now = api.now();
    let mut first = now;
    for _ in 0..=months {
        let month = first.month();
        while first.month() == month {
            first = first.hour().plus(HOUR);
        }
    }
    first.plus(25 * HOUR).since(now)
}

fn invoices(api: &Api, founder: &Founder) -> Vec<Value> {
    let answer = api.get("/api/v1/invoices").bearer(&founder.access).send();
    answer.data(200).as_array().unwrap().clone()
}

fn invoice(api: &Api, founder: &Founder, id: &Value) -> Answer {
    let path = format!("/api/v1/invoices/{}", text(id));
    api.get(&path).bearer(&founder.access).send()
}

fn only_services_set_prices(api: &Api) {
    let founder = founder(api);
    let price = json!({"plan": "FREE", "meter": "never", "unitAmountMinor": 5});
    let put = |token: &str| {
        let call = api.call("PUT", "/api/v1/prices").json(&price);
        call.bearer(token).send()
    };
    assert_eq!(put(&founder.access).status, 401);
    assert_eq!(put(&api.service_token("billing")).status, 401);
    let listed = api.get("/api/v1/prices").send().data(200);
    let listed = listed.as_array().unwrap();
    assert!(listed.iter().all(|price| price["meter"] != "never"));
}

fn bad_prices_are_refused(api: &Api) {
    let good = json!({"plan": "FREE", "meter": "never", "unitAmountMinor": 5});
    for (field, value) in [
        ("plan", json!("NONE")),
        ("meter", json!("")),
        ("unitAmountMinor", json!(-1)),
        ("unitAmountMinor", json!(0.5)),
        ("unitAmountMinor", json!(null)),
        ("perUnits", json!(0)),
        ("includedUnits", json!(-1)),
        ("fromMonth", json!("2026-13")),
        ("currency", json!("eur")),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        put_price(api, &bad).blames(field);
    }
}

fn the_present_month_is_shown_as_it_grows(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:write"]);
    let upcoming = || {
        let call = api.get("/api/v1/invoices/upcoming");
        let answer = call.bearer(&founder.access).send();
        assert_eq!(answer.sql(), 1);
        answer.data(200)
    };
    let empty = upcoming();
    assert_eq!(
        (&empty["totalMinor"], &empty["lines"]),
        (&json!(0), &json!([]))
    );
    let meter = priced_meter(api, &founder);
    used(api, &key, "1", &meter, 99);
    assert_eq!(upcoming()["totalMinor"], 0);
    used(api, &key, "2", &meter, 102);
    let now = upcoming();
    assert_eq!(now["totalMinor"], 51, "{now}");
    assert_eq!(now["lines"][0]["quantity"], 201);
    // A price that ends takes with it what is on no invoice yet.
    put_price(
        api,
        &json!({"plan": "FREE", "meter": meter, "unitAmountMinor": 0}),
    )
    .data(200);
    assert_eq!(upcoming()["totalMinor"], 0);
}

fn a_month_is_one_invoice_with_its_lines(api: &Api) {
    let (one, other) = (founder(api), founder(api));
    let key = api_key(api, &one, &["usage:write"]);
    let meter = priced_meter(api, &one);
    used(api, &key, "1", &meter, 250);
    used(api, &key, "1", &meter, 250);
    used(api, &key, "2", "without a price", 7);
    run_task(api, "invoices", until_billed(api, 0));
    run_task(api, "invoices", until_billed(api, 0));
    let [made] = &invoices(api, &one)[..] else {
        panic!("one invoice")
    };
    let month = api.now().month();
    assert_eq!(
        (
            &made["status"],
            &made["month"],
            &made["totalMinor"],
            &made["currency"]
        ),
        (&json!("open"), &json!(month), &json!(75), &json!("usd"))
    );
    let whole = invoice(api, &one, &made["id"]).data(200);
    let line = json!({"meter": meter, "month": month, "quantity": 250, "unitAmountMinor": 5, "perUnits": 10,
        "includedUnits": 100, "amountMinor": 75});
    assert_eq!(whole["lines"], json!([line]));
    walk_pages(api, &one, "/api/v1/invoices", 1);

    let page = format!("/api/v1/invoices/{}/html", text(&made["id"]));
    let answer = api.get(&page).bearer(&one.access).send();
    assert_eq!(answer.status, 200);
    let html = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(
        html.contains(made["number"].as_str().unwrap()) && html.contains("0.75 USD"),
        "{html}"
    );
    assert!(
        answer
            .header("content-security-policy")
            .unwrap()
            .contains("default-src 'none'")
    );
    // What is there already is on no other invoice.
    let rest = api
        .get("/api/v1/invoices/upcoming")
        .bearer(&one.access)
        .send();
    assert_eq!(rest.data(200)["lines"], json!([]));

    assert!(invoices(api, &other).is_empty());
    assert_eq!(invoice(api, &other, &made["id"]).status, 404);
    assert_eq!(api.get(&page).bearer(&other.access).send().status, 404);
}

fn late_usage_comes_with_the_next_invoice(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:write"]);
    let meter = priced_meter(api, &founder);
    used(api, &key, "1", &meter, 205);
    run_task(api, "invoices", until_billed(api, 0));
    used(api, &key, "2", &meter, 6);
    run_task(api, "invoices", until_billed(api, 1));
    let made = invoices(api, &founder);
    let totals: Vec<_> = made
        .iter()
        .map(|made| made["totalMinor"].as_i64())
        .collect();
    // 52.5 is 53, and 55.5 is 56: together they are what the month costs.
    assert_eq!(totals, [Some(3), Some(53)], "{made:?}");
    let late = invoice(api, &founder, &made[0]["id"]).data(200);
    assert_eq!(late["lines"][0]["month"], made[1]["month"]);
    assert_ne!(made[0]["month"], made[1]["month"]);
}

fn parallel_runs_bill_once_and_without_a_gap(api: &Api) {
    let founders: Vec<_> = (0..5).map(|_| founder(api)).collect();
    for founder in &founders {
        let key = api_key(api, founder, &["usage:write"]);
        used(api, &key, "1", &priced_meter(api, founder), 300);
    }
    let later = until_billed(api, 0);
    api.parallel(5, |_| {
        let call = api.call("POST", "/api/v1/scheduler/tick?task=invoices");
        let token = api.service_token_at("scheduler", later);
        call.bearer(&token).later(later).send().data(200)
    });
    run_task(api, "invoices", later);
    let mut numbers: Vec<i64> = founders
        .iter()
        .map(|founder| {
            let made = invoices(api, founder);
            assert_eq!(made.len(), 1, "{made:?}");
            text(&made[0]["number"])
                .trim_start_matches("INV-")
                .parse()
                .unwrap()
        })
        .collect();
    numbers.sort_unstable();
    let first = numbers[0];
    let wanted: Vec<i64> = (first..).take(numbers.len()).collect();
    assert_eq!(numbers, wanted);
}

fn an_invoice_is_settled_once(api: &Api) {
    let (one, other) = (founder(api), founder(api));
    let key = api_key(api, &one, &["usage:write"]);
    used(api, &key, "1", &priced_meter(api, &one), 300);
    run_task(api, "invoices", until_billed(api, 0));
    let id = text(&invoices(api, &one)[0]["id"]);
    let settle = |tenant: &str, id: &str, status: &str| {
        let call = api.call("PUT", &format!("/api/v1/invoices/{id}/status"));
        let call = call
            .header("x-tenant-id", tenant)
            .json(&json!({"status": status}));
        call.bearer(&api.service_token("invoices")).send()
    };
    settle(&one.tenant, &id, "open").blames("status");
    assert_eq!(settle(&other.tenant, &id, "paid").status, 404);
    assert_eq!(settle(&one.tenant, "x", "paid").status, 404);
    assert_eq!(settle(&one.tenant, &id, "paid").data(200)["status"], "paid");
    assert_eq!(settle(&one.tenant, &id, "paid").data(200)["status"], "paid");
    settle(&one.tenant, &id, "void").refused(409, "STATE_CONFLICT");
    assert_eq!(invoices(api, &one)[0]["status"], "paid");
}
