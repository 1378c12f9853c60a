//! A gateway on loopback that can be told to fail and to lie.
//!
//! ```ignore
//! #[path = "support/gateway.rs"]
//! mod gateway;
//! ```
//!
//! It serves what a [`Store`] holds, as far as it is [`Able`], unless a trick answers in its place; it
//! remembers what it was asked and counts what it sent.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

#[path = "archive.rs"]
pub(crate) mod archive;

use std::{
    collections::HashMap,
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use finalmile::ipfs::{Cid, Gateway, ImportOptions, Profile, import_path, write_car};

/// An archive of blocks under the names they are given.
pub(crate) fn car(blocks: &[(Cid, Vec<u8>)]) -> Vec<u8> {
    let named = blocks.iter().map(|(cid, block)| (cid.as_bytes().to_vec(), block.clone()));
    archive::car(&named.collect::<Vec<_>>())
}

/// The blocks of an archive.
pub(crate) fn blocks(car: &[u8]) -> Vec<(Cid, Vec<u8>)> {
    let blocks = archive::blocks(car).into_iter();
    blocks.map(|(id, block)| (Cid::from_bytes(&id).unwrap(), block)).collect()
}

/// Blocks, archives and files, by what is asked for.
#[derive(Clone, Default)]
pub(crate) struct Store {
    pub(crate) blocks: HashMap<String, Arc<Vec<u8>>>,
    pub(crate) archives: HashMap<String, Arc<Vec<u8>>>,
    pub(crate) files: HashMap<String, Arc<Vec<u8>>>,
}

impl Store {
    /// Holds the empty block, as every gateway does.
    pub(crate) fn new() -> Self {
        let mut store = Self::default();
        store.blocks.insert("bafkqaaa".to_owned(), Arc::default());
        store.files.insert("bafkqaaa".to_owned(), Arc::default());
        store.archives.insert("bafkqaaa".to_owned(), Arc::new(archive::HEADER.to_vec()));
        store
    }

    /// Imports a file.
    pub(crate) fn add(&mut self, bytes: &[u8], profile: Profile) -> Cid {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, bytes).unwrap();
        self.add_path(&path, profile)
    }

    /// Imports a file, or a directory of files, whose paths can be asked for then.
    pub(crate) fn add_path(&mut self, path: &Path, profile: Profile) -> Cid {
        let options = ImportOptions { profile, ..ImportOptions::default() };
        let mut archive = Vec::new();
        let root = write_car(path, options, &mut archive).unwrap().cid();
        for (cid, block) in blocks(&archive) {
            self.blocks.insert(cid.to_string(), Arc::new(block));
        }
        self.place(path, &root.to_string(), options, &Arc::new(archive));
        root
    }

    fn place(&mut self, path: &Path, name: &str, options: ImportOptions, archive: &Arc<Vec<u8>>) {
        self.archives.insert(name.to_owned(), Arc::clone(archive));
        if path.is_file() {
            let bytes = Arc::new(fs::read(path).unwrap());
            let cid = import_path(path, options).unwrap().cid().to_string();
            self.files.insert(cid, Arc::clone(&bytes));
            self.files.insert(name.to_owned(), bytes);
            return;
        }
        for entry in fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{name}/{}", entry.file_name().to_str().unwrap());
            self.place(&entry.path(), &name, options, archive);
        }
    }
}

/// What a gateway can do.
#[derive(Clone, Copy)]
pub(crate) struct Able {
    pub(crate) raw: bool,
    pub(crate) car: bool,
    pub(crate) plain: bool,
    pub(crate) ranges: bool,
}

pub(crate) const ALL: Able = Able { raw: true, car: true, plain: true, ranges: true };
/// A web server, as far as anybody can tell.
pub(crate) const PLAIN: Able = Able { raw: false, car: false, plain: true, ranges: false };

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Below `/ipfs/`, without the query.
    pub(crate) path: String,
    /// `raw`, `car` or `plain`, where both ways of asking agree.
    pub(crate) form: &'static str,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) range: Option<(usize, Option<usize>)>,
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// What `content-length` says; `None`: nothing, and the body ends with the connection.
    pub(crate) length: Option<usize>,
    /// Bytes that are sent before the connection is cut.
    pub(crate) cut: usize,
    /// So many bytes at a time, with a pause between.
    pub(crate) pace: Option<(usize, Duration)>,
    /// A pause before anything.
    pub(crate) wait: Duration,
}

