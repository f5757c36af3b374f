//! Values go in and come out as they are.

use edgekeep_core::port::{Database as _, Platform};
use edgekeep_core::sql::{MAX_INTEGER, Row, SystemQuery, Value};

use super::insert;
use crate::bench::{Bench, Failure, Outcome, holds, same};

static READ: SystemQuery = SystemQuery::new(
    "conformance.read",
    "SELECT number, body FROM conformance_rows WHERE id = ?1 ORDER BY place",
);

static BODIES: SystemQuery = SystemQuery::new(
    "conformance.bodies",
    "SELECT body FROM conformance_rows WHERE id = ?1 ORDER BY body",
);

static SUMS: SystemQuery = SystemQuery::new(
    "conformance.sums",
    "SELECT COUNT(*), CAST(SUM(number) AS BIGINT), MAX(number), CAST(?2 AS BIGINT) + 1
    FROM conformance_rows WHERE id = ?1",
);

static LITERALS: SystemQuery = SystemQuery::new(
    "conformance.literals",
    "SELECT 1, 'text', '', CAST(NULL AS TEXT), 2147483648",
);

async fn round_trip<P: Platform>(b: &Bench<'_, P>, values: &[Value]) -> Result<Vec<Row>, Failure> {
    let id = b.id()?;
    for (place, value) in (0..).zip(values) {
        let mut statement = insert(&id, place, None, None);
        let column = if matches!(value, Value::Int(_)) { 2 } else { 3 };
        if let Some(param) = statement.params.get_mut(column) {
            value.clone_into(param);
        }
        b.query(statement).await?;
    }
    b.query(READ.bind([id.into()])).await
}

async fn texts_come_back<P: Platform>(b: &Bench<'_, P>, texts: &[&str]) -> Outcome {
    let values: Vec<Value> = texts.iter().map(|text| Value::from(*text)).collect();
    let rows = round_trip(b, &values).await?;
    same(&rows.len(), &texts.len())?;
    for (row, text) in rows.iter().zip(texts) {
        let found = row.text(1)?;
        holds(found == *text, || {
            let short = |text: &str| text.chars().take(60).collect::<String>();
            format!("{:?} instead of {:?}", short(found), short(text))
        })?;
    }
    Ok(())
}

pub(crate) async fn integers_beyond_32_bits_come_back<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let half = 1_i64 << 31;
    let sizes = [
        0,
        1,
        half - 1,
        half,
        half + 1,
        1 << 32,
        1_795_172_700_000,
        MAX_INTEGER - 1,
        MAX_INTEGER,
    ];
    let numbers: Vec<i64> = sizes
        .iter()
        .flat_map(|n| [*n, n.saturating_neg()])
        .collect();
    let values: Vec<Value> = numbers.iter().map(|n| Value::from(*n)).collect();
    let rows = round_trip(b, &values).await?;
    let found: Result<Vec<i64>, _> = rows.iter().map(|row| row.int(0)).collect();
    same(&found?, &numbers)
}

pub(crate) async fn sums_and_counts_are_integers<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    b.batch(&[
        insert(&id, 0, Some(MAX_INTEGER - 7), None),
        insert(&id, 1, Some(5), None),
    ])
    .await?;
    let rows = b
        .query(SUMS.bind([id.into(), (MAX_INTEGER - 1).into()]))
        .await?;
    let wanted = [2, MAX_INTEGER - 2, MAX_INTEGER - 7, MAX_INTEGER].map(Value::from);
    same(&rows, &vec![Row(wanted.to_vec())])
}

pub(crate) async fn null_and_empty_text_differ<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let rows = round_trip(b, &[Value::Null, Value::from("")]).await?;
    let found: Result<Vec<_>, _> = rows.iter().map(|row| row.opt_text(1)).collect();
    same(&found?, &vec![None, Some("")])?;
    let numbers: Result<Vec<_>, _> = rows.iter().map(|row| row.opt_int(0)).collect();
    same(&numbers?, &vec![None, None])
}

pub(crate) async fn unicode_comes_back<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    texts_come_back(
        b,
        &[
            "Zürich – Łódź – Ελλάδα",
            "日本語 한국어 中文",
            "שלום עולם مرحبا",
            "👩‍👩‍👧‍👦🏴󠁧󠁢󠁷󠁬󠁳󠁿",
            // Composed and decomposed are different texts.
            "\u{e9}",
            "e\u{301}",
            "\u{feff}\u{200b}\u{2028}\u{ffff}\u{10ffff}",
            " spaces around\t\r\n",
            "\u{1}\u{1f}\u{7f}",
            "'\"`\\%_;--/*",
        ],
    )
    .await
}

pub(crate) async fn a_megabyte_comes_back<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let text: String = "0123456789abcdé".chars().cycle().take(983_040).collect();
    holds(text.len() == 1_048_576, || format!("{} bytes", text.len()))?;
    texts_come_back(b, &[&text]).await
}

pub(crate) async fn text_sorts_by_bytes<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    let mut texts = ["b", "a", "B", "_", "-a", "é", "z", "10", "9", "ab", "", "~"];
    for (place, text) in (0..).zip(texts) {
        b.query(insert(&id, place, None, Some(text))).await?;
    }
    let rows = b.query(BODIES.bind([id.into()])).await?;
    let found: Result<Vec<&str>, _> = rows.iter().map(|row| row.text(0)).collect();
    texts.sort_unstable();
    same(&found?, &texts.to_vec())
}

/// Rows: M-22
pub(crate) async fn placeholders_in_values_are_text<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    texts_come_back(
        b,
        &[
            "?1",
            "$1",
            "?",
            "$$",
            ":a @b",
            "{\"a\":\"?2\"}",
            "1",
            "1.0",
            "null",
        ],
    )
    .await
}

/// Rows: M-23
pub(crate) async fn literals_have_their_types<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let rows = b.database()?.query(&LITERALS.bind([])).await?;
    let numbers = (Value::Int(1), Value::Int(2_147_483_648));
    let wanted = vec![numbers.0, "text".into(), "".into(), Value::Null, numbers.1];
    same(&rows, &vec![Row(wanted)])
}
