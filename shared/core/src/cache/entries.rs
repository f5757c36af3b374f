//! What one instance keeps: so many documents of so many bytes, the least used of which makes room.

use std::rc::Rc;

use super::LIFE;
use crate::time::{MINUTE, Millis, SECOND};

/// Documents: more than a configuration names.
const MAX: usize = 32;
/// Longest text that is kept, in bytes: key sets and descriptions of issuers have a tenth of it.
const MAX_TEXT: usize = 65_536;
/// When a fetch counts as lost with its request, so that another one may take its place.
const OVERDUE: i64 = 3 * SECOND;

/// A document, as it was at a moment. A clone is another handle to it.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) text: Rc<str>,
    pub(crate) fetched_at: Millis,
}

impl Document {
    pub(super) fn new(text: String, fetched_at: Millis) -> Self {
        let text = text.into();
        Self { text, fetched_at }
    }

    pub(super) fn lives(&self, now: Millis) -> bool {
        now.since(self.fetched_at).abs() < LIFE
    }

    /// `<fetched, Unix milliseconds>\n<text>`.
    pub(super) fn to_stored(&self) -> String {
        let mut stored = self.fetched_at.0.to_string();
        stored.push('\n');
        stored.push_str(&self.text);
        stored
    }

    pub(super) fn from_stored(stored: &str) -> Option<Self> {
        let (fetched_at, text) = stored.split_once('\n')?;
        let fetched_at = Millis(fetched_at.parse().ok()?);
        Some(Self::new(text.to_owned(), fetched_at))
    }
}

/// The documents of an instance, by their URLs.
#[derive(Debug, Default)]
pub struct Cache {
    entries: Vec<Entry>,
    tags: Vec<Tag>,
    flights: Vec<Flight>,
    /// Counts uses, to tell which entry is the least used.
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    url: String,
    tag: String,
    /// Its tag's when it was put here.
    generation: u32,
    document: Document,
    used: u64,
}

#[derive(Debug)]
struct Tag {
    name: String,
    generation: u32,
    bumped_at: Millis,
}

/// A fetch that is under way, or the last one if it failed.
#[derive(Debug)]
struct Flight {
    url: String,
    until: Millis,
    failed_at: Option<Millis>,
}

impl Cache {
    /// The document if it lives, and whether its tag has not been invalidated since.
    pub(super) fn get(&mut self, url: &str, now: Millis) -> Option<(Document, bool)> {
        let uses = self.uses.saturating_add(1);
        let entry = self.entries.iter_mut().find(|entry| entry.url == url)?;
        if !entry.document.lives(now) {
            return None;
        }
        self.uses = uses;
        entry.used = uses;
        let (document, generation) = (entry.document.clone(), entry.generation);
        let tag = self.tags.iter().find(|tag| tag.name == entry.tag);
        let current = tag.map_or(0, |tag| tag.generation);
        Some((document, generation == current))
    }

    /// Keeps a document, in its tag's generation; true when another one had to go.
    pub(super) fn put(&mut self, url: &str, tag: &str, document: Document) -> bool {
        if document.text.len() > MAX_TEXT {
            return false;
        }
        let known = self.tags.iter().find(|known| known.name == tag);
        self.uses = self.uses.saturating_add(1);
        let entry = Entry {
            url: url.to_owned(),
            tag: tag.to_owned(),
            generation: known.map_or(0, |tag| tag.generation),
            document,
            used: self.uses,
        };
        if let Some(known) = self.entries.iter_mut().find(|known| known.url == url) {
            *known = entry;
            return false;
        }
        if self.entries.len() < MAX {
            self.entries.push(entry);
            return false;
        }
        if let Some(least) = self.entries.iter_mut().min_by_key(|entry| entry.used) {
            *least = entry;
        }
        true
    }

    /// Begins a new generation of the tag, unless there can be nothing newer than what is here: it was
    /// fetched less than a minute ago, or this was done as lately.
    pub(super) fn invalidate(&mut self, tag: &str, now: Millis) -> bool {
        let lately = |at: Millis| now.since(at).abs() < MINUTE;
        let mut own = self.entries.iter().filter(|entry| entry.tag == tag);
        if own.any(|entry| lately(entry.document.fetched_at)) {
            return false;
        }
        match self.tags.iter_mut().find(|known| known.name == tag) {
            Some(known) if lately(known.bumped_at) => return false,
            Some(known) => {
                known.generation = known.generation.wrapping_add(1);
                known.bumped_at = now;
            }
            None => self.tags.push(Tag {
                name: tag.to_owned(),
                generation: 1,
                bumped_at: now,
            }),
        }
        true
    }

    /// Whether the caller is the one to fetch this; the others look again.
    pub(super) fn take_off(&mut self, url: &str, now: Millis) -> bool {
        let until = now.plus(OVERDUE);
        match self.flights.iter_mut().find(|flight| flight.url == url) {
            Some(flight) if flight.until.0 > now.0 => false,
            Some(flight) => {
                flight.until = until;
                flight.failed_at = None;
                true
            }
            None => {
                let (url, failed_at) = (url.to_owned(), None);
                self.flights.push(Flight {
                    url,
                    until,
                    failed_at,
                });
                true
            }
        }
    }

