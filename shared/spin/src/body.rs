//! Bodies and header fields in the form that `wasi:http` streams them.
//!
//! The SDK's way over the `http` crate copies header maps and wraps bodies; all of it is known
//! here before sending, so it goes over in one piece each.

use edgekeep_core::http::Response as Answer;
use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Response, Trailers};
use spin_sdk::wasip3::{spawn, wit_future, wit_stream};
use spin_sdk::wit_bindgen::{FutureReader, StreamReader, StreamResult};

/// Room made for a body whose length nobody announced.
const CHUNK: usize = 16 * 1024;

/// How a body ends: perhaps with trailers, perhaps broken off.
pub(crate) type End = FutureReader<Result<Option<Trailers>, ErrorCode>>;

/// Why a body was not read to its end.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// It is longer than the limit.
    TooLong,
    /// The other side broke off.
    Broken(String),
}

/// Reads a stream to its end, which must come within `limit` bytes.
pub(crate) async fn read(
    mut stream: StreamReader<u8>,
    end: End,
    limit: usize,
    expected: Option<usize>,
) -> Result<Vec<u8>, ReadError> {
    // One byte more than expected, so that the end is seen without growing.
    let room = expected.map_or(CHUNK, |length| length.min(limit).saturating_add(1));
    let mut body = Vec::with_capacity(room);
    loop {
        if body.len() == body.capacity() {
            body.reserve(CHUNK);
        }
        let (result, filled) = stream.read(body).await;
        body = filled;
        if body.len() > limit {
            return Err(ReadError::TooLong);
        }
        match result {
            StreamResult::Complete(_) => {}
            StreamResult::Dropped => break,
            StreamResult::Cancelled => return Err(ReadError::Broken("cancelled".to_owned())),
        }
    }
    // The stream ends alike for a whole body and for one whose sender went away.
    match end.await {
        Ok(_) => Ok(body),
        Err(code) => Err(ReadError::Broken(format!("{code:?}"))),
    }
}

/// A stream that gives `bytes`; `None` for no bytes.
pub(crate) fn stream(bytes: Vec<u8>) -> Option<StreamReader<u8>> {
    if bytes.is_empty() {
        return None;
    }
    let (mut writer, reader) = wit_stream::new();
    // What the other side does not want any more comes back, and nobody needs it.
    spawn(async move { drop(writer.write_all(bytes).await) });
    Some(reader)
}

/// The end of a body without trailers.
pub(crate) fn no_trailers() -> End {
    // A writer that is dropped sends the default.
    let (_, reader) = wit_future::new(|| Ok(None));
    reader
}

/// Header fields, and the length of a body that has one: with it the body needs no chunks.
pub(crate) fn fields(headers: Vec<(&'static str, String)>, length: usize) -> Fields {
    let mut list: Vec<(String, Vec<u8>)> = headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into_bytes()))
        .collect();
    if length > 0 {
        list.push(("content-length".to_owned(), length.to_string().into_bytes()));
    }
    // All in one call; if the host refuses one of them, the others go without it.
    Fields::from_list(&list).unwrap_or_else(|_| {
        let fields = Fields::new();
        for (name, value) in &list {
            let _ = fields.append(name, value);
        }
        fields
    })
}

/// The answer as Spin takes it.
pub(crate) fn response(answer: Answer) -> Response {
    let headers = fields(answer.headers, answer.body.len());
    let (response, _sent) = Response::new(headers, stream(answer.body), no_trailers());
    // Refused only outside 100 to 999, which the core never answers.
    let _ = response.set_status_code(answer.status);
    response
}
