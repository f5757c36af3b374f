//! Ten thousand requests that nobody would send, at every function.

use edgekeep_core::functions;
use edgekeep_robustness::{Call, World, run};

/// A small generator with a fixed seed, so that a failure can be repeated (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.roll(most + 1))
            .map(|_| self.roll(256) as u8)
            .collect()
    }
}

const NAMES: [&str; 26] = [
    "email",
    "password",
    "token",
    "refresh_token",
    "name",
    "scopes",
    "expires_at",
    "company",
    "type",
    "params",
    "from",
    "to",
    "id",
    "meter",
    "quantity",
    "timestamp",
    "specversion",
    "source",
    "data",
    "events",
    "time",
    "subject",
    "created",
    "object",
    "items",
    "",
];
const VALUES: [&str; 30] = [
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "1e308",
    "9007199254740993",
    "99999999999999999999999",
    "\"\"",
    "\"a@example.com\"",
    "\"correct horse battery staple\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"2026-02-30T00:00:00Z\"",
    "\"2026-11-20T00:00:00Z\"",
    "\"usage.export\"",
    "\"1.0\"",
    "[]",
    "{}",
    "[[[[[[]]]]]]",
    "[\"usage:write\"]",
    "{\"from\":\"9999-12-31T23:59:59Z\"}",
    "[{\"id\":\"1\",\"meter\":\"m\"}]",
    "\"'; DROP TABLE users; --\"",
    "\"\u{202e}\u{fffd}\u{10ffff}\"",
    "-0",
    "\"er_AAAA\"",
    "\"+292278994-08-17T07:12:55Z\"",
    "\"0000-01-01T00:00:00Z\"",
    "{\"object\":{\"id\":\"sub\"}}",
];

/// Bodies that are right somewhere, so that some requests get behind the first door.
const RIGHT: [&str; 6] = [
    "{\"type\":\"usage.export\"}",
    "{\"name\":\"k\"}",
    "{\"id\":\"1\",\"meter\":\"m\"}",
    "[{\"id\":\"2\",\"meter\":\"m\",\"quantity\":7},{\"specversion\":\"1.0\"}]",
    "{\"email\":\"new@example.com\",\"password\":\"correct horse battery staple\"}",
    "{\"email\":\"odd@example.com\",\"password\":\"correct horse battery staple\"}",
];

fn body(dice: &mut Dice) -> Vec<u8> {
    match dice.roll(10) {
        3 | 4 => dice.pick(&RIGHT).as_bytes().to_vec(),
        0 => dice.bytes(200),
        1 => "[".repeat(dice.roll(5_000)).into_bytes(),
        2 => vec![b'x'; 1_048_570 + dice.roll(20)],
        _ => {
            let count = dice.roll(6);
            let fields: Vec<String> = (0..count)
                .map(|_| format!("\"{}\":{}", dice.pick(&NAMES), dice.pick(&VALUES)))
                .collect();
            let mut text = format!("{{{}}}", fields.join(",")).into_bytes();
            match dice.roll(8) {
                0 => text.truncate(dice.roll(text.len() + 1)),
                1 => {
                    let at = dice.roll(text.len());
                    text[at] = dice.roll(256) as u8;
                }
                2 => text = [b"[".as_slice(), &text, b",", &text, b"]"].concat(),
                _ => {}
            }
            text
        }
    }
}

fn request(dice: &mut Dice, tokens: &[String]) -> Call {
    let routes = functions::routes();
    let (_, route) = routes[dice.roll(routes.len())];
    let id = dice.pick(&[
        "job_00000000000000000000000000",
        "key_x",
        "%00",
        "%ff",
        "..",
        "é",
        "a b",
        "'",
        "",
    ]);
    let mut path = route.path.replace(":id", id);
    if dice.roll(12) == 0 {
        path = format!("/{}", String::from_utf8_lossy(&dice.bytes(40)));
    }
    let method = match dice.roll(8) {
        0 => dice.pick(&[
            "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW", "",
        ]),
        _ => route.method.name(),
    };
    let queries = [
        "",
        "to=",
        "to=%zz",
        "month=2026-99",
        "month=2026-11",
        "task=jobs",
        "token=%00",
        "&&==&",
        "a=%F0%9F",
    ];
    let mut call = Call::new(method, &format!("{path}?{}", dice.pick(&queries)));
    call.body = body(dice);
    let kinds = [
        "application/json",
        "application/json; charset=utf-8",
        "text/plain",
        "",
        "application/cloudevents+json",
        "\u{0}",
    ];
    if dice.roll(5) > 0 {
        call = call.header(
            "content-type",
            if dice.roll(4) > 0 {
                kinds[0]
            } else {
                dice.pick(&kinds)
            },
        );
    }
    if dice.roll(4) > 0 {
        let token = &tokens[dice.roll(tokens.len())];
        call = call.bearer(token);
    }
    let odd = [
        "",
        "1",
        "\u{7f}",
        "t=1,v1=00",
        "00-0-0-0",
        "999999999999999999999",
        "null",
        "https://app.example.com",
        "-1",
    ];
    for name in [
        "idempotency-key",
        "stripe-signature",
        "traceparent",
        "x-request-id",
        "content-length",
        "origin",
        "x-api-version",
        "x-api-key",
        "x-test-clock-offset-ms",
    ] {
        if dice.roll(9) == 0 {
            call = call.header(name, dice.pick(&odd));
        }
    }
    if dice.roll(10) == 0 {
        let big = [
            "9223372036854775807",
            "-9223372036854775808",
            "253402300799000",
            "8640000000000000",
        ];
        call = call.header("x-test-clock-offset-ms", dice.pick(&big));
    }
    call
}

/// Rows: AD-16
#[test]
fn ten_thousand_odd_requests_get_no_5xx() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("odd@example.com").await;
        let key = world.api_key(&founder).await;
        let app = edgekeep_core::port::Platform::app(&world);
        let now = edgekeep_core::port::Platform::now(&world);
        let ready = app.ready().unwrap();
        let service =
            edgekeep_core::auth::token::issue_service(&ready.keys, "t", "scheduler", now).unwrap();
        let tokens = [
            founder.access,
            key,
            service,
            "garbage".to_owned(),
            String::new(),
            "a.b.c".to_owned(),
            "ek_live_x".to_owned(),
        ];
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
        let mut seen = std::collections::BTreeMap::new();
        for number in 0..10_000 {
            let call = request(&mut dice, &tokens);
            let shown = format!("{number}: {call:?}");
            let head = call.method == "HEAD";
            let answer = world.send(call).await;
            assert!(answer.status() < 500, "{}\n{shown:.2000}", answer.status());
            assert!(answer.0.header("x-request-id").is_some(), "{shown:.2000}");
            if answer.status() >= 400 && !head {
                let body = answer.json();
                assert!(
                    body["error"]["code"].is_string() && body["metadata"]["requestId"].is_string(),
                    "{body}"
                );
            }
            *seen.entry(answer.status()).or_insert(0_u32) += 1;
        }
        // The dice reached far enough behind the door for this to mean something.
        assert!(seen[&200] > 500 && seen.len() >= 9, "{seen:?}");
    });
}
