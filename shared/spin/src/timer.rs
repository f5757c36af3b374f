//! Waiting, and not waiting too long.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use spin_sdk::time::sleep;
use spin_sdk::wasip3::random::insecure::get_insecure_random_u64;

/// The output of `work`, or `None` when it is not there in `time`. The clock starts, and costs
/// anything, only when `work` is not finished at once.
pub(crate) async fn within<T>(time: Duration, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut clock = pin!(sleep(time));
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => clock.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// Growing pauses between attempts, random so that those who collided do not meet again.
/// In milliseconds.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: u64,
    most: u64,
    left: u64,
}

impl Backoff {
    /// The first pause, the longest one, and how long all of them may take.
    pub(crate) const fn new(first: u64, most: u64, total: u64) -> Self {
        Self {
            next: first,
            most,
            left: total,
        }
    }

    /// Pauses and says true, or says false when all time is used up.
    pub(crate) async fn pause(&mut self) -> bool {
        match self.take(get_insecure_random_u64()) {
            Some(pause) => {
                sleep(pause).await;
                true
            }
            None => false,
        }
    }

    /// Between half and all of the step that is due.
    fn take(&mut self, random: u64) -> Option<Duration> {
        if self.left == 0 {
            return None;
        }
        let step = self.next.saturating_mul(1_000);
        let half = step.div_euclid(2);
        let micros = half.saturating_add(random.checked_rem(half.saturating_add(1)).unwrap_or(0));
        self.left = self.left.saturating_sub(self.next);
        self.next = self.next.saturating_mul(2).min(self.most);
        Some(Duration::from_micros(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit_and_end() {
        let mut backoff = Backoff::new(1, 20, 100);
        let pauses: Vec<u128> = core::iter::from_fn(|| backoff.take(u64::MAX))
            .map(|pause| pause.as_millis())
            .collect();
        assert!(pauses.len() > 5 && pauses.len() < 20, "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= 20), "{pauses:?}");
        assert!(pauses.iter().sum::<u128>() <= 100, "{pauses:?}");
    }
}
