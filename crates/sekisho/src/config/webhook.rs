//! `[webhook]`: where the firm's own system is told who is kept out.

use super::section::{Section, Source};
use crate::{keys, report, webhook};
use http::Uri;
use sekisho_model::Diagnostic;
use std::path::{Path, PathBuf};

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    /// The file of the secret that signs them.
    pub(crate) secret: PathBuf,
    /// Root certificates to believe beside the system's.
    pub(crate) extra_roots: Option<PathBuf>,
}

pub(super) fn read(root: &Section<'_>, source: &Source<'_>, directory: &Path) -> Option<Webhook> {
    let section = root.table("webhook", "[webhook]")?;
    let wants = "an address such as \"https://intern.example.jp/sekisho\"; `http` to this machine only";
    let address = section.required("url", "\"https://intern.example.jp/sekisho\"");
    let address = address.and_then(|text| section.parse("url", &text, "SK062", wants, url));
    let secret = section.required("secret", "\"keys/webhook.secret\"");
    let extra_roots = section.string("extra_roots").map(|path| directory.join(path.value));
    section.refuse_unknown();
    let secret = secret?;
    let path = directory.join(&secret.value);
    let problem = match std::fs::read_to_string(&path) {
        Err(err) => Some(format!("cannot read `{}`: {}", path.display(), report::io_text(&err))),
        Ok(text) => webhook::check_secret(&text).err().map(|err| format!("cannot use `{}`: {err:#}", path.display())),
    };
    if let Some(title) = problem {
        let help = "`sekisho webhook keys` makes it";
        source.tell(Diagnostic::error("SK063", title).help(help), &secret.span);
    }
    if let Some(problem) = keys::open_to_others(&path) {
        source.tell(Diagnostic::error(problem.code, problem.title).help(problem.help), &secret.span);
    }
    Some(Webhook { url: address?.value, secret: path, extra_roots })
}

/// `https` to anywhere, `http` to this machine.
fn url(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let is_bare = !uri.authority()?.as_str().contains('@');
    let is_good = uri.scheme_str() == Some("https") || uri.scheme_str() == Some("http") && is_here;
    (is_good && is_bare).then(|| text.to_owned())
}
