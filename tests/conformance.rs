//! The conformance suite on the engines of this crate.

use finalmile::{
    engines::{Memory, Sqlite},
    storage::conformance::Fixture,
};

mod memory {
    use super::*;

    fn open() -> Fixture {
        let database = Memory::new();
        Fixture::new((), move || Box::new(database.clone()))
    }
    finalmile::conformance_tests!(open);
}

mod sqlite {
    use super::*;

    fn open() -> Fixture {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("test.db");
        Fixture::new(folder, move || Box::new(Sqlite::file(&path)))
    }
    finalmile::conformance_tests!(open);
}
