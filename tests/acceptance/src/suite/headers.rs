//! Headers that protect: on what is watched, on what is secret, and around text of strangers.

use edgekeep_core::functions;
use edgekeep_core::http::{Access, CANONICAL_SECURITY_HEADERS, Method};
use edgekeep_core::time::Millis;
use serde_json::json;

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::founder;

tests! { "platform":
    metrics_and_probes_carry_the_security_headers ["R-02"];
    what_callers_read_is_not_stored_on_the_way ["R-11"];
    text_of_strangers_is_never_a_page ["R-10"];
    the_place_to_report_is_told ["R-14"];
}

#[track_caller]
fn protected(answer: &Answer, what: &str) {
    for (name, value) in CANONICAL_SECURITY_HEADERS {
        assert_eq!(answer.header(name), Some(value), "{what}: {name}");
    }
}

fn metrics_and_probes_carry_the_security_headers(api: &Api) {
    let token = std::env::var("METRICS_TOKEN").unwrap();
    let scraped = api.get("/metrics").bearer(&token).send();
    assert_eq!(scraped.status, 200);
    protected(&scraped, "metrics");
    let refused = api.get("/metrics").send();
    assert_eq!(refused.status, 401);
    protected(&refused, "metrics without a token");
    for quiet in ["/healthz", "/readyz", "/startupz", "/health"] {
        let answer = api.get(quiet).send();
        assert_eq!(answer.status, 200, "{quiet}");
        protected(&answer, quiet);
    }
}

/// Walks the route table: only what is the same for everybody may be kept by caches.
fn what_callers_read_is_not_stored_on_the_way(api: &Api) {
    let shared = [
        "/.well-known/jwks.json",
        "/.well-known/security.txt",
        "/openapi.json",
        "/docs",
    ];
    let founder = founder(api);
    let mut answered = 0;
    for (_, route) in functions::routes() {
        if shared.contains(&route.path) || route.access == Access::Development {
            continue;
        }
        let path = route.path.replace(":id", "x_00000000000000000000000000");
        let mut call = api.call(route.method.name(), &path);
        if matches!(route.access, Access::Member(_) | Access::MemberOrKey(..)) {
            // What would end this session is refused by its body.
            call = call.bearer(&founder.access);
        }
        if route.method != Method::Get {
            call = call.body("text/plain", "x");
        }
        let answer = call.send();
        answered += usize::from(answer.status == 200);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
    // Own account, sessions, keys, members, usage, billing and more were among them.
    assert!(answered > 20, "{answered}");
    for path in shared {
        let kept = api.get(path).send();
        assert_eq!(kept.header("cache-control"), Some("public, max-age=300"));
    }
}

/// What somebody wrote comes back as JSON that no browser takes for a page.
fn text_of_strangers_is_never_a_page(api: &Api) {
    let founder = founder(api);
    let hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&";
    let call = api.post(
        "/api/v1/projects",
        &json!({"name": hostile, "description": hostile}),
    );
    let made = call.bearer(&founder.access).send();
    assert_eq!(made.data(201)["name"], hostile);
    let listed = api.get("/api/v1/projects").bearer(&founder.access).send();
    let wrong = json!({"name": "x", "<img src=x onerror=alert(1)>": 1});
    let answers = [
        made,
        listed,
        api.get("/%3Cscript%3Ealert(1)%3C/script%3E").send(),
        api.get("/docs?theme=%3Cscript%3Ealert(1)").send(),
        api.post("/api/v1/projects", &wrong)
            .bearer(&founder.access)
            .send(),
        api.get("/healthz")
            .header("x-request-id", "<b>id</b>")
            .send(),
    ];
    for answer in answers {
        let kind = answer.header("content-type").unwrap();
        assert!(
            ["application/json", "application/problem+json"].contains(&kind),
            "{kind}"
        );
        protected(&answer, kind);
    }
    // The one page there is holds nothing that a request brought.
    let page = api.get("/docs?theme=dark");
    let page = page.header("user-agent", "<script>alert(1)").send();
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(!page.text().contains("alert(1)"));
}

fn the_place_to_report_is_told(api: &Api) {
    let answer = api.get("/.well-known/security.txt").send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let kind = answer.header("content-type");
    assert_eq!(kind, Some("text/plain; charset=utf-8"));
    let text = answer.text();
    let field = |name: &str| {
        let mut found = text.lines().filter_map(|line| line.split_once(": "));
        let found = found.find(|(key, _)| *key == name).map(|(_, value)| value);
        found.unwrap_or_else(|| panic!("no {name}: {text}"))
    };
    assert_eq!(field("Contact"), std::env::var("SECURITY_CONTACT").unwrap());
    let expires = Millis::parse(field("Expires")).unwrap();
    let days = expires.since(api.now()) / 86_400_000;
    assert!((30..365).contains(&days), "{days}");
    assert!(field("Canonical").ends_with("/.well-known/security.txt"));
}
