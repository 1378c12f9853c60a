//! Uploads: begin, store elsewhere, finalize; and the feed that shows them.
//!
//! | promise | |
//! |---|---|
//! | U1 | a feed shows pictures: [`MediaShare::display_cid`] |
//! | U2, U3 | beginning is idempotent and refuses in one order: [`Uploads::begin`] |
//! | U4 to U6 | an upload ends once, for its owner: [`Uploads::finalize`] |
//! | U7 | a draft goes with its upload: [`Uploads::draft`] |
//! | RT2, RT3 | refusals for want of credits are counted per user and day: [`RefusalDay`] |
//! | U8 | small pictures come once: [`Uploads::process`] |

mod begin;
mod content_id;
mod draft;
mod finish;
mod free;
mod process;
mod refused;
mod share;
mod state;

use crate::{
    AccountId, FinalMile, IdempotencyKey, Refusal, ShareId, UploadId,
    limit::checked_reason,
    storage::{Cursor, Page, Pending, Scan},
};
pub(crate) use begin::BEGIN_SCOPE;
pub use begin::{BeginUpload, Begun, UPLOAD_TTL};
pub use content_id::ContentId;
pub use draft::DraftShare;
pub(crate) use finish::AbandonUpload;
pub use finish::{FinalizeUpload, Finalized};
pub(crate) use free::{FailUpload, FreeReservation, Lapse};
pub(crate) use process::Process;
pub use process::{PROCESSING_TTL, Pictures, ProcessingEvent, ProcessingStatus, next_status};
pub(crate) use refused::ForgetRefusals;
pub use refused::{REFUSALS_KEPT_DAYS, RefusalDay};
pub use share::{MediaShare, MediaType, NewShare, Processing, ShareState};
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
    /// In this order (**U3**): [`Refusal::Invalid`] for a size of 0 or over
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
        self.finish(viewer, FinalizeUpload::new(viewer, upload, share))
    }

    /// Finalizes an upload with the draft that the viewer wrote down for it ([`Uploads::draft`]);
    /// with `share`, what is given replaces what stands there.
    ///
    /// # Errors
    ///
    /// As [`Uploads::finalize`], and [`Refusal::ShareUnknown`] unless `draft` is this upload's.
    pub fn adopt(
        &self,
        viewer: &AccountId,
        upload: UploadId,
        draft: ShareId,
        share: Option<NewShare>,
    ) -> Pending<Finalized> {
        self.finish(viewer, FinalizeUpload::adopt(viewer, upload, draft, share))
    }

    fn finish(
        &self,
        viewer: &AccountId,
        command: Result<FinalizeUpload, Refusal>,
    ) -> Pending<Finalized> {
        match command {
            Ok(command) => {
                let (service, is_replay) = ("finalize-upload", |done: &Finalized| done.replayed);
                self.fm.ask_taking(service, service.to_owned(), viewer, command, is_replay)
            }
            Err(refusal) => self.fm.refuse("finalize-upload", Some(viewer), refusal),
        }
    }

    /// Writes down what a pending upload is going to share, for its owner's eyes only; a second one
    /// replaces the first. It is adopted when the upload is finalized and goes when it fails (**U7**).
    ///
    /// # Errors
    ///
    /// `UploadUnknown` also for somebody else's (**U6**); `UploadEnded` when it is complete or failed.
    pub fn draft(
        &self,
        viewer: &AccountId,
        upload: UploadId,
        share: NewShare,
    ) -> Pending<MediaShare> {
        let command = DraftShare { viewer: viewer.clone(), upload, share };
        self.fm.ask("draft-share", Some(viewer.clone()), command)
    }

    /// Moves the small pictures of a live share on, for a service that makes them after the upload
    /// ([`Processing::Later`]). Completing twice with the same pictures is completing once.
    ///
    /// # Errors
    ///
    /// `ShareUnknown` for a draft, or a deleted one; [`Refusal::ProcessingEnded`] for an event that
    /// [`next_status`] refuses.
    pub fn process(&self, share: ShareId, event: ProcessingEvent) -> Pending<MediaShare> {
        self.fm.ask("process-share", None, Process { share, event, ttl: PROCESSING_TTL })
    }

    /// One page of the live shares that wait for small pictures, those that wait longest first: what
    /// a service that makes them works through.
    pub fn waiting(&self, after: Option<Cursor>) -> Pending<Page<MediaShare>> {
        let scan = Scan::of::<MediaShare>().by("fm_media_share_waiting").limit(FEED_PAGE);
        self.fm.store().scan_in(scan.after(after), FinalMile::fault("waiting", None))
    }

    /// Gives up an upload of the viewer's; its credits are free again. Repeating it changes nothing.
    ///
    /// # Errors
    ///
    /// `UploadUnknown`, `UploadEnded` when it is complete; `Invalid` for a reason that is empty or
    /// too long.
    pub fn fail(&self, viewer: &AccountId, upload: UploadId, reason: &str) -> Pending<Upload> {
        let command = checked_reason(reason).map(|reason| {
            let (account, event) = (viewer.clone(), UploadEvent::Fail);
            AbandonUpload { account, upload, reason, event }
        });
        self.fm.ask_checked("fail-upload", Some(viewer), command)
    }

    /// An upload of the viewer's, or `None`.
    pub fn get(&self, viewer: &AccountId, upload: UploadId) -> Pending<Option<Upload>> {
        let fault = FinalMile::fault("get-upload", Some(viewer.clone()));
        self.fm.store().get_in(&(viewer.clone(), upload), fault)
    }

    /// The viewer's uploads, newest first, 20 a page.
    pub fn list(&self, viewer: &AccountId, after: Option<Cursor>) -> Pending<Page<Upload>> {
        let scan = Scan::of::<Upload>().under(viewer).descending().limit(FEED_PAGE).after(after);
        self.fm.store().scan_in(scan, FinalMile::fault("list-uploads", Some(viewer.clone())))
    }

    /// A media share, if the viewer may see it: a live one, or a draft of his own.
    pub fn share(&self, viewer: &AccountId, share: ShareId) -> Pending<Option<MediaShare>> {
        let viewer = viewer.clone();
        let fault = FinalMile::fault("get-share", Some(viewer.clone()));
        let seen = move |share: MediaShare| share.is_visible_to(&viewer).then_some(share);
        self.fm.store().get_map(&share, fault, seen)
    }

    /// One page of the feed, newest first: [`FEED_PAGE`] live shares. A page of the
    /// millionth item costs what the first one costs.
    pub fn feed(&self, after: Option<Cursor>) -> Pending<Page<MediaShare>> {
        let scan = Scan::of::<MediaShare>().by("fm_media_share_feed").descending();
        self.fm.store().scan_in(scan.limit(FEED_PAGE).after(after), FinalMile::fault("feed", None))
    }
}
