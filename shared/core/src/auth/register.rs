//! Registration and confirmation of the e-mail address.

use serde_json::json;

use super::accounts::{
    INSERT_FOUNDER, INSERT_TENANT, NEW_LINK, REGISTER, RENAME_TENANT, VERIFY_EMAIL,
};
use super::link::{self, Asked, Link, limited};
use super::password;
use crate::audit::Entry;
use crate::crypto::fingerprint;
use crate::fields::Fields;
use crate::guard::exact_limit::{REGISTER_RECIPIENT, REGISTER_SOURCE, RESEND_RECIPIENT};
use crate::http::{Code, Context, Error, Interrupt, Method, Reply};
use crate::mail::{self, Mail, Template};
use crate::port::Platform;
use crate::tenancy::TenantId;
use crate::time::DAY;
use crate::trials::Beginning;

/// How long the link in the mail works.
const LINK_LIFE: i64 = DAY;

/// Creates user, tenant and founder membership, and queues the mail. A known address gets the
/// same answer in the same time, so that no one learns who has an account; its owner is told
/// by mail instead. An address that is not confirmed yet is registered anew.
pub(super) async fn register<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let email = email(&mut fields)?;
    let password = password::read(&mut fields)?;
    let company = fields.opt_text("company", 1, 100)?;
    let trial = fields.opt_bool("trial")?.unwrap_or(true);
    fields.finish()?;

    let known = limited(cx, REGISTER_SOURCE, REGISTER_RECIPIENT, &email).await?;
    // Only who is let in costs a question and a hash.
    password::check(cx, &password, &email).await?;
    let hash = password::hash(cx.ready()?, &password, cx.random()?)?;
    let user = cx.new_id("usr")?;
    let tenant = TenantId::proven(cx.new_id("ten")?);
    let link = Link::new(cx, Template::VerifyEmail, &user)?;
    let company = company.unwrap_or_else(|| "My company".to_owned());
    let welcome = link.mail(cx, &email)?;
    let exists = Mail {
        id: cx.new_id("mai")?,
        template: Template::AccountExists,
        ..welcome.clone()
    };
    let target = known.as_ref().map_or(user.as_str(), |known| &known.user);
    let action = match &known {
        None => "auth.register",
        Some(known) if known.open => "auth.register_again",
        Some(_) => "auth.register_refused",
    };
    let entry = Entry {
        tenant: None,
        actor: target,
        action,
        target,
    };
    let trial = Beginning::of(cx, &tenant, trial)?;
    let mut batch = vec![
        REGISTER.bind([
            user.as_str().into(),
            email.as_str().into(),
            hash.into(),
            link.hash.as_str().into(),
            cx.now.plus(LINK_LIFE).into(),
            cx.now.into(),
        ]),
        INSERT_TENANT.bind(
            &tenant,
            [
                company.as_str().into(),
                cx.now.into(),
                user.as_str().into(),
                trial.plan,
                trial.ends,
            ],
        ),
        INSERT_FOUNDER.bind(&tenant, [user.as_str().into(), cx.now.into()]),
        RENAME_TENANT.bind([link.hash.as_str().into(), company.into(), cx.now.into()]),
        welcome.drop_unsent(),
        welcome.queue_if_link(&link.hash, cx.now),
        exists.queue_notice(&link.hash, cx.now),
        entry.append(cx)?,
    ];
    batch.extend(trial.event);
    let rows = cx.batch(&batch).await?;
    let queued = |index: usize| rows.get(index).is_some_and(|rows| !rows.is_empty());
    for (index, mail) in [(5, &welcome), (6, &exists)] {
        if queued(index) {
            mail::soon(cx, &mail.id);
        }
    }
    Ok(Reply::json(
        201,
        &json!({
            "status": "pending_verification",
            "email": email,
            "message": "Open the link in the mail that was sent to this address.",
        }),
    ))
}

/// Sends another link to an address that is registered and not confirmed; the one before dies.
/// Every address gets the same answer.
pub(super) async fn resend<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let asked = Asked {
        template: Template::VerifyEmail,
        recipient: RESEND_RECIPIENT,
        put: &NEW_LINK,
        life: LINK_LIFE,
        message: "If this address waits for confirmation, a new link is on its way.",
    };
    link::send(cx, asked).await
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
pub(crate) fn email(fields: &mut Fields) -> Result<String, Error> {
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
