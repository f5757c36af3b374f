//! Cases of the small ports.

use edgekeep_core::port::{Level, Platform, Queue as _};
use edgekeep_core::time::{Millis, SECOND};

use crate::bench::{Bench, Failure, Outcome, holds};

pub(crate) async fn random_bytes_differ<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let draw = |length: usize| {
        let mut bytes = vec![0; length];
        let drawn = b.platform.random(&mut bytes);
        drawn
            .map(|()| bytes)
            .map_err(|_| Failure("the random generator failed".to_owned()))
    };
    draw(0)?;
    for length in [16, 32, 70_000] {
        let (one, other) = (draw(length)?, draw(length)?);
        holds(one != other, || format!("twice the same {length} bytes"))?;
        // Filled to the end: eight zeros in a row come once in 10^19 draws.
        let tail = one.rchunks(8).next().unwrap_or_default();
        holds(tail.iter().any(|byte| *byte != 0), || {
            format!("the end of {length} bytes is empty")
        })?;
    }
    Ok(())
}

pub(crate) async fn the_clock_is_sane<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let now = b.platform.now();
    let (least, most) = (
        Millis::parse("2026-01-01T00:00:00Z"),
        Millis::parse("2100-01-01T00:00:00Z"),
    );
    holds(Some(now) > least && Some(now) < most, || {
        format!("it is {}", now.rfc3339())
    })?;
    holds(b.platform.now() >= now, || "it ran backwards".to_owned())
}

pub(crate) async fn sleep_takes_its_time<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    let before = b.platform.now();
    b.platform.sleep(0).await;
    b.platform.sleep(120).await;
    let took = b.platform.now().since(before);
    // Clocks and timers are rounded, each in its own way.
    holds((100..5 * SECOND).contains(&took), || {
        format!("120 ms took {took} ms")
    })
}

pub(crate) async fn the_queue_takes_any_id<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    // Nobody knows this job, which the consumer must survive.
    b.platform.queue().wake(&b.id()?).await?;
    b.platform
        .log(Level::Debug, r#"{"level":"debug","event":"conformance"}"#);
    Ok(())
}
