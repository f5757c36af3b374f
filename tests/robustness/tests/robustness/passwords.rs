//! Passwords at rest, and those that the world knows.

use argon2::password_hash::{PasswordHasher as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use edgekeep_core::port::OutboundError;
use edgekeep_core::sql::SystemQuery;
use edgekeep_robustness::{Answer, Call, PASSWORD, World, run, text};
use serde_json::json;

const ON: (&str, &str) = ("PASSWORD_BREACH_CHECK", "on");
const CLOSED: (&str, &str) = ("PASSWORD_BREACH_POLICY", "closed");

static STORED: SystemQuery = SystemQuery::new(
    "test.stored",
    "SELECT password_hash FROM users WHERE email = ?1",
);
static STORE: SystemQuery = SystemQuery::new(
    "test.store",
    "UPDATE users SET password_hash = ?2 WHERE email = ?1",
);

/// Rows: A-24
#[test]
fn a_hash_with_old_parameters_is_replaced_at_sign_in() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        let params = Params::new(8_192, 1, 1, Some(32)).unwrap();
        let salt = SaltString::encode_b64(&[7; 16]).unwrap();
        let old = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password(PASSWORD.as_bytes(), &salt)
            .unwrap()
            .to_string();
        world.sql(&STORE, &[&founder.email, &old]).await;
        let stored = async || {
            let rows = world.sql(&STORED, &[&founder.email]).await;
            rows[0].text(0).unwrap().to_owned()
        };
        let wrong = json!({"email": founder.email, "password": "not the password"});
        let wrong = world.send(Call::post("/api/v1/auth/login", &wrong)).await;
        assert_eq!((wrong.status(), stored().await), (401, old));
        world.login(&founder.email).await.data(200);
        let new = stored().await;
        assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
        world.login(&founder.email).await.data(200);
        assert_eq!(stored().await, new);
    });
}

/// SHA-1 of [`PASSWORD`] is abf7aad6438836dbe526aa231abde2d0eef74d42.
const RANGE: &str =
    "0018A45C4D1DEF81644B54AB7F969B88D65:1\r\nAD6438836DBE526AA231ABDE2D0EEF74D42:34\r\n";
const PADDED: &str = "AD6438836DBE526AA231ABDE2D0EEF74D42:0\r\n";

fn refused(answer: &Answer) {
    let error = answer.json()["error"].clone();
    assert_eq!(answer.status(), 400, "{error}");
    assert_eq!(
        (text(&error["code"]), text(&error["field"])),
        ("PASSWORD_BREACHED".to_owned(), "password".to_owned())
    );
}

/// Rows: A-25
#[test]
fn a_breached_password_is_refused_and_five_digits_leave() {
    run(async || {
        let world = World::new(&[ON]).await;
        world.outside(Ok((200, RANGE)));
        refused(&world.register("a@example.com").await);
        let asked = world.sent_outside();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].url, "https://api.pwnedpasswords.com/range/abf7a");
        let sent = format!("{:?}", asked[0]);
        assert!(
            !sent.contains("ad643") && !sent.contains(PASSWORD),
            "{sent}"
        );
        assert!(
            asked[0]
                .headers
                .contains(&("add-padding", "true".to_owned()))
        );
        assert_eq!(asked[0].timeout_ms, 1_500);

        // Padding names suffixes that nobody has seen.
        world.outside(Ok((200, PADDED)));
        let founder = world.founder("a@example.com").await;
        world.outside(Ok((200, RANGE)));
        let body = json!({"current_password": PASSWORD, "password": PASSWORD});
        let call = Call::post("/api/v1/auth/password/change", &body).bearer(&founder.access);
        refused(&world.send(call).await);
        let body = json!({"email": founder.email});
        world
            .send(Call::post("/api/v1/auth/password/forgot", &body))
            .await
            .data(202);
        let link = text(&world.mails(&founder.email).await[0]["link"]);
        let token = link.split("token=").nth(1).unwrap();
        let body = json!({"token": token, "password": PASSWORD});
        refused(
            &world
                .send(Call::post("/api/v1/auth/password/reset", &body))
                .await,
        );
    });
}

/// Rows: A-25
#[test]
fn nobody_is_asked_when_the_check_is_off() {
    run(async || {
        let world = World::new(&[]).await;
        world.outside(Ok((200, RANGE)));
        world.register("a@example.com").await.data(201);
        assert!(world.sent_outside().is_empty());
    });
}

/// Rows: A-26
#[test]
fn an_outage_of_the_check_follows_the_policy() {
    run(async || {
        let outages = [
            Err(OutboundError::Timeout),
            Err(OutboundError::Failed("refused".to_owned())),
            Ok((500, "")),
            Ok((429, "")),
        ];
        for outage in outages {
            let world = World::new(&[ON]).await;
            world.outside(outage.clone());
            world.register("a@example.com").await.data(201);

            let world = World::new(&[ON, CLOSED]).await;
            world.outside(outage);
            let answer = world.register("a@example.com").await;
            assert_eq!(answer.status(), 503);
            assert!(world.mails("a@example.com").await.is_empty());
        }
    });
}
