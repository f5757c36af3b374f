//! The clean-up beside a transaction that renews what has expired.

use std::time::Duration;

use edgekeep_core::guard::exact_limit::REGISTER_SOURCE;
use edgekeep_core::port::{Database as _, Platform as _};
use edgekeep_core::scheduler::POLICIES;
use edgekeep_core::sql::SystemQuery;
use edgekeep_core::time::{DAY, Millis};
use edgekeep_native::migrate::Migrator;
use edgekeep_support::Postgres;
use libtest_mimic::Failed;

use super::platform;

/// Holds what the statements before it have locked.
static HOLD: SystemQuery = SystemQuery::new("extra.hold", "SELECT COUNT(pg_sleep(1.5))");

/// A counter has expired. While one session renews it, the clean-up of another finds it expired
/// and waits for it: the hit that was counted meanwhile must still be there.
pub(super) async fn a_renewed_row_survives(server: &Postgres) -> Result<(), Failed> {
    let url = server.create().await?;
    Migrator::open(&url).await?.up(Millis(0)).await?;
    let (one, other) = (platform(&url).await?, platform(&url).await?);
    let (one, other) = (
        one.database().map_err(|_| "missing")?,
        other.database().map_err(|_| "missing")?,
    );
    let (first, later) = (Millis(DAY), Millis(2 * DAY));
    let hit = |now| REGISTER_SOURCE.hit("203.0.113.7", now);
    one.query(&hit(first)).await?;

    let policy = POLICIES.iter().find(|policy| policy.what == "exact_limits");
    let policy = policy.ok_or("no policy")?;
    let renew = [hit(later), HOLD.bind([])];
    let clean_up = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let most = 500_u32;
        let bind = |query: &&'static SystemQuery| query.bind([later.into(), most.into()]);
        let statements: Vec<_> = policy.queries.iter().map(bind).collect();
        other.batch(&statements).await
    };
    let (renewed, deleted) = tokio::join!(one.batch(&renew), clean_up);
    renewed?;
    let deleted = deleted?.last().ok_or("no rows")?.len();
    let rows = one.query(&hit(later)).await?;
    let hits = rows.first().ok_or("no row")?.int(0)?;
    if (deleted, hits) == (0, 2) {
        Ok(())
    } else {
        Err(format!("{deleted} rows deleted, {hits} hits").into())
    }
}
