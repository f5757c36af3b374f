//! Whatever is near to a credential and is none opens nothing.

use edgekeep_core::port::Platform as _;
use edgekeep_core::stripe::sign;
use edgekeep_robustness::{Call, text, variables};
use serde_json::json;

use crate::{Bench, Sides, check, draw};

const ME: &str = "/api/v1/auth/me";

/// Rows: A-16
#[test]
fn a_changed_token_is_no_token() {
    let bench = Bench::new();
    check(|u| {
        let sent = draw::changed(u, &bench.founder.access)?;
        let (status, code) = bench.told(Call::new("GET", ME).bearer(&sent));
        if sent == bench.founder.access {
            assert_eq!(status, 200);
        } else {
            assert_eq!(status, 401, "{sent}");
            assert!(
                ["TOKEN_INVALID", "AUTH_REQUIRED"].contains(&code.as_str()),
                "{code}"
            );
        }
        Ok(())
    });
}

#[test]
fn a_changed_api_key_is_no_key() {
    let bench = Bench::new();
    check(|u| {
        let sent = draw::changed(u, &bench.key)?;
        let call = Call::new("GET", "/api/v1/usage/summary").from("198.51.100.7");
        let call = if u.arbitrary()? {
            call.bearer(&sent)
        } else {
            call.header("x-api-key", &sent)
        };
        let (status, code) = bench.told(call);
        assert_eq!(status == 200, sent == bench.key, "{sent}: {status} {code}");
        assert!(matches!(status, 200 | 401), "{sent}: {status} {code}");
        Ok(())
    });
}

#[test]
fn a_changed_refresh_token_is_none() {
    let bench = Bench::new();
    check(|u| {
        let sent = draw::changed(u, &bench.founder.refresh)?;
        if sent == bench.founder.refresh {
            return Ok(());
        }
        let body = json!({"refresh_token": sent});
        let (status, code) = bench.told(Call::post("/api/v1/auth/refresh", &body));
        assert!(matches!(status, 400 | 401), "{sent}: {status} {code}");
        Ok(())
    });
    // None of them was taken for a replay of ours.
    let me = Call::new("GET", ME).bearer(&bench.founder.access);
    assert_eq!(bench.told(me).0, 200);
}

/// Rows: A-15
#[test]
fn authorization_is_a_scheme_and_a_token() {
    let (bench, sides) = (Bench::new(), Sides::default());
    check(|u| {
        let token = bench.founder.access.as_str();
        let pieces = ["Bearer", "bearer", "Basic", " ", token, "\"", ","];
        // Near to what is right, and sometimes right; or anything.
        let sent = if u.arbitrary()? {
            let end = *u.choose(&["", " ", ","])?;
            format!("{} {token}{end}", u.choose(&pieces)?)
        } else {
            draw::text(u, &pieces)?
        };
        let rest = sent
            .get(..6)
            .filter(|scheme| scheme.eq_ignore_ascii_case("bearer"));
        let rest = rest
            .and_then(|_| sent.get(6..))
            .and_then(|rest| rest.strip_prefix(' '));
        let right = rest.is_some_and(|rest| rest.trim() == token);
        sides.saw(right);
        let (status, _) = bench.told(Call::new("GET", ME).header("authorization", &sent));
        assert_eq!(status, if right { 200 } else { 401 }, "{sent:?}");
        Ok(())
    });
    sides.both();
}

/// Only a pair of its own, between semicolons, is our cookie; and the first of that name counts.
///
/// Rows: A-37
#[test]
fn a_cookie_stands_between_semicolons() {
    let (bench, sides) = (Bench::new(), Sides::default());
    check(|u| {
        let ours = format!("__Host-ek_access={}", bench.founder.access);
        let pieces = [
            ours.as_str(),
            &ours,
            "__Host-ek_access=",
            "; ",
            ";",
            ",",
            " ",
            "theme=dark",
            "\"",
            "x=",
        ];
        let sent = draw::text(u, &pieces)?;
        let mut named = sent.split(';').map(str::trim);
        let first = named.find(|pair| pair.starts_with("__Host-ek_access="));
        let right = first == Some(ours.as_str());
        sides.saw(right);
        let (status, _) = bench.told(Call::new("GET", ME).header("cookie", &sent));
        assert_eq!(status, if right { 200 } else { 401 }, "{sent:?}");
        Ok(())
    });
    sides.both();
}

/// Rows: H-04 H-05
#[test]
fn stripes_signature_is_over_these_bytes_at_this_time() {
    let (bench, sides) = (Bench::new(), Sides::default());
    let secret = variables(&[])["STRIPE_WEBHOOK_SECRET"].clone();
    check(|u| {
        let body = u.arbitrary::<Vec<u8>>()?;
        let late = *u.choose(&[0, 0, 0, -290, 290, -310, 310])?;
        let header = sign(&secret, &body, bench.world.now().plus(late * 1_000));
        let mut parts: Vec<String> = header.split(',').map(str::to_owned).collect();
        for _ in 0..u.int_in_range(0..=3)? {
            let more = ["v0=00", "v1=zz", "v1=", "v2=x=y", " v1 = 0f"];
            let at = u.choose_index(parts.len() + 1)?;
            parts.insert(at, (*u.choose(&more)?).to_owned());
        }
        let (mut header, mut sent, mut right) = (parts.join(","), body.clone(), late.abs() < 300);
        match u.int_in_range(0..=3)? {
            0 => sent.push(u.arbitrary()?),
            1 => header = header.replace("t=", "t=1"),
            2 => header = header.replace("t=", "u="),
            _ => sent.clone_from(&body),
        }
        right &= sent == body && header == parts.join(",");
        sides.saw(right);
        let mut call = Call::new("POST", "/webhooks/stripe");
        call.body = sent;
        let call = call.header("content-type", "application/json");
        let (_, code) = bench.told(call.header("stripe-signature", &header));
        // What is signed gets further, and is no event.
        assert_eq!(code != "SIGNATURE_INVALID", right, "{header}: {code}");
        Ok(())
    });
    sides.both();
}

/// The link in a mail, changed, confirms nothing.
#[test]
fn a_changed_link_is_none() {
    let bench = Bench::new();
    let mails = bench.local.block_on(&bench.runtime, async {
        bench.world.register("new@example.com").await.data(201);
        bench.world.mails("new@example.com").await
    });
    let link = text(&mails[0]["link"]);
    let token = link.split("token=").nth(1).unwrap();
    check(|u| {
        let sent = draw::changed(u, token)?;
        if sent == token {
            return Ok(());
        }
        let body = json!({"token": sent});
        let (status, code) = bench.told(Call::post("/api/v1/auth/verify", &body));
        assert_eq!(status, 400, "{sent}: {code}");
        Ok(())
    });
    let body = json!({"token": token});
    let right = bench.told(Call::post("/api/v1/auth/verify", &body));
    assert_eq!(right.0, 200);
}
