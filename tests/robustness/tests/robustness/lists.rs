//! What a list costs does not depend on how long it is.

use edgekeep_core::functions;
use edgekeep_core::http::{Access, Method};
use edgekeep_core::sql::SystemQuery;
use edgekeep_robustness::{Call, Founder, World, run, text};
use serde_json::{Value, json};

static UPGRADE: SystemQuery = SystemQuery::new(
    "test.upgrade",
    "UPDATE tenants SET plan_id = 'PROFESSIONAL'",
);

async fn post(world: &World, who: &Founder, path: &str, body: &Value) -> Value {
    let answer = world.send(Call::post(path, body).bearer(&who.access)).await;
    assert!(answer.status() < 300, "{path}: {}", answer.json());
    answer.json()["data"].clone()
}

/// A tenant with so many of everything, and the members of one of its teams.
async fn filled(world: &World, count: usize) -> (Founder, String) {
    let host = world.founder("host@example.com").await;
    world.sql(&UPGRADE, &[]).await;
    let key = world.api_key(&host).await;
    let team = post(
        world,
        &host,
        "/api/v1/organizations/teams",
        &json!({"name": "all"}),
    )
    .await;
    let members = format!("/api/v1/organizations/teams/{}/members", text(&team["id"]));
    for n in 0..count {
        let name = json!({"name": format!("x{n}")});
        for path in [
            "api-keys",
            "projects",
            "agents",
            "organizations",
            "organizations/teams",
        ] {
            post(world, &host, &format!("/api/v1/{path}"), &name).await;
        }
        let role = json!({"name": format!("x{n}"), "base": "client", "permissions": []});
        post(world, &host, "/api/v1/organizations/roles", &role).await;
        post(
            world,
            &host,
            "/api/v1/jobs",
            &json!({"type": "usage.export"}),
        )
        .await;
        let event = json!({"id": n.to_string(), "meter": format!("m{n}")});
        let sent = Call::post("/api/v1/usage/events", &event).bearer(&key);
        world.send(sent).await.data(200);
        world.login(&host.email).await.data(200);

        let email = format!("guest{n}@example.com");
        let guest = world.founder(&email).await;
        let invite = json!({"email": email, "role": "agent"});
        post(world, &host, "/api/v1/organizations/invitations", &invite).await;
        let link = text(&world.mails(&email).await[0]["link"]);
        let token = link.split("token=").nth(1).unwrap();
        post(
            world,
            &guest,
            "/api/v1/invitations/accept",
            &json!({"token": token}),
        )
        .await;
        let me = Call::new("GET", "/api/v1/auth/me").bearer(&guest.access);
        let id = text(&world.send(me).await.data(200)["id"]);
        let mut put = Call::new("PUT", &format!("{members}/{id}"));
        put = put.bearer(&host.access);
        world.send(put).await.data(200);
    }
    (host, members)
}

/// Round trips, statements and items of everything that a founder can read.
async fn costs(count: usize) -> Vec<(String, (usize, usize), usize)> {
    let world = World::new(&[]).await;
    let (host, members) = filled(&world, count).await;
    let all = functions::routes();
    let own = all.iter().filter(|(_, route)| {
        let open = matches!(route.access, Access::Member(_) | Access::MemberOrKey(..));
        open && route.method == Method::Get && !route.path.contains(':')
    });
    // The one that answers nothing without being asked about something.
    let asked = |route: &str| match route {
        "/api/v1/usage/query" => format!("{route}?meter=m"),
        _ => route.to_owned(),
    };
    let mut paths: Vec<String> = own.map(|(_, route)| asked(route.path)).collect();
    paths.push(members);
    let mut told = Vec::new();
    for path in paths {
        world.ran();
        let answer = world
            .send(Call::new("GET", &path).bearer(&host.access))
            .await;
        let cost = world.ran();
        let data = answer.data(200);
        let lists = [&data, &data["roles"], &data["meters"], &data["memberships"]];
        let items = lists.into_iter().filter_map(Value::as_array).map(Vec::len);
        let place = path.split("/team_").next().unwrap_or_default();
        told.push((place.to_owned(), cost, items.max().unwrap_or(0)));
    }
    told
}

/// Rows: AC-09
#[test]
fn reading_costs_the_same_however_much_there_is() {
    run(async || {
        let (few, many) = (costs(1).await, costs(5).await);
        let mut grown = 0;
        for ((path, cost, few), (_, other, many)) in few.into_iter().zip(many) {
            assert_eq!(cost, other, "{path}: {few} and {many} items");
            assert_eq!(cost.0, 1, "{path} takes more than one round trip");
            grown += usize::from(many >= few + 4);
        }
        assert!(grown >= 11, "{grown} lists grew");
    });
}