impl Reply {
    pub(crate) fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self {
            status,
            headers: vec![("content-type", kind.to_owned())],
            length: Some(body.len()),
            cut: body.len(),
            body,
            pace: None,
            wait: Duration::ZERO,
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn pace(mut self, bytes: usize, pause: Duration) -> Self {
        self.pace = Some((bytes, pause));
        self
    }
}

pub(crate) const RAW: &str = "application/vnd.ipld.raw";
pub(crate) const CAR: &str = "application/vnd.ipld.car; version=1; order=dfs; dups=n";

/// The answer of an honest gateway.
pub(crate) fn honest(store: &Store, able: Able, asked: &Asked) -> Reply {
    let (held, kind) = match asked.form {
        "raw" if able.raw => (&store.blocks, RAW),
        "car" if able.car => (&store.archives, CAR),
        // The form is passed over, as some do.
        _ if able.plain => (&store.files, "application/octet-stream"),
        _ => return Reply::new(406, "text/plain", "not acceptable"),
    };
    let Some(body) = held.get(&asked.path) else {
        return Reply::new(404, "text/plain", "not found");
    };
    let ranged = able.ranges && kind != CAR;
    match asked.range.filter(|_| ranged) {
        Some((first, _)) if first >= body.len() => Reply::new(416, "text/plain", ""),
        Some((first, last)) => {
            let end = last.map_or(body.len(), |last| body.len().min(last + 1));
            let range = format!("bytes {first}-{}/{}", end - 1, body.len());
            Reply::new(206, kind, &body[first..end]).header("content-range", range)
        }
        None => Reply::new(200, kind, body.to_vec()),
    }
}

/// Answers in place of the honest answer, if it wants to.
pub(crate) type Trick = Box<dyn Fn(&Asked, Reply) -> Reply + Send + Sync>;

/// A gateway that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    sent: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn honest(store: &Store, able: Able) -> Self {
        Self::start(store, able, Box::new(|_, reply| reply))
    }

    pub(crate) fn start(store: &Store, able: Able, trick: Trick) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, sent) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::<AtomicU64>::default());
        let is_over = Arc::<AtomicBool>::default();
        let served = Self {
            url,
            asked: Arc::clone(&asked),
            sent: Arc::clone(&sent),
            is_over: Arc::clone(&is_over),
        };
        let (store, trick) = (Arc::new(store.clone()), Arc::new(trick));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (store, trick, asked) =
                    (Arc::clone(&store), Arc::clone(&trick), Arc::clone(&asked));
                let (sent, is_over) = (Arc::clone(&sent), Arc::clone(&is_over));
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let Some(request) = read_request(&mut stream) else { return };
                    asked.lock().unwrap().push(request.clone());
                    let reply = trick(&request, honest(&store, able, &request));
                    answer(&mut stream, &reply, &sent, &is_over);
                });
            }
        });
        served
    }

    pub(crate) fn gateway(&self) -> Gateway {
        Gateway::new(&self.url).unwrap()
    }

    /// What it was asked, but for what every gateway is asked to see what it can do.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.path != "bafkqaaa").cloned().collect()
    }

    pub(crate) fn probes(&self) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.path == "bafkqaaa").count()
    }

    /// Bytes of bodies.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Forgets what was asked and sent.
    pub(crate) fn forget(&self) {
        self.asked.lock().unwrap().clear();
        self.sent.store(0, Ordering::SeqCst);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // So that it looks.
        drop(TcpStream::connect(self.url.trim_start_matches("http://")));
    }
}

fn read_request(stream: &mut TcpStream) -> Option<Asked> {
    let (mut sent, mut piece) = (Vec::new(), [0; 4_096]);
    while !sent.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        sent.extend_from_slice(&piece[..read]);
    }
    let sent = String::from_utf8(sent).ok()?;
    let mut lines = sent.lines();
    let target = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let path = path.strip_prefix("/ipfs/").unwrap_or(path).to_owned();
    let accept = headers.get("accept").map_or("", String::as_str);
    // Asked for in one way only, a form is not given: both must be there.
    let asks = |form: &str| query.contains(&format!("format={form}")) && accept.contains(form);
    let form = if asks("raw") {
        "raw"
    } else if asks("car") {
        "car"
    } else {
        "plain"
    };
    let range = headers.get("range").and_then(|range| {
        let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()))
    });
    Some(Asked { path, form, headers, range })
}

fn answer(stream: &mut TcpStream, reply: &Reply, sent: &AtomicU64, is_over: &AtomicBool) {
    let rest = |span: Duration| {
        let mut left = span;
        while !left.is_zero() && !is_over.load(Ordering::SeqCst) {
            let step = left.min(Duration::from_millis(10));
            thread::sleep(step);
            left -= step;
        }
    };
    rest(reply.wait);
    let mut head = format!("HTTP/1.1 {} Said\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(length) = reply.length {
        head.push_str(&format!("content-length: {length}\r\n"));
    }
    if stream.write_all(format!("{head}\r\n").as_bytes()).is_err() {
        return;
    }
    let (step, pause) = reply.pace.unwrap_or((64 << 10, Duration::ZERO));
    for piece in reply.body[..reply.cut.min(reply.body.len())].chunks(step) {
        if is_over.load(Ordering::SeqCst) || stream.write_all(piece).is_err() {
            return;
        }
        sent.fetch_add(piece.len() as u64, Ordering::SeqCst);
        rest(pause);
    }
}
