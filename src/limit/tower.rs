//! The limiter as a layer: requests over the limit are answered before the service sees them.
