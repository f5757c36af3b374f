//! What one statement does.

use edgekeep_core::port::{Database as _, DatabaseError, Platform};
use edgekeep_core::sql::{MAX_INTEGER, Row, SystemQuery, Value};

use super::{INSERT, count, hit, insert};
use crate::bench::{Bench, Outcome, refused, same};

static THREE: SystemQuery = SystemQuery::new(
    "conformance.three",
    "INSERT INTO conformance_rows (id, place, number) VALUES (?1, 7, 1), (?1, 3, 2), (?1, 5, 3)
    RETURNING place, number",
);

static NEW: SystemQuery = SystemQuery::new(
    "conformance.new",
    "INSERT INTO conformance_rows (id, place) VALUES (?1, ?2)
    ON CONFLICT (id, place) DO NOTHING RETURNING place",
);

static MOVE: SystemQuery = SystemQuery::new(
    "conformance.move",
    "UPDATE conformance_rows SET number = 9 WHERE id = ?1 AND place = ?2 RETURNING number",
);

static SINK: SystemQuery = SystemQuery::new(
    "conformance.sink",
    "UPDATE conformance_counters SET hits = -1 WHERE id = ?1",
);

static CHILD: SystemQuery = SystemQuery::new(
    "conformance.child",
    "INSERT INTO conformance_children (id, parent) VALUES (?1, ?2)",
);

static ORPHAN: SystemQuery = SystemQuery::new(
    "conformance.orphan",
    "DELETE FROM conformance_counters WHERE id = ?1",
);

static CHILDREN: SystemQuery = SystemQuery::new(
    "conformance.count_children",
    "SELECT COUNT(*) FROM conformance_children WHERE id = ?1",
);

static WRONG: SystemQuery = SystemQuery::new("conformance.syntax", "SELECT FROM WHERE");

static ABSENT: SystemQuery =
    SystemQuery::new("conformance.absent", "SELECT id FROM conformance_absent");

static SOME: SystemQuery = SystemQuery::new(
    "conformance.some",
    "SELECT place FROM conformance_rows WHERE id = ?1 ORDER BY place DESC LIMIT ?2",
);

static MANY: SystemQuery = SystemQuery::new(
    "conformance.many",
    "INSERT INTO conformance_rows (id, place, body)
    SELECT ?1, CAST(j.value->>0 AS BIGINT), j.value->>1 FROM json_each(?2) j WHERE 1 = 1
    ON CONFLICT (id, place) DO NOTHING RETURNING place, body",
)
.postgres(
    "INSERT INTO conformance_rows (id, place, body)
    SELECT ?1, CAST(j.value->>0 AS BIGINT), j.value->>1
    FROM jsonb_array_elements(CAST(CAST(?2 AS TEXT) AS jsonb)) j WHERE 1 = 1
    ON CONFLICT (id, place) DO NOTHING RETURNING place, body",
);

macro_rules! places {
    ($first:literal $($n:literal)*) => {
        concat!(
            "SELECT COUNT(*) FROM conformance_rows WHERE id = ?1 AND place IN (?", $first,
            $( ", ?", $n ),*, ")"
        )
    };
}

/// D1 takes no more than a hundred.
static HUNDRED: SystemQuery = SystemQuery::new(
    "conformance.hundred",
    places!(
        2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34
        35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65
        66 67 68 69 70 71 72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96
        97 98 99 100
    ),
);

fn integers(rows: &[Row]) -> Result<Vec<i64>, DatabaseError> {
    rows.iter().map(|row| row.int(0)).collect()
}

pub(crate) async fn returning_gives_rows_in_order<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let rows = b.query(THREE.bind([b.id()?.into()])).await?;
    let wanted = [[7, 1], [3, 2], [5, 3]].map(|row| Row(row.map(Value::Int).to_vec()));
    same(&rows, &wanted.to_vec())
}

