//! Another address, the end of an account, and a sign-in through a provider, with the database
//! failing at every call.

use edgekeep_core::sql::SystemQuery;
use edgekeep_robustness::{Answer, Call, Founder, PASSWORD, World, run, text};
use serde_json::{Value, json};

use crate::faults::{later, survive};

static RECORDED: SystemQuery = SystemQuery::new(
    "test.recorded",
    "SELECT COUNT(*) FROM audit_log WHERE action = ?1",
);
static ACCOUNTS: SystemQuery = SystemQuery::new(
    "test.accounts",
    "SELECT (SELECT COUNT(*) FROM users) * 100 + (SELECT COUNT(*) FROM tenants) * 10
        + (SELECT COUNT(*) FROM identities)",
);

const OLD: &str = "old@example.com";
const NEW: &str = "new@example.com";

async fn recorded(world: &World, action: &str) -> i64 {
    world.sql(&RECORDED, &[action]).await[0].int(0).unwrap()
}

async fn ask(world: &World, founder: &Founder, offset: i64) -> Answer {
    let body = json!({"email": NEW, "password": PASSWORD});
    let call = Call::post("/api/v1/auth/email/change", &body).bearer(&founder.access);
    world.send(later(call, offset)).await
}

async fn confirm(world: &World, token: &str, offset: i64) -> Answer {
    let call = Call::post("/api/v1/auth/email/confirm", &json!({"token": token}));
    world.send(later(call, offset)).await
}

async fn token(world: &World, email: &str) -> String {
    let link = text(&world.mails(email).await[0]["link"]);
    link.split("token=").nth(1).unwrap().to_owned()
}

async fn email(world: &World, access: &str) -> Value {
    email_at(world, access, 0).await
}

async fn email_at(world: &World, access: &str, offset: i64) -> Value {
    let call = Call::new("GET", "/api/v1/auth/me").bearer(access);
    world.send(later(call, offset)).await.data(200)["email"].clone()
}

/// A founder who asked for [`NEW`], and the links to both.
async fn asked(world: &World) -> (Founder, String, String) {
    let founder = world.founder(OLD).await;
    ask(world, &founder, 0).await.data(202);
    (founder, token(world, OLD).await, token(world, NEW).await)
}

#[test]
fn another_address_can_be_asked_for_again() {
    run(async || {
        survive(
            async |world| world.founder(OLD).await,
            async |world, founder, offset| ask(world, founder, offset).await,
            async |world, founder, again| {
                again.data(202);
                for address in [OLD, NEW] {
                    let token = token(world, address).await;
                    confirm(world, &token, 0).await.data(200);
                }
                assert_eq!(email(world, &founder.access).await, NEW);
            },
        )
        .await;
    });
}

#[test]
fn an_address_agrees_once() {
    run(async || {
        survive(
            asked,
            async |world, (_, old, _), offset| confirm(world, old, offset).await,
            async |world, (founder, _, new), again| {
                assert!([200, 400].contains(&again.status()), "{}", again.status());
                assert_eq!(email(world, &founder.access).await, OLD);
                assert_eq!(recorded(world, "auth.email_change_confirmed").await, 1);
                confirm(world, new, 0).await.data(200);
                assert_eq!(email(world, &founder.access).await, NEW);
            },
        )
        .await;
    });
}

#[test]
fn an_address_changes_once() {
    run(async || {
        survive(
            async |world| {
                let (founder, old, new) = asked(world).await;
                confirm(world, &old, 0).await.data(200);
                (founder, new)
            },
            async |world, (_, new), offset| confirm(world, new, offset).await,
            async |world, (founder, _), again| {
                assert!([200, 400].contains(&again.status()), "{}", again.status());
                assert_eq!(email(world, &founder.access).await, NEW);
                assert_eq!(recorded(world, "auth.email_changed").await, 1);
                for address in [OLD, NEW] {
                    let mails = world.mails(address).await;
                    let told = mails
                        .iter()
                        .filter(|mail| mail["subject"] == "Your e-mail address was changed");
                    assert_eq!(told.count(), 1, "{mails:?}");
                }
                world.login(NEW).await.data(200);
            },
        )
        .await;
    });
}

#[test]
fn an_account_is_closed_once() {
    run(async || {
        survive(
            async |world| world.founder(OLD).await,
            async |world, founder, offset| {
                let body = json!({"password": PASSWORD});
                let mut call = Call::post("/api/v1/auth/me", &body).bearer(&founder.access);
                "DELETE".clone_into(&mut call.method);
                world.send(later(call, offset)).await
            },
            async |world, _, again| {
                assert!([200, 401].contains(&again.status()), "{}", again.status());
                assert_eq!(recorded(world, "auth.account_closed").await, 1);
                assert_eq!(world.login(OLD).await.status(), 401);
                // The address is free.
                world.founder(OLD).await;
            },
        )
        .await;
    });
}

/// Rows: D-11
#[test]
fn a_sign_in_through_a_provider_makes_one_account() {
    run(async || {
        survive(
            async |world| world.back_from_hub(7, NEW).await,
            async |world, back, offset| world.send(later(back.clone(), offset)).await,
            async |world, _, again| {
                let access = text(&again.data(200)["access_token"]);
                assert_eq!(email_at(world, &access, 61_000).await, NEW);
                // One user, one tenant, one identity.
                let counts = world.sql(&ACCOUNTS, &[]).await[0].int(0).unwrap();
                assert_eq!(counts, 111);
                assert_eq!(recorded(world, "auth.register").await, 1);
            },
        )
        .await;
    });
}
