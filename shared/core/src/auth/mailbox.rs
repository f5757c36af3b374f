//! The development mailbox: what was sent to an address, where a developer can read it.

use serde_json::{Value as Json, json};

use crate::http::{Context, Error, Interrupt, Reply};
use crate::mail;
use crate::port::Platform;

/// The latest messages to `?to=`. The route does not exist in staging and production.
pub(super) async fn read<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let to = cx
        .request
        .query_value("to")?
        .ok_or_else(|| Error::invalid("to", "Is required."))?;
    let rows = cx.query(mail::latest_to(&to.trim().to_lowercase())).await?;
    let ready = cx.ready()?;
    let messages: Result<Vec<Json>, Error> = rows
        .iter()
        .map(|row| {
            let message = mail::render(ready, row)?;
            Ok(json!({
                "id": message.id,
                "to": message.recipient,
                "subject": message.subject,
                "text": message.text,
                "link": message.link,
            }))
        })
        .collect();
    Ok(Reply::ok(&messages?))
}
