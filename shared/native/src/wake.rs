//! The queue: a channel inside the process.

use edgekeep_core::port::{Queue, QueueError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The sending end, for the platform; the server holds the other.
#[derive(Debug)]
pub struct Wakes {
    sender: UnboundedSender<String>,
}

impl Wakes {
    /// Both ends.
    pub fn channel() -> (Self, UnboundedReceiver<String>) {
        let (sender, receiver) = unbounded_channel();
        (Self { sender }, receiver)
    }
}

impl Queue for Wakes {
    async fn wake(&self, job_id: &str) -> Result<(), QueueError> {
        // Nobody listens in tests and in the tool; the row in SQL is the truth anyway.
        let _ = self.sender.send(job_id.to_owned());
        Ok(())
    }
}
