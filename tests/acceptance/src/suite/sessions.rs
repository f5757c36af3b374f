//! Sessions as their owner sees them, and sessions of browsers.

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{Founder, PASSWORD, founder, login, me, text, walk_pages};

const DAY: i64 = 86_400_000;

tests! { "sessions":
    own_sessions_are_listed ["A-30"];
    one_session_is_ended_at_once ["A-31" "A-10"];
    others_sessions_cannot_be_ended ["A-31"];
    signing_out_has_scopes ["A-32" "A-11"];
    sessions_end_when_idle_and_in_the_end ["A-41" "A-06"];
    browsers_keep_sessions_in_cookies ["A-37" "R-07"];
    cookies_need_a_csrf_token ["R-07" "A-37"];
    a_neighbour_cannot_plant_a_session ["A-37"];
    other_sites_are_refused ["R-08"];
    tokens_say_how_they_were_proven ["A-13"];
}

fn sign_in(api: &Api, founder: &Founder) -> Value {
    login(api, &founder.email, PASSWORD).data(200)
}

fn refresh(api: &Api, token: &Value, later: i64) -> Answer {
    api.post("/api/v1/auth/refresh", &json!({"refresh_token": token}))
        .later(later)
        .send()
}

fn own_sessions_are_listed(api: &Api) {
    let founder = founder(api);
    let body = json!({"email": founder.email, "password": PASSWORD});
    let agent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_0) Gecko/20100101 Firefox/131.0";
    let second = api
        .post("/api/v1/auth/login", &body)
        .header("user-agent", agent)
        .send()
        .data(200);
    let answer = api
        .get("/api/v1/auth/sessions")
        .bearer(&text(&second["access_token"]))
        .send();
    assert_eq!(answer.sql(), 1);
    let listed = answer.data(200);
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    let newest = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|session| session["id"] == second["session_id"])
        .unwrap();
    assert_eq!(newest["current"], true);
    assert_eq!(newest["device"], "Firefox on macOS");
    assert_eq!(newest["amr"], json!(["pwd"]));
    let network = newest["network"].as_str().unwrap();
    assert!(
        network.ends_with(".0/24") || network.ends_with("::/48"),
        "{network}"
    );
    assert!(newest["lastSeenAt"].is_string() && newest["createdAt"].is_string());
    walk_pages(api, &founder, "/api/v1/auth/sessions", 2);
}

fn end(api: &Api, access: &str, id: &Value) -> Answer {
    api.delete(&format!("/api/v1/auth/sessions/{}", id.as_str().unwrap()))
        .bearer(access)
        .send()
}

fn one_session_is_ended_at_once(api: &Api) {
    let founder = founder(api);
    let other = sign_in(api, &founder);
    end(api, &founder.access, &other["session_id"]).data(200);
    end(api, &founder.access, &other["session_id"]).data(200);
    me(api, &text(&other["access_token"])).refused(401, "SESSION_ENDED");
    refresh(api, &other["refresh_token"], 0).refused(401, "SESSION_ENDED");
    me(api, &founder.access).data(200);
    let listed = api
        .get("/api/v1/auth/sessions")
        .bearer(&founder.access)
        .send();
    assert_eq!(listed.data(200).as_array().unwrap().len(), 1);
}

fn others_sessions_cannot_be_ended(api: &Api) {
    let (mine, theirs) = (founder(api), founder(api));
    let session = sign_in(api, &theirs);
    end(api, &mine.access, &session["session_id"]).refused(404, "NOT_FOUND");
    for id in ["ses_", "x", "ses_00000000000000000000000000"] {
        end(api, &mine.access, &json!(id)).refused(404, "NOT_FOUND");
    }
    me(api, &text(&session["access_token"])).data(200);
}

fn signing_out_has_scopes(api: &Api) {
    let founder = founder(api);
    let (first, second) = (sign_in(api, &founder), sign_in(api, &founder));
    let [first, second] = [first, second].map(|tokens| text(&tokens["access_token"]));
    let logout = |scope: &str| {
        api.post("/api/v1/auth/logout", &json!({"scope": scope}))
            .bearer(&first)
            .send()
    };
    logout("everything").blames("scope");
    logout("others").data(200);
    me(api, &second).refused(401, "SESSION_ENDED");
    me(api, &founder.access).refused(401, "SESSION_ENDED");
    me(api, &first).data(200);
    let third = text(&sign_in(api, &founder)["access_token"]);
    logout("global").data(200);
    me(api, &third).refused(401, "SESSION_ENDED");
    me(api, &first).refused(401, "SESSION_ENDED");
}

fn sessions_end_when_idle_and_in_the_end(api: &Api) {
    let founder = founder(api);
    let mut token = sign_in(api, &founder)["refresh_token"].clone();
    refresh(api, &token, 7 * DAY + 1_000).refused(401, "SESSION_ENDED");
    // Refreshed every six days it lives on, but not beyond thirty.
    for days in [6, 12, 18, 24, 29] {
        token = refresh(api, &token, days * DAY).data(200)["refresh_token"].clone();
    }
    refresh(api, &token, 30 * DAY + 1_000).refused(401, "SESSION_ENDED");
}

/// The cookies of an answer, as a browser would send them back.
fn cookies(answer: &Answer) -> String {
    let set: Vec<&str> = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie")
        .map(|(_, value)| value.split(';').next().unwrap())
        .collect();
    assert_eq!(set.len(), 3, "{:?}", answer.headers);
    set.join("; ")
}

