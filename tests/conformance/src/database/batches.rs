//! Batches: all or nothing, in order, and no trace of a failed one.

use std::pin::pin;

use edgekeep_core::port::{Database as _, DatabaseError, Platform};
use edgekeep_core::sql::{Row, Statement, SystemQuery, Value};
use futures_util::future::{Either, select};

use super::{count, hit, insert};
use crate::bench::{Bench, Outcome, holds, poll_once, refused, same};

static COPY: SystemQuery = SystemQuery::new(
    "conformance.copy",
    "INSERT INTO conformance_rows (id, place, number)
    SELECT id, place + 10, number * 2 FROM conformance_rows WHERE id = ?1",
);

static TOTAL: SystemQuery = SystemQuery::new(
    "conformance.total",
    "SELECT CAST(SUM(number) AS BIGINT), COUNT(*) FROM conformance_rows WHERE id = ?1",
);

static COLUMNS: SystemQuery = SystemQuery::new(
    "conformance.columns",
    "SELECT 'last' AS z, 2 AS m, CAST(NULL AS TEXT) AS n, 'first' AS a",
);

static WRONG: SystemQuery = SystemQuery::new("conformance.wrong", "SELEKT 1");

/// `length` inserts, of which the one at `failing` takes the place of another.
fn inserts(id: &str, length: i64, failing: Option<i64>) -> Vec<Statement> {
    let place = |index: i64| match failing {
        Some(failing) if failing == index => -1,
        _ => index,
    };
    (0..length)
        .map(|index| insert(id, place(index), Some(index), None))
        .collect()
}

pub(crate) async fn a_failure_anywhere_leaves_nothing<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    for failing in 0..5 {
        let id = b.id()?;
        b.query(insert(&id, -1, None, None)).await?;
        refused(&b.database()?.batch(&inserts(&id, 5, Some(failing))).await)?;
        let left = b.number(count(&id)).await?;
        holds(left == 1, || {
            format!("statement {failing} failed, and {left} rows are there")
        })?;
    }
    // One that cannot even be compiled, at the end.
    let id = b.id()?;
    let mut statements = inserts(&id, 3, None);
    statements.push(WRONG.bind([]));
    refused(&b.database()?.batch(&statements).await)?;
    same(&b.number(count(&id)).await?, &0)
}

pub(crate) async fn rows_are_visible_to_later_statements<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    let mut statements = inserts(&id, 3, None);
    statements.push(COPY.bind([id.as_str().into()]));
    statements.push(TOTAL.bind([id.as_str().into()]));
    let rows = b.batch(&statements).await?;
    let Some([total]) = rows.last().map(Vec::as_slice) else {
        return holds(false, || format!("{rows:?}"));
    };
    same(&(total.int(0)?, total.int(1)?), &(9, 6))
}

pub(crate) async fn results_stand_in_order<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    let statements = [
        hit(&id),
        insert(&id, 1, None, None),
        hit(&id),
        count(&id),
        hit(&id),
        count("nobody"),
    ];
    let rows = b.batch(&statements).await?;
    let numbers: Result<Vec<Vec<i64>>, DatabaseError> = rows
        .iter()
        .map(|rows| rows.iter().map(|row| row.int(0)).collect())
        .collect();
    same(
        &numbers?,
        &vec![vec![1], vec![], vec![2], vec![1], vec![3], vec![0]],
    )
}

pub(crate) async fn columns_stand_in_order<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let wanted = Row(vec![
        "last".into(),
        Value::Int(2),
        Value::Null,
        "first".into(),
    ]);
    let rows = b
        .batch(&[COLUMNS.bind([]), count("nobody"), COLUMNS.bind([])])
        .await?;
    same(&rows.first(), &Some(&vec![wanted.clone()]))?;
    same(&rows.last(), &Some(&vec![wanted.clone()]))?;
    same(&b.query(COLUMNS.bind([])).await?, &vec![wanted])
}

pub(crate) async fn a_hundred_statements_fit<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    same(&b.batch(&inserts(&id, 100, None)).await?.len(), &100)?;
    same(&b.number(count(&id)).await?, &100)
}

pub(crate) async fn an_empty_batch_is_no_error<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    same(&b.batch(&[]).await?.len(), &0)
}

pub(crate) async fn a_failed_batch_leaves_a_clean_connection<P: Platform>(
    b: &Bench<'_, P>,
) -> Outcome {
    let id = b.id()?;
    b.query(insert(&id, -1, None, None)).await?;
    for round in 0..20 {
        refused(&b.database()?.batch(&inserts(&id, 3, Some(2))).await)?;
        let good = [insert(&id, round, None, None), count(&id)];
        let rows = b.batch(&good).await?;
        let seen = rows
            .last()
            .and_then(|rows| rows.first())
            .map(|row| row.int(0))
            .transpose()?;
        same(&seen, &Some(round.saturating_add(2)))?;
    }
    Ok(())
}

pub(crate) async fn a_dropped_batch_leaves_all_or_nothing<P: Platform>(
    b: &Bench<'_, P>,
) -> Outcome {
    for round in 0..8_u32 {
        let id = b.id()?;
        let statements = inserts(&id, 20, None);
        {
            let batch = pin!(b.database()?.batch(&statements));
            if round < 4 {
                let _ = poll_once(batch).await;
            } else {
                let sleep = pin!(b.platform.sleep(round.saturating_sub(4)));
                if let Either::Left((result, _)) = select(batch, sleep).await {
                    result?;
                }
            }
        }
        // It may still be on its way, but never half of it.
        for _ in 0..3 {
            let rows = b.number(count(&id)).await?;
            holds(rows == 0 || rows == 20, || {
                format!("{rows} of 20 rows are there")
            })?;
        }
    }
    // And what comes after finds a connection without an open transaction.
    let id = b.id()?;
    refused(&b.database()?.query(&WRONG.bind([])).await)?;
    b.batch(&inserts(&id, 2, None)).await?;
    same(&b.number(count(&id)).await?, &2)
}
