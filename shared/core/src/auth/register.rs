//! Registration and confirmation of the e-mail address.

use serde_json::json;

use super::password::{self, MAX_CHARS, MIN_CHARS};
use super::store::{INSERT_FOUNDER, INSERT_TENANT, INSERT_USER, VERIFY_EMAIL};
use crate::audit::Entry;
use crate::crypto::fingerprint;
use crate::fields::Fields;
use crate::guard::exact_limit::REGISTER_SOURCE;
use crate::http::{Code, Context, Error, Interrupt, Method, Reply};
use crate::mail::{self, Template};
use crate::port::Platform;
use crate::tenancy::TenantId;
use crate::time::DAY;

/// How long the link in the mail works.
const LINK_LIFE: i64 = DAY;

/// Creates user, tenant and founder membership, and queues the mail. A known address gets the
/// same answer in the same time, so that no one learns who has an account; its owner is told
/// by mail instead.
pub(super) async fn register<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let email = email(&mut fields)?;
    let password = fields.text("password", MIN_CHARS, MAX_CHARS)?;
    let company = fields.opt_text("company", 1, 100)?;
    fields.finish()?;

    let hash = password::hash(&password, cx.random()?)?;
    let user = cx.new_id("usr")?;
    let tenant = TenantId::proven(cx.new_id("ten")?);
    let nonce = cx.new_id("mtk")?;
    let token = mail::token(cx.ready()?, Template::VerifyEmail, &user, &nonce);
    let company = company.unwrap_or_else(|| "My company".to_owned());
    let known = mail::Mail {
        id: cx.new_id("mai")?,
        recipient: &email,
        template: Template::AccountExists,
        subject_id: &user,
        nonce: &nonce,
    };
    let welcome = mail::Mail {
        id: cx.new_id("mai")?,
        template: Template::VerifyEmail,
        ..known.clone()
    };
    let rows = cx
        .batch(&[
            REGISTER_SOURCE.hit(cx.client, cx.now),
            INSERT_USER.bind([
                user.as_str().into(),
                email.as_str().into(),
                hash.into(),
                fingerprint(&token).into(),
                cx.now.plus(LINK_LIFE).into(),
                cx.now.into(),
            ]),
            INSERT_TENANT.bind(
                &tenant,
                [company.into(), cx.now.into(), user.as_str().into()],
            ),
            INSERT_FOUNDER.bind(&tenant, [user.as_str().into(), cx.now.into()]),
            welcome.queue_if_user(&user, cx.now),
            known.queue_unless_user(&user, cx.now),
            Entry {
                tenant: None,
                actor: &user,
                action: "auth.register",
                target: &user,
            }
            .append(cx)?,
        ])
        .await?;
    REGISTER_SOURCE.judge(rows.first().map_or(&[], Vec::as_slice), cx.now)?;
    Ok(Reply::json(
        201,
        &json!({
            "status": "pending_verification",
            "email": email,
            "message": "Open the link in the mail that was sent to this address.",
        }),
    ))
}

/// Turns the account active. `GET` serves the link in the mail, `POST` a front end.
pub(super) async fn verify<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let token = if cx.route.method == Method::Get {
        cx.request
            .query_value("token")?
            .ok_or_else(|| Error::invalid("token", "Is required."))?
    } else {
        let mut fields = Fields::parse(cx.request.body)?;
        let token = fields.text("token", 1, 200)?;
        fields.finish()?;
        token
    };
    let rows = cx
        .query(VERIFY_EMAIL.bind([fingerprint(&token).into(), cx.now.into()]))
        .await?;
    if rows.is_empty() {
        return Err(Error::new(Code::TokenSpent).with_field("token").into());
    }
    Ok(Reply::ok(&json!({"status": "active"})))
}

/// An e-mail address in the one form that is stored: trimmed and lower case. The rule is the
/// HTML standard's, shortened to what mail servers accept; the mail itself is the proof.
pub(super) fn email(fields: &mut Fields) -> Result<String, Error> {
    let address = fields.text("email", 3, 254)?.trim().to_lowercase();
    let (local, domain) = address.rsplit_once('@').unwrap_or_default();
    let plain =
        |c: char| !c.is_whitespace() && !matches!(c, '<' | '>' | ',' | ';' | '"' | '\\' | '@');
    let sound = !local.is_empty()
        && local.len() <= 64
        && local.chars().all(plain)
        && domain.contains('.')
        && domain.split('.').all(|label| {
            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
    if sound {
        Ok(address)
    } else {
        Err(Error::invalid("email", "Must be an e-mail address."))
    }
}
