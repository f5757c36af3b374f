//! Mail: what is queued in SQL, how it reads, and how it is sent.
//!
//! A queued mail holds no token: the token in its link is an HMAC that is made again whenever
//! the mail is rendered. So no table ever holds one, and a leaked database confirms nobody.

use serde_json::json;

use crate::app::Ready;
use crate::config::MailProvider;
use crate::crypto::{base64url, hmac_sha256};
use crate::http::{Context, Error};
use crate::port::{DatabaseError, Outbound as _, OutboundRequest, Platform};
use crate::sql::{Row, Statement};
use crate::time::{MINUTE, Millis};

/// Attempts before a mail counts as failed.
const MAX_ATTEMPTS: i64 = 6;
/// Mails a tick sends at most.
const PER_TICK: i64 = 20;

crate::queries! {
    /// `?1` id, `?2` recipient, `?3` template, `?4` subject, `?5` nonce, `?6` now, `?7` user:
    /// only if that user exists.
    QUEUE_IF_USER: SystemQuery = "mail.queue_if_user", "
        INSERT INTO mails (id, recipient, template, subject_id, nonce, created_at, leased_until)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?6 FROM users WHERE id = ?7";
    /// The same, unless that user exists.
    QUEUE_UNLESS_USER: SystemQuery = "mail.queue_unless_user", "
        INSERT INTO mails (id, recipient, template, subject_id, nonce, created_at, leased_until)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?6 FROM plans
        WHERE id = 'FREE' AND NOT EXISTS (SELECT 1 FROM users WHERE id = ?7)";
    /// `?1` recipient.
    LATEST: SystemQuery = "mail.latest", "
        SELECT id, recipient, template, subject_id, nonce, attempts FROM mails
        WHERE recipient = ?1 ORDER BY created_at DESC, id DESC LIMIT 20";
    /// `?1` now, `?2` end of the lease, `?3` most. Whoever gets a row back sends it.
    LEASE: SystemQuery = "mail.lease", "
        UPDATE mails SET leased_until = ?2, attempts = attempts + 1
        WHERE id IN (SELECT id FROM mails
            WHERE leased_until <= ?1 AND sent_at IS NULL AND failed_at IS NULL
            ORDER BY leased_until LIMIT ?3)
            AND leased_until <= ?1
        RETURNING id, recipient, template, subject_id, nonce, attempts";
    /// `?1` id, `?2` now.
    SENT: SystemQuery = "mail.sent", "UPDATE mails SET sent_at = ?2, error = NULL WHERE id = ?1";
    /// `?1` id, `?2` why, `?3` the next attempt, `?4` when it was given up, or NULL.
    NOT_SENT: SystemQuery = "mail.not_sent",
        "UPDATE mails SET error = ?2, leased_until = ?3, failed_at = ?4 WHERE id = ?1";
}

/// What a mail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// The link that confirms an address.
    VerifyEmail,
    /// Somebody registered an address that has an account.
    AccountExists,
}

impl Template {
    const ALL: [Self; 2] = [Self::VerifyEmail, Self::AccountExists];

    const fn name(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::AccountExists => "account_exists",
        }
    }
}

/// The secret part of a mail's link: the same for the same mail, and in no table.
pub fn token(ready: &Ready, template: Template, subject: &str, nonce: &str) -> String {
    let parts = [
        template.name().as_bytes(),
        b"\0",
        subject.as_bytes(),
        b"\0",
        nonce.as_bytes(),
    ];
    base64url(&hmac_sha256(&ready.keys.mail, &parts))
}

/// A mail to queue.
#[derive(Debug, Clone)]
pub struct Mail<'a> {
    /// Its id.
    pub id: String,
    /// The address.
    pub recipient: &'a str,
    /// What it says.
    pub template: Template,
    /// Whom it is about.
    pub subject_id: &'a str,
    /// What its token is made from.
    pub nonce: &'a str,
}

impl Mail<'_> {
    /// Queues it in a batch, only if `user` exists at that point of the batch.
    pub fn queue_if_user(&self, user: &str, now: Millis) -> Statement {
        QUEUE_IF_USER.bind(self.params(user, now))
    }

    /// Queues it in a batch, unless `user` exists at that point of the batch.
    pub fn queue_unless_user(&self, user: &str, now: Millis) -> Statement {
        QUEUE_UNLESS_USER.bind(self.params(user, now))
    }

    fn params(&self, user: &str, now: Millis) -> [crate::sql::Value; 7] {
        [
            self.id.as_str().into(),
            self.recipient.into(),
            self.template.name().into(),
            self.subject_id.into(),
            self.nonce.into(),
            now.into(),
            user.into(),
        ]
    }
}

