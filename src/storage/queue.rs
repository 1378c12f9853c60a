//! The queue: what was accepted and is not decided yet, and how it is cut into batches.

use std::{collections::VecDeque, sync::Arc, thread::JoinHandle};

use crate::storage::{
    Engine,
    decide::Job,
    pending::{Cell, Seat},
};

/// The most commands that may wait.
pub const QUEUE_MAX: usize = 65_536;
/// The most commands of one batch.
pub const BATCH_MAX: usize = 512;
/// The most bytes of one batch, by [`Command::size_bytes`](crate::storage::Command::size_bytes).
pub const BATCH_BYTES_MAX: usize = 4 << 20;

/// Work for whoever leads; without an engine it only says that the store is closed.
pub(super) type Task = Box<dyn FnOnce(Option<&mut dyn Engine>) + Send>;

pub(super) struct Queue {
    pub(super) entries: VecDeque<Entry>,
    pub(super) leading: bool,
    /// How many commands the last batch had.
    pub(super) last_batch: usize,
    pub(super) state: Gate,
    pub(super) worker: Worker,
}

#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Gate {
    Open,
    Suspended,
    Closed,
}

#[derive(Default)]
pub(super) struct Worker {
    pub(super) thread: Option<JoinHandle<()>>,
    /// The lead was given to it.
    pub(super) lead: bool,
    /// It looks after work that nobody waits for, every [`TICK`] or, while others lead, more rarely.
    pub(super) armed: bool,
    /// Something was accepted since it looked.
    pub(super) touched: bool,
}

pub(super) enum Entry {
    Job(Box<dyn Job>),
    /// Work that is done alone, by whoever leads.
    Task(Task),
    /// A thread that wants the lead for itself.
    Turn(Arc<Cell<()>>),
}

pub(super) enum Batch {
    Nothing,
    Jobs(Vec<Box<dyn Job>>),
    Task(Task),
    Given,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            leading: false,
            last_batch: 0,
            state: Gate::Open,
            worker: Worker::default(),
        }
    }

    /// Takes what may be decided together from the front of the queue (**W1**, **W3**).
    pub(super) fn next_batch(&mut self) -> Batch {
        let mut jobs: Vec<Box<dyn Job>> = Vec::new();
        let (mut bytes, mut background) = (0, false);
        while let Some(Entry::Job(job)) = self.entries.front() {
            bytes = usize::saturating_add(bytes, job.size_bytes());
            let full = jobs.len() == BATCH_MAX || bytes > BATCH_BYTES_MAX;
            if !jobs.is_empty() && (full || (background && job.is_background())) {
                return Batch::Jobs(jobs);
            }
            background |= job.is_background();
            if let Some(Entry::Job(job)) = self.entries.pop_front() {
                jobs.push(job);
            }
        }
        if !jobs.is_empty() {
            return Batch::Jobs(jobs);
        }
        match self.entries.pop_front() {
            Some(Entry::Task(task)) => Batch::Task(task),
            Some(Entry::Turn(seat)) => {
                // The thread sleeps there until it has the lead, so it always takes it.
                seat.offer_lead();
                Batch::Given
            }
            Some(Entry::Job(_)) | None => Batch::Nothing,
        }
    }
}
