//! The log against `ct-merkle`, an implementation of RFC 6962 that shares no code with it.

use crate::checkpoint::generate_signing_key;
use crate::proof::{prove_consistency, prove_inclusion, verify_consistency, verify_inclusion};
use crate::tree::{parse_bundle, tiles_of};
use crate::*;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io;

type Oracle = MemoryBackedTree<sha2::Sha256, Vec<u8>>;

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

#[derive(Default)]
struct Stored(BTreeMap<String, Vec<u8>>);

impl Stored {
    fn store(&mut self, tree: &mut Tree) {
        self.0.extend(tree.take_changed().into_iter().map(|tile| (tile.path.to_string(), tile.bytes)));
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

fn log_of(size: u64) -> (Tree, Oracle, Stored) {
    let (mut tree, mut oracle, mut stored) = (Tree::new(), Oracle::new(), Stored::default());
    for index in 0..size {
        tree.append(&entry(index)).expect("short");
        oracle.push(entry(index));
    }
    stored.store(&mut tree);
    (tree, oracle, stored)
}

#[test]
fn roots_are_those_of_the_oracle() {
    let (mut tree, mut oracle) = (Tree::new(), Oracle::new());
    for index in 0..700 {
        assert_eq!(tree.root().0.as_slice(), oracle.root().as_bytes().as_slice(), "at size {index}");
        tree.append(&entry(index)).expect("short");
        oracle.push(entry(index));
    }
}

#[test]
fn a_log_of_three_levels_is_the_oracles_and_loads_again() {
    let (mut tree, oracle, mut stored) = log_of(65_536 + 300);
    assert_eq!(tree.root().0.as_slice(), oracle.root().as_bytes().as_slice());
    let mut loaded = Tree::load(tree.size(), &|path| stored.read(path)).expect("tiles are whole");
    assert_eq!(loaded.root(), tree.root());
    for index in tree.size()..tree.size() + 300 {
        tree.append(&entry(index)).expect("short");
        loaded.append(&entry(index)).expect("short");
    }
    assert_eq!(loaded.root(), tree.root());
    assert_eq!(loaded.take_changed(), tree.take_changed());
    stored.store(&mut loaded);
}

#[test]
fn consistency_from_the_empty_log_is_an_empty_proof() {
    let (tree, _, stored) = log_of(5);
    let proof = prove_consistency(0, 5, &|path| stored.read(path)).expect("proves");
    assert!(proof.is_empty());
    verify_consistency(&proof, 5, tree.root(), 0, EMPTY_HASH).expect("holds");
    verify_consistency(&proof, 5, tree.root(), 0, tree.root()).expect_err("the empty log has one root");
    verify_consistency(&[EMPTY_HASH], 5, tree.root(), 0, EMPTY_HASH).expect_err("nothing to prove with");
}

#[test]
fn paths_are_those_of_the_specification() {
    let path = |level, number, width| TilePath { level, number, width }.to_string();
    assert_eq!(path(Some(0), 1_234_067, 256), "tile/0/x001/x234/067");
    assert_eq!(path(Some(1), 0, 3), "tile/1/000.p/3");
    assert_eq!(path(None, 1_000, 256), "tile/entries/x001/000");
}

#[test]
fn a_bundle_gives_its_entries_back_and_a_torn_one_an_error() {
    let (_, tiles) = tiles_of([&b"one"[..], b"", b"three"]).expect("short");
    let path = TilePath { level: None, number: 0, width: 3 };
    let bytes = &tiles["tile/entries/000.p/3"];
    assert_eq!(parse_bundle(&path, bytes).expect("whole"), [&b"one"[..], b"", b"three"]);
    parse_bundle(&path, &bytes[..bytes.len() - 1]).expect_err("torn");
}

#[test]
fn a_checkpoint_opens_with_its_key_only() {
    let key =
        SigningKey::parse(&generate_signing_key("ledger.example/1", &[7; 32]).expect("a good name")).expect("parses");
    let other = SigningKey::from_seed("ledger.example/1", &[8; 32]).expect("a good name");
    let checkpoint = Checkpoint { origin: "ledger.example/1".into(), size: 3, root: leaf_hash(b"x") };
    let note = checkpoint.sign(&key).expect("signs");
    let verifier = VerifyingKey::parse(key.verifier()).expect("parses");
    assert_eq!(Checkpoint::open(&note, &verifier).expect("opens"), checkpoint);
    Checkpoint::open(&note, &VerifyingKey::parse(other.verifier()).expect("parses")).expect_err("another key");
    assert!(!format!("{key:?}").contains("PRIVATE"));
}

#[test]
fn a_changed_byte_of_a_checkpoint_is_refused() {
    let key = SigningKey::from_seed("ledger.example/1", &[7; 32]).expect("a good name");
    let verifier = VerifyingKey::parse(key.verifier()).expect("parses");
    let checkpoint = Checkpoint { origin: "ledger.example/1".into(), size: 3, root: leaf_hash(b"x") };
    let note = checkpoint.sign(&key).expect("signs");
    for at in 0..note.len() {
        let mut changed = note.clone();
        changed[at] ^= 1;
        assert!(Checkpoint::open(&changed, &verifier).is_err(), "byte {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn proofs_hold_and_stop_holding_when_anything_changes(size in 2u64..600, a: u64, b: u64, bit in 0usize..256) {
        let (tree, oracle, stored) = log_of(size);
        let (index, size_old) = (a % size, 1 + b % size);
        let read = |path: &str| stored.read(path);
        let inclusion = prove_inclusion(index, size, &read).expect("in the log");
        let oracle_proof = oracle.prove_inclusion(usize::try_from(index).expect("small"));
        prop_assert_eq!(inclusion.iter().flat_map(|hash| hash.0).collect::<Vec<_>>(), oracle_proof.as_bytes());
        let leaf = leaf_hash(&entry(index));
        verify_inclusion(&inclusion, size, tree.root(), index, leaf).expect("holds");
        let mut other = leaf;
        other.0[bit / 8] ^= 1 << (bit % 8);
        verify_inclusion(&inclusion, size, tree.root(), index, other).expect_err("another leaf");

        let consistency = prove_consistency(size_old, size, &read).expect("older");
        let root_old = log_of(size_old).0.root();
        verify_consistency(&consistency, size, tree.root(), size_old, root_old).expect("holds");
        let mut root = tree.root();
        root.0[bit / 8] ^= 1 << (bit % 8);
        verify_consistency(&consistency, size, root, size_old, root_old).expect_err("another root");
    }
}
