//! Tokens of other issuers, with the database failing at every call, and with issuers that answer
//! oddly or not at all.

use edgekeep_core::crypto::{base64url, hmac_sha256};
use edgekeep_core::port::OutboundError;
use edgekeep_core::sql::SystemQuery;
use edgekeep_robustness::{Call, World, run, text};
use serde_json::{Value, json};

use crate::faults::{later, survive};
use crate::metrics::{page, value};

static LINKED: SystemQuery = SystemQuery::new(
    "test.linked",
    "SELECT (SELECT COUNT(*) FROM audit_log WHERE action = 'auth.identity_linked') * 10
        + (SELECT COUNT(*) FROM identities)",
);

const EMAIL: &str = "e@example.com";

/// A token of tests/acceptance/vars' issuers; the signature is `shared`'s.
fn token(issuer: &str, audience: &str, more: &Value) -> String {
    token_by("first", issuer, audience, more)
}

fn token_by(kid: &str, issuer: &str, audience: &str, more: &Value) -> String {
    let mut claims = json!({
        "iss": issuer, "aud": audience, "sub": "s", "exp": 4_000_000_000_u32, "email": EMAIL,
    });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let header = json!({"alg": "HS256", "kid": kid}).to_string();
    let (header, claims) = (header.as_bytes(), claims.to_string());
    let message = format!("{}.{}", base64url(header), base64url(claims.as_bytes()));
    let secret = b"acceptance-shared-secret-0123456789-abcdef";
    let mac = hmac_sha256(secret, &[message.as_bytes()]);
    format!("{message}.{}", base64url(&mac))
}

fn exchange(token: &str) -> Call {
    let body = json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    });
    Call::post("/api/v1/auth/token/exchange", &body)
}

/// Rows: A-22
#[test]
fn an_identity_is_linked_once() {
    run(async || {
        survive(
            async |world| {
                let founder = world.founder(EMAIL).await;
                let more = json!({"app_metadata": {"proven": true, "tenant": founder.tenant}});
                token("https://shared.example.com/auth/v1", "authenticated", &more)
            },
            async |world, token, offset| world.send(later(exchange(token), offset)).await,
            async |world, _, again| {
                let access = text(&again.data(200)["access_token"]);
                let me = Call::new("GET", "/api/v1/auth/me").bearer(&access);
                assert_eq!(
                    world.send(later(me, 61_000)).await.data(200)["email"],
                    EMAIL
                );
                let counts = world.sql(&LINKED, &[]).await[0].int(0).unwrap();
                assert_eq!(counts, 11);
            },
        )
        .await;
    });
}

