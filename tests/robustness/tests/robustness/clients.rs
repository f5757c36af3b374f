//! Whom limits count: clients behind proxies, subscribers with many addresses, made-up keys.

use edgekeep_core::organizations::api_keys::key;
use edgekeep_core::port::Platform as _;
use edgekeep_robustness::{Answer, Call, PRODUCTION, World, run};
use serde_json::json;

/// A sign-in by `forwarded` through the proxy at 192.0.2.1.
async fn login(world: &World, email: &str, password: &str, forwarded: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    let call = Call::post("/api/v1/auth/login", &body).header("x-forwarded-for", forwarded);
    world.send(call).await
}

/// Rows: E-17
#[test]
fn one_client_behind_a_proxy_does_not_lock_out_the_others() {
    run(async || {
        let world = World::new(&[("TRUSTED_PROXIES", "192.0.2.0/24")]).await;
        let founder = world.founder("f@example.com").await;
        // One subscriber, who has 2^64 addresses and writes one of them into the field himself.
        for n in 0..=100 {
            let (email, chain) = (
                format!("{n}@example.com"),
                format!("198.51.100.{n}, 2001:db8:1:2::{n:x}"),
            );
            let answer = login(&world, &email, "wrong", &chain).await;
            assert_eq!(answer.status(), if n < 100 { 401 } else { 429 }, "{n}");
        }
        let password = edgekeep_robustness::PASSWORD;
        let other = login(&world, &founder.email, password, "2001:db8:1:3::1").await;
        other.data(200);
        let same = login(&world, &founder.email, password, "2001:db8:1:2:ffff::1").await;
        assert_eq!(same.status(), 429);
    });
}

/// A refused token, which counts by address.
async fn refused(world: &World, call: Call) -> u16 {
    world.send(call.bearer("x")).await.status()
}

/// Rows: E-17
#[test]
fn only_a_trusted_proxy_is_believed() {
    run(async || {
        let limit = ("RATE_LIMITS", "global=5");
        let me = || Call::new("GET", "/api/v1/auth/me");
        let world = World::new(&[limit]).await;
        for n in 0..6 {
            let call = me().header("x-forwarded-for", &format!("203.0.113.{n}"));
            let wanted = if n < 5 { 401 } else { 429 };
            assert_eq!(refused(&world, call).await, wanted, "{n}");
        }
        let world = World::new(&[limit, ("TRUSTED_PROXIES", "10.0.0.0/8, ::1")]).await;
        for n in 0..6 {
            let field = format!("203.0.113.{n}");
            let stranger = me().header("x-forwarded-for", &field);
            let wanted = if n < 5 { 401 } else { 429 };
            assert_eq!(refused(&world, stranger).await, wanted, "{n}");
            for proxy in ["10.1.2.3", "::ffff:10.1.2.3", "::1"] {
                let client = me()
                    .from(proxy)
                    .header("x-forwarded-for", &format!("{field}, 10.9.9.9"));
                let again = if proxy == "::1" && n > 5 { 429 } else { 401 };
                assert_eq!(refused(&world, client).await, again, "{n} {proxy}");
            }
        }
    });
}

#[test]
fn production_says_once_that_a_proxy_was_not_named() {
    run(async || {
        let event = "client.behind_proxy";
        let with = |more: &[(&'static str, &'static str)]| {
            let level = ("LOG_LEVEL", "warn");
            [&PRODUCTION[..], &[level], more].concat()
        };
        let me = || Call::new("GET", "/api/v1/auth/me");
        let world = World::new(&with(&[])).await;
        refused(&world, me()).await;
        // Probes of the platform come from inside, and are not limited.
        world
            .send(Call::new("GET", "/healthz").from("10.0.0.1"))
            .await;
        assert_eq!(world.logged(event), 0);
        for address in ["127.0.0.1", "10.0.0.1", "::1"] {
            refused(&world, me().from(address)).await;
            assert_eq!(world.logged(event), 1);
        }
        let named = World::new(&with(&[("TRUSTED_PROXIES", "127.0.0.1")])).await;
        refused(&named, me().from("127.0.0.1")).await;
        let laptop = World::new(&[("LOG_LEVEL", "warn")]).await;
        refused(&laptop, me().from("127.0.0.1")).await;
        assert_eq!((named.logged(event), laptop.logged(event)), (0, 0));
    });
}

/// Keys that anybody can make up never take the place of keys that were let in: these go on
/// counting by themselves, and not by an address that somebody else has used up.
///
/// Rows: E-17
#[test]
fn made_up_keys_do_not_push_out_real_ones() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        let real = world.api_key(&founder).await;
        let ask = |key: &str| Call::new("GET", "/api/v1/usage/summary").bearer(key);
        world.send(ask(&real)).await.data(200);
        let hash = key::read(&real).unwrap().secret_hash;
        let known = |hash: &str| {
            let ready = world.app().ready().unwrap();
            ready.key_tenants.borrow().get(&hash.to_owned()).cloned()
        };
        for n in 0..5_000_u128 {
            let made_up = key::make(key::Environment::Live, n.to_be_bytes(), [7; 32]);
            assert_eq!(world.send(ask(&made_up.text)).await.status(), 401);
            let hash = key::read(&made_up.text).unwrap().secret_hash;
            assert_eq!(known(&hash), None);
        }
        assert_eq!(known(&hash), Some(founder.tenant.clone()));
    });
}
