//! Nothing to build: the neighbouring manifests are only resolved.
