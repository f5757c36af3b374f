//! Second factors, with the database failing at every call.

use edgekeep_core::port::Platform as _;
use edgekeep_robustness::{Answer, Call, Founder, World, run, text};
use serde_json::{Value, json};

use crate::authenticator;
use crate::faults::{later, survive};

const STEP: i64 = 30_000;

fn code(world: &World, secret: &str, later: i64) -> String {
    authenticator::code(secret, world.now().0 + later)
}

async fn act(world: &World, founder: &Founder, path: &str, body: &Value, offset: i64) -> Answer {
    let call = Call::post(&format!("/api/v1/auth/mfa/{path}"), body).bearer(&founder.access);
    world.send(later(call, offset)).await
}

async fn status(world: &World, founder: &Founder) -> Value {
    let call = Call::new("GET", "/api/v1/auth/mfa/status").bearer(&founder.access);
    world.send(call).await.data(200)
}

async fn started(world: &World) -> (Founder, String) {
    let founder = world.founder("f@example.com").await;
    let started = act(world, &founder, "start", &json!({}), 0).await.data(200);
    (founder, text(&started["secret"]))
}

async fn armed(world: &World) -> (Founder, String) {
    let (founder, secret) = started(world).await;
    let body = json!({"code": code(world, &secret, 0)});
    act(world, &founder, "confirm", &body, 0).await.data(200);
    (founder, secret)
}

async fn begin(world: &World, founder: &Founder) -> Value {
    world.login(&founder.email).await.data(200)["mfa_token"].clone()
}

async fn verify(world: &World, token: &Value, code: &str, offset: i64) -> Answer {
    let body = json!({"mfa_token": token, "code": code});
    let call = Call::post("/api/v1/auth/mfa/verify", &body);
    world.send(later(call, offset)).await
}

/// Rows: D-01
#[test]
fn a_set_up_can_be_started_again() {
    run(async || {
        survive(
            async |world| world.founder("f@example.com").await,
            async |world, founder, offset| act(world, founder, "start", &json!({}), offset).await,
            async |world, founder, again| {
                let secret = text(&again.data(200)["secret"]);
                let body = json!({"code": code(world, &secret, 0)});
                act(world, founder, "confirm", &body, 0).await.data(200);
            },
        )
        .await;
    });
}

/// Rows: D-02
#[test]
fn a_set_up_is_confirmed_once() {
    run(async || {
        survive(
            started,
            async |world, (founder, secret), offset| {
                let body = json!({"code": code(world, secret, offset)});
                act(world, founder, "confirm", &body, offset).await
            },
            async |world, (founder, secret), again| {
                assert!([200, 409].contains(&again.status()), "{}", again.status());
                let shown = status(world, founder).await;
                assert_eq!(
                    (&shown["enabled"], &shown["recoveryCodesLeft"]),
                    (&json!(true), &json!(10))
                );
                // Whoever never saw the codes, because the answer was lost, draws new ones.
                let drawn = act(world, founder, "recovery-codes", &json!({}), 0)
                    .await
                    .data(200);
                let token = begin(world, founder).await;
                let body = json!({"mfa_token": token, "recovery_code": drawn["recoveryCodes"][0]});
                world
                    .send(Call::post("/api/v1/auth/mfa/verify", &body))
                    .await
                    .data(200);
                let token = begin(world, founder).await;
                let after = 4 * STEP;
                verify(world, &token, &code(world, secret, after), after)
                    .await
                    .data(200);
            },
        )
        .await;
    });
}

/// Rows: D-04 D-06
#[test]
fn a_second_step_makes_one_session() {
    run(async || {
        survive(
            async |world| {
                let (founder, secret) = armed(world).await;
                let token = begin(world, &founder).await;
                (founder, secret, token)
            },
            async |world, (_, secret, token), offset| {
                verify(world, token, &code(world, secret, offset + STEP), offset).await
            },
            async |world, (founder, secret, _), again| {
                // The pre-token is spent where only the answer was lost.
                assert!([200, 401].contains(&again.status()), "{}", again.status());
                let sessions = Call::new("GET", "/api/v1/auth/sessions").bearer(&founder.access);
                let sessions = world.send(sessions).await.data(200);
                // The one that set it up, and this one.
                assert_eq!(sessions.as_array().unwrap().len(), 2, "{sessions}");
                let token = begin(world, founder).await;
                let after = 6 * STEP;
                verify(world, &token, &code(world, secret, after), after)
                    .await
                    .data(200);
            },
        )
        .await;
    });
}

/// Rows: D-09
#[test]
fn a_factor_is_turned_off_once() {
    run(async || {
        // With a session that proved it, and with password and code.
        for old in [0, 11 * 60_000] {
            survive(
                armed,
                async |world, (founder, secret), offset| {
                    let at = old + offset;
                    let body = match old {
                        0 => json!({}),
                        _ => {
                            let code = code(world, secret, at + STEP);
                            json!({"password": edgekeep_robustness::PASSWORD, "code": code})
                        }
                    };
                    act(world, founder, "disable", &body, at).await
                },
                async |world, (founder, _), again| {
                    assert!([200, 409].contains(&again.status()), "{}", again.status());
                    let shown = status(world, founder).await;
                    assert_eq!(
                        (&shown["enabled"], &shown["recoveryCodesLeft"]),
                        (&json!(false), &json!(0))
                    );
                    assert!(
                        world.login(&founder.email).await.data(200)["access_token"].is_string()
                    );
                },
            )
            .await;
        }
    });
}
