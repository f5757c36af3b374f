//! Whose subscription it is, and what becomes of it.

use serde_json::json;

use super::event::{Subscription, is_plain};
use super::money::millis;
use super::store::{HELD, LEAVE, PUBLISH_CHANGED, PUT_STATUS, PUT_SUBSCRIPTION, SET_PLAN, TARGET};
use crate::http::{Context, Error};
use crate::outbox::{Event, Topic};
use crate::port::{DatabaseError, Dialect, Level, Platform};
use crate::sql::{Row, Statement};
use crate::tenancy::TenantId;
use crate::time::Millis;

/// What may say whose something is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Names<'a> {
    /// A tenant in metadata.
    pub(super) tenant: Option<&'a str>,
    /// A customer.
    pub(super) customer: Option<&'a str>,
    /// A subscription.
    pub(super) subscription: Option<&'a str>,
    /// A price's lookup key.
    pub(super) lookup_key: Option<&'a str>,
}

impl Names<'_> {
    /// The statement that looks them up; its row is a [`Target`].
    pub(super) fn look_up(&self) -> Statement {
        let Self {
            tenant,
            customer,
            subscription,
            lookup_key,
        } = *self;
        // Anybody's product may write there: what cannot be stored names nobody.
        let [tenant, customer, lookup_key, subscription] =
            [tenant, customer, lookup_key, subscription]
                .map(|name| name.filter(|name| is_plain(name)));
        TARGET.bind([
            tenant.into(),
            customer.into(),
            lookup_key.into(),
            subscription.into(),
        ])
    }
}

/// What the database knows of a subscription ([`super::store::TARGET`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// The tenant in its metadata, if that exists.
    named: Option<String>,
    /// The tenant that has it.
    holder: Option<String>,
    /// The tenant that has its customer.
    buyer: Option<String>,
    /// The plan that its price's lookup key names.
    plan: Option<String>,
}

/// What to do about a subscription.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing, for this reason: Stripe need not send it again.
    Ignore(&'static str),
    /// Somebody pays us for a plan that we do not know: Stripe shall send it again.
    NoPlan,
    /// Write it down.
    Apply(Change),
}

/// A change of a tenant's subscription.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    tenant: TenantId,
    /// `None`: it keeps the plan it has.
    plan: Option<String>,
    /// The tenant that had it, if that is another one.
    from: Option<String>,
}

impl Target {
    pub(super) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        let text = |index| row.opt_text(index).map(|text| text.map(str::to_owned));
        Ok(Self {
            named: text(0)?,
            holder: text(1)?,
            buyer: text(2)?,
            plan: text(3)?,
        })
    }

    /// Whose it is, if it is anybody's.
    pub(super) fn tenant(self) -> Option<TenantId> {
        let tenant = self.named.or(self.holder).or(self.buyer);
        tenant.map(TenantId::proven)
    }

    /// Only an unknown subscription of ours that gives access needs a plan: an end is an end
    /// whatever its price is called, and a price without a plan is mostly another product's.
    pub(super) fn judge(self, subscription: &Subscription) -> Verdict {
        let Self {
            named,
            holder,
            buyer,
            plan,
        } = self;
        if plan.is_none() && holder.is_none() {
            return match named {
                None => Verdict::Ignore("ignored: another product"),
                Some(_) if subscription.gives_access() => Verdict::NoPlan,
                // Noted, so that a beginning which arrives after its end does not give the plan.
                Some(tenant) => Verdict::Apply(Change {
                    tenant: TenantId::proven(tenant),
                    plan: Some("FREE".to_owned()),
                    from: None,
                }),
            };
        }
        let Some(tenant) = named.or_else(|| holder.clone()).or(buyer) else {
            return Verdict::Ignore("ignored: no such tenant");
        };
        Verdict::Apply(Change {
            from: holder.filter(|holder| *holder != tenant),
            tenant: TenantId::proven(tenant),
            plan,
        })
    }
}

impl Change {
    /// Whether the row of `STATE` says the same already.
    pub(super) fn is_known(
        &self,
        subscription: &Subscription,
        row: Option<&Row>,
    ) -> Result<bool, DatabaseError> {
        let Some(row) = row else { return Ok(false) };
        let plan = row.text(1)?;
        Ok(row.text(0)? == self.tenant.as_str()
            && self.plan.as_deref().is_none_or(|of| of == plan)
            && row.text(2)? == subscription.status
            && row.opt_int(3)? == subscription.period_end().map(millis)
            && row.opt_int(4)? == subscription.cancel_at.map(millis))
    }

    /// The plan that it gives, if that is another one than before.
    pub(super) fn plan(&self) -> Option<&str> {
        self.plan.as_deref()
    }

