//! A disk in memory that loses or tears whatever was not synced.
//!
//! It keeps two states: what a running process sees, and what survives a power cut. [`SimDisk::crash`] builds a
//! new disk from the second, adding a random subset of the unsynced sectors and names. A test decides what each
//! operation does with [`SimDisk::set_fault`]: fail, do nothing (a removed sync), or wait at a [`Gate`].
//! Sectors of 512 bytes are written wholly or not at all, in any order.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sekisho_model::disk::{Disk, File, Lock, Open};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// What the disk writes wholly or not at all.
pub const SECTOR_BYTES: u64 = 512;

/// What is asked of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperationKind {
    /// A file is opened or made.
    Open,
    /// Bytes are written.
    Write,
    /// A file's length is set.
    SetLength,
    /// A file is synced.
    Sync,
    /// A directory is synced.
    SyncDirectory,
    /// A file gets another name.
    Rename,
    /// A name is removed.
    Remove,
    /// Directories are made.
    CreateDirectory,
}

/// One thing asked of the disk, before it is done.
#[derive(Clone, Debug)]
pub struct Operation<'a> {
    /// What.
    pub kind: OperationKind,
    /// Of which file or directory.
    pub path: &'a Path,
    /// How many operations of this kind on this path came before.
    pub earlier: u64,
}

/// What becomes of an operation.
#[derive(Clone, Debug, Default)]
pub enum Fault {
    /// It is done.
    #[default]
    None,
    /// It fails with this error and changes nothing.
    Error(io::ErrorKind),
    /// It says that it was done, and does nothing: how a test removes a sync.
    Skip,
    /// It waits until the gate opens, then is done.
    Wait(Arc<Gate>),
}

/// A gate that a test opens.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    open: bool,
    arrived: u64,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn closed() -> Arc<Gate> {
        Arc::new(Gate::default())
    }

    /// Lets everybody pass from now on.
    pub fn open(&self) {
        self.lock().open = true;
        self.changed.notify_all();
    }

    /// Waits until an operation has arrived at the gate.
    pub fn wait_for_arrival(&self) {
        let state = self.lock();
        drop(self.changed.wait_while(state, |state| state.arrived == 0).expect("no holder of the gate panics"));
    }

    fn pass(&self) {
        let mut state = self.lock();
        state.arrived += 1;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |state| !state.open).expect("no holder of the gate panics"));
    }

    fn lock(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().expect("no holder of the gate panics")
    }
}

type FaultHook = Arc<dyn Fn(&Operation<'_>) -> Fault + Send + Sync>;

/// The disk; clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    hook: Mutex<Option<FaultHook>>,
}

#[derive(Default)]
struct State {
    names: BTreeMap<PathBuf, Node>,
    names_durable: BTreeMap<PathBuf, Node>,
    names_pending: Vec<NameChange>,
    inodes: Vec<Inode>,
    locks: BTreeSet<PathBuf>,
    operations: BTreeMap<(OperationKind, PathBuf), u64>,
    operations_total: u64,
    operations_max: Option<u64>,
    bytes_max: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    Directory,
    File(usize),
}

#[derive(Clone)]
enum NameChange {
    Create(PathBuf, Node),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

#[derive(Default, Clone)]
struct Inode {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    SetLength(u64),
}

impl std::fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SimDisk")
    }
}

impl Default for SimDisk {
    fn default() -> SimDisk {
        SimDisk::new()
    }
}

impl SimDisk {
    /// An empty disk with a root directory.
    #[must_use]
    pub fn new() -> SimDisk {
        let mut state = State::default();
        state.names.insert(PathBuf::from("/"), Node::Directory);
        state.names_durable.insert(PathBuf::from("/"), Node::Directory);
        SimDisk::with(state)
    }

    /// Decides each operation from now on. The hook runs without the disk's lock held.
    pub fn set_fault(&self, hook: impl Fn(&Operation<'_>) -> Fault + Send + Sync + 'static) {
        *self.inner.hook.lock().expect("no holder of the hook panics") = Some(Arc::new(hook));
    }

    /// Every operation is done again.
    pub fn clear_fault(&self) {
        *self.inner.hook.lock().expect("no holder of the hook panics") = None;
    }

    /// After `operations` more changing operations the power is cut: all later ones fail.
    pub fn power_off_after(&self, operations: u64) {
        let mut state = self.lock();
        state.operations_max = Some(state.operations_total + operations);
    }

    /// Files together may hold this many bytes; a write beyond fails with `StorageFull`.
    pub fn set_bytes_max(&self, bytes: Option<u64>) {
        self.lock().bytes_max = bytes;
    }

    /// Changing operations so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.lock().operations_total
    }

