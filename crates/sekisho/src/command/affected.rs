//! `sekisho affected`: makes the case codes of a mailing, serves the page that answers them, and mails codes.
//!
//! Two keys: the code key makes codes and stays where the mailing is written; the lookup key goes with the store to the
//! machine that serves the page.

mod courier;

use super::Done;
use crate::output::tell;
use crate::{files, keys, register_file};
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use sekisho_affected::config::Config;
use sekisho_affected::keys::{CodeKey, KEY_BYTES, LookupKey};
use sekisho_affected::mail::{Courier, SocketCourier};
use sekisho_affected::notice::Notice;
use sekisho_affected::site::{self, Site};
use sekisho_affected::store::Store;
use sekisho_affected::{Error, codes};
use sekisho_edm::Encoding;
use sekisho_model::SystemClock;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

const CODE_KEY: &str = "affected-code.key";
const LOOKUP_KEY: &str = "affected-lookup.key";

/// "Was I affected?": codes for the persons of a case, and the page that answers them.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a code for each row; write the mailing's CSV (row keys and codes) and the page's store (neither).
    #[command(
        after_help = "Example:\n  sekisho scope --format csv --register customers >rows.csv\n  sekisho affected codes --notice notice.toml --rows rows.csv --keys keys \\\n    --mailing mailing.csv --store hakone-2026-1.codes\n\nThe same rows, notice and keys give the same codes. Only affected-lookup.key and the\nstore go to the machine that serves the page."
    )]
    Codes {
        /// What the page says about the case: TOML.
        #[arg(long)]
        notice: PathBuf,
        /// Rows as `sekisho scope --format csv` writes them: register, row_key, fields.
        #[arg(long)]
        rows: PathBuf,
        /// The folder of the two keys; they are made when it has none.
        #[arg(long)]
        keys: PathBuf,
        /// Where to write register, row_key and code (mode 0600); replaced when it exists.
        #[arg(long)]
        mailing: PathBuf,
        /// Where to write the page's store (mode 0600); replaced when it exists.
        #[arg(long)]
        store: PathBuf,
        #[command(flatten)]
        register: Register,
    },
    /// Serve the page until SIGTERM or Ctrl-C, as plain HTTP behind a proxy that does TLS.
    #[command(after_help = "Example:\n  sekisho affected serve -c affected.toml")]
    Serve {
        /// The configuration; paths in it are from its folder.
        #[arg(short, long, default_value = "affected.toml")]
        config: PathBuf,
    },
    /// Mail the codes that the page hands over, until SIGTERM or Ctrl-C: the program at the page's socket.
    #[command(
        after_help = "Example:\n  sekisho affected courier -c affected.toml --notify notify.toml\n\nRun it beside the page, as the same user. The socket is `courier` of affected.toml; sender,\nrelay, DKIM key and waits between tries are those of notify.toml, whose registers are not read.\nNothing is kept: what waits when the courier ends is lost, and the person asks again."
    )]
    Courier {
        /// The page's configuration; paths in it are from its folder.
        #[arg(short, long, default_value = "affected.toml")]
        config: PathBuf,
        /// The configuration of `sekisho notify`.
        #[arg(long, default_value = "notify.toml")]
        notify: PathBuf,
    },
}

/// Where the persons' mail addresses are read from, so that the page can mail codes. Their keyed hashes go into the
/// store.
#[derive(clap::Args)]
pub(crate) struct Register {
    /// The firm's register (CSV); with it, the page can send codes by mail.
    #[arg(long, requires = "row_key", requires = "mail")]
    register: Option<PathBuf>,
    /// The register's column with the row keys.
    #[arg(long, requires = "register")]
    row_key: Option<String>,
    /// The register's column with the mail addresses.
    #[arg(long, requires = "register")]
    mail: Option<String>,
}

impl Register {
    fn mails(&self) -> Result<codes::Mails> {
        let (Some(path), Some(row_key), Some(mail)) = (&self.register, &self.row_key, &self.mail) else {
            return Ok(codes::Mails::new());
        };
        let (text, _) = register_file::read(path, Encoding::Auto)?;
        codes::mails(text.as_bytes(), row_key, mail).with_context(|| format!("`{}`", path.display()))
    }
}

