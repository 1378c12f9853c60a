//! Drafts: a media share that is written down before its upload is finalized.

use crate::{
    AccountId, Refusal, Timestamp, UploadId,
    storage::{Command, KeySet, Rows},
    upload::{MediaShare, NewShare, ShareState, begin::share, finish::find, state::Upload},
};

/// Writes down the share of a pending upload; a second one replaces the first (**U7**).
#[derive(Clone, Debug)]
pub struct DraftShare {
    /// Whose upload.
    pub viewer: AccountId,
    /// Which.
    pub upload: UploadId,
    /// What it is going to share.
    pub share: NewShare,
}

impl Command for DraftShare {
    type Out = Result<MediaShare, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Upload>(&(self.viewer.clone(), self.upload));
        keys.own::<MediaShare>(&share(self.upload));
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        find(rows, &self.viewer, self.upload)?.refuse_ended()?;
        let draft = MediaShare::of(&self.viewer, self.upload, &self.share, ShareState::Draft, now);
        rows.put(draft.clone());
        Ok(draft)
    }
}
