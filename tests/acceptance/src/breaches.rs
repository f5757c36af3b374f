//! Have I Been Pwned, played by the suite: `GET /range/{five digits}` answers with lines
//! `SUFFIX:COUNT`, padded with such of count 0 as `Add-Padding` asks for (its API, version 3). A test
//! says beforehand what becomes of its own password; of all others nobody knows anything.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};
use std::thread::sleep;
use std::time::Duration;

use edgekeep_core::crypto::hex;

use crate::authenticator::sha1;
use crate::others::Asked;

/// What happens to whoever asks for the range of a password.
#[derive(Clone, Copy)]
pub enum Fate {
    /// An answer that lists it, seen so often; 0 is padding.
    Listed(u64),
    /// Another status.
    Status(u16),
    /// An answer that lists it, long after anybody would wait.
    Late,
    /// The connection is closed instead.
    HangUp,
}

static FATES: LazyLock<Mutex<BTreeMap<String, (String, Fate)>>> = LazyLock::new(Mutex::default);
static ASKED: LazyLock<Mutex<Vec<Asked>>> = LazyLock::new(Mutex::default);

/// The five digits that may be told, and the rest.
pub fn digits(text: &str) -> (String, String) {
    let digits = hex(&sha1(text.as_bytes())).to_uppercase();
    let (range, rest) = digits.split_at(5);
    (range.to_owned(), rest.to_owned())
}

pub fn set(password: &str, fate: Fate) {
    let (range, rest) = digits(password);
    FATES.lock().unwrap().insert(range, (rest, fate));
}

/// Hands out the requests for the range of a password so far.
pub fn asked(password: &str) -> Vec<Asked> {
    let path = format!("/range/{}", digits(password).0);
    let mut all = ASKED.lock().unwrap();
    let own = |asked: &mut Asked| asked.path.eq_ignore_ascii_case(&path);
    all.extract_if(.., own).collect()
}

/// The answer, or none for a connection that ends.
pub fn answer(asked: Asked) -> Option<(u16, String)> {
    let range = asked.path.trim_start_matches("/range/").to_uppercase();
    let fate = FATES.lock().unwrap().get(&range).cloned();
    ASKED.lock().unwrap().push(asked);
    let own = match fate {
        None => None,
        Some((rest, Fate::Listed(count))) => Some((rest, count)),
        Some((_, Fate::Status(status))) => return Some((status, "not now".to_owned())),
        Some((rest, Fate::Late)) => {
            sleep(Duration::from_secs(4));
            Some((rest, 7))
        }
        Some((_, Fate::HangUp)) => return None,
    };
    let strangers = (0..40).map(|n: u64| (digits(&format!("{range} {n}")).1, n % 2 * n));
    let mut lines: Vec<_> = strangers.chain(own).collect();
    lines.sort();
    let lines: Vec<String> = lines
        .iter()
        .map(|(rest, n)| format!("{rest}:{n}"))
        .collect();
    Some((200, lines.join("\r\n")))
}
