//! What a resource is: its description, and the rules that follow from it.

use serde_json::{Map, Value as Json, json};

use super::store::Sql;
use super::temp;
use crate::fields::Fields;
use crate::http::{Code, Error};
use crate::id::is_id;
use crate::port::DatabaseError;
use crate::sql::{Row, TenantQuery, Value};
use crate::tenancy::Permission;
use crate::time::Millis;

/// Bytes of an object of the caller's own, and how deep it may be nested.
const FREE_BYTES: usize = 16_384;
const FREE_DEPTH: usize = 8;
/// Columns that every resource has, before its own (`store::shown!`).
const COMMON: usize = 6;

/// One kind of thing.
#[derive(Debug)]
pub(super) struct Resource {
    /// `projects`: its table, its path, and its name in the table of temporary ids.
    pub(super) name: &'static str,
    /// `project`, for people.
    pub(super) one: &'static str,
    /// Of its ids.
    pub(super) prefix: &'static str,
    /// What the audit log calls its changes.
    pub(super) acts: Acts,
    /// What changes colleagues' things, and shows deleted ones.
    pub(super) all: Permission,
    /// Its own columns, in the order of its statements.
    pub(super) columns: &'static [Column],
    /// What it may belong to.
    pub(super) parent: Option<Parent>,
    /// What may belong to it: as long as there is any, it stays.
    pub(super) children: Option<Children>,
    /// Its statements.
    pub(super) sql: Sql,
}

/// Names of changes in the audit log.
#[derive(Debug)]
pub(super) struct Acts {
    pub(super) create: &'static str,
    pub(super) update: &'static str,
    pub(super) delete: &'static str,
    pub(super) restore: &'static str,
}

/// A column that clients write.
#[derive(Debug)]
pub(super) struct Column {
    /// In requests and in the table.
    pub(super) field: &'static str,
    /// In answers.
    pub(super) shown: &'static str,
    /// What it may hold.
    pub(super) rule: Rule,
}

/// What a column may hold.
#[derive(Debug)]
pub(super) enum Rule {
    /// A text of 1 to so many characters, which must be there.
    Name(usize),
    /// The same, or nothing.
    Text(usize),
    /// The id of something else, with that prefix, or nothing.
    Id(&'static str),
    /// An object of the caller's own; `{}` for nothing.
    Free,
}

/// What a resource may belong to.
#[derive(Debug)]
pub(super) struct Parent {
    /// Which of the own columns names it.
    pub(super) column: usize,
    /// `?1` tenant, `?2` id: a row for one that is there and not deleted.
    pub(super) find: &'static TenantQuery,
}

/// What may belong to a resource.
#[derive(Debug)]
pub(super) struct Children {
    /// What they are called.
    pub(super) name: &'static str,
    /// `?1` tenant, `?2` id: how many there are.
    pub(super) count: &'static TenantQuery,
}

impl Column {
    /// The value in a request; `None` where the request does not speak of it.
    fn read(&self, fields: &mut Fields) -> Result<Option<Value>, Error> {
        let name = self.field;
        if fields.is_null(name) {
            return match self.rule {
                Rule::Name(_) => Err(Error::invalid(name, "Must not be null.")),
                Rule::Text(_) | Rule::Id(_) => Ok(Some(Value::Null)),
                Rule::Free => Ok(Some("{}".into())),
            };
        }
        let text = match self.rule {
            Rule::Name(max) | Rule::Text(max) => fields.opt_text(name, 1, max)?,
            Rule::Id(_) => fields.opt_text(name, 1, 64)?,
            Rule::Free => {
                let object = fields.opt_free_object(name, FREE_BYTES, FREE_DEPTH)?;
                if object.as_ref().is_some_and(temp::is_within) {
                    return Err(Error::new(Code::TempIdNotAllowed).with_field(name));
                }
                object.map(|object| object.to_string())
            }
        };
        let Some(text) = text else { return Ok(None) };
        if temp::is_temp(&text) {
            return Err(Error::new(Code::TempIdNotAllowed).with_field(name));
        }
        if let Rule::Id(prefix) = self.rule
            && !is_id(prefix, &text)
        {
            return Err(Error::invalid(
                name,
                format!("Must be an id such as {prefix}_…."),
            ));
        }
        Ok(Some(text.into()))
    }

    /// What it holds if a creation does not speak of it.
    fn without(&self) -> Result<Value, Error> {
        match self.rule {
            Rule::Name(_) => Err(Error::invalid(self.field, "Is required.")),
            Rule::Text(_) | Rule::Id(_) => Ok(Value::Null),
            Rule::Free => Ok("{}".into()),
        }
    }

