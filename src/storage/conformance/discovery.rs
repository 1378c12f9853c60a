//! Discovery: keys that follow from rows, and ranges under a parent.

use std::sync::{Arc, Mutex};

use super::{
    Fixture,
    contract::{alone, counted, is_fault},
    probe::{Child, Count, Parent, act, add_child, child, count, remove_child},
};

/// A row may name the next one.
pub fn keys_are_discovered_from_rows(fixture: &Fixture) {
    let store = fixture.open();
    for (from, to) in [(1, 2), (2, 3), (3, 0)] {
        store.submit(count(&[from], to)).wait().unwrap();
    }
    let follow = act(
        |seen, keys| {
            let mut at = vec![1];
            for _ in 0..3 {
                keys.own::<Count>(&at);
                let Some(found) = seen.get::<Count>(&at) else { return };
                at = vec![u8::try_from(found.count).unwrap()];
            }
        },
        |rows, _| {
            let counts = [1, 2, 3].map(|id| rows.get::<Count>(&vec![id]).unwrap().count);
            rows.put(Count { id: vec![3], count: 9 });
            counts
        },
    );
    assert_eq!(store.submit(follow).wait(), Ok([2, 3, 0]));
    assert_eq!(counted(&store, &[3]), Some(9));
}

/// A command that names something new in every round fails; its neighbours do not.
pub fn keys_that_never_settle_are_a_fault(fixture: &Fixture) {
    let store = fixture.open();
    let round = Arc::new(Mutex::new(0_u8));
    let endless = act(
        move |seen, keys| {
            let mut round = round.lock().unwrap();
            *round += 1;
            assert!(seen.get::<Count>(&vec![255, *round]).is_none());
            keys.own::<Count>(&vec![255, *round]);
        },
        |_, _| (),
    );
    is_fault(&alone(&store, endless));
}

/// Children come in key order, at most as many as were asked for, and the rest is announced.
pub fn children_come_in_order_up_to_the_limit(fixture: &Fixture) {
    let store = fixture.open();
    for id in [5, 1, 4, 2, 3] {
        store.submit(add_child(child("p", id, 0))).wait().unwrap();
        store.submit(add_child(child("q", id, 0))).wait().unwrap();
    }
    let first = |limit| {
        act(
            move |_, keys| keys.children::<Child, Parent>(&"p".to_owned(), limit),
            move |rows, _| {
                let (found, more) = rows.children::<Child>(&"p".to_owned(), limit);
                (found.iter().map(|row| row.id).collect::<Vec<_>>(), more)
            },
        )
    };
    assert_eq!(store.submit(first(3)).wait(), Ok((vec![1, 2, 3], true)));
    assert_eq!(store.submit(first(6)).wait(), Ok((vec![1, 2, 3, 4, 5], false)));
}

/// A neighbour in the same batch removed the first children: the next ones are read, not missed.
pub fn children_removed_by_a_neighbour_are_read_again(fixture: &Fixture) {
    let store = fixture.open();
    for id in 1..=6 {
        store.submit(add_child(child("p", id, 0))).wait().unwrap();
    }
    let removed = [store.submit(remove_child("p", 1)), store.submit(remove_child("p", 2))];
    let rest = store.submit(act(
        |_, keys| keys.children::<Child, Parent>(&"p".to_owned(), 2),
        |rows, _| {
            let (found, more) = rows.children::<Child>(&"p".to_owned(), 2);
            (found.iter().map(|row| row.id).collect::<Vec<_>>(), more)
        },
    ));
    let added = store.submit(add_child(child("p", 0, 0)));
    removed.into_iter().for_each(|one| assert_eq!(one.wait(), Ok(true)));
    let (rest, more) = rest.wait().unwrap();
    // Decided in its turn, or once more after the neighbour that followed it.
    assert!(rest == [3, 4] || rest == [0, 3], "{rest:?}");
    assert_eq!((more, added.wait()), (true, Ok(true)));
}

/// A command that removes some of what it read and then reads on cannot know what follows. It fails
/// instead of being put back for ever.
pub fn a_command_that_cuts_its_own_range_short_fails(fixture: &Fixture) {
    let store = fixture.open();
    for id in 1..=4 {
        store.submit(add_child(child("p", id, 0))).wait().unwrap();
    }
    let cut = act(
        |_, keys| keys.children::<Child, Parent>(&"p".to_owned(), 2),
        |rows, _| {
            super::probe::touch(rows, &"p".to_owned());
            rows.remove::<Child>(&("p".to_owned(), 1));
            rows.children::<Child>(&"p".to_owned(), 2).0.len()
        },
    );
    is_fault(&alone(&store, cut));
    assert!(store.get::<Child>(&("p".to_owned(), 1)).wait().unwrap().is_some());
}

/// A neighbour in the same batch moves the pointer that a command follows: the command is decided in
/// the next batch, on the row that the pointer then names.
pub fn j2_a_neighbour_that_moves_a_pointer_is_followed(fixture: &Fixture) {
    let store = fixture.open();
    let pointer = || b"pointer".to_vec();
    store.submit(count(&pointer(), 1)).wait().unwrap();
    let follow = || {
        act(
            move |seen, keys| {
                keys.own::<Count>(&pointer());
                if let Some(found) = seen.get::<Count>(&pointer()) {
                    keys.own::<Count>(&found.count.to_be_bytes().to_vec());
                }
            },
            move |rows, _| {
                let at = rows.get::<Count>(&pointer()).unwrap().count;
                rows.put(Count { id: at.to_be_bytes().to_vec(), count: at });
                at
            },
        )
    };
    let pending: Vec<_> =
        (0..50).map(|_| (store.submit(count(&pointer(), 1)), store.submit(follow()))).collect();
    for (moved, followed) in pending {
        let (moved, followed) = (moved.wait().unwrap(), followed.wait().unwrap());
        assert!(followed >= moved, "{followed} was left behind at {moved}");
        assert_eq!(counted(&store, &followed.to_be_bytes()), Some(followed));
    }
}
