//! front
use crate::storage::*;
/// x
#[derive(Clone, Debug)]
pub struct FinalMile { store: Store }
impl FinalMile { /// x
 pub fn store(&self) -> &Store { &self.store } }
