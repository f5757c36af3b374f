//! The general rate limit. The server allows 100,000 a minute (tests/acceptance/vars), so each test
//! gives its own tenant less.

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{
    Founder, STARTER, api_key, elsewhere, founder, limit, login, member, upgrade,
};
use serde_json::json;

tests! { "ratelimit":
    answers_tell_the_limit ["E-05" "E-06"];
    every_request_uses_one_up ["E-01" "E-05"];
    a_spent_limit_refuses_and_says_how_long ["E-03" "E-04" "E-11" "AD-08"];
    waiting_as_long_as_told_helps ["E-03" "E-15" "E-24"];
    a_spent_limit_is_full_again_later ["E-15" "E-24"];
    writes_count_in_both_policies ["E-02" "E-11"];
    each_algorithm_keeps_to_its_limit ["E-08" "E-09"];
    a_tenants_own_limits_are_its_own ["E-14" "E-24" "L-08"];
    limits_of_its_own_go_with_it_and_away ["E-14" "L-08"];
    a_plan_brings_its_limits_at_once ["E-13"];
    made_up_limits_are_refused ["E-14"];
    a_limit_does_not_cost_a_round_trip ["E-13"];
    an_exact_limit_lets_exactly_its_number_pass ["E-08" "E-27"];
    ten_times_the_limit_holds_nobody_else_up ["E-25" "E-29"] alone;
    probes_are_never_limited ["E-29"];
    what_the_client_writes_names_nobody ["E-17"];
    browsers_may_read_the_fields ["E-07"];
}

const ME: &str = "/api/v1/auth/me";

fn me(api: &Api, who: &Founder) -> Answer {
    api.get(ME).bearer(&who.access).send()
}

fn number(answer: &Answer, name: &str) -> i64 {
    let value = answer.header(name).unwrap_or_else(|| panic!("no {name}"));
    value.parse().unwrap()
}

/// Asks until it is refused, `most` times at most: how many passed, and the refusal.
fn spend(most: usize, ask: impl Fn() -> Answer) -> (usize, Answer) {
    for passed in 0..=most {
        let answer = ask();
        if answer.status == 429 {
            return (passed, answer);
        }
        assert!(answer.status < 300, "{}", answer.text());
    }
    panic!("more than {most} passed");
}

/// The seconds of a minute's end are another window: tests that fill one begin early in it.
fn early_in_a_minute(api: &Api) -> i64 {
    let into = api.now().0 % 60_000;
    60_000 - into
}

fn answers_tell_the_limit(api: &Api) {
    let founder = founder(api);
    limit(api, &founder.tenant, "global=400,write=50");
    let answer = me(api, &founder);
    assert_eq!(answer.header("x-ratelimit-limit"), Some("400"));
    let left = number(&answer, "x-ratelimit-remaining");
    assert!((390..400).contains(&left), "{left}");
    let reset = number(&answer, "x-ratelimit-reset");
    assert!((0..=61).contains(&(reset - api.now().seconds())), "{reset}");
    let policy = answer.header("ratelimit-policy");
    assert_eq!(policy, Some("\"global\";q=400;w=60"));
    let state = answer.header("ratelimit").unwrap();
    assert!(
        state.starts_with(&format!("\"global\";r={left};t=")),
        "{state}"
    );
}

fn every_request_uses_one_up(api: &Api) {
    let founder = founder(api);
    limit(api, &founder.tenant, "global=300:bucket");
    let first = number(&me(api, &founder), "x-ratelimit-remaining");
    let second = number(&me(api, &founder), "x-ratelimit-remaining");
    // A bucket gets five a second back.
    assert!(
        (first - 1..=first + 10).contains(&second) && first < 300,
        "{first} {second}"
    );
    limit(api, &founder.tenant, "global=300:fixed");
    let late = early_in_a_minute(api);
    let at = |n: i64| {
        let call = api.get(ME).bearer(&founder.access).later(late + n);
        number(&call.send(), "x-ratelimit-remaining")
    };
    // The first one tells the instance that the algorithm is another.
    at(60_000);
    let counts_down = || {
        let left: Vec<i64> = (0..4).map(|n| at(60_000 + n)).collect();
        left == [left[0], left[0] - 1, left[0] - 2, left[0] - 3]
    };
    // On Spin a new instance, which has to be told as well, may come in between.
    let tries = if api.stack.starts_with("spin") { 20 } else { 1 };
    assert!((0..tries).any(|_| counts_down()));
}

