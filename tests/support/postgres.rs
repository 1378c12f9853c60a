//! A throw-away PostgreSQL server for the tests that need one.
//!
//! A test file takes it in with two lines, and asks for a schema of its own in each test:
//!
//! ```text
//! #[path = "support/postgres.rs"]
//! mod postgres_support;
//!
//! let Some(cluster) = postgres_support::live_or_skip() else { return };
//! let schema = cluster.schema();
//! let engine = Postgres::connect(schema.url())?;
//! ```
//!
//! One cluster serves a whole test process; tests in it run side by side, each in its schema. A test
//! that wants to crash the server, or to measure it, starts one of its own: [`Cluster::start`].
//!
//! # How the server ends
//!
//! Statics are never dropped, and a killed process drops nothing at all. So the server is the child
//! of a small shell script, whose standard input is a pipe that only the test process holds. However
//! that process ends, the pipe closes, and the script stops the server and removes its files.
//!
//! # Invariants
//!
//! - A test process that is gone, by return, panic, exit or signal, leaves no server and no files.
//! - Nothing listens outside 127.0.0.1 and the cluster's own folder.
//! - A missing server fails the test with the command that installs it; `FINALMILE_SKIP_LIVE=1`
//!   skips instead, and says so.

#![allow(dead_code, reason = "each test file that includes this module uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot start its server has failed")]

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Once, OnceLock};
use std::thread;
use std::time::Duration;

use finalmile::postgres::{Client, NoTls};

/// How often a wait looks again, and how often at most: 60 seconds in all.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const LOOKS: u32 = 6_000;

/// What a caller may choose about a cluster of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Whether a commit waits for the disk. Off by default: a test of rules survives the death of
    /// processes, not of the machine. Durability tests and benches switch it on.
    pub(crate) fsync: bool,
}

/// A running server with a data folder of its own.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: PathBuf,
    port: u16,
    pid: u32,
    next_schema: AtomicU32,
    supervisor: Supervisor,
}

