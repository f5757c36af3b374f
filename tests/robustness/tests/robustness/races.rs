//! What happens between two database calls of a request.

use edgekeep_core::port::Platform as _;
use edgekeep_core::sql::SystemQuery;
use edgekeep_robustness::{Answer, Call, Founder, PASSWORD, World, run, text};
use serde_json::{Value, json};

use crate::authenticator;

const NEW: &str = "another pass phrase altogether";

async fn change(world: &World, founder: &Founder) {
    let body = json!({"current_password": PASSWORD, "password": NEW});
    let call = Call::post("/api/v1/auth/password/change", &body).bearer(&founder.access);
    world.send(call).await.data(200);
}

async fn reset(world: &World, founder: &Founder) {
    let body = json!({"email": founder.email});
    let call = Call::post("/api/v1/auth/password/forgot", &body);
    world.send(call).await.data(202);
    let link = text(&world.mails(&founder.email).await[0]["link"]);
    let token = link.split("token=").nth(1).unwrap();
    let body = json!({"token": token, "password": NEW});
    let call = Call::post("/api/v1/auth/password/reset", &body);
    world.send(call).await.data(200);
}

fn refused(answer: &Answer, status: u16, code: &str) {
    let told = answer.json()["error"]["code"].clone();
    assert_eq!((answer.status(), told), (status, json!(code)));
}

async fn armed(world: &World) -> (Founder, String) {
    let founder = world.founder("f@example.com").await;
    let act = async |path: &str, body: &Value| {
        let path = format!("/api/v1/auth/mfa/{path}");
        let call = Call::post(&path, body).bearer(&founder.access);
        world.send(call).await.data(200)
    };
    let secret = text(&act("start", &json!({})).await["secret"]);
    let code = authenticator::code(&secret, world.now().0);
    act("confirm", &json!({"code": code})).await;
    (founder, secret)
}

/// Whoever knows the former password and is just signing in has no session afterwards.
///
/// Rows: A-32
#[test]
fn a_sign_in_does_not_outlive_its_password() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        let changed = change(&world, &founder);
        let late = world.in_between(2, world.login(&founder.email), changed);
        refused(&late.await, 401, "CREDENTIALS_INVALID");

        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        let late = world.in_between(2, world.login(&founder.email), reset(&world, &founder));
        refused(&late.await, 401, "CREDENTIALS_INVALID");
    });
}

/// Rows: A-32
#[test]
fn a_second_step_does_not_outlive_the_password_of_the_first() {
    run(async || {
        // The first step is under way.
        let world = World::new(&[]).await;
        let (founder, _) = armed(&world).await;
        let changed = change(&world, &founder);
        let late = world.in_between(2, world.login(&founder.email), changed);
        refused(&late.await, 401, "CREDENTIALS_INVALID");

        // The first step is done, the second is not or is under way.
        for call in [1, 2] {
            let world = World::new(&[]).await;
            let (founder, secret) = armed(&world).await;
            let token = world.login(&founder.email).await.data(200)["mfa_token"].clone();
            let code = authenticator::code(&secret, world.now().0 + 30_000);
            let body = json!({"mfa_token": token, "code": code});
            let verify = Call::post("/api/v1/auth/mfa/verify", &body);
            let verify = verify.header("x-test-clock-offset-ms", "30000");
            let changed = change(&world, &founder);
            let late = world.in_between(call, world.send(verify), changed).await;
            assert_eq!(late.status(), 401, "{}", late.json());
        }
    });
}

static EXPEL: SystemQuery = SystemQuery::new("test.expel", "DELETE FROM memberships");
static LIVE_KEYS: SystemQuery = SystemQuery::new(
    "test.live_keys",
    "SELECT COUNT(*) FROM api_keys WHERE replaced_by IS NULL",
);

/// Whoever is removed while they make a key has none that a new membership would bring to life.
///
/// Rows: B-11
#[test]
fn a_key_is_made_for_members_alone() {
    run(async || {
        for reroll in [false, true] {
            let world = World::new(&[]).await;
            let founder = world.founder("f@example.com").await;
            let key = world.api_key(&founder).await;
            let id = key.split('_').nth(2).unwrap();
            let path = if reroll {
                format!("/key_{id}/reroll")
            } else {
                String::new()
            };
            let body = if reroll {
                json!({})
            } else {
                json!({"name": "k"})
            };
            let call = Call::post(&format!("/api/v1/api-keys{path}"), &body);
            let make = world.send(call.bearer(&founder.access));
            let expel = async { drop(world.sql(&EXPEL, &[]).await) };
            let late = world.in_between(2, make, expel).await;
            assert!(matches!(late.status(), 409 | 429), "{}", late.json());
            assert_eq!(world.sql(&LIVE_KEYS, &[]).await[0].int(0).unwrap(), 1);
        }
    });
}
