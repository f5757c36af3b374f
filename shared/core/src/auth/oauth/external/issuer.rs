//! The issuers of `EXTERNAL_ISSUERS`.

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::auth::oauth::provider::Provider;
use crate::config::{Config, Listed, Secret, check_id, is_address, is_sample};

/// Shortest secret of an issuer that signs with one: HS256's own length (RFC 7518, section 3.2).
const MIN_SECRET: usize = 32;

/// Who else's tokens are taken, and what their claims mean here.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// Name under which its subjects are linked to users: lower-case letters, digits and dashes.
    pub id: String,
    /// Its `iss`, letter by letter.
    pub name: String,
    /// What `aud` must name.
    pub audience: String,
    /// What proves its signatures.
    pub proof: Proof,
    /// Whether a person who is new gets an account, if the issuer has verified their address.
    pub create: bool,
    /// Which claims tell what.
    pub claims: Claims,
}

/// What proves that a token is the issuer's.
#[derive(Debug, Clone)]
pub enum Proof {
    /// Its published keys, at this address: RS256, ES256 and `EdDSA`.
    Keys(String),
    /// A secret that it shares with us: HS256.
    Secret(Secret),
}

/// Names of claims: as they stand there, or with dots that lead into objects.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Claims {
    /// Who it is; never changes.
    pub subject: String,
    /// Their address.
    pub email: String,
    /// Whether the issuer has verified it. Must be one that its users cannot write themselves.
    pub email_verified: String,
    /// The id of one of our tenants, where the session is to be.
    pub tenant: Option<String>,
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            subject: "sub".to_owned(),
            email: "email".to_owned(),
            email_verified: "email_verified".to_owned(),
            tenant: None,
        }
    }
}

/// One as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Given {
    id: String,
    issuer: String,
    audience: String,
    jwks_url: Option<String>,
    secret: Option<String>,
    #[serde(default)]
    create: bool,
    #[serde(default)]
    claims: Claims,
}

impl Issuer {
    /// Those of the configuration.
    ///
    /// # Errors
    /// All problems in one line.
    pub(crate) fn configured(config: &Config) -> Result<Vec<Self>, String> {
        let Some(text) = &config.external_issuers else {
            return Ok(Vec::new());
        };
        let strict = config.environment.is_strict();
        let all = Self::read_all(text.expose(), strict).map_err(|problems| problems.join("; "))?;
        // Links are by id and subject, so under one id both must mean the same on both ways.
        let differs = |issuer: &Self| {
            let twin = config.oauth.iter().find(|other| other.id == issuer.id);
            let same =
                |twin: &Provider| twin.issuer == issuer.name && issuer.claims.subject == "sub";
            twin.is_some_and(|twin| !same(twin))
        };
        if all.iter().any(differs) {
            let why = "has an id that OAUTH_PROVIDERS gives to another issuer or subject";
            return Err(format!("EXTERNAL_ISSUERS {why}"));
        }
        // Whoever shares a secret with us could sign as us with one of ours.
        let own = [
            &config.jwt_secret,
            &config.refresh_secret,
            &config.service_secret,
            &config.audit_secret,
        ];
        let ours = |issuer: &Self| match &issuer.proof {
            Proof::Secret(secret) => own.contains(&secret),
            Proof::Keys(_) => false,
        };
        if all.iter().any(ours) {
            return Err("EXTERNAL_ISSUERS has a secret that is another variable's too".to_owned());
        }
        Ok(all)
    }
}

impl Listed for Issuer {
    const VARIABLE: &'static str = "EXTERNAL_ISSUERS";
    const MEMBERS: &'static str = "id, issuer, audience and jwks_url or secret";
    const KIND: &'static str = "an issuer";
    type Given = Given;

    fn is_twin(&self, other: &Self) -> bool {
        self.id == other.id || self.name == other.name
    }

