//! The general rate limit, as the server was started with: 400 reads a minute.

use super::tests;
use crate::api::Api;
use crate::fixture::{STARTER, founder, upgrade};

tests! { "guard":
    answers_tell_the_limit ["E-05" "E-06"];
    a_caller_over_the_limit_is_told_to_wait ["E-03" "E-04" "AD-08"];
    probes_are_never_limited ["E-29"];
}

fn answers_tell_the_limit(api: &Api) {
    let founder = founder(api);
    let answer = api.get("/api/v1/jobs").bearer(&founder.access).send();
    assert_eq!(answer.header("x-ratelimit-limit"), Some("400"));
    let left: i64 = answer
        .header("x-ratelimit-remaining")
        .unwrap()
        .parse()
        .unwrap();
    assert!((300..400).contains(&left), "{left}");
    let reset: i64 = answer.header("x-ratelimit-reset").unwrap().parse().unwrap();
    assert!((0..=61).contains(&(reset - api.now().seconds())), "{reset}");
    assert_eq!(
        answer.header("ratelimit-policy"),
        Some("\"read\";q=400;w=60")
    );
    assert!(
        answer
            .header("ratelimit")
            .unwrap()
            .starts_with(&format!("\"read\";r={left};t="))
    );
}

fn a_caller_over_the_limit_is_told_to_wait(api: &Api) {
    let (noisy, calm) = (founder(api), founder(api));
    let refused = api
        .parallel(8, |_| {
            (0..100)
                .map(|_| api.get("/api/v1/auth/me").bearer(&noisy.access).send())
                .find(|a| a.status == 429)
        })
        .into_iter()
        .flatten()
        .next()
        .expect("800 requests passed a limit of 400");
    refused.refused(429, "RATE_LIMITED");
    let wait: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&wait), "{wait}");
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    // Others, and the webhook, are not held up.
    api.get("/api/v1/auth/me")
        .bearer(&calm.access)
        .send()
        .data(200);
    upgrade(api, &noisy.tenant, STARTER);
}

fn probes_are_never_limited(api: &Api) {
    let statuses = api.parallel(8, |_| {
        (0..75).all(|_| api.get("/healthz").send().status == 200)
    });
    assert!(statuses.into_iter().all(|fine| fine));
    assert_eq!(api.get("/healthz").send().header("x-ratelimit-limit"), None);
}
