//! Uploads: begin, store elsewhere, finalize; and the feed that shows them.
//!
//! | promise | |
//! |---|---|
//! | U1 | a feed shows pictures: [`MediaShare::display_cid`] |
//! | U2, U3 | beginning is idempotent and refuses in one order: [`Uploads::begin`] |
//! | U4 to U6 | an upload ends once, for its owner: [`Uploads::finalize`] |

mod begin;
mod finish;
mod share;
mod state;

use crate::{
    AccountId, FinalMile, IdempotencyKey, ShareId, TransferId, UploadId,
    limit::checked_reason,
    storage::{Cursor, Page, Pending, Scan},
};
pub use begin::{BeginUpload, Begun, UPLOAD_TTL};
pub(crate) use finish::AbandonUpload;
pub use finish::{FinalizeUpload, Finalized};
pub use share::{ContentId, MediaShare, MediaType, NewShare, ProcessingStatus};
pub use state::{TRANSITIONS, Upload, UploadEvent, UploadStatus};

/// How many items a page of the feed has.
pub const FEED_PAGE: usize = 20;

/// The uploads of a [`FinalMile`].
#[derive(Clone, Debug)]
pub struct Uploads {
    fm: FinalMile,
}

impl Uploads {
    pub(crate) fn new(fm: FinalMile) -> Self {
        Self { fm }
    }

    /// Begins an upload of `size_bytes`: checks the freeze, takes a token of `begin-upload` and sets
    /// the credits aside for [`UPLOAD_TTL`], all in one transaction. Repeating it with the same key
    /// gives the same upload and takes nothing (**U2**).
    ///
    /// # Errors
    ///
    /// In this order (**U3**): [`Refusal::Invalid`](crate::Refusal::Invalid) for a size of 0 or over
    /// 2^63 - 1; `Conflict`, `AccountUnknown`, `AccountFrozen`, `RateLimited`,
    /// `InsufficientCredits`.
    pub fn begin(
        &self,
        account: &AccountId,
        size_bytes: u64,
        key: &IdempotencyKey,
    ) -> Pending<Begun> {
        let id = UploadId::fresh(&**self.fm.store().world());
        match BeginUpload::new(account, size_bytes, key, id) {
            Ok(command) => {
                let (service, is_replay) = ("begin-upload", |begun: &Begun| begun.replayed);
                self.fm.ask_taking(service, service.to_owned(), account, command, is_replay)
            }
            Err(refusal) => self.fm.refuse("begin-upload", Some(account), refusal),
        }
    }

    /// Finalizes an upload of the viewer's: spends its credits and writes the share, in one
    /// transaction (**U4**). Repeating it with the same share gives the same answer (**U5**).
    ///
    /// # Errors
    ///
    /// `UploadUnknown` also for somebody else's (**U6**); `UploadEnded` when it failed or is too old;
    /// `Conflict` for another share; `AccountFrozen`, `RateLimited`.
    pub fn finalize(
        &self,
        viewer: &AccountId,
        upload: UploadId,
        share: NewShare,
    ) -> Pending<Finalized> {
        let world = &**self.fm.store().world();
        let (id, transfer) = (ShareId::fresh(world), TransferId::fresh(world));
        match FinalizeUpload::new(viewer, upload, share, id, transfer) {
            Ok(command) => {
                let (service, is_replay) = ("finalize-upload", |done: &Finalized| done.replayed);
                self.fm.ask_taking(service, service.to_owned(), viewer, command, is_replay)
            }
            Err(refusal) => self.fm.refuse("finalize-upload", Some(viewer), refusal),
        }
    }

    /// Gives up an upload of the viewer's; its credits are free again. Repeating it changes nothing.
    ///
    /// # Errors
    ///
    /// `UploadUnknown`, `UploadEnded` when it is complete; `Invalid` for a reason that is empty or
    /// too long.
    pub fn fail(&self, viewer: &AccountId, upload: UploadId, reason: &str) -> Pending<Upload> {
        let account = viewer.clone();
        match checked_reason(reason) {
            Ok(reason) => {
                let event = UploadEvent::Fail;
                let command = AbandonUpload { account, upload, reason, event };
                self.fm.ask("fail-upload", Some(viewer.clone()), command)
            }
            Err(refusal) => self.fm.refuse("fail-upload", Some(viewer), refusal),
        }
    }

    /// An upload of the viewer's, or `None`.
    pub fn get(&self, viewer: &AccountId, upload: UploadId) -> Pending<Option<Upload>> {
        let fault = FinalMile::fault("get-upload", Some(viewer.clone()));
        self.fm.store().get_in(&(viewer.clone(), upload), fault)
    }

    /// One page of the feed, newest first: [`FEED_PAGE`] items that are not deleted. A page of the
    /// millionth item costs what the first one costs.
    pub fn feed(&self, after: Option<Cursor>) -> Pending<Page<MediaShare>> {
        let scan = Scan::of::<MediaShare>().by("fm_media_share_feed").descending();
        self.fm.store().scan_in(scan.limit(FEED_PAGE).after(after), FinalMile::fault("feed", None))
    }
}
