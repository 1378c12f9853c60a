//! Trials: one life with something going wrong, and everything that must hold after it.
//!
//! After a power cut the surviving disk goes into a new machine, where the database must open, the
//! books must balance, everything acknowledged must be there and answer as it did, and the script
//! must go on to exactly the end that it has when nothing goes wrong. After any other fault the same
//! handle must do so, or a new one on the same machine.

use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use finalmile::{
    Error, FinalMile, Simulated, Timestamp,
    engines::{Memory, Sqlite},
    rusqlite::{Connection, OpenFlags},
};

use crate::{
    CHANGES, Client, Disk, Fault, Harm, Machine, Script, Standings, Survival, books::books,
};

/// How long a life may take before it counts as stuck: a hundred times as long as it does.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the engine is set up.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "each test makes its own")]
pub struct Setup {
    /// `FULL`, unless a test shows that less is too little.
    pub synchronous: &'static str,
    /// How many pages the log holds before they are moved into the file.
    pub checkpoint_pages: u32,
    /// After how many rows a thread of its own moves them; 0: only the writer does.
    pub log_rows: usize,
}

/// What came of a trial.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Outcome {
    /// How many operations were counted.
    pub counted: u64,
    /// How many of them were harmed.
    pub harmed: u64,
    /// How many calls were acknowledged before the end, and then checked.
    pub acknowledged: u64,
    /// How many handles were opened before all was well again.
    pub lives: u64,
    /// How many of them could not go on though the faults were over.
    pub stuck: u64,
    /// How often each kind of fault was answered.
    pub faults: BTreeMap<&'static str, u64>,
    /// What should not be.
    pub findings: Vec<String>,
}

/// A script, and how it ends when nothing goes wrong.
#[derive(Debug)]
pub struct Trial {
    script: Script,
    setup: Setup,
    codes: BTreeMap<(usize, usize), &'static str>,
    end: Standings,
}

/// A disk, what goes wrong with it, what is left of it, and chance.
type Life = (Disk, Fault, Survival, u64);

fn world() -> Arc<Simulated> {
    Arc::new(Simulated::new(Timestamp::from_millis(1_800_000_000_000), 1))
}

impl Trial {
    /// Plays the script in memory.
    ///
    /// # Panics
    ///
    /// When memory fails.
    #[must_use]
    pub fn new(script: Script, setup: Setup) -> Self {
        let world = world();
        let fm = FinalMile::builder(Memory::new()).world(world.clone()).open().expect("memory");
        let mut client = Client::new(&script, world);
        assert!(client.go_on(&fm, 0), "memory failed");
        let codes = std::mem::take(&mut client.codes);
        let end = Standings::read(&fm).expect("memory");
        assert_eq!(client.losses(&end), [""; 0], "the client believes what is not");
        drop(client);
        Self { script, setup, codes, end }
    }

    /// A disk with an empty database on it.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    #[must_use]
    pub fn format(&self, disk: Disk) -> Disk {
        let machine = Machine::start(disk, None, 0);
        drop(self.open(&machine, &world()).expect("a new database"));
        machine.stop(Survival::Nothing)
    }

    fn open(&self, machine: &Machine, world: &Arc<Simulated>) -> Result<FinalMile, Error> {
        let engine = Sqlite::file(machine.path())
            .weakened_for_tests(self.setup.synchronous)
            .checkpoint_pages_for_tests(self.setup.checkpoint_pages)
            .log_rows_for_tests(self.setup.log_rows);
        FinalMile::builder(engine).world(world.clone()).open()
    }

