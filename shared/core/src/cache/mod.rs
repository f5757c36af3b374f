//! Documents of other services that change seldom: in this instance, below it in the key-value store
//! for all instances, and then from where they are published (docs/cache.md).
//!
//! Nothing of a tenant, a user or a session is kept here: that is read with the first statement of a
//! request anyway, and must hold at once (docs/decisions/0017-what-is-cached.md).

mod entries;

pub use entries::Cache;
pub(crate) use entries::Document;

use crate::crypto::fingerprint;
use crate::guard::exact_limit::Rule;
use crate::http::{Context, Error};
use crate::key_value;
use crate::metrics;
use crate::outbound::{self, Target};
use crate::port::Platform;
use crate::time::{HOUR, Millis};

/// How long a document is used before it is fetched anew.
const LIFE: i64 = HOUR;
/// The same, as a lifetime in the key-value store, in seconds.
const LIFE_SECONDS: u32 = 3_600;
/// How long whoever waits for another request's fetch sleeps before looking again, in milliseconds.
/// A Worker may not await what another request's I/O resolves, so it looks.
const LOOK: u32 = 20;
/// How often whoever may not fetch looks whether another instance has.
const SOON: u32 = 40;

/// A kind of document.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its name in metrics.
    pub(crate) name: &'static str,
    /// Who publishes it.
    pub(crate) target: &'static Target,
    /// Whether the text is such a document of this tag; another one is not kept.
    pub(crate) check: fn(text: &str, tag: &str) -> Result<(), Error>,
    /// How often all instances together may fetch one, if anybody can make them: the first, and
    /// one that is there already.
    pub(crate) limits: Option<[&'static Rule; 2]>,
}

/// The document at a URL. Of several requests of an instance that miss it at the same time one
/// fetches it. `tag` is what [`invalidate`] names.
///
/// # Errors
/// The limit's, if there is no document at all; those of [`outbound::fetch`] and of the kind's check.
pub(crate) async fn document<P: Platform>(
    cx: &Context<'_, P>,
    kind: &'static Kind,
    tag: &str,
    url: &str,
) -> Result<Document, Error> {
    let cache = &cx.ready()?.cache;
    let asked_at = cx.platform.now();
    let result = |name| cx.count(metrics::cache_requests(kind.name, name));
    let known = cache.borrow_mut().get(url, cx.clock());
    let older = match known {
        Some((document, true)) => {
            result("hit");
            return Ok(document);
        }
        Some((document, false)) => Some(document),
        None => None,
    };
    while !cache.borrow_mut().take_off(url, cx.platform.now()) {
        cx.platform.sleep(LOOK).await;
        if let Some((document, true)) = cache.borrow_mut().get(url, cx.clock()) {
            result("waited");
            return Ok(document);
        }
        if cache.borrow().failed_since(url, asked_at) {
            return Err(outbound::failed("a request beside this one was refused it"));
        }
    }
    let found = find(cx, kind, tag, url, older).await;
    let name = found.as_ref().map_or("failure", |(_, name)| *name);
    result(name);
    cache
        .borrow_mut()
        .land(url, found.is_ok(), cx.platform.now());
    found.map(|(document, _)| document)
}

/// Makes the tag's documents be looked for anew, because one of them seems to be old. False when
/// they are less than a minute old, or have been invalidated since: then there is nothing newer.
pub(crate) fn invalidate<P: Platform>(cx: &Context<'_, P>, kind: &'static Kind, tag: &str) -> bool {
    let now = cx.clock();
    let done = cx
        .ready()
        .is_ok_and(|ready| ready.cache.borrow_mut().invalidate(tag, now));
    if done {
        cx.count(metrics::cache_invalidations(kind.name));
    }
    done
}

/// Looks below this instance: the document, and where it was.
async fn find<P: Platform>(
    cx: &Context<'_, P>,
    kind: &'static Kind,
    tag: &str,
    url: &str,
    older: Option<Document>,
) -> Result<(Document, &'static str), Error> {
    let key = kv_key(url);
    if let Some(document) = stored(cx, &key).await
        && older
            .as_ref()
            .is_none_or(|older| document.fetched_at > older.fetched_at)
    {
        keep(cx, kind, tag, url, &document)?;
        return Ok((document, "shared"));
    }
    if let Some([first, again]) = kind.limits {
        let rule = if older.is_some() { again } else { first };
        let rows = cx.query(rule.hit(tag, cx.now)).await?;
        if let Err(error) = rule.judge(&rows, cx.now) {
            let (document, name) = instead(cx, &key, older).await.ok_or(error)?;
            keep(cx, kind, tag, url, &document)?;
            return Ok((document, name));
        }
    }
    let body = outbound::fetch(cx, kind.target, url.to_owned(), Vec::new()).await?;
    let text = String::from_utf8(body).map_err(|_| outbound::failed("not a text"))?;
    (kind.check)(&text, tag)?;
    let document = Document::new(text, cx.clock());
    keep(cx, kind, tag, url, &document)?;
    // Waited for: where instances live for a few requests the next one has nothing but this.
    let stored = document.to_stored();
    key_value::put(cx.platform, &key, &stored, LIFE_SECONDS, cx.clock()).await;
    Ok((document, "miss"))
}

/// What there is for a request that may not fetch: what it has, or what another instance is fetching;
/// where many begin at once, one of them has it in a moment.
async fn instead<P: Platform>(
    cx: &Context<'_, P>,
    key: &str,
    older: Option<Document>,
) -> Option<(Document, &'static str)> {
    if let Some(older) = older {
        return Some((older, "limited"));
    }
    for _ in 0..SOON {
        cx.platform.sleep(LOOK).await;
        if let Some(document) = stored(cx, key).await {
            return Some((document, "shared"));
        }
    }
    None
}

fn keep<P: Platform>(
    cx: &Context<'_, P>,
    kind: &'static Kind,
    tag: &str,
    url: &str,
    document: &Document,
) -> Result<(), Error> {
    let mut cache = cx.ready()?.cache.borrow_mut();
    if cache.put(url, tag, document.clone()) {
        cx.count(metrics::cache_evictions(kind.name));
    }
    Ok(())
}

/// What an instance has fetched before; a failing store only costs a fetch.
async fn stored<P: Platform>(cx: &Context<'_, P>, key: &str) -> Option<Document> {
    let now: Millis = cx.clock();
    let text = key_value::get(cx.platform, key, now).await?;
    Document::from_stored(&text).filter(|document| document.lives(now))
}

fn kv_key(url: &str) -> String {
    let mut key = "doc:".to_owned();
    key.push_str(&fingerprint(url));
    key
}