fn a_spent_limit_refuses_and_says_how_long(api: &Api) {
    let (noisy, calm) = (founder(api), founder(api));
    limit(api, &noisy.tenant, "global=20");
    let (passed, refused) = spend(60, || me(api, &noisy));
    assert!(passed >= 19, "{passed}");
    let body = refused.refused(429, "RATE_LIMITED");
    let error = &body["error"];
    assert_eq!(
        (&error["type"], &error["retryable"]),
        (&json!("rate_limit"), &json!(true))
    );
    let message = error["message"].as_str().unwrap();
    let wait = number(&refused, "retry-after");
    let told = format!(
        "Too many requests. Please try again later. The limit global is 20 a minute: wait {wait} s."
    );
    assert_eq!((message, &body["detail"]), (told.as_str(), &json!(told)));
    assert_eq!(
        (&error["policy"], &error["limit"]),
        (&json!("global"), &json!(20))
    );
    assert!((1..=121).contains(&wait), "{wait}");
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    me(api, &calm).data(200);
}

fn waiting_as_long_as_told_helps(api: &Api) {
    for algorithm in ["sliding", "fixed", "bucket"] {
        let founder = founder(api);
        limit(api, &founder.tenant, &format!("global=10:{algorithm}"));
        // The first one teaches the instance.
        me(api, &founder);
        let (_, refused) = spend(40, || me(api, &founder));
        let wait = number(&refused, "retry-after");
        let call = api.get(ME).bearer(&founder.access);
        let again = call.later(wait * 1_000).send();
        assert_eq!(again.status, 200, "{algorithm}, {wait} s: {}", again.text());
    }
}

fn a_spent_limit_is_full_again_later(api: &Api) {
    let founder = founder(api);
    limit(api, &founder.tenant, "global=10");
    me(api, &founder);
    spend(40, || me(api, &founder));
    let later = api.get(ME).bearer(&founder.access).later(130_000).send();
    later.data(200);
    assert_eq!(number(&later, "x-ratelimit-remaining"), 9);
}

fn writes_count_in_both_policies(api: &Api) {
    let founder = founder(api);
    limit(api, &founder.tenant, "write=4,global=30");
    let late = early_in_a_minute(api);
    let rename = || {
        let body = json!({"name": "Renamed"});
        let call = api.patch("/api/v1/organizations/current", &body);
        call.bearer(&founder.access).later(late).send()
    };
    let read = || {
        let call = api.get("/api/v1/organizations/current");
        call.bearer(&founder.access).later(late).send()
    };
    let first = rename();
    first.data(200);
    let policies = first.header("ratelimit-policy");
    assert_eq!(policies, Some("\"write\";q=4;w=60, \"global\";q=30;w=60"));
    let states = first.header("ratelimit").unwrap();
    assert!(
        states.contains("\"write\";r=3;t=") && states.contains(", \"global\";r="),
        "{states}"
    );
    assert_eq!(first.header("x-ratelimit-limit"), Some("4"));
    let (_, refused) = spend(12, rename);
    let body = refused.refused(429, "RATE_LIMITED");
    assert_eq!(body["error"]["policy"], "write");
    // Other routes still answer, and what was refused is not counted in their policy.
    let before = number(&read(), "x-ratelimit-remaining");
    for _ in 0..5 {
        assert_eq!(rename().status, 429);
    }
    let after = number(&read(), "x-ratelimit-remaining");
    // Where Spin has taken a new instance, that one learns the limit only when it has counted.
    let learnt = if api.stack.starts_with("spin") { 5 } else { 0 };
    assert!(after >= before - 1 - learnt, "{before} {after}");
    let (_, refused) = spend(90, read);
    assert_eq!(
        refused.refused(429, "RATE_LIMITED")["error"]["policy"],
        "global"
    );
}