fn cookie_login(api: &Api, founder: &Founder) -> Answer {
    let body = json!({"email": founder.email, "password": PASSWORD, "mode": "cookie"});
    let answer = api.post("/api/v1/auth/login", &body).send();
    answer.data(200);
    answer
}

fn browsers_keep_sessions_in_cookies(api: &Api) {
    let founder = founder(api);
    let answer = cookie_login(api, &founder);
    assert!(
        !answer.text().contains("refresh_token"),
        "{}",
        answer.text()
    );
    for (name, value) in answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie")
    {
        let sound = value.starts_with("__Host-")
            && value.contains("; Secure")
            && value.contains("; Path=/;")
            && value.contains("SameSite=Lax")
            && !value.contains("Domain");
        assert!(sound, "{name}: {value}");
        assert_eq!(
            value.contains("HttpOnly"),
            !value.contains("_csrf"),
            "{value}"
        );
    }
    let jar = cookies(&answer);
    let by_cookie = |path: &str| api.get(path).header("cookie", &jar).send();
    assert_eq!(
        by_cookie("/api/v1/auth/me").data(200)["email"],
        founder.email
    );
    let again = by_cookie("/api/v1/auth/csrf").data(200);
    let refreshed = api
        .call("POST", "/api/v1/auth/refresh")
        .header("cookie", &jar)
        .header("x-csrf-token", &text(&answer.data(200)["csrf_token"]))
        .send();
    refreshed.data(200);
    assert!(again["csrf_token"].is_string());
    let jar = cookies(&refreshed);
    let signed_out = api
        .call("POST", "/api/v1/auth/logout")
        .header("cookie", &jar)
        .header("x-csrf-token", &text(&refreshed.data(200)["csrf_token"]))
        .send();
    signed_out.data(200);
    assert!(cookies(&signed_out).contains("__Host-ek_access=;"));
    api.get("/api/v1/auth/me")
        .header("cookie", &jar)
        .send()
        .refused(401, "SESSION_ENDED");
}

fn cookies_need_a_csrf_token(api: &Api) {
    let founder = founder(api);
    let answer = cookie_login(api, &founder);
    let jar = cookies(&answer);
    let stranger = cookie_login(api, &crate::fixture::founder(api));
    let token = text(&answer.data(200)["csrf_token"]);
    let create = |header: Option<&str>, jar: &str| {
        let call = api
            .post("/api/v1/api-keys", &json!({"name": "x"}))
            .header("cookie", jar);
        match header {
            Some(token) => call.header("x-csrf-token", token).send(),
            None => call.send(),
        }
    };
    create(None, &jar).refused(403, "CSRF_FAILED");
    create(Some("x.y"), &jar).refused(403, "CSRF_FAILED");
    // Another session's token does not fit, even where an attacker could plant its cookie.
    let planted = text(&stranger.data(200)["csrf_token"]);
    create(Some(&planted), &jar).refused(403, "CSRF_FAILED");
    let mixed = jar.replace(&token, &planted);
    create(Some(&planted), &mixed).refused(403, "CSRF_FAILED");
    create(Some(&token), &jar).data(201);
    api.call("POST", "/api/v1/auth/refresh")
        .header("cookie", &jar)
        .send()
        .refused(403, "CSRF_FAILED");
    // Who sends a bearer token is no browser form.
    api.post("/api/v1/api-keys", &json!({"name": "y"}))
        .bearer(&founder.access)
        .send()
        .data(201);
}

/// A neighbour of the host (another subdomain) may set cookies there, but none with our prefix.
/// In the value of another one ours must not count, or its victim works in the neighbour's account.
fn a_neighbour_cannot_plant_a_session(api: &Api) {
    let victim = founder(api);
    let jar = cookies(&cookie_login(api, &victim));
    let theirs = cookies(&cookie_login(api, &founder(api)));
    let planted = format!("theme=dark,{}", theirs.replace("; ", ","));
    let me = |jar: &str| api.get("/api/v1/auth/me").header("cookie", jar).send();
    me(&planted).refused(401, "AUTH_REQUIRED");
    let both = format!("{planted}; {jar}");
    assert_eq!(me(&both).data(200)["email"], victim.email);
    api.call("POST", "/api/v1/auth/refresh")
        .header("cookie", &planted)
        .send()
        .refused(400, "INVALID_JSON");
}

fn other_sites_are_refused(api: &Api) {
    let founder = founder(api);
    let answer = cookie_login(api, &founder);
    let (jar, token) = (cookies(&answer), text(&answer.data(200)["csrf_token"]));
    let create = |origin: &str| {
        api.post("/api/v1/api-keys", &json!({"name": "x"}))
            .header("cookie", &jar)
            .header("x-csrf-token", &token)
            .header("sec-fetch-site", "cross-site")
            .header("origin", origin)
            .send()
    };
    create("https://evil.example.com").refused(403, "CSRF_FAILED");
    let listed = create("https://app.example.com");
    listed.data(201);
    assert_eq!(
        listed.header("access-control-allow-credentials"),
        Some("true")
    );
}

fn tokens_say_how_they_were_proven(api: &Api) {
    let founder = founder(api);
    let payload = founder.access.split('.').nth(1).unwrap();
    let bytes = edgekeep_core::crypto::from_base64url(payload).unwrap();
    let claims: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(claims["amr"], json!(["pwd"]));
    assert_eq!(claims["aal"], 1);
    assert_eq!(claims["role"], "founder");
}
