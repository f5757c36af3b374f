//! Values between the core and PostgreSQL.

use edgekeep_core::sql::{Row, Value};
use spin_sdk::pg::{DbValue, ParameterValue};

use super::failure::Failure;

/// A parameter. Integers are BIGINT wherever a statement compares or stores them.
pub(super) fn param(value: &Value) -> ParameterValue {
    match value {
        Value::Null => ParameterValue::DbNull,
        Value::Int(n) => ParameterValue::Int64(*n),
        Value::Text(text) => ParameterValue::Str(text.clone()),
    }
}

/// A row; NULL stays NULL, and integers are exact.
pub(super) fn row(values: Vec<DbValue>) -> Result<Row, Failure> {
    values
        .into_iter()
        .map(value)
        .collect::<Result<_, _>>()
        .map(Row)
}

fn value(value: DbValue) -> Result<Value, Failure> {
    match value {
        DbValue::DbNull => Ok(Value::Null),
        DbValue::Int64(n) => Ok(Value::Int(n)),
        DbValue::Int32(n) => Ok(Value::Int(n.into())),
        DbValue::Int16(n) => Ok(Value::Int(n.into())),
        // As SQLite answers a comparison.
        DbValue::Boolean(yes) => Ok(Value::Int(yes.into())),
        DbValue::Str(text) => Ok(Value::Text(text)),
        // SUM of BIGINT is NUMERIC here and an integer in SQLite.
        DbValue::Decimal(text) => match text.parse() {
            Ok(n) => Ok(Value::Int(n)),
            Err(_) => Err(Failure::shape(
                "a NUMERIC column that is no integer".to_owned(),
            )),
        },
        DbValue::Jsonb(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Value::Text(text)),
            Err(_) => Err(Failure::shape(
                "a JSONB column that is not UTF-8".to_owned(),
            )),
        },
        _ => Err(Failure::shape(
            "a column of a type that no statement uses".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_exact() {
        let given = vec![
            DbValue::Int64(9_007_199_254_740_993),
            DbValue::Int32(-1),
            DbValue::DbNull,
            DbValue::Str("ü".to_owned()),
            DbValue::Decimal("12".to_owned()),
            DbValue::Boolean(true),
        ];
        let wanted = vec![
            Value::Int(9_007_199_254_740_993),
            Value::Int(-1),
            Value::Null,
            Value::Text("ü".to_owned()),
            Value::Int(12),
            Value::Int(1),
        ];
        assert_eq!(row(given).unwrap(), Row(wanted));
        for strange in [DbValue::Floating64(1.0), DbValue::Decimal("1.5".to_owned())] {
            assert!(row(vec![strange]).is_err());
        }
    }
}