fn each_algorithm_keeps_to_its_limit(api: &Api) {
    for algorithm in ["sliding", "fixed", "bucket"] {
        let founder = founder(api);
        limit(api, &founder.tenant, &format!("global=100:{algorithm}"));
        me(api, &founder);
        let late = early_in_a_minute(api) + 120_000;
        let answers = api.parallel(20, |_| {
            let ask = |_| {
                api.get(ME)
                    .bearer(&founder.access)
                    .later(late)
                    .send()
                    .status
            };
            (0..10).map(ask).collect::<Vec<_>>()
        });
        let answers: Vec<u16> = answers.into_iter().flatten().collect();
        let passed = answers.iter().filter(|status| **status == 200).count();
        assert!(answers.iter().all(|status| [200, 429].contains(status)));
        // The clock goes on meanwhile, so a window or a token may be new.
        // Each new instance of Spin counts its first request by the algorithm of the defaults.
        let most = match api.stack.as_str() {
            "workers" => 125,
            "spin-sqlite" | "spin-postgres" => 160,
            _ => 115,
        };
        assert!(
            (95..=most).contains(&passed),
            "{algorithm}: {passed} of 200"
        );
    }
}

fn a_tenants_own_limits_are_its_own(api: &Api) {
    let (bound, free) = (founder(api), founder(api));
    limit(api, &bound.tenant, "global=5");
    assert_eq!(me(api, &bound).header("x-ratelimit-limit"), Some("5"));
    let (passed, _) = spend(20, || me(api, &bound));
    assert!((3..=10).contains(&passed), "{passed}");
    let answer = me(api, &free);
    assert_eq!(answer.header("x-ratelimit-limit"), Some("100000"));
    // Another member of the tenant has the same limit, and a count of their own.
    let key = api_key(api, &free, &["usage:read"]);
    limit(api, &free.tenant, "global=7");
    let read = || api.get("/api/v1/usage/summary").bearer(&key).send();
    read();
    assert_eq!(read().header("x-ratelimit-limit"), Some("7"));
}

fn limits_of_its_own_go_with_it_and_away(api: &Api) {
    let host = founder(api);
    let guest = member(api, &host, "agent");
    limit(api, &host.tenant, "global=50");
    for who in [&host, &guest] {
        assert_eq!(me(api, who).header("x-ratelimit-limit"), Some("50"));
    }
    limit(api, &host.tenant, "");
    for who in [&host, &guest] {
        assert_eq!(me(api, who).header("x-ratelimit-limit"), Some("100000"));
    }
}

fn a_plan_brings_its_limits_at_once(api: &Api) {
    let founder = founder(api);
    assert_eq!(
        me(api, &founder).header("x-ratelimit-limit"),
        Some("100000")
    );
    upgrade(api, &founder.tenant, STARTER);
    assert_eq!(me(api, &founder).header("x-ratelimit-limit"), Some("500"));
    // What the tenant has of its own beats it, policy by policy.
    limit(api, &founder.tenant, "write=7");
    let body = json!({"name": "Renamed"});
    let call = api.patch("/api/v1/organizations/current", &body);
    let answer = call.bearer(&founder.access).send();
    let policies = answer.header("ratelimit-policy");
    assert_eq!(policies, Some("\"write\";q=7;w=60, \"global\";q=500;w=60"));
}

fn made_up_limits_are_refused(api: &Api) {
    let founder = founder(api);
    let put = |body: &serde_json::Value, token: &str, tenant: &str| {
        let call = api.call("PUT", "/api/v1/billing/rate-limits").json(body);
        call.bearer(token).header("x-tenant-id", tenant).send()
    };
    let token = api.service_token("billing");
    for bad in [
        "x=1",
        "global=0",
        "global=1:leaky",
        "global",
        "global=1,global=2",
    ] {
        put(&json!({"rateLimits": bad}), &token, &founder.tenant).blames("rateLimits");
    }
    let body = json!({"rateLimits": "global=5"});
    let nowhere = "ten_01k9zzzzzzzzzzzzzzzzzzzzzz";
    put(&body, &token, nowhere).refused(404, "NOT_FOUND");
    put(&body, &founder.access, &founder.tenant).refused(401, "TOKEN_INVALID");
    put(&body, &api.service_token("usage"), &founder.tenant).refused(401, "TOKEN_INVALID");
    assert_eq!(
        me(api, &founder).header("x-ratelimit-limit"),
        Some("100000")
    );
}

fn a_limit_does_not_cost_a_round_trip(api: &Api) {
    let founder = founder(api);
    limit(api, &founder.tenant, "global=50");
    for _ in 0..3 {
        assert_eq!(me(api, &founder).sql(), 1);
    }
}

