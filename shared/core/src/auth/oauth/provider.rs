//! The providers of `OAUTH_PROVIDERS`.

use serde::Deserialize;

use crate::config::{Listed, Secret, check_id, is_address};

/// How a provider tells who signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// By an ID token (`OpenID` Connect Core 1.0).
    #[default]
    Oidc,
    /// By its REST API: GitHub has no ID tokens.
    GitHub,
}

/// One provider.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Name in paths: lower-case letters, digits and dashes.
    pub id: String,
    /// How it tells who signed in.
    pub kind: Kind,
    /// Its issuer, exactly as in its ID tokens.
    pub issuer: String,
    /// Our id there.
    pub client_id: String,
    /// Our secret there.
    pub client_secret: Secret,
    /// Where browsers go; found by discovery where it is not given.
    pub authorization_endpoint: Option<String>,
    /// Where codes are exchanged; found by discovery where it is not given.
    pub token_endpoint: Option<String>,
    /// Base of GitHub's REST API.
    pub api: String,
}

/// One as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Given {
    id: String,
    kind: Option<Kind>,
    issuer: Option<String>,
    client_id: String,
    client_secret: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    api: Option<String>,
}

/// `google` and `github` know their own addresses.
impl Listed for Provider {
    const VARIABLE: &'static str = "OAUTH_PROVIDERS";
    const MEMBERS: &'static str = "id, client_id and client_secret";
    const KIND: &'static str = "a provider";
    type Given = Given;

    fn is_twin(&self, other: &Self) -> bool {
        self.id == other.id
    }

    fn complete(given: Given, strict: bool) -> Result<Self, &'static str> {
        let id = given.id;
        check_id(&id)?;
        if given.client_id.is_empty() || given.client_secret.is_empty() {
            return Err("lacks a client_id or client_secret");
        }
        let known = |google: &str, github: &str| match id.as_str() {
            "google" => Some(google.to_owned()),
            "github" => Some(github.to_owned()),
            _ => None,
        };
        let issuer = given
            .issuer
            .or_else(|| known("https://accounts.google.com", "https://github.com"))
            .ok_or("lacks an issuer")?;
        let authorization_endpoint = given.authorization_endpoint.or_else(|| {
            known(
                "https://accounts.google.com/o/oauth2/v2/auth",
                "https://github.com/login/oauth/authorize",
            )
        });
        let token_endpoint = given.token_endpoint.or_else(|| {
            known(
                "https://oauth2.googleapis.com/token",
                "https://github.com/login/oauth/access_token",
            )
        });
        let api = given
            .api
            .unwrap_or_else(|| "https://api.github.com".to_owned());
        let addresses = [Some(&issuer), Some(&api)];
        let more = [authorization_endpoint.as_ref(), token_endpoint.as_ref()];
        let mut all = addresses.iter().chain(&more).flatten();
        if !all.all(|url| is_address(url, strict)) {
            return Err("has an address that is not https");
        }
        let kind = given.kind.unwrap_or(if id == "github" {
            Kind::GitHub
        } else {
            Kind::Oidc
        });
        Ok(Self {
            id,
            kind,
            issuer,
            client_id: given.client_id,
            client_secret: Secret::new(given.client_secret),
            authorization_endpoint,
            token_endpoint,
            api,
        })
    }
}

impl Provider {
    /// What is asked for.
    pub(super) const fn scope(&self) -> &'static str {
        match self.kind {
            Kind::Oidc => "openid email profile",
            Kind::GitHub => "read:user user:email",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, strict: bool) -> Result<usize, String> {
        Provider::read_all(text, strict)
            .map(|all| all.len())
            .map_err(|problems| problems.join("; "))
    }

    /// Rows: D-11
    #[test]
    fn providers_come_from_configuration() {
        let two = r#"[{"id":"google","client_id":"a","client_secret":"b"},
            {"id":"acme","issuer":"https://id.acme.test","client_id":"a","client_secret":"b"}]"#;
        assert_eq!(read(two, true), Ok(2));
        let all = Provider::read_all(two, true).unwrap();
        assert_eq!(all[0].issuer, "https://accounts.google.com");
        assert_eq!(all[1].token_endpoint, None);
        let bad = [
            "{}",
            "x",
            r#"[{"id":"acme","client_id":"a","client_secret":"hunter2"}]"#,
            r#"[{"id":"A!","issuer":"https://a","client_id":"a","client_secret":"hunter2"}]"#,
            r#"[{"id":"a","issuer":"http://a","client_id":"a","client_secret":"hunter2"}]"#,
            r#"[{"id":"a","issuer":"https://a","client_id":"","client_secret":"hunter2"}]"#,
            r#"[{"id":"google","client_id":"a","client_secret":"hunter2"},
                {"id":"google","client_id":"a","client_secret":"hunter2"}]"#,
        ];
        for text in bad {
            let problems = read(text, true).unwrap_err();
            assert!(problems.contains("OAUTH_PROVIDERS") && !problems.contains("hunter2"));
        }
        let local = r#"[{"id":"a","issuer":"http://a","client_id":"a","client_secret":"b"}]"#;
        assert_eq!(read(local, false), Ok(1));
    }
}
