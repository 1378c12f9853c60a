//! Items: what asking and deleting take among a million, each with ten references.
//!
//! Half of them are bundles that use ten neurons each; so each neuron has ten users, somewhere else in the
//! file. They are written by SQL, in bulk; every call that is measured is the library's own.

use std::path::Path;

use finalmile::{
    Actor, Error, FinalMile, Refusal,
    engines::Sqlite,
    trash::{ItemId, Trash},
};

use crate::{
    args::Args,
    budgets::{MEMORY, copied_file, slowest},
    report::{Bar, Report, Row, Unit},
    rounds::Runs,
    transfer::mix,
};

/// How many items there are; fewer for a quick look.
const ITEMS: [u64; 2] = [1_000_000, 50_000];
/// How many neurons a bundle uses.
const USED: u64 = 10;
/// How many calls one round makes.
const CALLS: [usize; 2] = [1_000, 200];

/// What is asked for, and how many milliseconds it may take.
const CALLED: [(&str, u32); 2] = [("ask whether an item can go", 15), ("delete an item", 10)];

/// A store full of items.
struct Items {
    trash: Trash,
    fm: FinalMile,
    half: u64,
}

/// The rows of the guard and of the deletion.
///
/// # Errors
///
/// Whatever a store answers.
pub fn items(args: &Args, report: &mut Report, parent: &str) -> Result<(), Error> {
    let many = ITEMS[usize::from(args.quick)];
    let places = [
        (format!("without the sync ({MEMORY})"), Bar::AtMost(0.05)),
        ("durable".to_owned(), Bar::AtMost(1.0)),
    ];
    let figure = |call: &str, place: &str| {
        format!("{call} among {many}, {USED} references each, the slowest of 100, {place}")
    };
    let mut all = CALLED.iter().flat_map(|(call, _)| places.iter().map(|p| figure(call, &p.0)));
    if !all.any(|figure| args.wants(&figure)) {
        return Ok(());
    }
    let folder = |parent| tempfile::tempdir_in(parent).expect("a folder can be made");
    let (memory, disk) = (folder(MEMORY), folder(parent));
    let [here, there] = [&memory, &disk].map(|place| place.path().join("items.db"));
    let here_side = Items::filled(&here, many)?;
    copied_file(&here_side.fm, &here, &there)?;
    let there_side = Items::open(&there, many)?;
    let calls = CALLS[usize::from(args.quick)];
    let mut found = [(); 2].map(|()| [(); 2].map(|()| Runs::default()));
    for round in 0..args.pace().rounds {
        for (side, found) in [&here_side, &there_side].into_iter().zip(&mut found) {
            let from = round * calls;
            found[0].push(slowest(calls, |n| side.ask(from + n))?);
            found[1].push(slowest(calls, |n| side.delete(from + n))?);
        }
    }
    for ((place, bar), found) in places.iter().zip(found) {
        for ((call, budget_ms), runs) in CALLED.iter().zip(found) {
            let mut budget = Runs::default();
            budget.push(f64::from(*budget_ms) * 1e6);
            let (figure, rival) = (figure(call, place), format!("a budget of {budget_ms} ms"));
            report.row(&Row { figure, rival, unit: Unit::Micros, runs: [runs, budget], bar: *bar });
        }
    }
    Ok(())
}

impl Items {
    fn open(path: &Path, many: u64) -> Result<Self, Error> {
        let fm = FinalMile::builder(Sqlite::file(path)).open()?;
        let trash = fm.admin(Actor::new("bench")?).trash();
        Ok(Self { trash, fm, half: many / 2 })
    }

    /// A new file with that many items.
    fn filled(path: &Path, many: u64) -> Result<Self, Error> {
        let side = Self::open(path, many)?;
        let half = side.half;
        // The n-th of those that a bundle uses: each neuron is the n-th of just one bundle.
        let uses = format!("((b.i + n.i * 50021) * 7919) % {half}");
        let script = format!(
            "CREATE TEMP TABLE bundle AS
             WITH RECURSIVE b(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM b WHERE i + 1 < {half})
             SELECT i FROM b;
             CREATE TEMP TABLE nth AS
             WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {USED})
             SELECT i FROM n;
             INSERT INTO fm_item (id, kind, label, state, version, used_by, users, parts, created_at)
             SELECT printf('bundle:%07d', i), 'bundle', 'a bundle', 'live', 1, 0, '{{}}', 0, 1
             FROM bundle;
             INSERT INTO fm_item (id, kind, label, state, version, used_by, users, parts, created_at)
             SELECT printf('neuron:%07d', i), 'neuron', 'a neuron', 'live', {USED} + 1, {USED},
                    '{{\"bundle\":{USED}}}', 0, 1
             FROM bundle;
             INSERT INTO fm_item_need (by, item, relation)
             SELECT printf('bundle:%07d', b.i), printf('neuron:%07d', {uses}), 'uses'
             FROM bundle b, nth n ORDER BY 1, 2;
             INSERT INTO fm_item_link (item, is_part, by, label)
             SELECT item, 0, by, 'a bundle' FROM fm_item_need ORDER BY 1, 3;
             DROP TABLE bundle; DROP TABLE nth;"
        );
        side.fm.transaction(|tx| {
            tx.sql().execute_batch(&script)?;
            Ok(())
        })?;
        Ok(side)
    }

    fn id(&self, kind: &str, n: usize) -> Result<ItemId, Refusal> {
        ItemId::new(kind, &format!("{:07}", mix(n as u64) % self.half))
    }

    fn ask(&self, n: usize) -> Result<(), Error> {
        let verdict = self.trash.can_delete(&self.id("neuron", n)?).wait()?;
        assert!(!verdict.can_delete && verdict.count + 4 > USED, "it is used: {verdict:?}");
        Ok(())
    }

    fn delete(&self, n: usize) -> Result<(), Error> {
        let deleted =
            self.trash.delete(&self.id("bundle", n)?, "it is not sold any more").wait()?;
        assert_eq!(deleted.count, 1);
        Ok(())
    }
}