/// Mails that one source asks for without being signed in: a hundred an hour, counted in SQL.
fn an_exact_limit_lets_exactly_its_number_pass(api: &Api) {
    let source = elsewhere(api);
    let answers = api.parallel(8, |thread| {
        let ask = |n: usize| {
            let email = format!("nobody-{thread}-{n}@example.com");
            let call = api.post("/api/v1/auth/password/forgot", &json!({"email": email}));
            let answer = call.header("x-forwarded-for", &source).send();
            if answer.status == 429 {
                answer.refused(429, "RATE_LIMITED");
                let wait = number(&answer, "retry-after");
                assert!((1..=3_601).contains(&wait), "{wait}");
            }
            answer.status
        };
        (0..25).map(ask).collect::<Vec<_>>()
    });
    let answers: Vec<u16> = answers.into_iter().flatten().collect();
    let count = |status: u16| answers.iter().filter(|one| **one == status).count();
    assert_eq!((count(202), count(429)), (100, 100), "{answers:?}");
}

/// Ten times what a caller may, from eight connections at once.
fn ten_times_the_limit_holds_nobody_else_up(api: &Api) {
    let (noisy, calm) = (founder(api), founder(api));
    limit(api, &noisy.tenant, "global=60");
    me(api, &noisy);
    let answers = api.parallel(10, |thread| {
        if thread == 0 {
            // Meanwhile, for everybody else.
            for _ in 0..10 {
                assert_eq!(api.get("/health").send().status, 200);
                me(api, &calm).data(200);
                upgrade(api, &calm.tenant, STARTER);
            }
            return Vec::new();
        }
        let ask = |_| {
            let started = api.now();
            let status = me(api, &noisy).status;
            (status, api.now().since(started))
        };
        (0..67).map(ask).collect()
    });
    let answers: Vec<(u16, i64)> = answers.into_iter().flatten().collect();
    let passed = answers.iter().filter(|(status, _)| *status == 200).count();
    let sound = answers
        .iter()
        .all(|(status, _)| [200, 429].contains(status));
    assert!(sound && answers.len() >= 600, "{answers:?}");
    // One minute's end may come in between.
    assert!(
        (50..=125).contains(&passed),
        "{passed} of {}",
        answers.len()
    );
    let mut times: Vec<i64> = answers.iter().map(|(_, time)| *time).collect();
    times.sort_unstable();
    let p95 = times[times.len() * 95 / 100];
    println!("       {passed} of {} passed, p95 {p95} ms", answers.len());
}

fn probes_are_never_limited(api: &Api) {
    let statuses = api.parallel(8, |_| {
        (0..75).all(|_| api.get("/healthz").send().status == 200)
    });
    assert!(statuses.into_iter().all(|fine| fine));
    assert_eq!(api.get("/healthz").send().header("x-ratelimit-limit"), None);
}

/// The suite is a proxy that the server trusts; what a client has written stands left of what the
/// proxy appends.
fn what_the_client_writes_names_nobody(api: &Api) {
    let client = elsewhere(api);
    let late = early_in_a_minute(api);
    let left = |hops: &str| {
        let call = api.get("/api/v1/billing/plans").later(late);
        let answer = call.header("x-forwarded-for", hops).send();
        number(&answer, "x-ratelimit-remaining")
    };
    let all: Vec<i64> = (0..5)
        .map(|n| left(&format!("203.0.113.{n}, {client}")))
        .collect();
    assert_eq!(all, [99_999, 99_998, 99_997, 99_996, 99_995]);
    assert_eq!(left(&elsewhere(api)), 99_999);
}

fn browsers_may_read_the_fields(api: &Api) {
    let founder = founder(api);
    let call = api.get(ME).bearer(&founder.access);
    let answer = call.header("origin", "https://app.example.com").send();
    let exposed = answer.header("access-control-expose-headers").unwrap();
    for name in [
        "X-RateLimit-Limit",
        "X-RateLimit-Remaining",
        "X-RateLimit-Reset",
        "RateLimit-Policy",
        "RateLimit",
        "Retry-After",
    ] {
        let told = exposed
            .split(',')
            .any(|field| field.trim().eq_ignore_ascii_case(name));
        assert!(told, "{name}: {exposed}");
    }
    login(api, &founder.email, "wrong").refused(401, "CREDENTIALS_INVALID");
}
