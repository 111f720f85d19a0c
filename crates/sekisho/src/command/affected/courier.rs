//! `sekisho affected courier`: mails the codes that the page hands over, through the relay and with the signature of
//! `notify`. Neither the page's stores and keys nor the registers are read.

use super::super::Done;
use crate::keys;
use crate::output::tell;
use anyhow::{Context, Result, anyhow, bail};
use jiff::Timestamp;
use sekisho_affected::config::Config;
use sekisho_affected::courier::{self, Ended, Genuine, MailText, Office, Post};
use sekisho_notify::config::{Config as Notify, Retry};
use sekisho_notify::single::{self, Draft, Mail, Sender};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Writes and sends as notices are.
struct Relayed {
    sender: Sender,
    retry: Retry,
}

impl Post for Relayed {
    type Mail = Mail;

    fn write(&self, to: Option<&str>, text: &MailText, id: &str) -> Result<Mail, String> {
        // A mail to nobody is written for the firm itself, so that it costs what another one costs.
        let to = to.unwrap_or(self.sender.from());
        let draft = Draft { subject: &text.subject, text: &text.body, id };
        self.sender.write(to, &draft, Timestamp::now()).map_err(|err| err.to_string())
    }

    async fn send(&self, mail: &Mail) -> Ended {
        match self.sender.send(mail).await {
            single::Ended::Taken => Ended::Taken,
            single::Ended::NotNow(why) => Ended::NotNow(why),
            single::Ended::Never(code) => Ended::Dropped(format!("the relay refused it (reply {code})")),
            // The same code a second time would do no harm, but a relay that answers nobody would get it six times.
            single::Ended::Unknown => Ended::Dropped("nobody knows whether the relay took it".to_owned()),
        }
    }

    fn delay(&self, tries: u32) -> Duration {
        self.retry.delay(u16::try_from(tries).unwrap_or(u16::MAX)).unsigned_abs()
    }
}

pub(super) fn run(page: &Path, notify: &Path) -> Result<Done> {
    let config = Config::parse(&super::read(page)?).with_context(|| format!("`{}`", page.display()))?;
    let Some(socket) = &config.courier else {
        bail!("`{}` has no `courier`: write the path of the socket, as `courier.sock`", page.display());
    };
    let socket = page.parent().unwrap_or(Path::new("")).join(socket);
    let notify = Notify::load(notify)?;
    let office = office(&config, &notify)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(async {
        let cannot = || format!("cannot listen on `{}`", socket.display());
        let listening = courier::listen(&socket).with_context(cannot)?;
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tell!("the courier listens on {}", socket.display());
        let told = async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        };
        courier::serve(Arc::new(office), listening, told).await;
        Ok(Done::Yes)
    })
}

fn office(config: &Config, notify: &Notify) -> Result<Office<Relayed>> {
    let Some(dkim) = &notify.dkim else {
        bail!("notify.toml has no [dkim]: mails with codes say that they are signed, and must be");
    };
    let secrets = [Some(dkim.key_file.as_path()), notify.relay.password_file.as_deref()];
    if let Some(problem) = secrets.into_iter().flatten().find_map(keys::open_to_others) {
        bail!("{}; {}", problem.title, problem.help);
    }
    let contact = config.firm.contact.iter().flat_map(|line| [line.ja.as_str(), line.en.as_str()]);
    let sender = Sender::new(notify, contact)?;
    let genuine = Genuine { from: sender.from().to_owned(), domain: dkim.domain.clone() };
    Office::new(Relayed { sender, retry: notify.retry.clone() }, config.firm.clone(), genuine)
        .map_err(|why| anyhow!("no mail could go: {why}; mend `firm` in the page's configuration"))
}