    /// Plays the script on `disk` until `fault`, then what must follow.
    ///
    /// # Panics
    ///
    /// When a life never ends.
    #[must_use]
    pub fn play(&self, disk: &Disk, fault: Fault, survival: Survival, seed: u64) -> Outcome {
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            scope.spawn(move || {
                let life = (disk.clone(), fault, survival, seed);
                // Nobody listens if the test has failed already.
                drop(tell.send(match fault.harm {
                    Harm::PowerCut => self.cut(life),
                    Harm::Kill => self.kill(life),
                    Harm::Full | Harm::Error => self.fail(life),
                }));
            });
            match told.recv_timeout(PATIENCE) {
                Ok(outcome) => outcome,
                // Leaving would wait for the thread that is stuck.
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    crate::say(&format!("stuck: {fault:?} {survival:?} seed {seed}"));
                    std::process::abort()
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => panic!("{fault:?} seed {seed}"),
            }
        })
    }

    /// A life until the power goes; in half of all trials another, which is cut early, while the
    /// first one's loss is being mended; and the next one.
    fn cut(&self, (disk, fault, survival, seed): Life) -> Outcome {
        let mut machine = Machine::start(disk, Some(fault), seed);
        let world = world();
        let mut client = Client::new(&self.script, world.clone());
        let mut outcome = Outcome::default();
        let again = seed.is_multiple_of(2);
        loop {
            if let Ok(fm) = self.open(&machine, &world)
                && !client.go_on(&fm, 1)
            {
                outcome.findings.extend(client.knock(&fm));
            }
            let (counted, harmed) = machine.counted();
            outcome.counted += counted;
            outcome.harmed += harmed;
            outcome.lives += 1;
            let second = again && harmed == 1 && outcome.lives == 1;
            let after = seed / 2 % 60;
            let fault = Fault { harm: Harm::PowerCut, on: CHANGES, after, times: 1 };
            let disk = machine.stop(survival);
            machine = Machine::start(disk, second.then_some(fault), seed + outcome.lives);
            if !second {
                break;
            }
        }
        outcome.acknowledged = client.acknowledged();
        self.finish(&machine, &mut client, &mut outcome);
        outcome
    }

    /// A process until it is killed, then one that asks for the last step again; then the power
    /// goes, and what the second one said must be there.
    fn kill(&self, (disk, fault, survival, seed): Life) -> Outcome {
        let world = world();
        let mut client = Client::new(&self.script, world.clone());
        let mut outcome = Outcome { lives: 2, ..Outcome::default() };
        // Nothing may be written at opening but what must be. So half of the script comes before, and
        // another opening, after which SQLite has all statistics that it wants.
        let machine = Machine::start(disk, None, seed);
        for steps in [self.script.steps.len() / 2, 0] {
            let opened = self.open(&machine, &world);
            if !opened.is_ok_and(|fm| (0..steps).all(|_| client.take_one(&fm))) {
                outcome.findings.push("a step failed on a good disk".to_owned());
            }
        }
        let machine = Machine::start(machine.stop(Survival::Nothing), Some(fault), seed);
        if let Ok(fm) = self.open(&machine, &world) {
            client.go_on(&fm, 0);
        }
        (outcome.counted, outcome.harmed) = machine.counted();
        let second = Machine::start(machine.kill(), None, seed + 1);
        match self.open(&second, &world) {
            Ok(fm) => {
                if !client.take_one(&fm) {
                    outcome.findings.push("a step failed after a killed process".to_owned());
                }
                // The handle's drop would write statistics and move the log.
                outcome.acknowledged = client.acknowledged();
                let third = Machine::start(second.stop(survival), None, seed + 2);
                drop(fm);
                self.finish(&third, &mut client, &mut outcome);
            }
            Err(error) => outcome.findings.push(format!("after a killed process: {error:?}")),
        }
        outcome
    }

    /// A life with faults that it survives, then one more without, on the disk that a power cut
    /// leaves of it.
    fn fail(&self, (disk, fault, survival, seed): Life) -> Outcome {
        let machine = Machine::start(disk, Some(fault), seed);
        let world = world();
        let mut client = Client::new(&self.script, world.clone());
        let mut outcome = Outcome::default();
        let mut done = false;
        // Each life meets one more fault at least, until they are over, if they ever are.
        let lives = if fault.times == u64::MAX { 2 } else { fault.times + 2 };
        while !done && outcome.lives < lives {
            outcome.lives += 1;
            if let Ok(fm) = self.open(&machine, &world) {
                done = client.go_on(&fm, 2);
                // Asking three times outlives what strikes twice.
                outcome.stuck += u64::from(!done && fault.times <= 2);
            }
        }
        (outcome.counted, outcome.harmed) = machine.counted();
        outcome.acknowledged = client.acknowledged();
        if !done && fault.times < u64::MAX {
            outcome.findings.push("the faults are over, and no handle works".to_owned());
        }
        let next = Machine::start(machine.stop(survival), None, seed + 1);
        self.finish(&next, &mut client, &mut outcome);
        outcome
    }

    /// Everything that must hold once all is well again.
    fn finish(&self, machine: &Machine, client: &mut Client<'_>, outcome: &mut Outcome) {
        let found = self.finished(machine, client);
        outcome.faults = std::mem::take(&mut client.faults);
        outcome.findings.extend(match found {
            Ok(found) => found,
            Err(error) => vec![format!("all is well again, but: {error:?}")],
        });
        outcome.findings.append(&mut client.findings);
    }

    fn finished(&self, machine: &Machine, client: &mut Client<'_>) -> Result<Vec<String>, Error> {
        let world = client.world();
        let fm = self.open(machine, &world)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(machine.path(), flags);
        let Ok(db) = db else { return Ok(vec![format!("nobody can read it: {db:?}")]) };
        let mut found = books(&fm, &db);
        found.extend(client.losses(&Standings::read(&fm)?));
        if !found.is_empty() {
            return Ok(found);
        }
        found.extend(client.ask_again(&fm));
        if !client.go_on(&fm, 0) {
            found.push(format!("a step failed on a good disk: {:?}", client.faults));
        }
        let end = Standings::read(&fm)?;
        found.extend(client.losses(&end));
        found.extend(books(&fm, &db));
        if found.is_empty() && (&end, &client.codes) != (&self.end, &self.codes) {
            found.push(format!("it ended as {end:?}, not as {:?}", self.end));
        }
        Ok(found)
    }
}
