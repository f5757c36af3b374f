//! Mail: what is queued in SQL, how it reads, and how it is sent.
//!
//! A queued mail holds no token: the token in its link is an HMAC that is made again whenever
//! the mail is rendered. So no table ever holds one, and a leaked database confirms nobody.

mod notices;
mod send;
mod templates;

use crate::app::Ready;
use crate::http::Error;
use crate::port::DatabaseError;
use crate::sql::{Row, Statement, SystemQuery, Value};
use crate::time::{DAY, Millis};

pub use send::{due, soon};
use templates::Letter;
pub(crate) use templates::escaped;
pub use templates::{Template, code, nonce, token};

crate::queries! {
    /// `?1` id, `?2` recipient, `?3` template, `?4` subject, `?5` nonce, `?6` now, `?7` hash of
    /// the token: only if a user holds it at that point of the batch. A row comes back if so.
    QUEUE_IF_LINK: SystemQuery = "mail.queue_if_link", "
        INSERT INTO mails (id, recipient, template, subject_id, nonce, created_at, leased_until)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?6 FROM users
        WHERE email_verification_hash = ?7 OR password_reset_hash = ?7
        RETURNING id";
    /// The same, if no user holds it, and this recipient got no such mail since `?8`.
    QUEUE_NOTICE: SystemQuery = "mail.queue_notice", "
        INSERT INTO mails (id, recipient, template, subject_id, nonce, created_at, leased_until)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?6 FROM plans
        WHERE id = 'FREE'
            AND NOT EXISTS (SELECT 1 FROM users
                WHERE email_verification_hash = ?7 OR password_reset_hash = ?7)
            AND NOT EXISTS (SELECT 1 FROM mails
                WHERE recipient = ?2 AND template = ?3 AND created_at > ?8)
        RETURNING id";
    /// `?1` id, `?2` recipient, `?3` template, `?4` subject, `?5` nonce, `?6` now.
    QUEUE: SystemQuery = "mail.queue", "
        INSERT INTO mails (id, recipient, template, subject_id, nonce, created_at, leased_until)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) RETURNING id";
    /// The same, `?7` record: only if that was written earlier in the batch.
    QUEUE_IF_RECORDED: SystemQuery = "mail.queue_if_recorded", "
        INSERT INTO mails (id, recipient, template, subject_id, nonce, created_at, leased_until)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?6 FROM audit_log WHERE id = ?7 RETURNING id";
    /// The same, only if nobody has proven that the address is theirs.
    QUEUE_IF_FREE: SystemQuery = "mail.queue_if_free", "
        INSERT INTO mails (id, recipient, template, subject_id, nonce, created_at, leased_until)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?6 FROM audit_log
        WHERE id = ?7 AND NOT EXISTS (SELECT 1 FROM users WHERE email = ?2
            AND (email_verified_at IS NOT NULL OR disabled_at IS NOT NULL))
        RETURNING id";
    /// The same, only if somebody has, and got no such mail since `?8`.
    QUEUE_IF_TAKEN: SystemQuery = "mail.queue_if_taken", "
        INSERT INTO mails (id, recipient, template, subject_id, nonce, created_at, leased_until)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?6 FROM audit_log
        WHERE id = ?7 AND EXISTS (SELECT 1 FROM users WHERE email = ?2
                AND email_verified_at IS NOT NULL AND disabled_at IS NULL)
            AND NOT EXISTS (SELECT 1 FROM mails
                WHERE recipient = ?2 AND template = ?3 AND created_at > ?8)
        RETURNING id";
    /// `?1` recipient, `?2` template, `?3` record, `?4` subject.
    DROP_IF_RECORDED: SystemQuery = "mail.drop_if_recorded", "
        DELETE FROM mails WHERE recipient = ?1 AND template = ?2 AND subject_id = ?4
            AND sent_at IS NULL AND EXISTS (SELECT 1 FROM audit_log WHERE id = ?3)";
    /// The same, only if the user `?4` has a second factor by mail that waits for the code with
    /// hash `?7`.
    QUEUE_IF_CODE: SystemQuery = "mail.queue_if_code", "
        INSERT INTO mails (id, recipient, template, subject_id, nonce, created_at, leased_until)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?6 FROM mfa_factors
        WHERE user_id = ?4 AND kind = 'email' AND secret = ?7
        RETURNING id";
    /// `?1` recipient, `?2` template: what has not been sent holds a link that is dead.
    DROP_UNSENT: SystemQuery = "mail.drop_unsent", "
        DELETE FROM mails WHERE recipient = ?1 AND template = ?2 AND sent_at IS NULL";
    /// `?1` recipient.
    LATEST: SystemQuery = "mail.latest", "
        SELECT id, recipient, template, subject_id, nonce, attempts, created_at, detail FROM mails
        WHERE recipient = ?1 ORDER BY created_at DESC, id DESC LIMIT 20";
    /// `?1` now, `?2` end of the lease, `?3` most. Whoever gets a row back sends it.
    LEASE: SystemQuery = "mail.lease", "
        UPDATE mails SET leased_until = ?2, attempts = attempts + 1
        WHERE id IN (SELECT id FROM mails
            WHERE leased_until <= ?1 AND sent_at IS NULL AND failed_at IS NULL
            ORDER BY leased_until LIMIT ?3)
            AND leased_until <= ?1
        RETURNING id, recipient, template, subject_id, nonce, attempts, created_at, detail";
    /// `?1` id, `?2` now, `?3` end of the lease.
    LEASE_ONE: SystemQuery = "mail.lease_one", "
        UPDATE mails SET leased_until = ?3, attempts = attempts + 1
        WHERE id = ?1 AND leased_until <= ?2 AND sent_at IS NULL AND failed_at IS NULL
        RETURNING id, recipient, template, subject_id, nonce, attempts, created_at, detail";
    /// `?1` id, `?2` now.
    SENT: SystemQuery = "mail.sent", "UPDATE mails SET sent_at = ?2, error = NULL WHERE id = ?1";
    /// `?1` id, `?2` why, `?3` the next attempt, `?4` when it was given up, or NULL.
    NOT_SENT: SystemQuery = "mail.not_sent",
        "UPDATE mails SET error = ?2, leased_until = ?3, failed_at = ?4 WHERE id = ?1";
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
    /// Queues it in a batch, only if a user holds the token with this hash at that point of it.
    /// The statement gives a row back if so.
    pub fn queue_if_link(&self, hash: &str, now: Millis) -> Statement {
        self.bound(&QUEUE_IF_LINK, now, [hash.into()])
    }

    /// Queues it in a batch.
    pub fn queue(&self, now: Millis) -> Statement {
        self.bound(&QUEUE, now, [])
    }

    /// Queues it in a batch, only if its user waits for the code with this hash at that point.
    pub fn queue_if_code(&self, hash: &str, now: Millis) -> Statement {
        self.bound(&QUEUE_IF_CODE, now, [hash.into()])
    }

    /// Queues it in a batch unless a user holds that token, and at most once a day.
    pub fn queue_notice(&self, hash: &str, now: Millis) -> Statement {
        let since = now.minus(DAY);
        self.bound(&QUEUE_NOTICE, now, [hash.into(), since.into()])
    }

    /// Queues it in a batch, only if that record was written earlier in it.
    pub fn queue_if_recorded(&self, record: &str, now: Millis) -> Statement {
        self.bound(&QUEUE_IF_RECORDED, now, [record.into()])
    }

    /// Queues it in a batch, only if that record was written earlier in it and the address is
    /// nobody's. The statement gives a row back if so.
    pub fn queue_if_free(&self, record: &str, now: Millis) -> Statement {
        self.bound(&QUEUE_IF_FREE, now, [record.into()])
    }

    /// Queues it in a batch, only if that record was written earlier in it and the address is
    /// somebody's, at most once a day. The statement gives a row back if so.
    pub fn queue_if_taken(&self, record: &str, now: Millis) -> Statement {
        let since = now.minus(DAY);
        self.bound(&QUEUE_IF_TAKEN, now, [record.into(), since.into()])
    }

    /// Drops mails about the same subject that wait to be sent, if that record was written.
    pub fn drop_if_recorded(&self, record: &str) -> Statement {
        DROP_IF_RECORDED.bind([
            self.recipient.into(),
            self.template.name().into(),
            record.into(),
            self.subject_id.into(),
        ])
    }

    /// Drops mails like it that wait to be sent, whose links it replaces.
    pub fn drop_unsent(&self) -> Statement {
        DROP_UNSENT.bind([self.recipient.into(), self.template.name().into()])
    }

    /// One of the statements that queue it: what they all take, then `condition`.
    fn bound<const N: usize>(
        &self,
        query: &'static SystemQuery,
        now: Millis,
        condition: [Value; N],
    ) -> Statement {
        let mut statement = query.bind([
            self.id.as_str().into(),
            self.recipient.into(),
            self.template.name().into(),
            self.subject_id.into(),
            self.nonce.into(),
            now.into(),
        ]);
        statement.params.extend(condition);
        statement
    }
}

