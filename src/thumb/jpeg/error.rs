//! Why a JPEG file gave no planes.

/// Why nothing was decoded. No memory is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(in crate::thumb) enum JpegError {
    /// No start marker among the first bytes.
    #[error("the data is no JPEG file")]
    NotJpeg,

    /// A coding that is not decoded here; another decoder may know it.
    #[error("JPEG with {0}")]
    Unsupported(Feature),

    /// A limit of [`Control`](super::Control) is passed.
    #[error("{found} {what}, at most {limit} allowed")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// What the headers claim, or the least they must.
        found: u64,
        /// The limit.
        limit: u64,
    },

    /// The data ends before the first row of the picture.
    #[error("the data ends before the picture does")]
    Truncated,

    /// The headers contradict each other or the standard.
    #[error("damaged {0}")]
    Damaged(&'static str),

    /// The caller's watch said so.
    #[error("cancelled")]
    Cancelled,

    /// The system refused memory that the limits allow.
    #[error("no memory for {bytes} bytes")]
    OutOfMemory {
        /// What was asked for.
        bytes: u64,
    },
}

/// What some JPEG files use and this decoder does not know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::thumb) enum Feature {
    /// Samples of more than 8 bits.
    Precision(u8),
    /// Arithmetic entropy coding.
    Arithmetic,
    /// Lossless coding, the old one or JPEG-LS.
    Lossless,
    /// A pyramid of pictures.
    Hierarchical,
    /// Neither 1, 3 nor 4 planes.
    Components(u8),
}

impl std::fmt::Display for Feature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Precision(bits) => write!(f, "{bits}-bit samples"),
            Self::Arithmetic => f.write_str("arithmetic coding"),
            Self::Lossless => f.write_str("lossless coding"),
            Self::Hierarchical => f.write_str("hierarchical coding"),
            Self::Components(count) => write!(f, "{count} planes"),
        }
    }
}
