//! Which crate may not depend on which: the table of the design, so that the layout cannot drift.
//!
//! Rules are asked of declared dependencies (optional ones too), followed through siblings: a crate that may not
//! depend on the console may not do so through another crate either.

use cargo_metadata::{DependencyKind, Metadata};
use std::collections::{BTreeMap, BTreeSet};

/// A declared dependency.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) to: String,
    pub(super) use_: Use,
    pub(super) need: Need,
}

/// Whether a dependency ships with the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Shipped,
    TestsOnly,
}

/// Whether a dependency can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Always,
    Optional,
}

/// Workspace members and their declared dependencies.
pub(super) type Members = BTreeMap<String, Vec<Edge>>;

/// (crate, what it may not depend on). Crates that do not exist yet are in here too, so that they begin well.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("sekisho-rules", &["hyper", "http", "axum", "tokio"]),
    ("sekisho-edm", &["sekisho-rules"]),
    ("sekisho-incident", &["sekisho-ledger", "rusqlite", "parquet", "askama"]),
    ("sekisho-attribution", &["sekisho-ledger"]),
    ("sekisho-ledger", &["sekisho-console"]),
    ("sekisho-scope", &["sekisho-console", "sekisho-gateway"]),
    ("sekisho-gateway", &["sekisho-scope", "sekisho-incident", "sekisho-console"]),
    ("sekisho-disclosure", &["sekisho-console", "sekisho-scope"]),
    ("sekisho-affected", &["sekisho-gateway", "sekisho-scope", "sekisho-ledger", "sekisho-incident"]),
    ("sekisho-notify", &["sekisho-gateway", "sekisho-console", "sekisho-scope", "sekisho-ledger", "rsa", "rusqlite"]),
    ("sekisho-console", &["sekisho-gateway"]),
    ("sekisho-watch", &["sekisho-gateway", "sekisho-console", "sekisho-scope", "sekisho-ledger"]),
    ("sekisho-pg-gateway", &["sekisho-gateway"]),
    ("sekisho-fim", &["sekisho-gateway"]),
    ("sekisho-hedger", &["sekisho-gateway"]),
];

/// Crates that no sibling may stand under: an auditor, or a referee, builds them alone.
const ALONE: &[&str] = &["sekisho-model", "sekisho-tlog", "sekisho-decode", "sekisho-demo-truth"];

/// Synchronous crates without I/O.
const PURE: &[&str] = &[
    "sekisho-model",
    "sekisho-tlog",
    "sekisho-rules",
    "sekisho-decode",
    "sekisho-edm",
    "sekisho-edm-simd",
    "sekisho-incident",
    "sekisho-attribution",
    "sekisho-demo-truth",
];

/// What would make a pure crate do I/O.
const RUNTIMES: &[&str] = &["tokio", "hyper", "mio", "axum", "rusqlite", "socket2"];

/// The only crates with `anyhow`: executables, where the chain is printed once.
const ANYHOW_USERS: &[&str] = &["sekisho", "xtask"];

/// The demo's crates and the one that may offer them, as an option.
const DEMO: &[&str] = &["sekisho-demo", "sekisho-demo-truth"];
const DEMO_USER: &str = "sekisho";

/// Every forbidden edge, as a sentence.
pub(super) fn check(members: &Members) -> Vec<String> {
    let mut errors = Vec::new();
    for name in members.keys() {
        let reached = shipped_closure(members, name);
        for (_, forbidden) in FORBIDDEN.iter().filter(|(from, _)| from == name) {
            let edges = forbidden.iter().filter(|to| reached.contains(**to));
            errors.extend(edges.map(|to| format!("`{name}` may not depend on `{to}`")));
        }
    }
    for (name, edges) in members {
        errors.extend(edges.iter().filter_map(|edge| complaint(members, name, edge)));
    }
    errors
}

/// What is wrong with one declared dependency by itself.
fn complaint(members: &Members, name: &str, edge: &Edge) -> Option<String> {
    let to = edge.to.as_str();
    let is_sibling = members.contains_key(to);
    let shipped = edge.use_ == Use::Shipped;
    if ALONE.contains(&name) && is_sibling && (shipped || name == "sekisho-demo-truth") {
        return Some(format!("`{name}` stands alone and may not depend on `{to}`"));
    }
    if to == "anyhow" && !ANYHOW_USERS.contains(&name) {
        return Some(format!("`{name}` may not use `anyhow`: libraries have an error type of their own"));
    }
    if DEMO.contains(&to) && !(name == DEMO_USER && edge.need == Need::Optional) && !DEMO.contains(&name) {
        return Some(format!(
            "`{to}` is reachable only from `{DEMO_USER}`, as an optional dependency, not from `{name}`"
        ));
    }
    // The demo, which may be left out, has its persons from there.
    let may_ship = DEMO.contains(&name) || name == "xtask" || (name == DEMO_USER && edge.need == Need::Optional);
    if to == "xtask" || (to == "sekisho-testkit" && shipped && !may_ship) {
        return Some(format!("`{name}` ships `{to}`, which is for tests and developers"));
    }
    None
}

