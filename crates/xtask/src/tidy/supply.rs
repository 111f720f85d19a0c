//! Licences, bans and sources of all dependencies, by deny.toml: the same file that `cargo deny` reads.
//!
//! This is not `cargo deny`: advisories need its database. It is what can be checked without another tool.

use anyhow::{Context, Result};
use cargo_metadata::Metadata;
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// The parts of deny.toml that are checked here.
#[derive(Deserialize)]
pub(super) struct Policy {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

/// One resolved package.
pub(super) struct Package {
    name: String,
    license: Option<String>,
    source: Option<String>,
}

/// All packages of the lock file.
pub(super) fn packages(metadata: &Metadata) -> Vec<Package> {
    let packages = metadata.packages.iter().map(|package| Package {
        name: package.name.to_string(),
        license: package.license.clone(),
        source: package.source.as_ref().map(|source| source.repr.clone()),
    });
    packages.collect()
}

impl Policy {
    /// Reads deny.toml.
    pub(super) fn read(path: &Path) -> Result<Policy> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        toml::from_str(&text).with_context(|| format!("cannot understand `{}`", path.display()))
    }

    /// Everything that the policy does not permit, as sentences.
    pub(super) fn check(&self, packages: &[Package]) -> Vec<String> {
        packages.iter().flat_map(|package| self.complaints(package)).collect()
    }

    fn complaints(&self, package: &Package) -> Vec<String> {
        let name = &package.name;
        let mut errors = Vec::new();
        let permitted = package.license.as_deref().is_some_and(|license| self.permits(license));
        if !permitted {
            let license = package.license.as_deref().unwrap_or("no licence named");
            errors.push(format!("`{name}` has a licence that deny.toml does not allow: {license}"));
        }
        if self.bans.deny.iter().any(|ban| ban.name == *name) {
            errors.push(format!("`{name}` is banned by deny.toml"));
        }
        if let Some(source) = &package.source
            && !self.sources.allow_registry.iter().any(|allowed| source == &format!("registry+{allowed}"))
        {
            errors.push(format!("`{name}` comes from `{source}`, which deny.toml does not allow"));
        }
        errors
    }

    /// Whether an SPDX expression can be satisfied by allowed licences.
    fn permits(&self, expression: &str) -> bool {
        let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut reader = Expression { words: &words, allow: &self.licenses.allow };
        reader.alternatives() && reader.words.is_empty()
    }
}

/// Evaluates `alternatives = all {OR all}`, `all = one {AND one}`, `one = ( alternatives ) | id [WITH id]`.
struct Expression<'a> {
    words: &'a [&'a str],
    allow: &'a [String],
}

impl Expression<'_> {
    fn alternatives(&mut self) -> bool {
        let mut permitted = self.all();
        while self.take("OR") {
            permitted |= self.all();
        }
        permitted
    }

    fn all(&mut self) -> bool {
        let mut permitted = self.one();
        while self.take("AND") {
            permitted &= self.one();
        }
        permitted
    }

    fn one(&mut self) -> bool {
        if self.take("(") {
            let permitted = self.alternatives();
            return self.take(")") && permitted;
        }
        let Some((license, rest)) = self.words.split_first() else { return false };
        self.words = rest;
        let mut id = (*license).to_owned();
        if self.take("WITH")
            && let Some((exception, rest)) = self.words.split_first()
        {
            self.words = rest;
            id = format!("{id} WITH {exception}");
        }
        self.allow.contains(&id)
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        toml::from_str(
            r#"
            [licenses]
            allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
            [bans]
            deny = [{ crate = "cmake" }]
            [sources]
            allow-registry = ["https://index.example"]
            "#,
        )
        .expect("the policy is well formed")
    }

    #[test]
    fn an_expression_is_permitted_when_it_can_be_satisfied() {
        let policy = policy();
        for good in
            ["MIT", "GPL-3.0 OR MIT", "(MIT OR GPL-3.0) AND Apache-2.0", "Apache-2.0 WITH LLVM-exception", "X/MIT"]
        {
            assert!(policy.permits(good), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT", "MIT)", "MIT WITH Other-exception", "MIT GPL-3.0"] {
            assert!(!policy.permits(bad), "{bad}");
        }
    }

    #[test]
    fn bans_and_other_sources_are_named() {
        let package = |name: &str, source: &str| Package {
            name: name.to_owned(),
            license: Some("MIT".to_owned()),
            source: Some(source.to_owned()),
        };
        let packages = [
            package("cmake", "registry+https://index.example"),
            package("good", "registry+https://index.example"),
            package("other", "git+https://git.example/other"),
        ];
        let errors = policy().check(&packages);
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].contains("`cmake` is banned") && errors[1].contains("`other` comes from"));
    }
}