    fn show(&self, row: &Row, index: usize) -> Result<Json, DatabaseError> {
        match self.rule {
            Rule::Free => serde_json::from_str(row.text(index)?)
                .map_err(|_| DatabaseError::Shape(format!("column {index} is not JSON"))),
            Rule::Name(_) | Rule::Text(_) | Rule::Id(_) => Ok(json!(row.opt_text(index)?)),
        }
    }
}

impl Resource {
    /// The path of all, without a slash at its end.
    pub(super) fn path(&self, id: &str) -> String {
        format!("/api/v1/{}/{id}", self.name)
    }

    /// The own columns of a creation.
    ///
    /// # Errors
    /// `VALIDATION` or `TEMP_ID_NOT_ALLOWED` naming the field.
    pub(super) fn read_new(&self, fields: &mut Fields) -> Result<Vec<Value>, Error> {
        let read = |column: &Column| match column.read(fields)? {
            Some(value) => Ok(value),
            None => column.without(),
        };
        self.columns.iter().map(read).collect()
    }

    /// The own columns of a change: `None` for what stays as it is.
    ///
    /// # Errors
    /// As [`Self::read_new`].
    pub(super) fn read_changes(&self, fields: &mut Fields) -> Result<Vec<Option<Value>>, Error> {
        let columns = self.columns.iter();
        columns.map(|column| column.read(fields)).collect()
    }

    /// What `values` of the own columns belong to, if to anything.
    pub(super) fn parent_in<'v>(&self, values: &'v [Value]) -> Option<(&Parent, &'v Value)> {
        let parent = self.parent.as_ref()?;
        let value = values.get(parent.column)?;
        (*value != Value::Null).then_some((parent, value))
    }

    /// What a row belongs to, if to anything.
    pub(super) fn parent_of(&self, row: &Row) -> Option<&Parent> {
        let own = row.0.get(COMMON..).unwrap_or_default();
        self.parent_in(own).map(|(parent, _)| parent)
    }

    /// The field that names what it belongs to.
    pub(super) fn parent_field(&self, parent: &Parent) -> &'static str {
        self.columns.get(parent.column).map_or("", |own| own.field)
    }

    /// The error for something that is not there to belong to.
    pub(super) fn orphaned(&self, parent: &Parent) -> Error {
        let rule = "Must be one that is there and not deleted.";
        Error::invalid(self.parent_field(parent), rule)
    }

    /// What clients see of a row of `store::shown!`.
    pub(super) fn show(&self, row: &Row) -> Result<Map<String, Json>, DatabaseError> {
        let mut shown = Map::new();
        shown.insert("id".to_owned(), row.text(0)?.into());
        for (column, index) in self.columns.iter().zip(COMMON..) {
            shown.insert(column.shown.to_owned(), column.show(row, index)?);
        }
        let time = |index| Ok(row.opt_int(index)?.map(|time| Millis(time).rfc3339()));
        shown.insert("version".to_owned(), row.int(1)?.into());
        shown.insert("createdBy".to_owned(), row.text(2)?.into());
        shown.insert("createdAt".to_owned(), json!(time(3)?));
        shown.insert("updatedAt".to_owned(), json!(time(4)?));
        shown.insert("deletedAt".to_owned(), json!(time(5)?));
        Ok(shown)
    }
}

/// The own columns of `row` with `changes` made to them.
pub(super) fn merge(row: &Row, changes: Vec<Option<Value>>) -> Vec<Value> {
    let old = row.0.iter().skip(COMMON).cloned();
    let pairs = old.zip(changes);
    pairs.map(|(old, new)| new.unwrap_or(old)).collect()
}

/// A row as it is after its creation, in the order of `store::shown!`.
pub(super) fn new_row(id: &str, user: &str, now: Millis, own: Vec<Value>) -> Row {
    let mut columns = vec![
        id.into(),
        1_i64.into(),
        user.into(),
        now.into(),
        now.into(),
        Value::Null,
    ];
    columns.extend(own);
    Row(columns)
}

/// The columns of a row that rules ask for.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) version: i64,
    pub(super) created_by: String,
    pub(super) is_deleted: bool,
}

impl Head {
    pub(super) fn of(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            version: row.int(1)?,
            created_by: row.text(2)?.to_owned(),
            is_deleted: row.opt_int(5)?.is_some(),
        })
    }
}
