//! What an instance has seen and not written yet.

use super::store::ADD;
use crate::crypto::{base64url, digest};
use crate::sql::Statement;

/// Rows that an instance keeps while they cannot be written. The oldest make room for new ones, and are counted as
/// lost.
const MOST: usize = 1_000;

/// A row.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The moment of the request, or the hour of all, in milliseconds.
    pub(crate) started_at: i64,
    /// What requests of the row have in common: tenant, actor, route, method, code, request id and status, as
    /// [`key`] writes them.
    pub(crate) key: String,
    /// How many, their latency, and the bytes that were received and sent.
    pub(crate) sums: [i64; 4],
    pub(crate) latency_max: i64,
}

/// Texts as the elements of a JSON array. What would need an escape is none of ours, and left out.
pub(crate) fn key(texts: &[Option<&str>]) -> String {
    let mut json = String::new();
    for text in texts {
        let plain = |text: &&str| {
            let mut bytes = text.bytes();
            bytes.all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
        };
        match text.filter(plain) {
            None => json.push_str(",null"),
            Some(text) => {
                for part in [",\"", text, "\""] {
                    json.push_str(part);
                }
            }
        }
    }
    json
}

impl Entry {
    /// Appends what [`ADD`] takes. The id is made of the key, so the same row comes out of every instance, and no
    /// tenant can add to another's.
    fn write(&self, json: &mut String) {
        let id = digest(&[self.key.as_bytes()]);
        let id = base64url(id.get(..16).unwrap_or_default());
        json.push_str(&self.started_at.to_string());
        for part in [",\"", &id, "\"", &self.key] {
            json.push_str(part);
        }
        for number in self.sums.iter().chain([&self.latency_max]) {
            json.push(',');
            json.push_str(&number.to_string());
        }
    }
}

/// Rows in the order in which they began.
#[derive(Debug, Default)]
pub(crate) struct Buffer(Vec<Entry>);

impl Buffer {
    /// Adds to the row that is alike, or a new one; says how many requests were lost for want of room.
    pub(crate) fn add(&mut self, entry: Entry) -> i64 {
        let alike =
            |known: &&mut Entry| known.started_at == entry.started_at && known.key == entry.key;
        if let Some(known) = self.0.iter_mut().rev().find(alike) {
            for (sum, more) in known.sums.iter_mut().zip(entry.sums) {
                *sum = sum.saturating_add(more);
            }
            known.latency_max = known.latency_max.max(entry.latency_max);
            return 0;
        }
        let full = self.0.len() >= MOST;
        let lost = if full { self.0.remove(0).sums[0] } else { 0 };
        self.0.push(entry);
        lost
    }

    /// After a write that failed: what was taken comes before what is new. Says how many requests were lost.
    pub(crate) fn give_back(&mut self, taken: Self) -> i64 {
        let newer = core::mem::replace(self, taken);
        let mut lost: i64 = 0;
        for entry in newer.0 {
            lost = lost.saturating_add(self.add(entry));
        }
        lost
    }

    /// The statement that writes it all; `None` for nothing.
    pub(crate) fn statement(&self) -> Option<Statement> {
        let mut json = String::new();
        for entry in &self.0 {
            json.push_str(if json.is_empty() { "[[" } else { "],[" });
            entry.write(&mut json);
        }
        if json.is_empty() {
            return None;
        }
        json.push_str("]]");
        Some(ADD.bind([json.into()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(started_at: i64, tenant: &str) -> Entry {
        Entry {
            started_at,
            key: key(&[Some(tenant), None, Some("r")]),
            sums: [1, 5, 10, 100],
            latency_max: 5,
        }
    }

    /// Rows: J-04
    #[test]
    fn alike_requests_are_one_row() {
        let mut buffer = Buffer::default();
        for _ in 0..3 {
            assert_eq!(buffer.add(entry(1, "ten_1")), 0);
        }
        buffer.add(Entry {
            latency_max: 7,
            ..entry(1, "ten_1")
        });
        buffer.add(entry(1, "ten_2"));
        buffer.add(entry(2, "ten_1"));
        let requests: Vec<_> = buffer.0.iter().map(|entry| entry.sums[0]).collect();
        assert_eq!(requests, [4, 1, 1]);
        assert_eq!(buffer.0[0].sums, [4, 20, 40, 400]);
        assert_eq!(buffer.0[0].latency_max, 7);
    }

    /// Rows: J-06
    #[test]
    fn the_oldest_make_room() {
        let mut buffer = Buffer::default();
        let (mut lost, most) = (0, i64::try_from(MOST).unwrap());
        for number in 0..most {
            lost += buffer.add(entry(number, "ten_1"));
        }
        assert_eq!(lost, 0);
        let taken = core::mem::take(&mut buffer);
        for number in 0..5 {
            buffer.add(entry(most + number, "ten_1"));
        }
        buffer.add(entry(most, "ten_1"));
        assert_eq!(buffer.give_back(taken), 5);
        assert_eq!(buffer.0.len(), MOST);
        assert_eq!(buffer.0[0].started_at, 5);
        assert_eq!(buffer.add(entry(-1, "ten_1")), 1);
        let last = buffer.0.iter().find(|known| known.started_at == most);
        assert_eq!(last.unwrap().sums[0], 2);
    }

    /// Rows: J-04 L-04
    #[test]
    fn rows_are_json_with_an_id_of_what_they_have_in_common() {
        let mut buffer = Buffer::default();
        assert!(buffer.statement().is_none());
        for (at, tenant) in [(1, "ten_1"), (2, "ten_1"), (2, "ten_2")] {
            buffer.add(entry(at, tenant));
        }
        let statement = buffer.statement().unwrap();
        let [crate::sql::Value::Text(json)] = statement.params.as_slice() else {
            panic!("{statement:?}")
        };
        let rows: serde_json::Value = serde_json::from_str(json).unwrap();
        let id = |at: usize| rows[at][1].as_str().unwrap();
        let one = serde_json::json!([1, id(0), "ten_1", null, "r", 1, 5, 10, 100, 5]);
        assert_eq!(rows[0], one);
        assert_eq!((id(0), id(0).len()), (id(1), 22));
        assert_ne!(id(1), id(2));
    }

    #[test]
    fn texts_that_could_break_out_are_left_out() {
        let odd = ["a\"b", "a\\", "a b", "a\0", "ä", "a\n"];
        for text in odd {
            assert_eq!(key(&[Some(text), Some("r")]), ",null,\"r\"");
        }
    }
}
