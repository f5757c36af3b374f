//! The HTTP contract: requests, the path every request takes, answers and errors.

mod background;
mod commit;
mod context;
mod cors;
mod credential;
pub(crate) mod database;
mod error;
mod etag;
mod headers;
mod limit;
mod log;
mod measure;
mod message;
mod page;
mod route;
mod serve;
mod tenant;
mod trace;
mod track;

pub use background::in_background;
pub use commit::Guarded;
pub use context::{Actor, Context, Meter};
pub use error::{Code, Error, Interrupt, Kind};
pub use etag::{Expected, etag, is_known};
pub use headers::CANONICAL_SECURITY_HEADERS;
pub use message::{
    BODY_TIME_MS, BodyError, HeaderSource, Incoming, Method, Reply, Request, Response,
};
pub use page::Page;
pub use route::{Access, Found, Idempotency, Route, RouteInfo, find};
pub use serve::{Function, serve};
pub use tenant::Found as FoundTenant;
pub use trace::RequestIds;
