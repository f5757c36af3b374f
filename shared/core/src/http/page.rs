//! Pages of a list: `?limit=` and `?cursor=`, newest first.
//!
//! A cursor holds the place of the last row, not a number of rows, so that rows which come in
//! meanwhile neither repeat nor skip anything.

use super::error::Error;
use super::message::{Reply, Request};
use crate::crypto::{base64url, from_base64url};
use crate::sql::{MAX_INTEGER, Value};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 100;

/// Which part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    limit: usize,
    time: i64,
    id: String,
}

impl Page {
    /// From the query of a request.
    ///
    /// # Errors
    /// `VALIDATION` naming `limit` (1 to 100) or `cursor`.
    pub fn read(request: &Request<'_>) -> Result<Self, Error> {
        let limit = match request.query_value("limit")? {
            None => DEFAULT_LIMIT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                .ok_or_else(|| {
                    Error::invalid("limit", format!("Must be a number from 1 to {MAX_LIMIT}."))
                })?,
        };
        let (time, id) = match request.query_value("cursor")? {
            None => (MAX_INTEGER, String::new()),
            Some(text) => open(&text)
                .ok_or_else(|| Error::invalid("cursor", "Must be the nextCursor of a page."))?,
        };
        Ok(Self { limit, time, id })
    }

    /// Values for `(created_at, id) < (?, ?) … LIMIT ?`: one row more than the page, which tells
    /// whether there is another.
    pub fn params(&self) -> [Value; 3] {
        let more = i64::try_from(self.limit).unwrap_or(0).saturating_add(1);
        [self.time.into(), self.id.as_str().into(), more.into()]
    }

    /// The answer for rows that were read with [`Self::params`]; `place` tells time and id of an
    /// item, `show` what the client sees of it.
    pub fn reply<T, E>(
        &self,
        rows: &[T],
        place: impl Fn(&T) -> Result<(i64, String), E>,
        show: impl Fn(&T) -> Result<serde_json::Value, E>,
    ) -> Result<Reply, E> {
        let page = rows.get(..self.limit).unwrap_or(rows);
        let items = page.iter().map(show).collect::<Result<Vec<_>, E>>()?;
        let next = match page.last().filter(|_| rows.len() > self.limit) {
            None => None,
            Some(last) => {
                let (time, id) = place(last)?;
                Some(base64url(format!("{time}:{id}").as_bytes()))
            }
        };
        Ok(Reply::page(&items, next))
    }
}

fn open(cursor: &str) -> Option<(i64, String)> {
    let text = String::from_utf8(from_base64url(cursor)?).ok()?;
    let (time, id) = text.split_once(':')?;
    let time = time
        .parse()
        .ok()
        .filter(|time| (0..=MAX_INTEGER).contains(time))?;
    let plain = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_graphic());
    plain.then(|| (time, id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_cursors_open() {
        let cursor = base64url(b"1760000000000:job_1");
        assert_eq!(open(&cursor), Some((1_760_000_000_000, "job_1".to_owned())));
        for text in [
            "",
            "x",
            "!",
            &base64url(b"-1:a"),
            &base64url(b"1"),
            &base64url(b"1:a\0"),
            &base64url(b"9e9:a"),
        ] {
            assert_eq!(open(text), None, "{text}");
        }
    }
}
