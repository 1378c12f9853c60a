//! `spawn_blocking` on a mutexed connection: what tasks of one service usually do.

use std::sync::Arc;

use super::mutex::Shared;
use crate::transfer::{Moved, Transfer};

/// One transfer in a transaction of its own, on a thread of tokio's blocking pool.
///
/// # Errors
///
/// Whatever hinders SQLite.
pub async fn transfer(shared: Arc<Shared>, transfer: Transfer) -> rusqlite::Result<Moved> {
    let work = tokio::task::spawn_blocking(move || shared.transfer(&transfer));
    work.await.expect("the blocking pool lives as long as the runtime")
}
