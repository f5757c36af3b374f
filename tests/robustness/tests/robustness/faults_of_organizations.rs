//! Members of an organisation, with the database failing at every call.

use edgekeep_core::sql::SystemQuery;
use edgekeep_robustness::{Answer, Call, Founder, World, run, text};
use serde_json::{Value, json};

use crate::faults::{later, survive};

static RECORDED: SystemQuery = SystemQuery::new(
    "test.recorded",
    "SELECT COUNT(*) FROM audit_log WHERE action = ?1",
);

const GUEST: &str = "guest@example.com";

async fn recorded(world: &World, action: &str) -> i64 {
    world.sql(&RECORDED, &[action]).await[0].int(0).unwrap()
}

async fn invite(world: &World, host: &Founder, offset: i64) -> Answer {
    let body = json!({"email": GUEST, "role": "agent"});
    let call = Call::post("/api/v1/organizations/invitations", &body).bearer(&host.access);
    world.send(later(call, offset)).await
}

async fn accept(world: &World, guest: &Founder, token: &str, offset: i64) -> Answer {
    let call = Call::post("/api/v1/invitations/accept", &json!({"token": token}));
    world.send(later(call.bearer(&guest.access), offset)).await
}

async fn token(world: &World) -> String {
    let link = text(&world.mails(GUEST).await[0]["link"]);
    link.split("token=").nth(1).unwrap().to_owned()
}

async fn members(world: &World, host: &Founder) -> Vec<Value> {
    let call = Call::new("GET", "/api/v1/organizations/members").bearer(&host.access);
    world.send(call).await.data(200).as_array().unwrap().clone()
}

async fn two(world: &World) -> (Founder, Founder) {
    let host = world.founder("host@example.com").await;
    (host, world.founder(GUEST).await)
}

async fn invited(world: &World) -> (Founder, Founder, String) {
    let (host, guest) = two(world).await;
    invite(world, &host, 0).await.data(201);
    (host, guest, token(world).await)
}

/// The host, and the guest's id as a member.
async fn joined(world: &World) -> (Founder, String) {
    let (host, guest, token) = invited(world).await;
    accept(world, &guest, &token, 0).await.data(200);
    let all = members(world, &host).await;
    let member = all.iter().find(|member| member["email"] == GUEST);
    (host, text(&member.unwrap()["userId"]))
}

/// Rows: E-03
#[test]
fn an_invitation_is_sent_once() {
    run(async || {
        survive(
            two,
            async |world, (host, _), offset| invite(world, host, offset).await,
            async |world, (host, guest), again| {
                // It is there already where only the answer was lost.
                assert!([201, 409].contains(&again.status()), "{}", again.status());
                let call = Call::new("GET", "/api/v1/organizations/invitations");
                let open = world.send(call.bearer(&host.access)).await.data(200);
                assert_eq!(open.as_array().unwrap().len(), 1, "{open}");
                assert_eq!(recorded(world, "invitation.create").await, 1);
                let token = token(world).await;
                accept(world, guest, &token, 0).await.data(200);
            },
        )
        .await;
    });
}

/// Rows: E-04
#[test]
fn an_invitation_is_accepted_once() {
    run(async || {
        survive(
            invited,
            async |world, (_, guest, token), offset| accept(world, guest, token, offset).await,
            async |world, (host, ..), again| {
                assert!([200, 400].contains(&again.status()), "{}", again.status());
                assert_eq!(members(world, host).await.len(), 2);
                assert_eq!(recorded(world, "invitation.accept").await, 1);
            },
        )
        .await;
    });
}

/// Rows: E-05
#[test]
fn a_role_is_changed_once() {
    run(async || {
        survive(
            joined,
            async |world, (host, member), offset| {
                let path = format!("/api/v1/organizations/members/{member}");
                let mut call = Call::post(&path, &json!({"role": "admin"})).bearer(&host.access);
                "PATCH".clone_into(&mut call.method);
                world.send(later(call, offset)).await
            },
            async |world, (host, member), again| {
                again.data(200);
                let all = members(world, host).await;
                let member = all.iter().find(|one| one["userId"] == *member);
                assert_eq!(member.unwrap()["role"], "admin");
                assert_eq!(all.len(), 2);
            },
        )
        .await;
    });
}

/// Rows: E-06
#[test]
fn a_member_is_removed_once() {
    run(async || {
        survive(
            joined,
            async |world, (host, member), offset| {
                let path = format!("/api/v1/organizations/members/{member}");
                let call = Call::new("DELETE", &path).bearer(&host.access);
                world.send(later(call, offset)).await
            },
            async |world, (host, _), again| {
                assert!([200, 404].contains(&again.status()), "{}", again.status());
                assert_eq!(members(world, host).await.len(), 1);
                assert_eq!(recorded(world, "member.remove").await, 1);
                world.login(GUEST).await.data(200);
            },
        )
        .await;
    });
}
