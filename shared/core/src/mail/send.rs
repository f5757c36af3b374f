//! Sending queued mails: at once after the response, and by the tick what that left behind.

use serde_json::{Map, Value as Json, json};

use super::{LEASE, LEASE_ONE, Message, NOT_SENT, Notices, SENT, notices, written};
use crate::app::Ready;
use crate::config::{Config, MailProvider};
use crate::http::{Context, Error, RouteInfo, in_background};
use crate::metrics;
use crate::outbound::{self, MAIL};
use crate::port::{Level, OutboundRequest, Platform};
use crate::sql::Row;
use crate::time::{MINUTE, SECOND};

/// Attempts before a mail counts as failed.
const MAX_ATTEMPTS: i64 = 6;
/// How long whoever leased a mail may take; longer than one round needs.
const LEASE_LIFE: i64 = 2 * MINUTE;
/// Mails leased at once: even if the provider takes for each as long as [`MAIL`] lets it, the lease holds.
const ROUND: i64 = 5;
/// Mails that one tick sends at most; a Worker may make a thousand calls.
const PER_TICK: u32 = 200;
/// A tick starts no further round after so long.
const TICK_TIME: i64 = 45 * SECOND;

static ROUTE: RouteInfo = RouteInfo::background("mail.send", "background:mail");

/// Sends one mail that was just queued, after the response. Only a shortcut: if it does not
/// happen, the next tick sends the mail.
pub fn soon<P: Platform>(cx: &Context<'_, P>, id: &str) {
    if !cx.ready().is_ok_and(sends) {
        return;
    }
    let (platform, id, now) = (cx.platform.clone(), id.to_owned(), cx.now);
    cx.platform.defer(async move {
        in_background(&platform, &ROUTE, async |cx: &Context<'_, P>| {
            let now = if now > cx.now { now } else { cx.now };
            let lease = LEASE_ONE.bind([id.into(), now.into(), now.plus(LEASE_LIFE).into()]);
            // Nobody waits for a notice at a screen, so none is sent here.
            let sent = async { send_all(cx, cx.query(lease).await?, |_, _, _| None).await };
            if let Err(error) = sent.await {
                let cause = error.cause().unwrap_or(error.code().name());
                cx.log(Level::Warn, "mail.send_failed", &[("cause", json!(cause))]);
            }
        })
        .await;
    });
}

/// Sends queued mails through the provider, oldest first, until none is due or the tick's share
/// is done; returns how many were sent. The development provider keeps them instead. Leases
/// make sure that two ticks do not send one mail twice, and the provider's idempotency key
/// covers a crash in between.
pub async fn due<P: Platform>(cx: &Context<'_, P>) -> Result<u32, Error> {
    if !sends(cx.ready()?) {
        return Ok(0);
    }
    let started = cx.platform.now();
    let (mut sent, mut tried) = (0_u32, 0_u32);
    while tried < PER_TICK && cx.platform.now().since(started) < TICK_TIME {
        // Each round's lease begins now; the tick may have begun minutes ago.
        let now = cx.clock();
        let lease = LEASE.bind([now.into(), now.plus(LEASE_LIFE).into(), ROUND.into()]);
        let rows = cx.query(lease).await?;
        if rows.is_empty() {
            break;
        }
        tried = tried.saturating_add(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        sent = sent.saturating_add(send_all(cx, rows, notices::letter).await?);
    }
    Ok(sent)
}

const fn sends(ready: &Ready) -> bool {
    !matches!(ready.config.mail, MailProvider::Development)
}

/// Sends leased mails one by one; returns how many the provider took.
async fn send_all<P: Platform>(
    cx: &Context<'_, P>,
    rows: Vec<Row>,
    notices: Notices,
) -> Result<u32, Error> {
    let ready = cx.ready()?;
    let mut sent: u32 = 0;
    for row in rows {
        let message = written(ready, &row, notices)?;
        let Some(request) = request(&ready.config, &message) else {
            return Ok(0);
        };
        let failure = match outbound::call(cx, &MAIL, request).await {
            Ok(response) if response.status < 300 => None,
            Ok(response) => Some(format!("status {}", response.status)),
            Err(error) => Some(error.to_string()),
        };
        let now = cx.clock();
        let template = message.template.name();
        let after = match failure {
            None => {
                sent = sent.saturating_add(1);
                cx.count(metrics::emails(template, "sent"));
                SENT.bind([message.id.into(), now.into()])
            }
            Some(why) => {
                let given_up = (message.attempts >= MAX_ATTEMPTS).then_some(now);
                let result = given_up.map_or("failed", |_| "given_up");
                cx.count(metrics::emails(template, result));
                let wait = MINUTE.saturating_mul(1 << message.attempts.clamp(0, 10));
                NOT_SENT.bind([
                    message.id.into(),
                    why.into(),
                    now.plus(wait).into(),
                    given_up.into(),
                ])
            }
        };
        cx.query(after).await?;
    }
    Ok(sent)
}

/// The mail in the form of the provider that is configured; `None` for the one that keeps them.
/// Nothing of it stands in a header but our own token and id, so no text can add one.
fn request(config: &Config, message: &Message) -> Option<OutboundRequest> {
    let MailProvider::Http {
        url,
        token,
        postmark,
    } = &config.mail
    else {
        return None;
    };
    let token = token.expose();
    let (key, names) = if *postmark {
        let names = ["From", "To", "Subject", "TextBody", "HtmlBody"];
        (("x-postmark-server-token", token.to_owned()), names)
    } else {
        let names = ["from", "to", "subject", "text", "html"];
        (("authorization", ["Bearer ", token].concat()), names)
    };
    let values = [
        config.mail_from.as_str(),
        message.recipient.as_str(),
        message.subject,
        message.text.as_str(),
        message.html.as_str(),
    ];
    let mut body = Map::new();
    for (name, value) in names.into_iter().zip(values) {
        body.insert(name.to_owned(), value.into());
    }
    let headers = vec![
        key,
        ("content-type", "application/json".to_owned()),
        // Whoever looks at it takes a mail once, however often it comes.
        ("idempotency-key", message.id.clone()),
        ("accept", "application/json".to_owned()),
    ];
    let body = Json::Object(body).to_string();
    Some(MAIL.post(url.clone(), headers, body.into_bytes()))
}
