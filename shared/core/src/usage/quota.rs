//! How the month's quota of events stands.

use super::store::QUOTA;
use crate::http::{Code, Context, Error};
use crate::port::{DatabaseError, Platform};
use crate::sql::{MAX_INTEGER, Row};
use crate::tenancy::TenantId;

/// The quota of a month: how many events were counted, and how many may be; `None` for any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) used: i64,
    pub(crate) limit: Option<i64>,
}

impl Quota {
    /// A row of [`QUOTA`].
    pub(crate) fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            used: row.int(0)?,
            limit: bounded(row.opt_int(1)?),
        })
    }

    /// How many are left.
    pub(crate) fn remaining(self) -> Option<i64> {
        let left = |limit: i64| limit.saturating_sub(self.used).max(0);
        bounded(self.limit).map(left)
    }

    /// Tells the client, in the header fields of rate limits.
    pub(crate) fn tell<P: Platform>(self, cx: &Context<'_, P>) {
        if let (Some(limit), Some(remaining)) = (bounded(self.limit), self.remaining()) {
            cx.tell_quota(limit, remaining, cx.now.until_next_month());
        }
    }

    /// The error for who has used it up. Read after the refusal, and only then.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn refusal<P: Platform>(
        cx: &Context<'_, P>,
        tenant: &TenantId,
    ) -> Result<Error, Error> {
        Ok(Self::refusal_with(cx, tenant).await?.0)
    }

    /// The same, with how the quota stands by then.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn refusal_with<P: Platform>(
        cx: &Context<'_, P>,
        tenant: &TenantId,
    ) -> Result<(Error, Option<Self>), Error> {
        let month = cx.now.month();
        let rows = cx.query(QUOTA.bind(tenant, [month.into()])).await?;
        let Some(row) = rows.first() else {
            return Ok((Error::new(Code::NotFound), None));
        };
        let quota = Self::read(row)?;
        quota.tell(cx);
        let seconds = u32::try_from(cx.now.until_next_month()).unwrap_or(u32::MAX);
        let error = Error::new(Code::QuotaExceeded)
            .with_member("plan", row.text(2)?)
            .with_member("limit", quota.limit.unwrap_or(quota.used))
            .with_member("used", quota.used)
            .with_member("upgrade_url", cx.plans_url())
            .with_retry_after(seconds);
        Ok((error, Some(quota)))
    }
}

/// `None` for a limit that stands for none.
pub(crate) fn bounded(limit: Option<i64>) -> Option<i64> {
    limit.filter(|limit| *limit < MAX_INTEGER)
}
