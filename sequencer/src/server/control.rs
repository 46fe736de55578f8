//! The way of jobs into the thread that owns the [`Device`].
//!
//! The packet thread must not wait for gRPC, and gRPC must not lock the packet path. So whoever
//! wants something of the device sends a job: a closure, with a bounded queue before it. The packet
//! thread calls [`ControlJobs::run_pending`] between two batches of packets.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::Device;

/// How many jobs wait; who brings another waits for room.
pub const JOB_QUEUE_LEN: usize = 64;

type Job = Box<dyn FnOnce(&mut Device) + Send>;

/// The thread that owns the device has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the switch has stopped")]
pub struct ControlGone;

/// A queue for jobs. `wake` is called after each job was put in, from any thread: let it end the
/// packet thread's wait for packets, for instance by writing to an eventfd.
pub fn control_queue(wake: impl Fn() + Send + Sync + 'static) -> (ControlHandle, ControlJobs) {
    let (sender, receiver) = mpsc::channel(JOB_QUEUE_LEN);
    (
        ControlHandle {
            sender,
            wake: Arc::new(wake),
        },
        ControlJobs { receiver },
    )
}

/// The side that brings jobs.
#[derive(Clone)]
pub struct ControlHandle {
    sender: mpsc::Sender<Job>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl ControlHandle {
    /// Runs `job` on the device and returns what it returns. It runs whole, between two packets,
    /// also when the caller stops waiting; jobs of one caller run in order.
    pub async fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Device) -> R + Send + 'static,
    ) -> Result<R, ControlGone> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |device| {
            // Nobody waits for the answer any more: the job is done nevertheless.
            let _ = answer.send(job(device));
        });
        self.sender.send(job).await.map_err(|_| ControlGone)?;
        (self.wake)();
        answered.await.map_err(|_| ControlGone)
    }
}

/// The side that runs jobs.
pub struct ControlJobs {
    receiver: mpsc::Receiver<Job>,
}

impl ControlJobs {
    /// Runs at most `limit` of the jobs that wait and returns how many it ran. Never blocks.
    pub fn run_pending(&mut self, device: &mut Device, limit: usize) -> usize {
        for ran in 0..limit {
            match self.receiver.try_recv() {
                Ok(job) => job(device),
                Err(_) => return ran,
            }
        }
        limit
    }

    /// Whether no job waits: look here after arming the packet thread's wake-up and before sleeping.
    pub fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// Runs jobs until nobody is left who could bring any. For a device without packets.
    pub fn run_until_closed(&mut self, device: &mut Device) {
        while let Some(job) = self.receiver.blocking_recv() {
            job(device);
        }
    }
}