/// All crates that `name` ships, directly or through siblings.
fn shipped_closure(members: &Members, name: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(next) = open.pop() {
        for edge in members.get(&next).into_iter().flatten().filter(|edge| edge.use_ == Use::Shipped) {
            if reached.insert(edge.to.clone()) {
                open.push(edge.to.clone());
            }
        }
    }
    reached
}

/// A pure crate whose resolved dependencies hold a runtime, as sentences.
pub(super) fn check_runtime_free(closures: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let pure = closures.iter().filter(|(name, _)| PURE.contains(&name.as_str()));
    let found = pure.flat_map(|(name, reached)| {
        let runtimes = RUNTIMES.iter().filter(|runtime| reached.contains(**runtime));
        runtimes.map(move |runtime| format!("`{name}` is pure and may not pull in `{runtime}`"))
    });
    found.collect()
}

/// The declared dependencies of the workspace's members.
pub(super) fn members(metadata: &Metadata) -> Members {
    let packages = metadata.workspace_packages();
    let edges = packages.iter().map(|package| {
        let declared = package.dependencies.iter().map(|dependency| Edge {
            to: dependency.name.clone(),
            use_: if dependency.kind == DependencyKind::Development { Use::TestsOnly } else { Use::Shipped },
            need: if dependency.optional { Need::Optional } else { Need::Always },
        });
        (package.name.to_string(), declared.collect())
    });
    edges.collect()
}

/// For each member, every package that its shipped dependencies resolve to.
pub(super) fn closures(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let Some(resolve) = &metadata.resolve else { return BTreeMap::new() };
    let names: BTreeMap<_, _> =
        metadata.packages.iter().map(|package| (&package.id, package.name.to_string())).collect();
    let shipped: BTreeMap<_, Vec<_>> = resolve
        .nodes
        .iter()
        .map(|node| {
            let ships =
                |dep: &&cargo_metadata::NodeDep| dep.dep_kinds.iter().any(|info| info.kind == DependencyKind::Normal);
            (&node.id, node.deps.iter().filter(ships).map(|dep| &dep.pkg).collect())
        })
        .collect();
    let members = metadata.workspace_members.iter().map(|member| {
        let mut reached = BTreeSet::new();
        let mut open = vec![member];
        while let Some(next) = open.pop() {
            for dep in &shipped[next] {
                if reached.insert(names[dep].clone()) {
                    open.push(dep);
                }
            }
        }
        (names[member].clone(), reached)
    });
    members.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(edges: &[(&str, &str, Use, Need)]) -> Members {
        let mut members = Members::new();
        for (from, to, use_, need) in edges {
            let edge = Edge { to: (*to).to_owned(), use_: *use_, need: *need };
            members.entry((*from).to_owned()).or_default().push(edge);
            if to.starts_with("sekisho") {
                members.entry((*to).to_owned()).or_default();
            }
        }
        members
    }

    fn refused(edges: &[(&str, &str, Use, Need)]) -> bool {
        !check(&members(edges)).is_empty()
    }

    use Need::{Always, Optional};
    use Use::{Shipped, TestsOnly};

    #[test]
    fn a_forbidden_edge_is_found_through_a_sibling_too() {
        assert!(refused(&[("sekisho-scope", "sekisho-gateway", Shipped, Always)]));
        assert!(refused(&[
            ("sekisho-scope", "sekisho-ledger", Shipped, Always),
            ("sekisho-ledger", "sekisho-gateway", Shipped, Always),
        ]));
        assert!(!refused(&[("sekisho-gateway", "sekisho-ledger", Shipped, Always)]));
    }

    #[test]
    fn what_stands_alone_has_no_siblings() {
        assert!(refused(&[("sekisho-tlog", "sekisho-model", Shipped, Always)]));
        assert!(refused(&[("sekisho-demo-truth", "sekisho-testkit", TestsOnly, Always)]));
        assert!(!refused(&[("sekisho-model", "sekisho-testkit", TestsOnly, Always)]));
    }

    #[test]
    fn the_demo_is_an_option_of_the_executable_only() {
        assert!(!refused(&[("sekisho", "sekisho-demo", Shipped, Optional)]));
        assert!(refused(&[("sekisho", "sekisho-demo", Shipped, Always)]));
        assert!(refused(&[("sekisho-gateway", "sekisho-demo", TestsOnly, Optional)]));
    }

    #[test]
    fn libraries_have_no_anyhow_and_ship_no_testkit() {
        assert!(refused(&[("sekisho-ledger", "anyhow", Shipped, Always)]));
        assert!(!refused(&[("sekisho", "anyhow", Shipped, Always)]));
        assert!(refused(&[("sekisho-ledger", "sekisho-testkit", Shipped, Always)]));
        assert!(!refused(&[("sekisho-ledger", "sekisho-testkit", TestsOnly, Always)]));
    }

    #[test]
    fn a_pure_crate_has_no_runtime() {
        let closure = |name: &str| BTreeMap::from([(name.to_owned(), BTreeSet::from(["tokio".to_owned()]))]);
        assert_eq!(check_runtime_free(&closure("sekisho-edm")).len(), 1);
        assert_eq!(check_runtime_free(&closure("sekisho-gateway")).len(), 0);
    }
}
