//! D1.

use edgekeep_core::port::{Database, DatabaseError, Dialect};
use edgekeep_core::sql::{Row, Statement, Value, to_signed_placeholders};
use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, SerializeSeq as _, Serializer};
use wasm_bindgen::JsValue;

use crate::glue;

/// D1 gives up after 30 s; a client has gone by then.
const TIME_MS: u32 = 10_000;

/// A D1 database. However many statements and rows a call has, it crosses into `JavaScript`
/// once and comes back once, with JSON both ways.
#[derive(Debug)]
pub struct D1(pub(crate) JsValue);

impl D1 {
    async fn run(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        let text = serde_json::to_string(&Batch(statements))
            .map_err(|error| DatabaseError::Refused(error.to_string()))?;
        let rows = glue::query(&self.0, &text, TIME_MS)
            .await
            .map_err(|error| classify(&error))?;
        let rows: Vec<Vec<Vec<Cell>>> = serde_json::from_str(&String::from(rows))
            .map_err(|error| DatabaseError::Shape(error.to_string()))?;
        let row = |cells: Vec<Cell>| Row(cells.into_iter().map(|cell| cell.0).collect());
        Ok(rows
            .into_iter()
            .map(|rows| rows.into_iter().map(row).collect())
            .collect())
    }
}

impl Database for D1 {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn query(&self, statement: &Statement) -> Result<Vec<Row>, DatabaseError> {
        let rows = self.run(core::slice::from_ref(statement)).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    async fn batch(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        // D1 calls an empty batch an error.
        if statements.is_empty() {
            Ok(Vec::new())
        } else {
            self.run(statements).await
        }
    }
}

/// Whether the same call may succeed later. D1 has no error codes, only texts: those of SQLite
/// and of its own checks are about the statement, all others (overloaded, restarted, not
/// reached) about the moment.
fn classify(error: &JsValue) -> DatabaseError {
    const GAVE_WAY: [&str; 2] = ["SQLITE_BUSY", "SQLITE_LOCKED"];
    const PASSING: [&str; 4] = [
        "SQLITE_FULL",
        "SQLITE_IOERR",
        "SQLITE_NOMEM",
        "SQLITE_INTERRUPT",
    ];
    const OURS: [&str; 5] = [
        "SQLITE_",
        "D1_TYPE_ERROR",
        "Wrong number of parameter bindings",
        "too many SQL variables",
        "syntax error",
    ];
    let text = glue::reason(error);
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&GAVE_WAY) {
        DatabaseError::Busy(text)
    } else if says(&OURS) && !says(&PASSING) {
        DatabaseError::Refused(text)
    } else {
        DatabaseError::Unavailable(text)
    }
}

/// `[[sql, [value]]]`
struct Batch<'a>(&'a [Statement]);

impl Serialize for Batch<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(Bound))
    }
}

struct Bound<'a>(&'a Statement);

impl Serialize for Bound<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut pair = to.serialize_seq(Some(2))?;
        let text = self.0.query.text(Dialect::Sqlite);
        pair.serialize_element(&to_signed_placeholders(text))?;
        pair.serialize_element(&Params(&self.0.params))?;
        pair.end()
    }
}

struct Params<'a>(&'a [Value]);

impl Serialize for Params<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(Some(self.0.len()))?;
        for value in self.0 {
            match value {
                Value::Null => list.serialize_element(&())?,
                Value::Int(number) => list.serialize_element(number)?,
                Value::Text(text) => list.serialize_element(text)?,
            }
        }
        list.end()
    }
}

/// A value that came back.
struct Cell(Value);

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl Visitor<'_> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("NULL, an integer or text")
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell(Value::Null))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Cell, E> {
        Ok(Cell(Value::Int(number)))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Cell, E> {
        i64::try_from(number)
            .map(|number| Cell(Value::Int(number)))
            .map_err(E::custom)
    }

    fn visit_str<E>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell(Value::Text(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Cell, E> {
        Ok(Cell(Value::Text(text)))
    }
}
