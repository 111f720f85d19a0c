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
    #[command(subcommand)]
    Register(register::Command),
    #[command(subcommand)]
    Edm(edm::Command),
    #[command(subcommand)]
    Policy(policy::Command),
    #[command(subcommand)]
    Case(case::Command),
    #[command(subcommand)]
    Disclose(Box<disclose::Command>),
    #[command(subcommand)]
    Affected(affected::Command),
    #[command(subcommand)]
    Notify(notify::Command),
    Contain(contain::Contain),
    CutOff(contain::CutOff),
    Release(contain::Release),
    Contained(contain::Show),
    #[command(subcommand)]
    Webhook(webhook::Command),
    Watch(Box<watch::Arguments>),
    #[command(subcommand)]
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