    fn complete(given: Given, strict: bool) -> Result<Self, &'static str> {
        check_id(&given.id)?;
        if given.issuer.is_empty() || given.audience.is_empty() {
            return Err("lacks an issuer or audience");
        }
        if given.create && given.claims.tenant.is_some() {
            return Err("has both create and a tenant claim: nobody new is a member of a tenant");
        }
        let proof = match (given.jwks_url, given.secret) {
            (Some(url), None) => {
                if !is_address(&url, strict) {
                    return Err("has a jwks_url that is not https");
                }
                Proof::Keys(url)
            }
            (None, Some(secret)) if secret.len() < MIN_SECRET => {
                return Err("has a secret of fewer than 32 characters");
            }
            (None, Some(secret)) if strict && is_sample(&secret) => {
                return Err("has a secret that looks like a sample value");
            }
            (None, Some(secret)) => Proof::Secret(Secret::new(secret)),
            _ => return Err("needs either a jwks_url or a secret"),
        };
        Ok(Self {
            id: given.id,
            name: given.issuer,
            audience: given.audience,
            proof,
            create: given.create,
            claims: given.claims,
        })
    }
}

/// The claim of that name. Names that are addresses have dots of their own.
pub(super) fn claim<'c>(claims: &'c Map<String, Json>, name: &str) -> Option<&'c Json> {
    if let Some(whole) = claims.get(name) {
        return Some(whole);
    }
    let mut parts = name.split('.');
    let first = claims.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str, strict: bool) -> Option<String> {
        Issuer::read_all(text, strict)
            .err()
            .map(|problems| problems.join("; "))
    }

    /// Rows: A-22
    #[test]
    fn issuers_come_from_configuration() {
        let good = r#"[{"id":"acme","issuer":"https://id.acme.test","audience":"api",
                "jwks_url":"https://id.acme.test/jwks.json","create":true},
            {"id":"supa","issuer":"https://x.supabase.test/auth/v1","audience":"authenticated",
                "secret":"q1Zl8TjVnB5xWc2RyUo7KmPd4GhSf9Ae","claims":{"tenant":"app_metadata.tenant"}}]"#;
        let all = Issuer::read_all(good, true).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].claims.subject, "sub");
        assert!(all[0].create && !all[1].create);
        let wrong = [
            ("{}", "JSON list"),
            (
                r#"[{"id":"a","issuer":"i","audience":"a","secret":"hunter2"}]"#,
                "fewer than 32",
            ),
            (
                r#"[{"id":"a","issuer":"i","audience":"a","secret":"0123456789abcdef0123456789abcdef"}]"#,
                "sample",
            ),
            (r#"[{"id":"a","issuer":"i","audience":"a"}]"#, "either"),
            (
                r#"[{"id":"A","issuer":"i","audience":"a","jwks_url":"https://a"}]"#,
                "characters",
            ),
            (
                r#"[{"id":"a","issuer":"i","audience":"","jwks_url":"https://a"}]"#,
                "audience",
            ),
            (
                r#"[{"id":"a","issuer":"i","audience":"a","jwks_url":"http://a"}]"#,
                "https",
            ),
            (
                r#"[{"id":"a","issuer":"i","audience":"a","jwks_url":"https://a","create":true,
                    "claims":{"tenant":"t"}}]"#,
                "both",
            ),
            (
                r#"[{"id":"a","issuer":"i","audience":"a","jwks_url":"https://a"},
                    {"id":"b","issuer":"i","audience":"a","jwks_url":"https://a"}]"#,
                "twice",
            ),
            (
                r#"[{"id":"a","issuer":"i","audience":"a","algorithms":["none"]}]"#,
                "JSON list",
            ),
        ];
        for (text, why) in wrong {
            let told = problem(text, true).unwrap();
            assert!(told.contains(why) && !told.contains("hunter2"), "{told}");
        }
        let local = r#"[{"id":"a","issuer":"i","audience":"a","jwks_url":"http://a"}]"#;
        assert_eq!(problem(local, false), None);
    }

    #[test]
    fn dots_lead_into_objects() {
        let claims =
            serde_json::json!({"a": {"b": {"c": 1}}, "d": 2, "https://id.acme.test/tenant": 3});
        let claims = claims.as_object().unwrap();
        assert_eq!(claim(claims, "a.b.c"), Some(&Json::from(1)));
        assert_eq!(claim(claims, "d"), Some(&Json::from(2)));
        let address = "https://id.acme.test/tenant";
        assert_eq!(claim(claims, address), Some(&Json::from(3)));
        for missing in ["a.c", "d.e", "x", "", "a.b.c.d"] {
            assert_eq!(claim(claims, missing), None, "{missing}");
        }
    }
}