impl Cluster {
    /// The server that all tests of this process share, started by the first that asks.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(Options::default()))
    }

    /// Starts a server that belongs to the caller alone and ends when dropped.
    pub(crate) fn start(options: Options) -> Self {
        let binaries = find_binaries().unwrap_or_else(|| {
            panic!(
                "no PostgreSQL server found in PATH or /usr/lib/postgresql/*/bin. Install one:\n\
                 \n    apt-get install --no-install-recommends postgresql\n\n\
                 or set FINALMILE_SKIP_LIVE=1 to leave the live tests out"
            )
        });
        let owner = Owner::for_servers();
        let folder = private_folder(&owner);
        let mut supervisor = Supervisor::start(&folder, &binaries, &owner);
        let made = supervisor.ask("init");
        assert_eq!(made, "done", "initdb failed:\n{}", log_of(&folder));

        let mut cluster =
            Self { folder, port: 0, pid: 0, next_schema: AtomicU32::new(1), supervisor };
        cluster.configure(&format!(
            "listen_addresses = '127.0.0.1'\n\
             unix_socket_directories = '{}'\n\
             max_connections = 200\n\
             fsync = {}\n\
             # Kept in the data folder, so that a killed server leaves nothing in shared memory.\n\
             dynamic_shared_memory_type = mmap\n\
             timezone = 'UTC'\n\
             jit = off\n",
            cluster.folder.display().to_string().replace('\'', "''"),
            if options.fsync { "on" } else { "off" },
        ));
        // Between choosing a free port and listening on it another process may take it.
        for _ in 0..5 {
            cluster.port = free_port();
            cluster.configure(&format!("port = {}\n", cluster.port));
            if cluster.launch() {
                return cluster;
            }
        }
        panic!("the server did not start:\n{}", log_of(&cluster.folder));
    }

    /// Where to connect as the superuser, outside any test's schema.
    pub(crate) fn url(&self) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The folder of the server's unix socket, for hosts that connect that way.
    pub(crate) fn socket_folder(&self) -> &Path {
        &self.folder
    }

    /// The TCP port on 127.0.0.1. It stays the same over [`Cluster::restart`].
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The server's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Makes an empty schema that no other test knows.
    pub(crate) fn schema(&self) -> Schema {
        let name = format!("test_{}", self.next_schema.fetch_add(1, Ordering::Relaxed));
        self.batch(&format!("CREATE SCHEMA {name}"));
        let url =
            format!("{}?options=-c%20search_path%3D{name}&application_name={name}", self.url());
        Schema { name, url, superuser_url: self.url() }
    }

    /// Runs statements as the superuser. Also safe to call from inside an async runtime.
    pub(crate) fn batch(&self, sql: &str) {
        on_own_thread(|| connect(&self.url()).batch_execute(sql).unwrap());
    }

    /// Ends the server and every backend with SIGKILL, as a crash does. Nothing is flushed.
    ///
    /// Takes `&mut self`, so that nobody can do this to the shared cluster.
    pub(crate) fn stop_hard(&mut self) {
        assert_eq!(self.supervisor.ask("KILL"), "done");
    }

    /// Starts the server again on its data, after [`Cluster::stop_hard`] or while it runs.
    pub(crate) fn restart(&mut self) {
        assert_eq!(self.supervisor.ask("INT"), "done");
        // A backend that outlived its parent still holds the old shared memory for a moment.
        for _ in 0..50 {
            if self.launch() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("the server did not start again:\n{}", log_of(&self.folder));
    }

    /// Starts the server process and waits until it answers. `false`: it gave up, try again.
    fn launch(&mut self) -> bool {
        let log_start = log_of(&self.folder).len();
        self.pid = self.supervisor.ask("start").parse().unwrap();
        for _ in 0..LOOKS {
            if is_ready(&self.folder, self.pid) {
                return true;
            }
            let log = log_of(&self.folder);
            let news = log.get(log_start..).unwrap_or_default();
            let gave_up = ["could not create any TCP/IP sockets", "pre-existing shared memory"];
            if gave_up.iter().any(|words| news.contains(words)) {
                assert_eq!(self.supervisor.ask("INT"), "done");
                return false;
            }
            thread::sleep(LOOK_AGAIN);
        }
        panic!("the server is not ready after a minute:\n{}", log_of(&self.folder));
    }

    /// Appends settings; the last one of a name wins.
    fn configure(&self, settings: &str) {
        let path = self.folder.join("data/postgresql.conf");
        let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(settings.as_bytes()).unwrap();
    }
}

/// One test's place in a cluster. It is not removed: the whole cluster soon is.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    name: String,
    url: String,
    superuser_url: String,
}

impl Schema {
    /// Where to connect so that unqualified names mean this schema.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The schema's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Opens a connection of the test's own. Not from inside an async runtime.
    pub(crate) fn connect(&self) -> Client {
        connect(&self.url)
    }

    /// Runs statements in this schema. Also safe to call from inside an async runtime.
    pub(crate) fn batch(&self, sql: &str) {
        on_own_thread(|| connect(&self.url).batch_execute(sql).unwrap());
    }

    /// Cuts every connection that was opened with [`Schema::url`] and returns how many those were.
    ///
    /// They are told by `application_name`, which the address sets to the schema's name.
    pub(crate) fn kill_backends(&self) -> usize {
        let sql = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
                   WHERE application_name = $1 AND pid <> pg_backend_pid()";
        on_own_thread(|| connect(&self.superuser_url).query(sql, &[&self.name]).unwrap().len())
    }
}

/// The shared cluster, or `None` after saying so when `FINALMILE_SKIP_LIVE=1` is set.
pub(crate) fn live_or_skip() -> Option<&'static Cluster> {
    if std::env::var_os("FINALMILE_SKIP_LIVE").is_none_or(|value| value != "1") {
        return Some(Cluster::shared());
    }
    // Written to the stream itself: the test harness hides what a passing test prints.
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        writeln!(io::stderr(), "SKIPPED live tests: FINALMILE_SKIP_LIVE=1 is set").ok();
    });
    None
}

