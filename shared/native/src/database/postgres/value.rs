//! Values on their way to PostgreSQL and back.

use std::error::Error;

use bytes::BytesMut;
use edgekeep_core::port::DatabaseError;
use edgekeep_core::sql::{self, Value};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// A value bound to a placeholder, whose type the server has inferred.
#[derive(Debug)]
pub(super) struct Parameter<'a>(pub(super) &'a Value);

impl ToSql for Parameter<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self.0, ty) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Int(n), &Type::INT8) => n.to_sql(ty, out),
            (Value::Int(n), &Type::INT4) => i32::try_from(*n)?.to_sql(ty, out),
            (Value::Text(text), &Type::TEXT | &Type::VARCHAR) => text.to_sql(ty, out),
            (Value::Int(_), _) => Err(format!("an integer for a parameter of type {ty}").into()),
            (Value::Text(_), _) => Err(format!("a text for a parameter of type {ty}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        // It depends on the value; `to_sql` says no.
        true
    }

    to_sql_checked!();
}

/// A row, if it has only columns that every database has.
pub(super) fn row(row: &tokio_postgres::Row) -> Result<sql::Row, DatabaseError> {
    let columns = row.columns().iter().enumerate();
    let values = columns.map(|(index, column)| {
        let value = match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(index).map(Value::from),
            Type::INT4 => row
                .try_get::<_, Option<i32>>(index)
                .map(|n| Value::from(n.map(i64::from))),
            Type::TEXT | Type::VARCHAR => row.try_get::<_, Option<String>>(index).map(Value::from),
            ref other => {
                return Err(DatabaseError::Shape(format!(
                    "{} is of type {other}",
                    column.name()
                )));
            }
        };
        value.map_err(|error| DatabaseError::Shape(error.to_string()))
    });
    values.collect::<Result<_, _>>().map(sql::Row)
}
