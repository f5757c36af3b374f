//! Mails whose links outlive the secret that they were made with.

use edgekeep_robustness::{Call, Founder, PASSWORD, World, run, text};
use serde_json::json;

const FORMER: &str = "acceptance-refresh-secret-0123456789-abcdef";
const SECRET: (&str, &str) = (
    "JWT_REFRESH_SECRET",
    "another-refresh-secret-0123456789-abcdef",
);

/// The world after the secret was rolled: the former one still counts.
fn rolled(world: &World) -> World {
    world.with(&[SECRET, ("JWT_REFRESH_OLD_SECRETS", FORMER)])
}

async fn link(world: &World, email: &str) -> String {
    let link = text(&world.mails(email).await[0]["link"]);
    link.split("token=").nth(1).unwrap().to_owned()
}

async fn verify(world: &World, token: &str) -> u16 {
    let call = Call::post("/api/v1/auth/verify", &json!({"token": token}));
    world.send(call).await.status()
}

/// Rows: Q-11
#[test]
fn links_hold_while_the_former_secret_counts() {
    run(async || {
        let world = World::new(&[]).await;
        let variables = edgekeep_robustness::variables(&[]);
        assert_eq!(variables["JWT_REFRESH_SECRET"], FORMER);
        let after = rolled(&world);
        world.register("a@example.com").await.data(201);
        let sent = link(&world, "a@example.com").await;
        // A mail that is sent only now holds the link whose hash was kept then.
        assert_eq!(link(&after, "a@example.com").await, sent);
        assert_eq!(verify(&after, &sent).await, 200);

        // One that was made since is made with the new secret.
        after.register("b@example.com").await.data(201);
        let made = link(&after, "b@example.com").await;
        let ended = world.with(&[SECRET]);
        assert_eq!(link(&ended, "b@example.com").await, made);
        // Without the former secret, what waited with it comes with a dead link; the old one in
        // the mailbox, whose hash was kept, still works.
        world.register("c@example.com").await.data(201);
        let sent = link(&world, "c@example.com").await;
        let dead = link(&ended, "c@example.com").await;
        assert_ne!(dead, sent);
        assert_eq!(verify(&ended, &dead).await, 400);
        assert_eq!(verify(&ended, &sent).await, 200);
    });
}

async fn mfa(world: &World, founder: &Founder, path: &str, body: &serde_json::Value) -> u16 {
    let call = Call::post(&format!("/api/v1/auth/mfa/{path}"), body).bearer(&founder.access);
    world.send(call).await.status()
}

async fn mailed_code(world: &World, email: &str) -> String {
    let mail = text(&world.mails(email).await[0]["text"]);
    let digits = mail.split("code is ").nth(1).unwrap();
    digits.chars().take(6).collect()
}

/// Rows: D-05 Q-11
#[test]
fn mailed_codes_hold_while_the_former_secret_counts() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("a@example.com").await;
        let email = json!({"method": "email"});
        assert_eq!(mfa(&world, &founder, "start", &email).await, 200);
        let after = rolled(&world);
        let code = mailed_code(&after, &founder.email).await;
        assert_eq!(code, mailed_code(&world, &founder.email).await);
        let body = json!({"method": "email", "code": code});
        assert_eq!(mfa(&after, &founder, "confirm", &body).await, 200);

        let body = json!({"email": founder.email, "password": PASSWORD});
        let asked = world.send(Call::post("/api/v1/auth/login", &body)).await;
        let token = asked.data(200)["mfa_token"].clone();
        let body = json!({"mfa_token": token});
        let sent = Call::post("/api/v1/auth/mfa/email/send", &body);
        world.send(sent).await.data(202);
        let code = mailed_code(&after, &founder.email).await;
        let body = json!({"mfa_token": token, "code": code});
        let done = Call::post("/api/v1/auth/mfa/verify", &body);
        after.send(done).await.data(200);
    });
}