/// The statement for the latest mails to an address; [`render`] reads its rows.
pub fn latest_to(recipient: &str) -> Statement {
    LATEST.bind([recipient.into()])
}

/// The templates of the mails that a batch has queued, once for each mail; `rows` are what the
/// statements returned.
pub(crate) fn queued<'a>(
    statements: &'a [Statement],
    rows: &'a [Vec<Row>],
) -> impl Iterator<Item = Template> + 'a {
    let written = statements.iter().zip(rows);
    let queueing = written.filter(|(statement, _)| statement.query.name.starts_with("mail.queue"));
    queueing.flat_map(|(statement, rows)| {
        let template = match statement.params.get(2) {
            Some(Value::Text(name)) => Template::parse(name),
            _ => None,
        };
        rows.iter().filter_map(move |_| template)
    })
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
    /// The same as HTML.
    pub html: String,
    /// The link in it, if there is one.
    pub link: Option<String>,
    template: Template,
    attempts: i64,
}

/// How notices read. Only what sends them has their texts: the functions that send a mail at once
/// ([`soon`]) never send one of these.
pub(crate) type Notices = fn(Template, &Ready, &str) -> Option<Letter>;

/// Makes the text of any queued mail.
///
/// # Errors
/// `INTERNAL` for a row that no build of ours wrote.
pub fn render(ready: &Ready, row: &Row) -> Result<Message, Error> {
    written(ready, row, notices::letter)
}

/// The same, where notices read as `notices` says.
fn written(ready: &Ready, row: &Row, notices: Notices) -> Result<Message, Error> {
    let template = Template::parse(row.text(2)?);
    let unknown = || DatabaseError::Shape("unknown template".to_owned());
    let template = template.ok_or_else(unknown)?;
    let token = token(ready, template, row.text(3)?, row.text(4)?);
    let letter = match template.letter(ready, &token, Millis(row.int(6)?)) {
        Some(letter) => letter,
        None => {
            notices(template, ready, row.opt_text(7)?.unwrap_or_default()).ok_or_else(unknown)?
        }
    };
    Ok(Message {
        id: row.text(0)?.to_owned(),
        recipient: row.text(1)?.to_owned(),
        subject: letter.subject,
        text: letter.text(),
        html: letter.html(),
        link: letter.link,
        template,
        attempts: row.int(5)?,
    })
}