pub(crate) async fn a_conflict_that_does_nothing_returns_no_row<P: Platform>(
    b: &Bench<'_, P>,
) -> Outcome {
    let id = b.id()?;
    let new = || NEW.bind([id.as_str().into(), Value::Int(4)]);
    same(&integers(&b.query(new()).await?)?, &vec![4])?;
    same(&integers(&b.query(new()).await?)?, &vec![])?;
    same(&b.number(count(&id)).await?, &1)
}

pub(crate) async fn an_update_of_nothing_returns_no_row<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    b.query(insert(&id, 1, None, None)).await?;
    same(
        &b.query(MOVE.bind([id.as_str().into(), Value::Int(2)]))
            .await?
            .len(),
        &0,
    )?;
    same(
        &integers(&b.query(MOVE.bind([id.into(), Value::Int(1)])).await?)?,
        &vec![9],
    )
}

pub(crate) async fn a_write_without_returning_gives_no_rows<P: Platform>(
    b: &Bench<'_, P>,
) -> Outcome {
    same(&b.query(insert(&b.id()?, 1, None, None)).await?.len(), &0)
}

pub(crate) async fn a_unique_violation_is_refused<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    b.query(insert(&id, 1, None, None)).await?;
    for _ in 0..5 {
        refused(&b.database()?.query(&insert(&id, 1, None, None)).await)?;
        same(&b.number(count(&id)).await?, &1)?;
    }
    Ok(())
}

pub(crate) async fn a_failed_check_is_refused<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    b.query(hit(&id)).await?;
    refused(&b.database()?.query(&SINK.bind([id.as_str().into()])).await)?;
    same(&b.number(hit(&id)).await?, &2)
}

pub(crate) async fn a_missing_parent_is_refused<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    refused(
        &b.database()?
            .query(&CHILD.bind([id.as_str().into(), "nobody".into()]))
            .await,
    )?;
    same(&b.number(CHILDREN.bind([id.into()])).await?, &0)
}

pub(crate) async fn children_go_with_their_parent<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    b.query(hit(&id)).await?;
    b.query(CHILD.bind([id.as_str().into(), id.as_str().into()]))
        .await?;
    same(&b.number(CHILDREN.bind([id.as_str().into()])).await?, &1)?;
    b.query(ORPHAN.bind([id.as_str().into()])).await?;
    same(&b.number(CHILDREN.bind([id.into()])).await?, &0)
}

pub(crate) async fn a_syntax_error_is_refused<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    refused(&b.database()?.query(&WRONG.bind([])).await)
}

pub(crate) async fn a_missing_table_is_refused<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    refused(&b.database()?.query(&ABSENT.bind([])).await)
}

pub(crate) async fn a_missing_parameter_is_refused<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    refused(
        &b.database()?
            .query(&INSERT.bind([id.as_str().into(), Value::Int(1)]))
            .await,
    )?;
    same(&b.number(count(&id)).await?, &0)
}

pub(crate) async fn a_hundred_parameters_fit<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    let rows: Vec<_> = (-5..5)
        .map(|place| insert(&id, place, None, None))
        .collect();
    b.batch(&rows).await?;
    let mut places = -1_i64..;
    let params: [Value; 100] = core::array::from_fn(|index| match index {
        0 => Value::from(id.as_str()),
        _ => places.next().into(),
    });
    // Of -1 to 97, there are -1 to 4.
    same(&b.number(HUNDRED.bind(params)).await?, &6)
}

pub(crate) async fn limits_take_parameters<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    b.query(THREE.bind([id.as_str().into()])).await?;
    same(
        &integers(&b.query(SOME.bind([id.into(), Value::Int(2)])).await?)?,
        &vec![7, 5],
    )
}

pub(crate) async fn json_brings_many_rows<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    let json = r#"[[1,"one"],[2,null],[9007199254740991,"ünï \"quoted\""],[1,"again"]]"#;
    let rows = b.query(MANY.bind([id.into(), json.into()])).await?;
    let wanted = vec![
        Row(vec![Value::Int(1), "one".into()]),
        Row(vec![Value::Int(2), Value::Null]),
        Row(vec![Value::Int(MAX_INTEGER), "ünï \"quoted\"".into()]),
    ];
    same(&rows, &wanted)
}
