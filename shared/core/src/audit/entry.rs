//! An entry as it is stored, its MAC, and its place in the chain.

use crate::config::{Config, Secret};
use crate::crypto::{base64url, derive_key, digest, hmac_sha256, same};
use crate::port::DatabaseError;
use crate::sql::Row;

/// A row of `audit_log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// `aud_…`
    pub id: String,
    /// Tenant, if the act belongs to one.
    pub tenant: Option<String>,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub target: String,
    /// In which request.
    pub request: String,
    /// When, in Unix milliseconds.
    pub created_at: i64,
    /// From which network (`guard::client::network`).
    pub network: Option<String>,
    /// What changed, as JSON.
    pub change: Option<String>,
    /// The MAC it carries; entries from before the chain have none.
    pub mac: Option<String>,
}

/// The columns of [`Stored::from_row`], in its order.
#[macro_export]
#[doc(hidden)]
macro_rules! audit_columns {
    () => {
        "l.id, l.tenant_id, l.actor, l.action, l.target, l.request_id, l.created_at, l.network, \
         l.change, l.mac"
    };
}

impl Stored {
    /// Reads `audit_columns!` from column `at` on.
    pub(super) fn from_row(row: &Row, at: usize) -> Result<Self, DatabaseError> {
        let column = |offset: usize| at.saturating_add(offset);
        let text = |offset| row.text(column(offset)).map(str::to_owned);
        let opt_text = |offset| Ok(row.opt_text(column(offset))?.map(str::to_owned));
        Ok(Self {
            id: text(0)?,
            tenant: opt_text(1)?,
            actor: text(2)?,
            action: text(3)?,
            target: text(4)?,
            request: text(5)?,
            created_at: row.int(column(6))?,
            network: opt_text(7)?,
            change: opt_text(8)?,
            mac: opt_text(9)?,
        })
    }

    /// SHA-256 of all columns but the MAC, each with its length before it; a missing value is
    /// told from an empty one.
    fn digest(&self) -> [u8; 32] {
        let optional = |value: &Option<String>| match value {
            None => "-".to_owned(),
            Some(text) => format!("={text}"),
        };
        let (tenant, network) = (optional(&self.tenant), optional(&self.network));
        let change = optional(&self.change);
        digest(&[
            b"edgekeep audit entry 1",
            self.id.as_bytes(),
            tenant.as_bytes(),
            self.actor.as_bytes(),
            self.action.as_bytes(),
            self.target.as_bytes(),
            self.request.as_bytes(),
            &self.created_at.to_be_bytes(),
            network.as_bytes(),
            change.as_bytes(),
        ])
    }

    /// The hash of the link that this entry makes after `previous`.
    pub(super) fn link(&self, position: i64, previous: &str) -> String {
        base64url(&digest(&[
            b"edgekeep audit seal 1",
            &position.to_be_bytes(),
            previous.as_bytes(),
            &self.digest(),
            self.mac.as_deref().unwrap_or_default().as_bytes(),
        ]))
    }
}

/// The keys of MACs, derived from `AUDIT_SECRET` and its former values; the current ones first.
#[derive(Debug)]
pub struct AuditKeys {
    entries: Vec<[u8; 32]>,
    seals: Vec<[u8; 32]>,
}

impl AuditKeys {
    /// Derives every key from the configured secrets.
    pub fn derive(config: &Config) -> Self {
        let secrets = || core::iter::once(&config.audit_secret).chain(&config.audit_old_secrets);
        let derived = |purpose: &str| {
            let keys = secrets().map(Secret::expose);
            keys.map(|secret| derive_key(secret, purpose)).collect()
        };
        Self {
            entries: derived("audit-entry"),
            seals: derived("audit-seal"),
        }
    }

    /// The MAC of a new entry.
    pub fn mac(&self, entry: &Stored) -> String {
        made(&self.entries, &entry.digest())
    }

    /// Whether the entry's MAC was made by one of the keys, for just this content.
    pub fn is_ours(&self, entry: &Stored) -> bool {
        let mac = entry.mac.as_deref().unwrap_or_default();
        checked(&self.entries, &entry.digest(), mac)
    }

    /// The MAC of a seal with that hash.
    pub(super) fn seal(&self, hash: &str) -> String {
        made(&self.seals, hash.as_bytes())
    }

    /// Whether we made the seal.
    pub(super) fn is_our_seal(&self, hash: &str, mac: &str) -> bool {
        checked(&self.seals, hash.as_bytes(), mac)
    }
}

fn made(keys: &[[u8; 32]], message: &[u8]) -> String {
    let key = keys.first().copied().unwrap_or_default();
    base64url(&hmac_sha256(&key, &[message]))
}

fn checked(keys: &[[u8; 32]], message: &[u8], mac: &str) -> bool {
    let right = |key: &[u8; 32]| base64url(&hmac_sha256(key, &[message]));
    keys.iter()
        .any(|key| same(right(key).as_bytes(), mac.as_bytes()))
}