    /// Cuts the power: this disk fails from now on, and the returned one holds what survived. What was not
    /// synced survives in part, as `seed` decides.
    #[must_use]
    pub fn crash(&self, seed: u64) -> SimDisk {
        let mut random = StdRng::seed_from_u64(seed);
        let mut state = self.lock();
        state.operations_max = Some(0);
        let mut names = state.names_durable.clone();
        let keep_names = Survival::pick(&mut random);
        for change in &state.names_pending {
            if keep_names.keeps(&mut random) {
                apply_name_change(&mut names, change);
            }
        }
        let names: BTreeMap<PathBuf, Node> = names
            .iter()
            .filter(|(path, _)| is_rooted(&names, path))
            .map(|(path, node)| (path.clone(), *node))
            .collect();
        let inodes = state.inodes.iter().map(|inode| inode.after_crash(&mut random)).collect();
        SimDisk::with(State { names_durable: names.clone(), names, inodes, ..State::default() })
    }

    /// A copy of everything a process sees, as a new disk where all of it is durable.
    #[must_use]
    pub fn copy(&self) -> SimDisk {
        let state = self.lock();
        let inodes = state
            .inodes
            .iter()
            .map(|inode| Inode { bytes: inode.bytes.clone(), durable: inode.bytes.clone(), unsynced: Vec::new() })
            .collect();
        let names = state.names.clone();
        SimDisk::with(State { names_durable: names.clone(), names, inodes, ..State::default() })
    }

    /// All files, sorted.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let state = self.lock();
        state.names.iter().filter(|(_, node)| **node != Node::Directory).map(|(path, _)| path.clone()).collect()
    }

    /// The bytes of a file as a process sees them; `None` when there is none of this name.
    #[must_use]
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.lock();
        match state.names.get(path) {
            Some(Node::File(inode)) => Some(state.inodes[*inode].bytes.clone()),
            _ => None,
        }
    }

    /// Changes a file's bytes durably, behind everybody's back: how a test tampers.
    pub fn tamper(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        let Some(Node::File(inode)) = state.names.get(path).copied() else { panic!("no file `{}`", path.display()) };
        let inode = &mut state.inodes[inode];
        change(&mut inode.bytes);
        inode.durable = inode.bytes.clone();
        inode.unsynced.clear();
    }

    fn with(state: State) -> SimDisk {
        SimDisk { inner: Arc::new(Inner { state: Mutex::new(state), hook: Mutex::new(None) }) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().expect("no holder of the disk panics")
    }

    /// Counts the operation and asks the hook. `Ok(true)` means: do it.
    fn begin(&self, kind: OperationKind, path: &Path) -> io::Result<bool> {
        let earlier = {
            let mut state = self.lock();
            if state.operations_max.is_some_and(|max| state.operations_total >= max) {
                return Err(io::Error::other("the power is cut"));
            }
            state.operations_total += 1;
            let count = state.operations.entry((kind, path.to_path_buf())).or_default();
            *count += 1;
            *count - 1
        };
        let hook = self.inner.hook.lock().expect("no holder of the hook panics").clone();
        let fault = hook.map(|hook| hook(&Operation { kind, path, earlier })).unwrap_or_default();
        match fault {
            Fault::None => Ok(true),
            Fault::Skip => Ok(false),
            Fault::Error(kind) => Err(io::Error::from(kind)),
            Fault::Wait(gate) => {
                gate.pass();
                match self.lock().operations_max {
                    Some(0) => Err(io::Error::other("the power is cut")),
                    _ => Ok(true),
                }
            }
        }
    }

    fn change_names(&self, change: NameChange) {
        let mut state = self.lock();
        apply_name_change(&mut state.names, &change);
        state.names_pending.push(change);
    }
}

/// How much of the unsynced survives in one place: all and nothing are likelier than chance would have it.
#[derive(Clone, Copy)]
enum Survival {
    Nothing,
    Everything,
    Some,
}

impl Survival {
    fn pick(random: &mut StdRng) -> Survival {
        match random.random_range(0..4) {
            0 | 1 => Survival::Nothing,
            2 => Survival::Everything,
            _ => Survival::Some,
        }
    }

    fn keeps(self, random: &mut StdRng) -> bool {
        match self {
            Survival::Nothing => false,
            Survival::Everything => true,
            Survival::Some => random.random(),
        }
    }
}

