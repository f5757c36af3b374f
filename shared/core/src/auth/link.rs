//! What registration, resending and resetting share: limits by source and recipient, and the
//! secret of a mail's link.

use serde_json::json;

use super::accounts::KNOWN;
use super::register::email;
use crate::crypto::fingerprint;
use crate::fields::Fields;
use crate::guard::exact_limit::{MAIL_SOURCE, Rule};
use crate::http::{Context, Error, Interrupt, Reply};
use crate::mail::{self, Mail, Template};
use crate::port::{DatabaseError, Platform};
use crate::sql::{Row, SystemQuery};

/// Counts and judges a request that may send a mail to `email`, by its source first; reads what
/// is known of the address in the same round trip.
pub(super) async fn limited<P: Platform>(
    cx: &Context<'_, P>,
    source: Rule,
    recipient: Rule,
    email: &str,
) -> Result<Option<Known>, Error> {
    let statements = [
        source.hit(cx.client, cx.now),
        recipient.hit_after(email, &source, cx.client, cx.now),
        KNOWN.bind([email.into()]),
    ];
    let rows = cx.batch(&statements).await?;
    let [by_source, by_recipient, known] = rows.as_slice() else {
        return Err(DatabaseError::Shape("three results were expected".to_owned()).into());
    };
    source.judge(by_source, cx.now)?;
    recipient.judge(by_recipient, cx.now)?;
    Ok(known.first().map(Known::from_row).transpose()?)
}

/// What registration reads of an address ([`KNOWN`]).
pub(super) struct Known {
    pub(super) user: String,
    /// Neither confirmed nor disabled, so it may be registered anew.
    pub(super) open: bool,
}

impl Known {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            user: row.text(0)?.to_owned(),
            open: row.opt_int(1)?.is_none() && row.opt_int(2)?.is_none(),
        })
    }
}

/// The secret of a mail's link, and what is kept of it.
pub(super) struct Link<'a> {
    template: Template,
    user: &'a str,
    nonce: String,
    /// What is kept of it.
    pub(super) hash: String,
}

impl<'a> Link<'a> {
    /// A new one. `user` only goes into it: whom it is for is whose row holds its hash.
    pub(super) fn new<P: Platform>(
        cx: &Context<'_, P>,
        template: Template,
        user: &'a str,
    ) -> Result<Self, Error> {
        let ready = cx.ready()?;
        let nonce = mail::nonce(ready, &cx.new_id("mtk")?);
        let token = mail::token(ready, template, user, &nonce);
        let hash = fingerprint(&token);
        Ok(Self {
            template,
            user,
            nonce,
            hash,
        })
    }

    /// The mail that brings it.
    pub(super) fn mail<'m, P: Platform>(
        &'m self,
        cx: &Context<'_, P>,
        recipient: &'m str,
    ) -> Result<Mail<'m>, Error> {
        Ok(Mail {
            id: cx.new_id("mai")?,
            recipient,
            template: self.template,
            subject_id: self.user,
            nonce: &self.nonce,
        })
    }
}

/// A link that anybody may ask for by naming an address.
pub(super) struct Asked {
    pub(super) template: Template,
    /// How often one address may be named.
    pub(super) recipient: Rule,
    /// Puts hash and end of the link (`?2`, `?3`) on the account of the address (`?1`).
    pub(super) put: &'static SystemQuery,
    /// How long the link works, in milliseconds.
    pub(super) life: i64,
    pub(super) message: &'static str,
}

/// Mails such a link. Every address gets the same answer after the same work.
pub(super) async fn send<P: Platform>(
    cx: &Context<'_, P>,
    asked: Asked,
) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let email = email(&mut fields)?;
    fields.finish()?;

    let known = limited(cx, MAIL_SOURCE, asked.recipient, &email).await?;
    let user = known.map_or_else(|| cx.new_id("usr"), |known| Ok(known.user))?;
    let link = Link::new(cx, asked.template, &user)?;
    let mail = link.mail(cx, &email)?;
    // The same batch for every address, so that its time tells nothing.
    let rows = cx
        .batch(&[
            asked.put.bind([
                email.as_str().into(),
                link.hash.as_str().into(),
                cx.now.plus(asked.life).into(),
            ]),
            mail.drop_unsent(),
            mail.queue_if_link(&link.hash, cx.now),
        ])
        .await?;
    if rows.last().is_some_and(|rows| !rows.is_empty()) {
        mail::soon(cx, &mail.id);
    }
    let shown = json!({"status": "accepted", "message": asked.message});
    Ok(Reply::json(202, &shown))
}
