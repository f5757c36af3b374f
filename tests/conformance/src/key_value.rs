//! Cases of the key-value port.

use edgekeep_core::port::{KeyValue, Platform};
use edgekeep_core::time::{DAY, HOUR, Millis, SECOND};
use futures_util::future::join_all;

use crate::bench::{Bench, Failure, Outcome, holds, same};

const TTL: u32 = 120;

async fn put<P: Platform>(b: &Bench<'_, P>, key: &str, value: &str) -> Outcome {
    Ok(b.key_value()?
        .put(key, value, TTL, b.platform.now())
        .await?)
}

async fn comes_back<P: Platform>(b: &Bench<'_, P>, key: &str, value: &str) -> Outcome {
    put(b, key, value).await?;
    same(&b.get(key).await?.as_deref(), &Some(value))
}

/// Rows: Z-08
pub(crate) async fn a_value_comes_back<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let key = b.id()?;
    same(&b.get(&b.id()?).await?, &None)?;
    comes_back(b, &key, "value").await?;
    comes_back(b, &b.id()?, "").await?;
    comes_back(b, &b.id()?, &"0123456789".repeat(10_000)).await
}

pub(crate) async fn the_last_value_counts<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let key = b.id()?;
    comes_back(b, &key, "first").await?;
    comes_back(b, &key, "second").await
}

pub(crate) async fn a_deleted_value_is_gone<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let key = b.id()?;
    put(b, &key, "value").await?;
    for _ in 0..2 {
        // The second time there is nothing, which is no error.
        b.key_value()?.delete(&key).await?;
        same(&b.get(&key).await?, &None)?;
    }
    Ok(())
}

pub(crate) async fn unicode_comes_back<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    comes_back(
        b,
        &b.id()?,
        "{\"a\":\"Łódź 日本語 👩‍👧 \\n\"}\r\n\u{1}\u{10ffff}",
    )
    .await
}

pub(crate) async fn a_long_key_is_taken<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let id = b.id()?;
    let key = format!("{id}:{}", "k/-_.~".repeat(100));
    let key = key.get(..512).unwrap_or_default();
    comes_back(b, key, "long").await?;
    let shorter = key.get(..511).unwrap_or_default();
    same(&b.get(shorter).await?, &None)
}

/// By the caller's clock where the store has no lifetimes of its own. Where it has (Workers KV)
/// they run by the platform's clock, and a case that waited a minute would be no use.
pub(crate) async fn entries_end<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let (key, store, now) = (b.id()?, b.key_value()?, b.platform.now());
    store.put(&key, "value", TTL, now).await?;
    let life = i64::from(TTL).saturating_mul(SECOND);
    same(
        &store
            .get(&key, now.plus(life).minus(SECOND))
            .await?
            .as_deref(),
        &Some("value"),
    )?;
    if P::KeyValue::COUNTS {
        same(&store.get(&key, now.plus(life)).await?, &None)?;
        // Short lives are a minute everywhere.
        store.put(&key, "short", 1, now).await?;
        same(
            &store.get(&key, now.plus(59 * SECOND)).await?.as_deref(),
            &Some("short"),
        )?;
        same(&store.get(&key, now.plus(60 * SECOND)).await?, &None)?;
    }
    Ok(())
}

pub(crate) async fn the_sweep_takes_only_what_has_ended<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let (store, now) = (b.key_value()?, b.platform.now());
    let (ended, lasting, counter) = (b.id()?, b.id()?, b.id()?);
    store.put(&lasting, "lasting", TTL, now).await?;
    if P::KeyValue::COUNTS {
        let before = now.minus(DAY);
        store.put(&ended, "ended", TTL, before).await?;
        store.add(&counter, 5, now.minus(HOUR)).await?;
        // Others leave entries behind, and a sweep is bounded.
        let mut swept = 0;
        for _ in 0..20 {
            swept = store.sweep(b.platform.now(), 1_000).await?.max(swept);
        }
        holds(swept >= 2, || format!("{swept} entries swept"))?;
        same(&store.get(&ended, before).await?, &None)?;
        same(&store.add(&counter, 1, now.plus(HOUR)).await?, &1)?;
    } else {
        same(&store.sweep(now, 1_000).await?, &0)?;
    }
    same(&b.get(&lasting).await?.as_deref(), &Some("lasting"))
}

pub(crate) async fn counters_count_exactly<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let (key, store) = (b.id()?, b.key_value()?);
    let ends: Millis = b.platform.now().plus(HOUR);
    if !P::KeyValue::COUNTS {
        let answer = store.add(&key, 1, ends).await;
        return holds(answer.is_err(), || {
            format!("{answer:?} from a store that does not count")
        });
    }
    let adds = join_all((0..50).map(|_| store.add(&key, 2, ends)));
    let counts: Result<Vec<i64>, _> = adds.await.into_iter().collect();
    let mut counts = counts.map_err(Failure::from)?;
    counts.sort_unstable();
    same(
        &counts,
        &(1..=50_i64).map(|n| n.saturating_mul(2)).collect(),
    )?;
    same(&store.add(&key, 0, ends).await?, &100)?;
    same(&store.add(&b.id()?, 0, ends).await?, &0)?;
    same(&store.add(&key, -1, ends).await?, &99)
}

pub(crate) async fn counters_are_apart_from_entries<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    if !P::KeyValue::COUNTS {
        return Ok(());
    }
    let (key, store) = (b.id()?, b.key_value()?);
    put(b, &key, "value").await?;
    same(&store.add(&key, 3, b.platform.now().plus(HOUR)).await?, &3)?;
    same(&b.get(&key).await?.as_deref(), &Some("value"))?;
    store.delete(&key).await?;
    same(&store.add(&key, 1, b.platform.now().plus(HOUR)).await?, &4)
}
