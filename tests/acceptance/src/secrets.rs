//! Every secret that passed between the suite and the server, and a search for them in what the
//! server stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, Mutex};

use edgekeep_core::crypto::{base64url, hex};
use serde_json::Value;

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    AccessToken,
    RefreshToken,
    PreToken,
    Cookie,
    Password,
    Link,
    MailedCode,
    ApiKey,
    AppSecret,
    RecoveryCode,
    ClientSecret,
}

static SEEN: LazyLock<Mutex<BTreeSet<(Kind, String)>>> = LazyLock::new(Mutex::default);
/// Ids, which are stored: a search that does not find them does not work.
static IDS: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

/// Remembers what a request brings.
pub fn sent(body: &[u8]) {
    if let Ok(body) = serde_json::from_slice(body) {
        note(&body);
    }
}

/// Remembers what an answer gives.
pub fn answered(headers: &[(String, String)], body: &[u8]) {
    for (_, cookie) in headers.iter().filter(|(name, _)| name == "set-cookie") {
        let value = cookie
            .split(';')
            .next()
            .and_then(|pair| pair.split_once('='));
        keep(Kind::Cookie, value.map_or("", |(_, value)| value));
    }
    if let Ok(body) = serde_json::from_slice(body) {
        note(&body);
    }
}

fn note(value: &Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                member(name, value);
                note(value);
            }
        }
        Value::Array(items) => items.iter().for_each(note),
        _ => {}
    }
}

fn member(name: &str, value: &Value) {
    if let ("recoveryCodes", Value::Array(codes)) = (name, value) {
        for code in codes.iter().filter_map(Value::as_str) {
            keep(Kind::RecoveryCode, code);
            keep(Kind::RecoveryCode, &code.replace('-', ""));
        }
    }
    let Some(text) = value.as_str() else { return };
    match name {
        "access_token" => keep(Kind::AccessToken, text),
        "refresh_token" => keep(Kind::RefreshToken, text),
        "mfa_token" => keep(Kind::PreToken, text),
        "password" | "current_password" => keep(Kind::Password, text),
        "secret" => keep(Kind::AppSecret, text),
        "clientSecret" | "client_secret" => keep(Kind::ClientSecret, text),
        "session_id" => {
            IDS.lock().unwrap().insert(text.to_owned());
        }
        "key" if text.starts_with("ek_") => {
            keep(Kind::ApiKey, text);
            // Its secret alone: the id before it is no secret.
            keep(Kind::ApiKey, text.rsplit('_').next().unwrap_or_default());
        }
        "link" => {
            let token = text.split("token=").nth(1);
            keep(Kind::Link, token.unwrap_or_default());
        }
        "text" => {
            let runs = text.split(|c: char| !c.is_ascii_alphanumeric());
            let digits = |run: &&str| run.len() == 6 && run.bytes().all(|b| b.is_ascii_digit());
            for code in runs.filter(digits) {
                keep(Kind::MailedCode, code);
            }
        }
        _ => {}
    }
}

/// Takes what could be told from other text: no address (some tests use theirs as a password),
/// nothing short, nothing that repeats itself.
fn keep(kind: Kind, text: &str) {
    let varied = text.bytes().collect::<BTreeSet<u8>>().len() > 5;
    let long = text.len() >= 10 && varied && !text.contains('@');
    if long || kind == Kind::MailedCode {
        SEEN.lock().unwrap().insert((kind, text.to_owned()));
    }
}

/// How many there are of each kind.
pub fn counts() -> BTreeMap<Kind, usize> {
    let mut counts = BTreeMap::new();
    for (kind, _) in SEEN.lock().unwrap().iter() {
        *counts.entry(*kind).or_default() += 1;
    }
    counts
}

/// Where secrets were found, and how many of the ids that must be there were.
pub fn search(stored: &[u8]) -> (Vec<String>, usize) {
    let seen = SEEN.lock().unwrap();
    let mut needles = Needles::default();
    for (kind, text) in seen.iter().filter(|(kind, _)| *kind != Kind::MailedCode) {
        let bytes = text.as_bytes();
        let url = base64url(bytes);
        needles.add(&url.replace('-', "+").replace('_', "/"), *kind);
        needles.add(&url, *kind);
        needles.add(&hex(bytes), *kind);
        needles.add(text, *kind);
        // As it stands in JSON.
        needles.add(
            Value::from(text.as_str()).to_string().trim_matches('"'),
            *kind,
        );
    }
    let mut found = needles.find(stored);
    // Codes are too short for that: they count where they stand alone.
    let alone = |run: &[u8]| run.len() == 6 && run.iter().all(u8::is_ascii_digit);
    for run in stored
        .split(|byte| !byte.is_ascii_alphanumeric())
        .filter(|run| alone(run))
    {
        let code = String::from_utf8_lossy(run).into_owned();
        if seen.contains(&(Kind::MailedCode, code.clone())) {
            found.push(format!("{:?} {code}", Kind::MailedCode));
        }
    }
    let mut ids = Needles::default();
    for id in IDS.lock().unwrap().iter() {
        ids.add(id, Kind::Cookie);
    }
    (found, ids.find(stored).len())
}

/// Texts to search for all at once, by their first ten bytes.
struct Needles {
    /// Whether any needle begins with four bytes of this hash: refuses nearly all positions.
    begins: Vec<bool>,
    by_head: BTreeMap<[u8; HEAD], Vec<(Kind, String)>>,
}

const HEAD: usize = 10;

impl Default for Needles {
    fn default() -> Self {
        Self {
            begins: vec![false; 1 << 24],
            by_head: BTreeMap::new(),
        }
    }
}

impl Needles {
    fn slot(bytes: &[u8]) -> usize {
        let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        (word.wrapping_mul(0x9e37_79b1) >> 8) as usize
    }

    fn add(&mut self, text: &str, kind: Kind) {
        let Some(head) = text.as_bytes().first_chunk::<HEAD>() else {
            return;
        };
        self.begins[Self::slot(head)] = true;
        let all = self.by_head.entry(*head).or_default();
        if !all.iter().any(|(_, known)| known == text) {
            all.push((kind, text.to_owned()));
        }
    }

    /// Each needle that is there, once, with a little of what stands before it.
    fn find(&self, stored: &[u8]) -> Vec<String> {
        let mut found = BTreeMap::new();
        for at in 0..stored.len().saturating_sub(HEAD - 1) {
            if !self.begins[Self::slot(&stored[at..])] {
                continue;
            }
            let head = stored[at..].first_chunk::<HEAD>();
            let Some(all) = head.and_then(|head| self.by_head.get(head)) else {
                continue;
            };
            for (kind, text) in all
                .iter()
                .filter(|(_, text)| stored[at..].starts_with(text.as_bytes()))
            {
                let before = String::from_utf8_lossy(&stored[at.saturating_sub(80)..at]);
                found
                    .entry(text)
                    .or_insert_with(|| format!("{kind:?} {text} after {before:?}"));
            }
        }
        found.into_values().collect()
    }
}
