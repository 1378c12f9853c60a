//! A mutex around SQLite by hand: what many threads of one service usually share.
//!
//! The standard library's mutex lets a running thread take the lock before a sleeping one wakes,
//! which is unfair and the fastest there is. The transfer is made up outside the lock.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use rusqlite::Connection;

use super::by_hand;
use crate::transfer::{Moved, Transfer};

/// One connection for all.
#[derive(Debug)]
pub struct Shared(Mutex<Connection>);

impl Shared {
    /// A new file with the tables.
    ///
    /// # Errors
    ///
    /// Whatever hinders SQLite.
    pub fn create(path: &Path) -> rusqlite::Result<Self> {
        by_hand::create(path).map(|connection| Self(Mutex::new(connection)))
    }

    /// One transfer in a transaction of its own.
    ///
    /// # Errors
    ///
    /// Whatever hinders SQLite.
    pub fn transfer(&self, transfer: &Transfer) -> rusqlite::Result<Moved> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        by_hand::transfer(&connection, transfer)
    }
}
