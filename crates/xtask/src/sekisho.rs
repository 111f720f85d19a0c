//! The executable under test, from outside: where it is, how it is configured, what its ledger answers.

use crate::customers::COLUMNS;
use crate::process::output_of;
use anyhow::{Context, Result, bail};
use cargo_metadata::MetadataCommand;
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder where cargo builds.
pub(crate) fn target_directory(root: &Path) -> Result<PathBuf> {
    let metadata = MetadataCommand::new().manifest_path(root.join("Cargo.toml")).no_deps().exec()?;
    Ok(metadata.target_directory.into_std_path_buf())
}

/// Builds the executable with optimisation, and says where it is.
pub(crate) fn build_release(root: &Path) -> Result<PathBuf> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--quiet", "--package", "sekisho"])
        .current_dir(root)
        .status()?;
    if !status.success() {
        bail!("the executable does not build");
    }
    Ok(target_directory(root)?.join("release").join("sekisho"))
}

/// A folder with a configuration for one listener, one upstream and perhaps one register.
pub(crate) struct Site {
    /// Where the configuration is.
    pub(crate) config: PathBuf,
    /// Where the ledger is.
    pub(crate) ledger: PathBuf,
    /// Where clients connect.
    pub(crate) listen: SocketAddr,
}

impl Site {
    /// Writes the configuration, with `route` in it as the route's rules and what these need: one worker, no access log, as the benchmark's nginx is.
    pub(crate) fn write(
        executable: &Path,
        folder: &Path,
        listen: SocketAddr,
        upstream: SocketAddr,
        register: Option<&Path>,
        route: &str,
    ) -> Result<Site> {
        let config = folder.join("sekisho.toml");
        if !config.exists() {
            output_of(Command::new(executable).arg("init").arg(folder))?;
        }
        let mut text = format!(
            "workers = 1\naccess_log = false\n\n[[listener]]\naddress = \"{listen}\"\n\n[[upstream]]\nname = \"site\"\n\
             url = \"http://{upstream}\"\n\n[[route]]\npath = \"/\"\nupstream = \"site\"\n{route}\n[ledger]\n\
             directory = \"ledger\"\n\n[keys]\ndirectory = \"keys\"\n"
        );
        if let Some(file) = register {
            let columns = COLUMNS.iter().map(|(name, kind)| format!("{{ name = \"{name}\", kind = \"{kind}\" }}"));
            let columns = columns.collect::<Vec<_>>().join(", ");
            text += &format!(
                "\n[[register]]\nname = \"customers\"\nfile = \"{}\"\nrow_key = \"account_id\"\ncolumn = [{columns}]\n",
                file.display()
            );
        }
        fs::write(&config, text)?;
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600))?;
        Ok(Site { config, ledger: folder.join("ledger"), listen })
    }
}

/// Row key → fields, as `sekisho scope --format csv` gives them.
pub(crate) fn scope(
    executable: &Path,
    ledger: &Path,
    keys: &Path,
    register: &Path,
) -> Result<BTreeMap<String, Vec<String>>> {
    let mut command = Command::new(executable);
    command.args(["scope", "--format", "csv", "--ledger"]).arg(ledger);
    let answer = output_of(command.arg("--keys").arg(keys).arg("--register").arg(register))?;
    let mut reader = csv::Reader::from_reader(answer.as_bytes());
    let headers = reader.headers()?.clone();
    let column = |name: &str| headers.iter().position(|header| header == name);
    let (key, fields) = column("row_key").zip(column("fields")).context("the scope has no row_key and fields")?;
    let mut persons = BTreeMap::new();
    for record in reader.records() {
        let record = record?;
        let named = record[fields].split_whitespace();
        persons.insert(record[key].to_owned(), named.map(str::to_owned).collect());
    }
    Ok(persons)
}

/// Fails, with what it says, when the ledger does not verify.
pub(crate) fn verify(executable: &Path, ledger: &Path) -> Result<()> {
    output_of(Command::new(executable).arg("verify").arg(ledger)).map(drop).context("the ledger does not verify")
}
