//! The commands, one file each.

mod affected;
mod canaries;
mod case;
mod check;
mod contain;
#[cfg(feature = "demo")]
mod demo;
mod disclose;
mod edm;
mod init;
mod notify;
mod observe;
mod policy;
mod register;
mod register_site;
mod row_keys;
mod scope;
mod serve;
mod verify;
mod watch;
mod webhook;

use anyhow::Result;
use clap::Subcommand;

/// How a command ended, when nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Done; the answer is yes.
    Yes,
    /// Done; the answer is no.
    No,
}

/// A mistake on the command line that its parser cannot see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(String);

impl Usage {
    pub(crate) fn error(text: impl Into<String>) -> anyhow::Error {
        Usage(text.into()).into()
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    #[cfg(feature = "demo")]
    Demo(demo::Arguments),
    #[cfg(feature = "demo")]
    #[command(hide = true)]
    DemoReferee(demo::RefereeArguments),
    Observe(observe::Arguments),
    Init(init::Arguments),
    Check(check::Arguments),
    Serve(serve::Arguments),
    Scope(scope::Arguments),
    Verify(verify::Arguments),
    #[command(
        subcommand,
        after_help = "Examples:\n  sekisho register learn customers.csv >> sekisho.toml\n  sekisho register build -c sekisho.toml"
    )]
    Register(register::Command),
    #[command(subcommand, after_help = "Example:\n  sekisho edm scan found.csv")]
    Edm(edm::Command),
    #[command(
        subcommand,
        after_help = "Examples:\n  sekisho policy report -c sekisho.toml --from -7d\n  sekisho policy enforce -c sekisho.toml --route /my --action block --ramp 1%"
    )]
    Policy(policy::Command),
    #[command(
        subcommand,
        after_help = "Examples:\n  sekisho case open hakone-2026-1 --title '会員情報の漏えいの疑い'\n  sekisho case deadlines hakone-2026-1 --lang ja"
    )]
    Case(case::Command),
    #[command(
        subcommand,
        after_help = "Examples:\n  sekisho disclose publish notice.toml --incident hakone-2026-1\n  sekisho disclose build --out site"
    )]
    Disclose(Box<disclose::Command>),
    #[command(subcommand, after_help = "Example:\n  sekisho affected serve -c affected.toml")]
    Affected(affected::Command),
    #[command(
        subcommand,
        after_help = "Examples:\n  sekisho notify plan hakone-2026-1 --scope exposed.csv -c notify.toml\n  sekisho notify send hakone-2026-1"
    )]
    Notify(notify::Command),
    Contain(contain::Contain),
    CutOff(contain::CutOff),
    Release(contain::Release),
    Contained(contain::Show),
    #[command(
        subcommand,
        after_help = "Examples:\n  sekisho webhook keys --keys keys\n  sekisho webhook test -c sekisho.toml"
    )]
    Webhook(webhook::Command),
    Watch(Box<watch::Arguments>),
    #[command(
        subcommand,
        after_help = "Example:\n  sekisho register-site build --entries registry --out site --base-url https://register.example/"
    )]
    RegisterSite(register_site::Command),
}

impl Command {
    pub(crate) fn run(self) -> Result<Done> {
        match self {
            #[cfg(feature = "demo")]
            Command::Demo(arguments) => arguments.run(),
            #[cfg(feature = "demo")]
            Command::DemoReferee(arguments) => arguments.run(),
            Command::Observe(arguments) => arguments.run(),
            Command::Init(arguments) => arguments.run(),
            Command::Check(arguments) => arguments.run(),
            Command::Serve(arguments) => arguments.run(),
            Command::Scope(arguments) => arguments.run(),
            Command::Verify(arguments) => arguments.run(),
            Command::Register(command) => command.run(),
            Command::Edm(command) => command.run(),
            Command::Policy(command) => command.run(),
            Command::Case(command) => command.run(),
            Command::Disclose(command) => command.run(),
            Command::Affected(command) => command.run(),
            Command::Notify(command) => command.run(),
            Command::Contain(arguments) => arguments.run(),
            Command::CutOff(arguments) => arguments.run(),
            Command::Release(arguments) => arguments.run(),
            Command::Contained(arguments) => arguments.run(),
            Command::Webhook(command) => command.run(),
            Command::Watch(arguments) => arguments.run(),
            Command::RegisterSite(command) => command.run(),
        }
    }
}