    /// Ends what [`Self::take_off`] began. What is invalid and could not be replaced holds on.
    pub(super) fn land(&mut self, url: &str, found: bool, now: Millis) {
        if found {
            self.flights.retain(|flight| flight.url != url);
            return;
        }
        if let Some(flight) = self.flights.iter_mut().find(|flight| flight.url == url) {
            flight.until = Millis::default();
            flight.failed_at = Some(now);
        }
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.url == url) else {
            return;
        };
        let tag = self.tags.iter().find(|tag| tag.name == entry.tag);
        entry.generation = tag.map_or(0, |tag| tag.generation);
    }

    /// Whether a fetch of this has failed since then.
    pub(super) fn failed_since(&self, url: &str, then: Millis) -> bool {
        let flight = self.flights.iter().find(|flight| flight.url == url);
        let failed_at = flight.and_then(|flight| flight.failed_at);
        failed_at.is_some_and(|at| at >= then)
    }

    /// How many documents there are.
    pub(crate) fn size(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::HOUR;

    const NOW: Millis = Millis(1_000_000_000);

    fn put(cache: &mut Cache, url: &str, tag: &str, at: Millis) -> bool {
        cache.put(url, tag, Document::new(url.to_owned(), at))
    }

    /// Whether it is there, and current.
    fn state(cache: &mut Cache, url: &str, now: Millis) -> Option<bool> {
        cache.get(url, now).map(|(_, current)| current)
    }

    /// Rows: AB-01
    #[test]
    fn what_has_expired_is_not_served() {
        let mut cache = Cache::default();
        put(&mut cache, "a", "t", NOW);
        assert_eq!(state(&mut cache, "a", NOW.plus(HOUR - 1)), Some(true));
        assert_eq!(state(&mut cache, "a", NOW.plus(HOUR)), None);
        assert_eq!(state(&mut cache, "a", NOW.minus(HOUR)), None);
        put(&mut cache, "a", "t", NOW.plus(HOUR));
        assert_eq!(state(&mut cache, "a", NOW.plus(HOUR)), Some(true));
        assert_eq!(cache.size(), 1);
    }

    /// Rows: AB-03
    #[test]
    fn the_least_used_makes_room_and_what_is_long_stays_outside() {
        let mut cache = Cache::default();
        for n in 0..MAX {
            assert!(!put(&mut cache, &n.to_string(), "t", NOW));
        }
        assert!(state(&mut cache, "0", NOW).is_some());
        assert!(put(&mut cache, "new", "t", NOW));
        assert!(state(&mut cache, "0", NOW).is_some());
        assert!(state(&mut cache, "1", NOW).is_none());
        let long = Document::new("x".repeat(MAX_TEXT + 1), NOW);
        assert!(!cache.put("long", "t", long));
        assert!(state(&mut cache, "long", NOW).is_none());
        assert_eq!(cache.size(), MAX);
    }

    /// Rows: AB-04
    #[test]
    fn a_tag_drops_exactly_what_it_names() {
        let mut cache = Cache::default();
        for (url, tag) in [("a", "one"), ("b", "one"), ("c", "two")] {
            put(&mut cache, url, tag, NOW);
        }
        // What was just fetched is as new as can be.
        assert!(!cache.invalidate("one", NOW.plus(MINUTE - 1)));
        let later = NOW.plus(MINUTE);
        assert!(cache.invalidate("one", later));
        let states = ["a", "b", "c"].map(|url| state(&mut cache, url, later));
        assert_eq!(states, [Some(false), Some(false), Some(true)]);
        // Each is fetched anew for itself.
        put(&mut cache, "a", "one", later);
        let states = ["a", "b", "c"].map(|url| state(&mut cache, url, later));
        assert_eq!(states, [Some(true), Some(false), Some(true)]);
        assert!(!cache.invalidate("one", later.plus(MINUTE - 1)));
        assert!(cache.invalidate("one", later.plus(MINUTE)));
        assert_eq!(state(&mut cache, "a", later), Some(false));
        // A life is not made longer by it.
        assert_eq!(state(&mut cache, "b", NOW.plus(HOUR)), None);
    }

    /// Rows: AB-02
    #[test]
    fn one_fetches_and_one_that_is_lost_is_replaced() {
        let mut cache = Cache::default();
        assert!(cache.take_off("a", NOW) && cache.take_off("b", NOW));
        assert!(!cache.take_off("a", NOW.plus(OVERDUE - 1)));
        assert!(cache.take_off("a", NOW.plus(OVERDUE)));
        cache.land("a", true, NOW);
        assert!(cache.take_off("a", NOW));
        cache.land("a", false, NOW.plus(5));
        assert!(cache.failed_since("a", NOW));
        assert!(!cache.failed_since("a", NOW.plus(6)));
        assert!(cache.take_off("a", NOW.plus(6)));
        assert!(!cache.failed_since("a", NOW));
    }

    /// Rows: AB-04
    #[test]
    fn what_could_not_be_replaced_holds_on() {
        let mut cache = Cache::default();
        put(&mut cache, "a", "t", NOW);
        let later = NOW.plus(MINUTE);
        assert!(cache.invalidate("t", later) && cache.take_off("a", later));
        cache.land("a", false, later);
        assert_eq!(state(&mut cache, "a", later), Some(true));
    }

    #[test]
    fn documents_are_stored_with_their_age() {
        let stored = Document::new("{\n}".to_owned(), NOW).to_stored();
        let document = Document::from_stored(&stored).unwrap();
        assert_eq!((&*document.text, document.fetched_at), ("{\n}", NOW));
        assert!(Document::from_stored("x").is_none() && Document::from_stored("x\n").is_none());
    }
}