    /// The tenant that has it then.
    pub(super) const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The statements, and what they are called in the inbox.
    pub(super) fn writes(
        &self,
        subscription: &Subscription,
        version: i64,
        now: Millis,
        dialect: Dialect,
    ) -> (Vec<Statement>, &'static str) {
        let millis = |seconds: Option<i64>| seconds.map(millis);
        let id = subscription.id.as_str();
        let [status, end, cancel, version_at, at] = [
            subscription.status.as_str().into(),
            millis(subscription.period_end()).into(),
            millis(subscription.cancel_at).into(),
            version.into(),
            now.into(),
        ];
        let (put, outcome) = if let Some(plan) = self.plan.as_deref() {
            let rest = [id.into(), plan.into(), status, end, cancel, version_at, at];
            (PUT_SUBSCRIPTION.bind(&self.tenant, rest), "applied")
        } else {
            let rest = [id.into(), status, end, cancel, version_at, at];
            let outcome = "applied: status only, the price is no plan";
            (PUT_STATUS.bind(&self.tenant, rest), outcome)
        };
        let customer = subscription.customer.as_deref();
        let leave = [
            id.into(),
            self.tenant.as_str().into(),
            version.into(),
            now.into(),
        ];
        let mut writes = Vec::with_capacity(5);
        if dialect == Dialect::Postgres {
            writes.push(HELD.bind([id.into()]));
        }
        writes.extend([
            LEAVE.bind(leave),
            put,
            SET_PLAN.bind(&self.tenant, [customer.into(), now.into()]),
        ]);
        (writes, outcome)
    }

    /// The statement that publishes it, behind its [`Self::writes`], where they changed something.
    pub(super) fn event<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        subscription: &Subscription,
        version: i64,
    ) -> Result<Statement, Error> {
        let payload = json!({
            "subscription": subscription.id,
            "status": subscription.status.as_str(),
            "plan": self.plan,
        });
        let event = Event::new(cx, Topic::SUBSCRIPTION_CHANGED, &payload)?;
        let mut publish = event.publish_by(&PUBLISH_CHANGED, &self.tenant);
        let of = [subscription.id.as_str().into(), version.into()];
        publish.params.extend(of);
        Ok(publish)
    }

    /// What an operator should know of a change that was applied.
    pub(super) fn tell<P: Platform>(&self, cx: &Context<'_, P>, subscription: &Subscription) {
        if let Some(from) = &self.from {
            let fields = [
                ("subscription", json!(subscription.id)),
                ("from", json!(from)),
                ("to", json!(self.tenant.as_str())),
            ];
            cx.log(Level::Warn, "stripe.moved", &fields);
        }
        if self.plan.is_none() && subscription.gives_access() {
            let fields = [
                ("subscription", json!(subscription.id)),
                ("tenant", json!(self.tenant.as_str())),
                ("lookup_key", json!(subscription.lookup_key())),
            ];
            cx.log(Level::Warn, "stripe.no_plan_for_price", &fields);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(status: &str) -> Subscription {
        let text = format!(r#"{{"id":"sub_1","status":"{status}","items":{{"data":[]}}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    fn target(names: [Option<&str>; 4]) -> Target {
        let [named, holder, buyer, plan] = names.map(|name| name.map(str::to_owned));
        Target {
            named,
            holder,
            buyer,
            plan,
        }
    }

    fn change(tenant: &str, plan: Option<&str>, from: Option<&str>) -> Verdict {
        Verdict::Apply(Change {
            tenant: TenantId::proven(tenant),
            plan: plan.map(str::to_owned),
            from: from.map(str::to_owned),
        })
    }

    #[test]
    fn the_tenant_is_the_named_one_then_the_holder_then_the_buyer() {
        let (a, b, c, plan) = (Some("a"), Some("b"), Some("c"), Some("P"));
        for (known, verdict) in [
            ([a, b, c, plan], change("a", plan, b)),
            ([a, a, c, plan], change("a", plan, None)),
            ([None, b, c, plan], change("b", plan, None)),
            ([None, None, c, plan], change("c", plan, None)),
            (
                [None, None, None, plan],
                Verdict::Ignore("ignored: no such tenant"),
            ),
        ] {
            let judged = target(known).judge(&subscription("active"));
            assert_eq!(judged, verdict, "{known:?}");
        }
    }

    /// Rows: H-09
    #[test]
    fn only_an_unknown_subscription_of_ours_that_gives_access_waits_for_its_plan() {
        let (a, b) = (Some("a"), Some("b"));
        let ignored = || Verdict::Ignore("ignored: another product");
        for status in ["trialing", "active", "past_due"] {
            let sent = subscription(status);
            assert_eq!(
                target([a, None, None, None]).judge(&sent),
                Verdict::NoPlan,
                "{status}"
            );
            assert_eq!(target([None, None, b, None]).judge(&sent), ignored());
            assert_eq!(
                target([a, a, None, None]).judge(&sent),
                change("a", None, None)
            );
        }
        for status in ["incomplete", "canceled", "unpaid", "paused"] {
            let sent = subscription(status);
            assert_eq!(
                target([a, None, None, None]).judge(&sent),
                change("a", Some("FREE"), None)
            );
            assert_eq!(target([None, None, b, None]).judge(&sent), ignored());
            assert_eq!(
                target([None, b, None, None]).judge(&sent),
                change("b", None, None)
            );
        }
    }
}
