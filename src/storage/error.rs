//! What can go wrong below the rules.
//!
//! # Invariants
//!
//! - **E1** Every error except [`StoreError::Unknown`] leaves the store as it was.
//! - **E2** After `Unknown`, asking again with the same id gives the one true answer.

/// Why the store did not do what it was asked. Each variant is something a caller would act on
/// differently.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another writer held a row for too long, or the queue is full. Nothing changed; try later.
    #[error("the store is busy: {0}")]
    Busy(String),
    /// Others changed what this work read. Nothing changed; it was already retried.
    #[error("others changed the same rows: {0}")]
    Conflict(String),
    /// The store is closed or suspended, or this is a forked child. Nothing changed.
    #[error("the store is closed")]
    Closed,
    /// The disk or the quota is full. Nothing changed.
    #[error("no space left: {0}")]
    Full(String),
    /// The answer to a commit was lost: the work happened wholly or not at all. Ask again with the
    /// same id.
    #[error("the commit's answer was lost: {0}")]
    Unknown(String),
    /// The file or schema is not one that this version can use. Nothing changed.
    #[error("unusable schema: {0}")]
    Schema(String),
    /// The data is damaged or is not a database. Nothing changed.
    #[error("damaged data: {0}")]
    Corrupt(String),
    /// Anything else that the engine reported, or a command that broke its contract. Nothing
    /// changed.
    #[error("the engine failed: {0}")]
    Backend(String),
}

impl StoreError {
    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Conflict(_) | Self::Unknown(_))
    }

    /// Whether the same call will meet it again, while the store is open.
    pub(crate) fn is_final(&self) -> bool {
        !self.is_retryable() && *self != Self::Closed
    }

    /// Whether deciding the same commands again may succeed at once.
    pub(crate) fn is_contention(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Conflict(_))
    }
}