impl Inode {
    fn apply(bytes: &mut Vec<u8>, change: &Change) {
        match change {
            Change::Write { offset, bytes: new } => {
                let start = usize::try_from(*offset).expect("simulated files are small");
                let end = start + new.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[start..end].copy_from_slice(new);
            }
            Change::SetLength(length) => bytes.resize(usize::try_from(*length).expect("simulated files are small"), 0),
        }
    }

    fn change(&mut self, change: Change) {
        Inode::apply(&mut self.bytes, &change);
        self.unsynced.push(change);
    }

    fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            Inode::apply(&mut self.durable, &change);
        }
    }

    fn after_crash(&self, random: &mut StdRng) -> Inode {
        let mut bytes = self.durable.clone();
        let survival = Survival::pick(random);
        for change in self.unsynced.iter().flat_map(sectors) {
            if survival.keeps(random) {
                Inode::apply(&mut bytes, &change);
            }
        }
        Inode { durable: bytes.clone(), bytes, unsynced: Vec::new() }
    }
}

fn sectors(change: &Change) -> Vec<Change> {
    let Change::Write { offset, bytes } = change else { return vec![change.clone()] };
    let mut parts = Vec::new();
    let (mut offset, mut rest) = (*offset, bytes.as_slice());
    while !rest.is_empty() {
        let room = usize::try_from(SECTOR_BYTES - offset % SECTOR_BYTES).expect("a sector is small");
        let (part, after) = rest.split_at(room.min(rest.len()));
        parts.push(Change::Write { offset, bytes: part.to_vec() });
        offset += part.len() as u64;
        rest = after;
    }
    parts
}

fn apply_name_change(names: &mut BTreeMap<PathBuf, Node>, change: &NameChange) {
    match change {
        NameChange::Create(path, node) => {
            names.insert(path.clone(), *node);
        }
        NameChange::Rename(from, to) => {
            if let Some(node) = names.remove(from) {
                names.insert(to.clone(), node);
            }
        }
        NameChange::Remove(path) => {
            names.remove(path);
        }
    }
}