impl Command {
    pub(crate) fn run(self) -> Result<Done> {
        match self {
            Command::Codes { notice, rows, keys, mailing, store, register } => {
                make((&notice, &rows, &keys), &register, (&mailing, &store))
            }
            Command::Serve { config } => serve(&config),
            Command::Courier { config, notify } => courier::run(&config, &notify),
        }
    }
}

fn make(from: (&Path, &Path, &Path), register: &Register, to: (&Path, &Path)) -> Result<Done> {
    let ((notice, rows, keys), (mailing, store)) = (from, to);
    let notice = Notice::parse(&read(notice)?).with_context(|| format!("`{}`", notice.display()))?;
    let (code_key, lookup_key) = load_or_create(keys)?;
    let opened = std::fs::File::open(rows).with_context(|| format!("cannot open `{}`", rows.display()))?;
    let mails = register.mails()?;
    // All in memory, so that a fault in the last row leaves no file behind.
    let mut codes = Vec::new();
    let made = codes::make(notice, (&code_key, &lookup_key), io::BufReader::new(opened), &mails, &mut codes)
        .with_context(|| format!("`{}`", rows.display()))?;
    let cannot = |path: &Path| format!("cannot write `{}`", path.display());
    files::replace_private(mailing, |output| output.write_all(&codes)).with_context(|| cannot(mailing))?;
    files::replace_private(store, |output| made.write(&lookup_key, output)).with_context(|| cannot(store))?;
    let (codes, mails) = (made.entries().len(), made.mails().len());
    tell!("{codes} codes and {mails} mail addresses for case `{}`", made.notice().case);
    Ok(Done::Yes)
}

fn serve(path: &Path) -> Result<Done> {
    let config = Config::parse(&read(path)?).with_context(|| format!("`{}`", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let key = LookupKey::parse(&read_key(&folder.join(&config.lookup_key))?)
        .with_context(|| format!("cannot use the key `{}`", config.lookup_key.display()))?;
    let mut stores = Vec::new();
    for store in &config.stores {
        let store = folder.join(store);
        stores.push(Store::read(&key, &read(&store)?).with_context(|| format!("`{}`", store.display()))?);
    }
    if config.trusted_proxies.is_empty() {
        tell!("warning: `trusted_proxies` is empty: behind a proxy, everybody is one client and shares its limit");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(async {
        let courier = config.courier.as_ref().map(|socket| SocketCourier::start(folder.join(socket)));
        let courier = courier.map(|courier| Arc::new(courier) as Arc<dyn Courier>);
        let site = Site::new(&config, key, &stores, Arc::new(SystemClock::new()), courier)?;
        drop(stores);
        let bound = tokio::net::TcpListener::bind(config.listen).await;
        let listener = bound.map_err(|source| Error::Listen { address: config.listen, source })?;
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tell!("the page is served on http://{}, {} codes", listener.local_addr()?, site.codes());
        let told = async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        };
        site::serve(site, listener, told).await.context("cannot serve")
    })?;
    Ok(Done::Yes)
}

/// Never one without the other: a new code key beside an old store would make codes that nobody knows.
fn load_or_create(folder: &Path) -> Result<(CodeKey, LookupKey)> {
    let paths = [folder.join(CODE_KEY), folder.join(LOOKUP_KEY)];
    match paths.each_ref().map(|path| path.exists()) {
        [true, true] => {}
        [false, false] => {
            let cannot = || format!("cannot make keys in `{}`", folder.display());
            files::private_directory(folder).with_context(cannot)?;
            for path in &paths {
                let mut bytes = [0; KEY_BYTES];
                getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
                files::create_private(path, format!("{}\n", hex::encode(bytes)).as_bytes()).with_context(cannot)?;
            }
        }
        [code, _] => {
            let missing = &paths[usize::from(code)];
            bail!("`{}` is missing, the other key is there; restore it, or use another folder", missing.display());
        }
    }
    let cannot = |path: &Path| format!("cannot use the key `{}`", path.display());
    let code = CodeKey::parse(&read_key(&paths[0])?).with_context(|| cannot(&paths[0]))?;
    let lookup = LookupKey::parse(&read_key(&paths[1])?).with_context(|| cannot(&paths[1]))?;
    Ok((code, lookup))
}

/// PRV-2: a key that others can read is refused.
fn read_key(path: &Path) -> Result<String> {
    if let Some(problem) = keys::open_to_others(path) {
        bail!("{}; {}", problem.title, problem.help);
    }
    read(path)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}