/// The script that owns the server, and the pipes to it. Each word written gets a line back.
#[derive(Debug)]
struct Supervisor {
    child: Child,
    /// Closing it ends the server. Pipes are closed on exec, so no other child keeps it open.
    words: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// `$1` the cluster's folder, `$2` the folder of the binaries; the rest is the command that gives
/// up root's rights, which is empty for everybody else.
const SCRIPT: &str = r#"
dir=$1 bin=$2
shift 2
server=
trap : HUP INT TERM
cd / || exit 1

halt() {
    [ -n "$server" ] || return 0
    family=$server
    # A killed parent would leave its backends to finish what they do: they die with it.
    [ "$1" != KILL ] || family="$server $(cat "/proc/$server/task/$server/children" 2>/dev/null)"
    kill -s "$1" $family 2>/dev/null
    wait "$server"
    server=
}

while read -r word; do
    case $word in
    init)
        if "$@" "$bin/initdb" -D "$dir/data" --username=postgres --auth=trust --locale=C \
            --encoding=UTF8 --no-sync --no-instructions >>"$dir/log" 2>&1 </dev/null
        then echo done; else echo failed; fi ;;
    start)
        "$@" "$bin/postgres" -D "$dir/data" >>"$dir/log" 2>&1 </dev/null &
        server=$!
        echo "$server" ;;
    INT | KILL)
        halt "$word"
        echo done ;;
    esac
done

halt INT
# Line 7 of the lock file, which only a killed server leaves, ends with the id of a memory segment.
segment=$(sed -n '7s/.* //p' "$dir/data/postmaster.pid" 2>/dev/null)
[ -z "$segment" ] || ipcrm -m "$segment" 2>/dev/null
rm -rf "$dir"
"#;

impl Supervisor {
    fn start(folder: &Path, binaries: &Path, owner: &Owner) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", SCRIPT, "finalmile-test-postgres"])
            .args([folder, binaries])
            .args(&owner.prefix)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C is for the tests; their end is what the script waits for.
            .process_group(0)
            .spawn()
            .unwrap();
        let words = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, words, answers }
    }

    fn ask(&mut self, word: &str) -> String {
        writeln!(self.words.as_mut().unwrap(), "{word}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.words.take());
        self.child.wait().ok();
    }
}

/// Whose files the cluster is. The server refuses to run as root.
struct Owner {
    /// What to write before a command so that it runs as the owner.
    prefix: Vec<String>,
    /// User and group, when they are not the caller's own.
    ids: Option<(u32, u32)>,
}

impl Owner {
    fn for_servers() -> Self {
        let id = Command::new("id").arg("-u").output().unwrap();
        if id.stdout != b"0\n" {
            return Self { prefix: Vec::new(), ids: None };
        }
        let users = fs::read_to_string("/etc/passwd").unwrap();
        let ids_of = |name: &str| {
            let user = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = user.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        let (uid, gid) =
            ids_of("postgres").or_else(|| ids_of("nobody")).expect("a user other than root");
        let words = ["setpriv", &format!("--reuid={uid}"), &format!("--regid={gid}")];
        let mut prefix: Vec<String> = words.map(str::to_owned).into();
        prefix.extend(["--clear-groups".to_owned(), "--".to_owned()]);
        Self { prefix, ids: Some((uid, gid)) }
    }
}

/// The newest folder that holds both `initdb` and `postgres`.
fn find_binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    let packaged = versions.into_iter().rev().map(|(_, folder)| folder);
    std::env::split_paths(&path)
        .chain(packaged)
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// Makes an empty folder that only the owner may enter.
fn private_folder(owner: &Owner) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("finalmile-pg-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => panic!("cannot create {}: {error}", folder.display()),
        }
        if let Some((uid, gid)) = owner.ids {
            chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        return folder;
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Whether the server said so in its lock file: line 1 is its process id, line 8 its state.
fn is_ready(folder: &Path, pid: u32) -> bool {
    let lock = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
    let mut lines = lock.lines();
    lines.next() == Some(pid.to_string().as_str())
        && lines.nth(6).is_some_and(|state| state.trim_end() == "ready")
}

fn log_of(folder: &Path) -> String {
    let bytes = fs::read(folder.join("log")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn connect(url: &str) -> Client {
    Client::connect(url, NoTls).unwrap()
}

/// The blocking client owns a runtime, and panics inside another one: it gets a thread.
fn on_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().unwrap())
}