/// Rows: A-22
#[test]
fn what_an_issuer_answers_opens_nothing() {
    // A secret that is published is none, and stops nothing else in the list.
    let other = r#"{"keys":[{"kty":"oct","kid":"first","alg":"HS256","k":"c2VjcmV0"},7]}"#;
    let answers = [
        (Err(OutboundError::Timeout), 504),
        (Err(OutboundError::Failed("gone".to_owned())), 503),
        (Ok((302, r#"{"keys":[]}"#)), 503),
        (Ok((500, r#"{"keys":[]}"#)), 503),
        (Ok((200, "<html>")), 503),
        (Ok((200, r#"{"keys":{}}"#)), 503),
        (Ok((200, r#"{"keys":[]}"#)), 401),
        (Ok((200, other)), 401),
    ];
    run(async || {
        let token = token("https://issuer.example.com", "edgekeep", &json!({}));
        for store_is_down in [false, true] {
            for (answer, status) in &answers {
                let world = World::new(&[]).await;
                world.key_value_down(store_is_down);
                world.outside(answer.clone());
                let told = world.send(exchange(&token)).await;
                assert_eq!(told.status(), *status, "{:?}", told.json());
                // What may work a moment later is asked for once more.
                let again = matches!(answer, Err(OutboundError::Failed(_)) | Ok((500, _)));
                assert_eq!(world.sent_outside().len(), 1 + usize::from(again));
                assert!(told.json()["data"].is_null());
            }
        }
    });
}

/// Rows: A-22
#[test]
fn key_ids_that_somebody_makes_up_cost_one_request_a_minute() {
    run(async || {
        let one = World::new(&[]).await;
        let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "first", "x": "AQAB"});
        one.outside(Ok((200, &json!({"keys": [key]}).to_string())));
        let another = one.with(&[]);
        // How often the issuer is asked. Whether the signature holds, comes after that.
        let asked = async |world: &World, kid: &str, millis: i64| {
            let token = token_by(kid, "https://issuer.example.com", "edgekeep", &json!({}));
            let told = world.send(later(exchange(&token), millis)).await;
            assert_eq!(told.status(), 401, "{:?}", told.json());
            world.sent_outside().len()
        };
        assert_eq!(asked(&one, "first", 0).await, 1);
        // Known keys are in this isolate, and in the store for every other.
        assert_eq!(asked(&one, "first", 1_000).await, 0);
        assert_eq!(asked(&another, "first", 1_000).await, 0);
        for minute in [0, 120_000, 240_000] {
            assert_eq!(asked(&one, "new", minute + 61_000).await, 1);
            for n in 0..5 {
                let kid = format!("made-up-{n}");
                assert_eq!(asked(&one, &kid, minute + 62_000 + n).await, 0);
                assert_eq!(asked(&another, &kid, minute + 62_000 + n).await, 0);
            }
            // An isolate that begins now is bound all the same.
            let new = one.with(&[]);
            assert_eq!(asked(&new, "new", minute + 63_000).await, 0);
            assert_eq!(asked(&new, "first", minute + 63_000).await, 0);
        }
        // After an hour they are fetched anew, though nothing is unknown.
        assert_eq!(asked(&one, "first", 4_000_000).await, 1);
        assert_eq!(asked(&another, "first", 4_000_000).await, 0);
    });
}

/// Rows: A-22
#[test]
fn a_wrong_list_of_issuers_stops_the_exchange_alone() {
    run(async || {
        let world = World::new(&[("EXTERNAL_ISSUERS", r#"[{"id":"a"}]"#)]).await;
        let told = world.send(exchange("x.y.z")).await;
        assert_eq!(told.status(), 401, "{:?}", told.json());
        let token = token("https://issuer.example.com", "edgekeep", &json!({}));
        let told = world.send(exchange(&token)).await;
        assert_eq!(told.status(), 503, "{:?}", told.json());
        assert_eq!(told.json()["error"]["code"], "NOT_CONFIGURED");
        world.founder(EMAIL).await;
        // Without any, every issuer is unknown.
        let world = world.with(&[("EXTERNAL_ISSUERS", "")]);
        assert_eq!(world.send(exchange(&token)).await.status(), 401);
    });
}

/// Rows: AB-02 AB-03 AB-08 AB-09
#[test]
fn parallel_misses_are_one_fetch_and_are_counted() {
    run(async || {
        let world = World::new(&[]).await;
        let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "first", "x": "AQAB"});
        world.outside(Ok((200, &json!({"keys": [key]}).to_string())));
        let token = token("https://issuer.example.com", "edgekeep", &json!({}));
        world.outside_takes(100);
        let all = (0..50).map(|_| {
            let (world, token) = (world.clone(), token.clone());
            tokio::task::spawn_local(async move { world.send(exchange(&token)).await.status() })
        });
        for answer in all.collect::<Vec<_>>() {
            assert_eq!(answer.await.unwrap(), 401);
        }
        assert_eq!(world.sent_outside().len(), 1);
        // Another instance finds it in the store.
        let other = world.with(&[]);
        other.send(exchange(&token)).await;
        other.send(exchange(&token)).await;
        assert_eq!(world.sent_outside().len(), 0);
        let of = |page: &str, result| {
            let labels = format!("cache=\"jwks\",result=\"{result}\"");
            value(page, &format!("cache_requests_total{{{labels}}}"))
        };
        let ours = page(&world).await;
        assert_eq!((of(&ours, "miss"), of(&ours, "waited")), (1, 49));
        assert_eq!(value(&ours, "cache_documents"), 1);
        let all = page(&other).await;
        assert_eq!((of(&all, "shared"), of(&all, "hit")), (1, 1));
        // An unknown key id, a minute later.
        let unknown = token_by("new", "https://issuer.example.com", "edgekeep", &json!({}));
        world.send(later(exchange(&unknown), 61_000)).await;
        let invalidated = r#"cache_invalidations_total{cache="jwks"}"#;
        assert_eq!(value(&page(&world).await, invalidated), 1);
    });
}

/// Rows: AB-02
#[test]
fn instances_that_begin_at_once_wait_for_the_few_that_may_fetch() {
    run(async || {
        let world = World::new(&[]).await;
        let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "first", "x": "AQAB"});
        world.outside(Ok((200, &json!({"keys": [key]}).to_string())));
        let token = token("https://issuer.example.com", "edgekeep", &json!({}));
        world.outside_takes(300);
        let all = (0..30).map(|_| {
            let (instance, token) = (world.with(&[]), token.clone());
            tokio::task::spawn_local(async move { instance.send(exchange(&token)).await.status() })
        });
        for answer in all.collect::<Vec<_>>() {
            // The signature is wrong, which only the document tells: the limit sends nobody away.
            assert_eq!(answer.await.unwrap(), 401);
        }
        assert_eq!(world.sent_outside().len(), 20);
    });
}

/// Rows: AB-02
#[test]
fn those_who_waited_in_vain_do_not_ask_one_after_the_other() {
    run(async || {
        let world = World::new(&[]).await;
        world.outside(Err(OutboundError::Timeout));
        let token = token("https://issuer.example.com", "edgekeep", &json!({}));
        world.outside_takes(100);
        let all = (0..20).map(|_| {
            let (world, token) = (world.clone(), token.clone());
            tokio::task::spawn_local(async move { world.send(exchange(&token)).await.status() })
        });
        for answer in all.collect::<Vec<_>>() {
            assert!(matches!(answer.await.unwrap(), 503 | 504));
        }
        assert_eq!(world.sent_outside().len(), 1);
    });
}
