//! Headers that say no secret.

use edgekeep_core::http::{Code, Expected, HeaderSource, Request, RequestIds, is_known};
use edgekeep_robustness::Call;
use serde_json::json;

use crate::{Bench, Sides, check, draw};

/// A request with one header.
struct One(&'static str, String);

impl HeaderSource for One {
    fn header(&self, name: &str) -> Option<String> {
        (name == self.0).then(|| self.1.clone())
    }
}

fn request(headers: &One) -> Request<'_> {
    Request {
        path: "/",
        query: "",
        headers,
        body: b"",
    }
}

#[test]
fn an_idempotency_key_is_visible_ascii_of_bounded_length() {
    let (bench, sides) = (Bench::new(), Sides::default());
    let long = "x".repeat(253);
    check(|u| {
        let key = draw::text(u, &["k", " ", "\t", "é", "\u{7f}", "-1", &long])?;
        let right =
            (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        sides.saw(right);
        let call = Call::post("/api/v1/projects", &json!({})).bearer(&bench.founder.access);
        let (status, code) = bench.told(call.header("idempotency-key", &key));
        // What is right gets as far as the body, which lacks a name.
        let expected = if right {
            "VALIDATION"
        } else {
            "IDEMPOTENCY_KEY_INVALID"
        };
        assert_eq!((status, code.as_str()), (400, expected), "{key:?}");
        Ok(())
    });
    sides.both();
}

/// Whatever is sent, a list of tags matches the versions that stand in it, and weak ones only weakly.
///
/// Rows: F-21
#[test]
fn entity_tags_match_what_they_name() {
    let sides = Sides::default();
    check(|u| {
        let mut tags = Vec::new();
        for _ in 0..u.int_in_range(1..=20)? {
            let name = draw::text(u, &["v", "v7", "7", "x", ",", "*"])?;
            let name = name.replace(
                |c: char| c == '"' || c.is_whitespace() || c.is_control(),
                "",
            );
            tags.push((u.arbitrary::<bool>()?, name));
        }
        let shown = tags.iter().map(|(weak, name)| {
            let mark = if *weak { "W/" } else { "" };
            format!("{mark}\"{name}\"")
        });
        let glue = *u.choose(&[",", ", ", " ,  "])?;
        let list = shown.collect::<Vec<_>>().join(glue);
        let strongly = tags.iter().any(|(weak, name)| !weak && name == "v7");
        let weakly = tags.iter().any(|(_, name)| name == "v7");
        sides.saw(strongly);

        let headers = One("if-match", list.clone());
        let expected = Expected::read(&request(&headers), None).unwrap();
        assert_eq!(expected.check(7).is_ok(), strongly, "{list}");
        let headers = One("if-none-match", list.clone());
        assert_eq!(is_known(&request(&headers), 7).unwrap(), weakly, "{list}");

        // Changed somewhere, it is read or refused by name.
        let headers = One("if-match", draw::changed(u, &list)?);
        match Expected::read(&request(&headers), None) {
            Ok(expected) => assert!(expected.required().is_ok()),
            Err(error) => assert_eq!(error.code(), Code::Validation),
        }
        Ok(())
    });
    sides.both();
}

/// Rows: AD-12
#[test]
fn traces_and_request_ids_go_on_or_are_made_anew() {
    let sides = Sides::default();
    check(|u| {
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let (trace, span) = (
            hex(&u.arbitrary::<[u8; 16]>()?),
            hex(&u.arbitrary::<[u8; 8]>()?),
        );
        let right = format!("00-{trace}-{span}-01");
        let sent = if u.arbitrary()? {
            right.clone()
        } else {
            draw::changed(u, &right)?
        };
        let ids = RequestIds::from_headers(&One("traceparent", sent.clone()), [7; 24]);
        let zeros = |digits: &str| digits.bytes().all(|digit| digit == b'0');
        if sent == right && !zeros(&trace) && !zeros(&span) {
            assert_eq!(
                (ids.trace_id.as_str(), ids.parent.as_deref()),
                (&*trace, Some(&*span))
            );
        }
        sides.saw(ids.parent.is_some());
        let lower = |id: &str| {
            id.bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        assert!(
            ids.trace_id.len() == 32 && lower(&ids.trace_id) && !zeros(&ids.trace_id),
            "{sent}"
        );
        // What we send on is a trace that we would take.
        let next = RequestIds::from_headers(&One("traceparent", ids.traceparent()), [9; 24]);
        assert_eq!(next.trace_id, ids.trace_id);
        assert!(next.parent.is_some());

        let id = draw::text(u, &["req_0123456789abcdef", "\n", " ", "{}", "."])?;
        let told = RequestIds::from_headers(&One("x-request-id", id.clone()), [7; 24]).request_id;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        assert!(
            (8..=64).contains(&told.len()) && told.bytes().all(plain),
            "{told:?}"
        );
        assert!(told == id || told.starts_with("req_07"), "{id:?}: {told:?}");
        Ok(())
    });
    sides.both();
}

/// Rows: AD-16
#[test]
fn bodies_are_taken_by_their_type() {
    let (bench, sides) = (Bench::new(), Sides::default());
    check(|u| {
        let pieces = [
            "application/json",
            "APPLICATION/",
            "json",
            ";",
            " ",
            "charset=utf-8",
            "text/plain",
            ",",
            "+",
        ];
        let sent = if u.arbitrary()? {
            draw::changed(u, "application/json; charset=utf-8")?
        } else {
            draw::text(u, &pieces)?
        };
        let essence = sent.split(';').next().unwrap_or_default().trim();
        let right = essence.eq_ignore_ascii_case("application/json");
        sides.saw(right);
        let mut call = Call::new("POST", "/api/v1/projects").bearer(&bench.founder.access);
        call.body = b"{}".to_vec();
        let (_, code) = bench.told(call.header("content-type", &sent));
        let expected = if right {
            "VALIDATION"
        } else {
            "UNSUPPORTED_MEDIA_TYPE"
        };
        assert_eq!(code, expected, "{sent:?}");
        Ok(())
    });
    sides.both();
}

/// Nothing that a client writes into a header makes it another client: the key works from one address.
///
/// Rows: C-10
#[test]
fn only_the_last_stranger_before_our_proxies_is_the_client() {
    const ALLOWED: &str = "198.51.100.7";
    let (bench, sides) = (Bench::new(), Sides::default());
    check(|u| {
        let pieces = [
            ALLOWED,
            "203.0.113.9",
            "127.0.0.1",
            "::1",
            "[::1]:80",
            ", ",
            ",",
            "for=",
            "unknown",
            "\"",
        ];
        let written = draw::text(u, &pieces)?;
        let client = *u.choose(&[ALLOWED, "203.0.113.9", "2001:db8::7"])?;
        let (peer, field) = if u.arbitrary()? {
            // Our proxies append the address that called them, and may be several.
            let hops = (0..u.int_in_range(0..=3)?).map(|n| format!(", 127.0.0.{}", n + 2));
            (
                "127.0.0.1",
                format!("{written}, {client}{}", hops.collect::<String>()),
            )
        } else {
            (client, written.clone())
        };
        sides.saw(client == ALLOWED);
        let call = Call::new("GET", "/api/v1/usage/summary")
            .bearer(&bench.key)
            .from(peer);
        let call = call
            .header("x-forwarded-for", &field)
            .header("forwarded", &written);
        let (status, code) = bench.told(call);
        let expected = if client == ALLOWED {
            (200, "")
        } else {
            (403, "IP_NOT_ALLOWED")
        };
        assert_eq!((status, code.as_str()), expected, "{peer}: {field}");
        Ok(())
    });
    sides.both();
}
