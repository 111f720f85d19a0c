//! Source files: those that no module includes, and text that may not stand in one.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every `.rs` file of the workspace, and the roots from which modules are followed.
pub(super) struct Tree {
    root: PathBuf,
    files: BTreeMap<PathBuf, String>,
    crate_roots: Vec<PathBuf>,
}

impl Tree {
    /// Reads all files below `crates/`.
    pub(super) fn read(root: &Path, crate_roots: &[PathBuf]) -> Result<Tree> {
        let mut files = BTreeMap::new();
        let mut open = vec![root.join("crates")];
        while let Some(directory) = open.pop() {
            let entries = fs::read_dir(&directory).with_context(|| format!("cannot list `{}`", directory.display()))?;
            for entry in entries {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text =
                        fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
                    files.insert(path, text);
                }
            }
        }
        Ok(Tree { root: root.to_owned(), files, crate_roots: crate_roots.to_vec() })
    }

    /// The number of files.
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// Files that no `mod` leads to.
    pub(super) fn dead_files(&self) -> Vec<String> {
        let mut alive = BTreeSet::new();
        let mut open = self.crate_roots.clone();
        while let Some(file) = open.pop() {
            let Some(text) = self.files.get(&file) else { continue };
            if alive.insert(file.clone()) {
                let is_root = self.crate_roots.contains(&file);
                open.extend(modules(text).into_iter().flat_map(|module| candidates(&file, is_root, module)));
            }
        }
        let dead = self.files.keys().filter(|path| !alive.contains(*path));
        dead.map(|path| format!("`{}` is included by no module", self.shown(path))).collect()
    }

    /// Lines with text that may not stand in a source file.
    pub(super) fn forbidden_text(&self) -> Vec<String> {
        let mut errors = Vec::new();
        for (path, text) in &self.files {
            for (number, line) in text.lines().enumerate() {
                if let Some(advice) = forbidden(line) {
                    errors.push(format!("{}:{}: {advice}", self.shown(path), number + 1));
                }
            }
        }
        errors
    }

    /// Files of more than `lines_max` lines.
    pub(super) fn long_files(&self, lines_max: usize) -> Vec<String> {
        let long = self.files.iter().filter(|(_, text)| text.lines().count() > lines_max);
        long.map(|(path, text)| format!("`{}` has {} lines", self.shown(path), text.lines().count())).collect()
    }

    fn shown<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

/// The modules that a file declares in files of their own.
fn modules(text: &str) -> Vec<&str> {
    let declared = text.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = match line.strip_prefix("pub") {
            Some(rest) => rest.trim_start_matches(|c: char| c != ' ').trim_start(),
            None => line,
        };
        line.strip_prefix("mod ")?.split(';').next().filter(|_| line.contains(';'))
    });
    declared.map(str::trim).collect()
}

/// Where the file of a module can lie.
fn candidates(file: &Path, is_root: bool, module: &str) -> [PathBuf; 2] {
    let folder = file.parent().unwrap_or(Path::new(""));
    let stem = file.file_stem().unwrap_or_default();
    let below = if is_root || stem == "mod" { folder.to_owned() } else { folder.join(stem) };
    [below.join(format!("{module}.rs")), below.join(module).join("mod.rs")]
}

/// What to do about a line, when something is wrong with it. The needles are cut so that this file passes.
fn forbidden(line: &str) -> Option<&'static str> {
    if line.contains(concat!("[al", "low(")) {
        return Some("write `#[expect(…, reason = …)]`, which fails when it is no longer needed");
    }
    if line.contains(concat!("to", "do!(")) || line.contains(concat!("unimpl", "emented!(")) {
        return Some("unfinished code may not stand in the tree");
    }
    if line.contains(concat!("#[ig", "nore")) {
        return Some("a test that does not run proves nothing");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)], roots: &[&str]) -> Tree {
        let files = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
        Tree { root: PathBuf::new(), files, crate_roots: roots.iter().map(PathBuf::from).collect() }
    }

    #[test]
    fn a_file_without_a_module_is_dead() {
        let files = [
            ("src/lib.rs", "pub mod wal;\n#[cfg(test)]\nmod tests;"),
            ("src/wal.rs", "pub(crate) mod block;"),
            ("src/wal/block.rs", ""),
            ("src/tests.rs", ""),
            ("src/left.rs", ""),
        ];
        assert_eq!(tree(&files, &["src/lib.rs"]).dead_files(), ["`src/left.rs` is included by no module"]);
    }

    #[test]
    fn modules_of_an_integration_test_lie_beside_its_root() {
        let files = [("tests/it/main.rs", "mod stream;"), ("tests/it/stream.rs", "")];
        assert!(tree(&files, &["tests/it/main.rs"]).dead_files().is_empty());
    }

    #[test]
    fn forbidden_text_is_found_with_its_line() {
        let text =
            format!("fn a() {{}}\n{}dead_code)]\n    {}\"later\")", concat!("#[al", "low("), concat!("to", "do!("));
        let errors = tree(&[("src/lib.rs", &text)], &[]).forbidden_text();
        assert_eq!(errors.len(), 2);
        assert!(errors[0].starts_with("src/lib.rs:2:"), "{errors:?}");
    }
}
