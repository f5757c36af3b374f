//! Fifty at once. Where the platform runs them one after the other, they must still all end.

use edgekeep_core::port::{Database as _, DatabaseError, Platform};
use edgekeep_core::sql::{Row, Statement, SystemQuery};
use futures_util::future::join_all;

use super::{count, hit, insert};
use crate::bench::{Bench, Failure, Outcome, holds, same};

const MANY: i64 = 50;

static CLAIM: SystemQuery = SystemQuery::new(
    "conformance.claim",
    "UPDATE conformance_counters SET owner = ?2 WHERE id = ?1 AND owner IS NULL RETURNING owner",
);

static OWNER: SystemQuery = SystemQuery::new(
    "conformance.owner",
    "SELECT owner FROM conformance_counters WHERE id = ?1",
);

static FIRST: SystemQuery = SystemQuery::new(
    "conformance.first",
    "INSERT INTO conformance_counters (id, hits, owner) VALUES (?1, 0, ?2)
    ON CONFLICT (id) DO NOTHING RETURNING owner",
);

/// Runs all of them at once and returns what each gave.
async fn race<P: Platform>(
    b: &Bench<'_, P>,
    statements: impl Iterator<Item = Statement>,
) -> Result<Vec<Vec<Row>>, Failure> {
    let runs = statements.map(|statement| b.query(statement));
    join_all(runs).await.into_iter().collect()
}

/// The one row that a race gave, and that the table agrees.
async fn one_winner<P: Platform>(b: &Bench<'_, P>, id: &str, rows: &[Vec<Row>]) -> Outcome {
    let winners: Vec<&Row> = rows.iter().flatten().collect();
    let [winner] = winners.as_slice() else {
        return Err(Failure(format!("{} winners", winners.len())));
    };
    let found = b.query(OWNER.bind([id.into()])).await?;
    same(&found.as_slice(), &core::slice::from_ref(*winner))
}

pub(crate) async fn guarded_updates_have_one_winner<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    b.query(hit(&id)).await?;
    let claims = (0..MANY).map(|n| CLAIM.bind([id.as_str().into(), format!("owner {n}").into()]));
    one_winner(b, &id, &race(b, claims).await?).await
}

pub(crate) async fn inserts_of_one_key_have_one_winner<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    let firsts = (0..MANY).map(|n| FIRST.bind([id.as_str().into(), format!("owner {n}").into()]));
    one_winner(b, &id, &race(b, firsts).await?).await
}

pub(crate) async fn upserts_count_exactly<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    let rows = race(b, (0..MANY).map(|_| hit(&id))).await?;
    let counts: Result<Vec<i64>, DatabaseError> =
        rows.iter().flatten().map(|row| row.int(0)).collect();
    let mut counts = counts?;
    counts.sort_unstable();
    same(&counts, &(1..=MANY).collect())
}

/// Rows: Z-08
pub(crate) async fn batches_count_exactly<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    let batches = join_all((0..MANY).map(|place| {
        let id = id.as_str();
        async move {
            b.batch(&[hit(id), insert(id, place, None, None), count(id)])
                .await
        }
    }));
    for rows in batches.await {
        let rows = rows?;
        let numbers: Vec<&Row> = rows.iter().flatten().collect();
        let [hits, rows] = numbers.as_slice() else {
            return Err(Failure(format!("{numbers:?}")));
        };
        // Whoever holds the counter's row sees exactly as many rows as hits.
        same(&hits.int(0)?, &rows.int(0)?)?;
    }
    same(&b.number(count(&id)).await?, &MANY)
}

pub(crate) async fn opposed_batches_do_not_get_stuck<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let (left, right) = (b.id()?, b.id()?);
    b.batch(&[hit(&left), hit(&right)]).await?;
    let database = b.database()?;
    let there = [hit(&left), hit(&right)];
    let back = [hit(&right), hit(&left)];
    let batches = (0..20).map(|n| database.batch(if n % 2 == 0 { &there } else { &back }));
    let mut passed = 2;
    for result in join_all(batches).await {
        match result {
            Ok(_) => passed = i64::saturating_add(passed, 1),
            // Somebody had to give way, and may try again.
            Err(DatabaseError::Busy(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    holds(passed > 2, || "no batch passed".to_owned())?;
    let hits = b.batch(&[hit(&left), hit(&right)]).await?;
    for row in hits.iter().flatten() {
        same(&row.int(0)?, &passed)?;
    }
    Ok(())
}
