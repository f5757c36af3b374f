//! Ready-made callers.

use serde_json::{Value, json};

use crate::{Answer, Call, World};

/// A signed-in founder in a world.
pub struct Founder {
    pub email: String,
    pub access: String,
    pub refresh: String,
    pub tenant: String,
}

pub const PASSWORD: &str = "correct horse battery staple";

pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

impl World {
    pub async fn mails(&self, email: &str) -> Vec<Value> {
        let mails = self
            .send(Call::new("GET", &format!("/api/v1/dev/mailbox?to={email}")))
            .await;
        mails.data(200).as_array().expect("a list").clone()
    }

    pub async fn register(&self, email: &str) -> Answer {
        let body = json!({"email": email, "password": PASSWORD, "trial": false});
        self.send(Call::post("/api/v1/auth/register", &body)).await
    }

    pub async fn login(&self, email: &str) -> Answer {
        let body = json!({"email": email, "password": PASSWORD});
        self.send(Call::post("/api/v1/auth/login", &body)).await
    }

    pub async fn verify(&self, email: &str) -> Answer {
        let link = text(&self.mails(email).await[0]["link"]);
        let token = link.split("token=").nth(1).expect("a token").to_owned();
        self.send(Call::post(
            "/api/v1/auth/verify",
            &json!({ "token": token }),
        ))
        .await
    }

    pub async fn founder(&self, email: &str) -> Founder {
        self.register(email).await.data(201);
        self.verify(email).await.data(200);
        let tokens = self.login(email).await.data(200);
        let access = text(&tokens["access_token"]);
        let me = self
            .send(Call::new("GET", "/api/v1/auth/me").bearer(&access))
            .await
            .data(200);
        let (refresh, tenant) = (text(&tokens["refresh_token"]), text(&me["tenant"]["id"]));
        Founder {
            email: email.to_owned(),
            access,
            refresh,
            tenant,
        }
    }

    pub async fn api_key(&self, founder: &Founder) -> String {
        let body = json!({"name": "k", "scopes": ["usage:write", "usage:read", "jobs"]});
        let call = Call::post("/api/v1/api-keys", &body).bearer(&founder.access);
        text(&self.send(call).await.data(201)["key"])
    }

    /// The browser of somebody whom the provider `hub` knows, on its way back from there.
    pub async fn back_from_hub(&self, subject: i64, email: &str) -> Call {
        self.outside_at("/token", &json!({"access_token": "t"}));
        self.outside_at("/user", &json!({"id": subject}));
        let emails = json!([{"email": email, "primary": true, "verified": true}]);
        self.outside_at("/user/emails", &emails);
        let start = Call::new("GET", "/api/v1/auth/oauth/hub/start?mode=bearer");
        let start = self.send(start).await;
        let header = |name| start.0.header(name).expect("a redirect").to_owned();
        let place = header("location");
        let state = place.split("state=").nth(1).unwrap_or_default();
        let state = state.split('&').next().unwrap_or_default();
        let path = format!("/api/v1/auth/oauth/hub/callback?code=c&state={state}");
        let cookie = header("set-cookie");
        let cookie = cookie.split(';').next().unwrap_or_default();
        Call::new("GET", &path).header("cookie", cookie)
    }

    /// Signs them in.
    pub async fn through_hub(&self, subject: i64, email: &str) -> Answer {
        let call = self.back_from_hub(subject, email).await;
        self.send(call).await
    }
}