/// Whether all directories above the path survived.
fn is_rooted(names: &BTreeMap<PathBuf, Node>, path: &Path) -> bool {
    path.ancestors().skip(1).all(|above| names.get(above) == Some(&Node::Directory))
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no `{}`", path.display()))
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>> {
        if how == Open::Create {
            self.begin(OperationKind::Open, path)?;
        }
        let mut state = self.lock();
        let inode = match (state.names.get(path).copied(), how) {
            (Some(Node::File(inode)), Open::Read | Open::Write) => inode,
            (None, Open::Create) => {
                if !path.parent().is_some_and(|parent| state.names.get(parent) == Some(&Node::Directory)) {
                    return Err(not_found(path));
                }
                state.inodes.push(Inode::default());
                let inode = state.inodes.len() - 1;
                state.names.insert(path.to_path_buf(), Node::File(inode));
                state.names_pending.push(NameChange::Create(path.to_path_buf(), Node::File(inode)));
                inode
            }
            (Some(_), Open::Create) => return Err(io::Error::from(io::ErrorKind::AlreadyExists)),
            (Some(Node::Directory), _) => return Err(io::Error::from(io::ErrorKind::IsADirectory)),
            (None, _) => return Err(not_found(path)),
        };
        drop(state);
        Ok(Box::new(SimFile { disk: self.clone(), path: path.to_path_buf(), inode }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.begin(OperationKind::CreateDirectory, path)?;
        let mut above: Vec<&Path> = path.ancestors().collect();
        above.reverse();
        for directory in above {
            if !self.exists(directory) {
                self.change_names(NameChange::Create(directory.to_path_buf(), Node::Directory));
            }
        }
        Ok(())
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.lock();
        if state.names.get(path) != Some(&Node::Directory) {
            return Err(not_found(path));
        }
        Ok(state.names.keys().filter(|name| name.parent() == Some(path)).cloned().collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.begin(OperationKind::Rename, to)?;
        if !self.exists(from) {
            return Err(not_found(from));
        }
        self.change_names(NameChange::Rename(from.to_path_buf(), to.to_path_buf()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.begin(OperationKind::Remove, path)?;
        if !self.exists(path) {
            return Err(not_found(path));
        }
        self.change_names(NameChange::Remove(path.to_path_buf()));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if !self.begin(OperationKind::SyncDirectory, path)? {
            return Ok(());
        }
        let mut guard = self.lock();
        let state = &mut *guard;
        let concerns = |change: &NameChange| match change {
            NameChange::Create(name, _) | NameChange::Remove(name) => name.parent() == Some(path),
            NameChange::Rename(from, to) => from.parent() == Some(path) || to.parent() == Some(path),
        };
        let (now, later): (Vec<_>, Vec<_>) = state.names_pending.drain(..).partition(concerns);
        for change in &now {
            apply_name_change(&mut state.names_durable, change);
        }
        state.names_pending = later;
        Ok(())
    }

    fn exists(&self, path: &Path) -> bool {
        self.lock().names.contains_key(path)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        if !self.lock().locks.insert(path.to_path_buf()) {
            return Ok(None);
        }
        Ok(Some(Box::new(SimLock { disk: self.clone(), path: path.to_path_buf() })))
    }
}

struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.lock().locks.remove(&self.path);
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    inode: usize,
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.lock();
        let bytes = &state.inodes[self.inode].bytes;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let count = buffer.len().min(bytes.len() - start);
        buffer[..count].copy_from_slice(&bytes[start..start + count]);
        Ok(count)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if !self.disk.begin(OperationKind::Write, &self.path)? {
            return Ok(());
        }
        let mut state = self.disk.lock();
        let used: usize = state.inodes.iter().map(|inode| inode.bytes.len()).sum();
        let grows = (offset + bytes.len() as u64).saturating_sub(state.inodes[self.inode].bytes.len() as u64);
        if state.bytes_max.is_some_and(|max| grows > 0 && used as u64 + grows > max) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        state.inodes[self.inode].change(Change::Write { offset, bytes: bytes.to_vec() });
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.lock().inodes[self.inode].bytes.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.disk.begin(OperationKind::SetLength, &self.path)? {
            self.disk.lock().inodes[self.inode].change(Change::SetLength(len));
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        if self.disk.begin(OperationKind::Sync, &self.path)? {
            self.disk.lock().inodes[self.inode].sync();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(disk: &SimDisk, path: &str, bytes: &[u8]) -> Box<dyn File> {
        let file = disk.open(Path::new(path), Open::Create).expect("creates");
        file.write_all_at(bytes, 0).expect("writes");
        file
    }

    #[test]
    fn synced_bytes_under_a_synced_name_survive_every_crash() {
        for seed in 0..64 {
            let disk = SimDisk::new();
            written(&disk, "/a", b"kept").sync().expect("syncs");
            disk.sync_dir(Path::new("/")).expect("syncs");
            assert_eq!(disk.crash(seed).bytes(Path::new("/a")).as_deref(), Some(&b"kept"[..]));
        }
    }

    #[test]
    fn what_was_not_synced_may_be_lost_torn_or_kept() {
        let mut seen = BTreeSet::new();
        for seed in 0..64 {
            let disk = SimDisk::new();
            let file = written(&disk, "/a", &[1; 1024]);
            disk.sync_dir(Path::new("/")).expect("syncs");
            drop(file);
            let bytes = disk.crash(seed).bytes(Path::new("/a")).expect("its name was synced");
            seen.insert((bytes.first().copied(), bytes.get(512).copied()));
        }
        assert!(seen.contains(&(None, None)), "lost");
        assert!(seen.contains(&(Some(1), Some(1))), "kept");
        assert!(seen.contains(&(Some(0), Some(1))), "torn");
    }

    #[test]
    fn a_name_without_a_synced_directory_may_be_lost() {
        let survived = (0..64).filter(|seed| {
            let disk = SimDisk::new();
            written(&disk, "/a", b"x").sync().expect("syncs");
            disk.crash(*seed).exists(Path::new("/a"))
        });
        assert!((1..64).contains(&survived.count()));
    }

    #[test]
    fn a_skipped_sync_is_no_sync() {
        let disk = SimDisk::new();
        disk.set_fault(|operation| if operation.kind == OperationKind::Sync { Fault::Skip } else { Fault::None });
        written(&disk, "/a", b"x").sync().expect("says that it synced");
        disk.sync_dir(Path::new("/")).expect("syncs");
        let lost = (0..64).any(|seed| disk.crash(seed).bytes(Path::new("/a")).is_some_and(|bytes| bytes.is_empty()));
        assert!(lost);
    }

    #[test]
    fn a_full_disk_refuses_to_grow() {
        let disk = SimDisk::new();
        let file = written(&disk, "/a", &[0; 100]);
        disk.set_bytes_max(Some(100));
        file.write_all_at(b"in place", 0).expect("does not grow");
        assert_eq!(file.write_all_at(b"x", 100).expect_err("grows").kind(), io::ErrorKind::StorageFull);
    }
}
