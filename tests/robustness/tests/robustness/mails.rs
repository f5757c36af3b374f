//! Mails whose links outlive the secret that they were made with.

use edgekeep_core::sql::SystemQuery;
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

/// Variables that choose who sends, where its mails go, and the header with its key.
type Provider = (
    &'static [(&'static str, &'static str)],
    &'static str,
    (&'static str, &'static str),
);

const PROVIDERS: [Provider; 3] = [
    (
        &[("EMAIL_PROVIDER", "resend"), ("RESEND_API_KEY", "re_1")],
        "https://api.resend.com/emails",
        ("authorization", "Bearer re_1"),
    ),
    (
        &[
            ("EMAIL_PROVIDER", "postmark"),
            ("POSTMARK_SERVER_TOKEN", "pm-1"),
        ],
        "https://api.postmarkapp.com/email",
        ("x-postmark-server-token", "pm-1"),
    ),
    (
        &[
            ("EMAIL_PROVIDER", "http"),
            ("EMAIL_HTTP_URL", "http://mail.acme.test/v1/send"),
            ("EMAIL_HTTP_TOKEN", "tok-1"),
        ],
        "http://mail.acme.test/v1/send",
        ("authorization", "Bearer tok-1"),
    ),
];

async fn due_now(world: &World) {
    static DUE: SystemQuery = SystemQuery::new("test.due_now", "UPDATE mails SET leased_until = 0");
    world.sql(&DUE, &[]).await;
    static IDLE: SystemQuery = SystemQuery::new(
        "test.idle",
        "UPDATE scheduler_tasks SET next_at = 0, leased_until = 0",
    );
    world.sql(&IDLE, &[]).await;
}

/// Rows: U-01 U-02 U-03
#[test]
fn the_configuration_chooses_who_sends_and_all_send_the_same() {
    run(async || {
        let mut told = Vec::new();
        for (variables, url, (header, key)) in PROVIDERS {
            let world = World::new(variables).await;
            // Down at first: then it is the tick that sends, and once.
            world.outside(Ok((503, "{}")));
            world.register("r@example.com").await.data(201);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            let first = world.sent_outside();
            assert_eq!(first.len(), 1, "{url}");
            world.outside(Ok((200, "{}")));
            for _ in 0..2 {
                due_now(&world).await;
                edgekeep_core::scheduler::on_cron(&world).await;
            }
            let sent = world.sent_outside();
            let [sent] = sent.as_slice() else {
                panic!("{url}: {} were sent", sent.len());
            };
            assert_eq!((sent.method, sent.url.as_str()), ("POST", url));
            let of = |name: &str| {
                let found = sent.headers.iter().filter(|(known, _)| *known == name);
                found.map(|(_, value)| value.clone()).collect::<Vec<_>>()
            };
            assert_eq!(of(header), [key]);
            assert_eq!(of("content-type"), ["application/json"]);
            let again = first[0].headers.iter().any(|(name, value)| {
                *name == "idempotency-key" && of("idempotency-key") == [value.clone()]
            });
            assert!(again, "{:?}", sent.headers);
            let body: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
            let part = |names: [&str; 2]| {
                let found = names.iter().find_map(|name| body[name].as_str());
                found
                    .unwrap_or_else(|| panic!("{names:?}: {body}"))
                    .to_owned()
            };
            assert_eq!(part(["to", "To"]), "r@example.com");
            let html = part(["html", "HtmlBody"]);
            assert!(html.starts_with("<!doctype html>"), "{html}");
            let text = part(["text", "TextBody"]);
            assert!(text.contains("/api/v1/auth/verify?token="), "{text}");
            told.push((part(["from", "From"]), part(["subject", "Subject"])));
        }
        assert!(told.windows(2).all(|two| two[0] == two[1]), "{told:?}");
    });
}

/// What a stranger types is in no mail, and no line break of an event's payload gets into a header.
///
/// Rows: U-02 R-10
#[test]
fn a_notice_sends_hostile_text_as_text() {
    run(async || {
        for (variables, ..) in PROVIDERS {
            let world = World::new(variables).await;
            world.outside(Ok((200, "{}")));
            world.register("r@example.com").await.data(201);
            static CONFIRM: SystemQuery =
                SystemQuery::new("test.confirm", "UPDATE users SET email_verified_at = 1");
            world.sql(&CONFIRM, &[]).await;
            static EVENT: SystemQuery = SystemQuery::new(
                "test.event",
                "INSERT INTO outbox (id, tenant_id, topic, payload, created_at)
                SELECT 'evt_a', id, 'quota.threshold', ?1, 1 FROM tenants",
            );
            let hostile = "\r\nBcc: all@example.com\r\n<script>alert(1)</script>";
            let payload = json!({"percent": 80, "meter": hostile}).to_string();
            world.sql(&EVENT, &[&payload]).await;
            due_now(&world).await;
            edgekeep_core::scheduler::on_cron(&world).await;
            let sent = world.sent_outside();
            let notice = sent.last().unwrap();
            let body: serde_json::Value = serde_json::from_slice(&notice.body).unwrap();
            let subject = [&body["subject"], &body["Subject"]];
            let subject = subject.iter().find_map(|text| text.as_str()).unwrap();
            assert_eq!(subject, "Your organization nears the limit of its plan");
            let html = [&body["html"], &body["HtmlBody"]];
            let html = html.iter().find_map(|text| text.as_str()).unwrap();
            assert!(!html.contains("<script"), "{html}");
            for (name, value) in &notice.headers {
                assert!(!value.contains(['\r', '\n']), "{name}: {value}");
            }
            let others = [&body["bcc"], &body["Bcc"], &body["cc"]];
            assert!(others.iter().all(|other| other.is_null()));
        }
    });
}