/// The statement for the latest mails to an address; [`render`] reads its rows.
pub fn latest_to(recipient: &str) -> Statement {
    LATEST.bind([recipient.into()])
}

/// A mail as it is sent.
#[derive(Debug)]
pub struct Message {
    /// Its id, which is also the provider's idempotency key.
    pub id: String,
    /// The address.
    pub recipient: String,
    /// Subject line.
    pub subject: &'static str,
    /// Plain text.
    pub text: String,
    /// The link in it, if there is one.
    pub link: Option<String>,
    attempts: i64,
}

/// Makes the text of a queued mail.
pub fn render(ready: &Ready, row: &Row) -> Result<Message, Error> {
    let template = row.text(2)?;
    let template = Template::ALL
        .into_iter()
        .find(|known| known.name() == template);
    let template = template.ok_or_else(|| DatabaseError::Shape("unknown template".to_owned()))?;
    let (subject, text, link) = match template {
        Template::VerifyEmail => {
            let token = token(ready, template, row.text(3)?, row.text(4)?);
            let link = format!(
                "{}/api/v1/auth/verify?token={token}",
                ready.config.gateway_url
            );
            let text = format!(
                "Welcome! Open this link within a day to confirm your address:\n\n{link}\n\n\
                 If you did not register, ignore this mail.\n"
            );
            ("Confirm your e-mail address", text, Some(link))
        }
        Template::AccountExists => {
            let text = "Somebody, perhaps you, tried to register this address, which has an \
                        account already. Nothing was changed; simply sign in.\n";
            ("You already have an account", text.to_owned(), None)
        }
    };
    Ok(Message {
        id: row.text(0)?.to_owned(),
        recipient: row.text(1)?.to_owned(),
        subject,
        text,
        link,
        attempts: row.int(5)?,
    })
}

/// Sends queued mails through the provider; returns how many were sent. The development
/// provider keeps them instead. Leases make sure that two ticks do not send one mail twice,
/// and the provider's idempotency key covers a crash in between.
pub async fn send_due<P: Platform>(cx: &Context<'_, P>) -> Result<u32, Error> {
    let ready = cx.ready()?;
    let MailProvider::Resend(key) = &ready.config.mail else {
        return Ok(0);
    };
    let lease = LEASE.bind([
        cx.now.into(),
        cx.now.plus(2 * MINUTE).into(),
        PER_TICK.into(),
    ]);
    let mut sent: u32 = 0;
    for row in cx.query(lease).await? {
        let message = render(ready, &row)?;
        let request = resend(key.expose(), &ready.config.mail_from, &message);
        let failure = match cx.platform.outbound().send(request).await {
            Ok(response) if response.status < 300 => None,
            Ok(response) => Some(format!("status {}", response.status)),
            Err(error) => Some(error.to_string()),
        };
        let after = match failure {
            None => {
                sent = sent.saturating_add(1);
                SENT.bind([message.id.into(), cx.now.into()])
            }
            Some(why) => {
                let given_up = (message.attempts >= MAX_ATTEMPTS).then_some(cx.now);
                let wait = MINUTE.saturating_mul(1 << message.attempts.clamp(0, 10));
                NOT_SENT.bind([
                    message.id.into(),
                    why.into(),
                    cx.now.plus(wait).into(),
                    given_up.into(),
                ])
            }
        };
        cx.query(after).await?;
    }
    Ok(sent)
}

/// Resend's `POST /emails`.
fn resend(key: &str, from: &str, message: &Message) -> OutboundRequest {
    let body = json!({
        "from": from,
        "to": [message.recipient],
        "subject": message.subject,
        "text": message.text,
    });
    OutboundRequest {
        method: "POST",
        url: "https://api.resend.com/emails".to_owned(),
        headers: vec![
            ("authorization", format!("Bearer {key}")),
            ("content-type", "application/json".to_owned()),
            ("idempotency-key", message.id.clone()),
        ],
        body: body.to_string().into_bytes(),
        timeout_ms: 10_000,
    }
}
