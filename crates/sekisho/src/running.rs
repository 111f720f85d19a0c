//! The running parts: the ledger is open and its registers are recorded before the first client connects; it is
//! closed after the last one left.

use crate::config;
use crate::keys::Keys;
use crate::past;
use crate::webhook::Webhook;
use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use sekisho_edm::Index;
use sekisho_gateway::config as gateway;
use sekisho_gateway::inspect::{LiveEventSender, REMEMBERED};
use sekisho_gateway::{Gateway, Parts};
use sekisho_ledger::{Filter, Ledger, Options, Reader};
use sekisho_model::{Bound, Clock, Record, RegisterDescription, Registers, SystemClock, Timestamp};
use std::path::Path;
use std::sync::Arc;

/// A gateway with its ledger and registers.
pub(crate) struct Running {
    pub(crate) gateway: Gateway,
    ledger: Ledger,
    index: Arc<ArcSwap<Index>>,
    clock: Arc<dyn Clock>,
    /// Registers of planted customers, as the ledger was told.
    canaries: ArcSwap<Vec<String>>,
    webhook: Option<Webhook>,
}

impl Running {
    /// With every default of the ledger, and patience with the disk.
    pub(crate) fn start(
        config: gateway::Config,
        ledger: &Path,
        keys: &Keys,
        index: Index,
        events: Option<LiveEventSender>,
    ) -> Result<Running> {
        Running::start_with(config, (&config::Ledger::patient(ledger), None), keys, index, events)
    }

    /// With the ledger and webhook as configured.
    pub(crate) fn start_with(
        config: gateway::Config,
        (ledger, webhook): (&config::Ledger, Option<&config::Webhook>),
        keys: &Keys,
        index: Index,
        events: Option<LiveEventSender>,
    ) -> Result<Running> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let last_signed_copy = Some(keys.last_signed_copy(&ledger.directory));
        let options = Options { last_signed_copy, ..ledger.options(keys.signing.clone()) };
        let opened = Ledger::open(Options { clock: Arc::clone(&clock), ..options.clone() });
        let ledger_directory = &ledger.directory;
        let (ledger, _) = opened.with_context(|| format!("cannot open the ledger `{}`", ledger.directory.display()))?;
        let bound = bound_before(&options, &*clock)?;
        let contained =
            Reader::open(&options.dir, Arc::clone(&options.disk)).and_then(|reader| reader.contained(clock.now()));
        let contained = contained.context("cannot read from the ledger who is kept out")?;
        record_registers(&ledger, &*clock, index.registers(), &config.canaries)?;
        let past = past::watch((&config.watch, &config.routes), ledger_directory, &keys.hash, clock.now())?;
        let canaries = ArcSwap::from_pointee(config.canaries.clone());
        let index = Arc::new(ArcSwap::from_pointee(index));
        let start = |webhook| {
            Webhook::start(webhook, (ledger_directory, Arc::clone(&options.disk)), Arc::clone(&clock))
                .context("cannot start the webhook")
        };
        let (webhook, decisions) = webhook.map(start).transpose()?.unzip();
        let parts = Parts {
            index: Arc::clone(&index),
            ledger: ledger.clone(),
            clock: Arc::clone(&clock),
            key: Arc::clone(&keys.hash),
            events,
            bound,
            contained,
            decisions,
            admin_token: keys.admin_token.clone(),
            past,
        };
        match Gateway::start(config, parts) {
            Ok(gateway) => Ok(Running { gateway, ledger, index, clock, canaries, webhook }),
            Err(err) => {
                // The error that counts is the gateway's; the ledger has only its start in it.
                let _ = ledger.close();
                Err(err).context("cannot start the gateway")
            }
        }
    }

    /// The registers in force.
    pub(crate) fn index(&self) -> Arc<Index> {
        self.index.load_full()
    }

    /// Takes a configuration and registers in force together, or keeps both. The registers are in the ledger first, so
    /// that no finding of theirs is unexplained, as far as they and the old ones look for the same: until they are in force,
    /// the old ones are (SCO-1). When the gateway then refuses, the old ones are recorded again.
    pub(crate) fn reload(&self, config: gateway::Config, index: Index) -> Result<()> {
        let old = self.index();
        let (canaries, canaries_old) = (config.canaries.clone(), self.canaries.load_full());
        let changed = index.registers() != old.registers() || canaries != *canaries_old;
        let record = |registers: &[RegisterDescription], canaries: &[String]| {
            record_registers(&self.ledger, &*self.clock, registers, canaries)
        };
        if changed {
            record(&looked_for_by_both(old.registers(), index.registers()), &canaries)?;
        }
        if let Err(err) = self.gateway.reload(config) {
            if changed {
                record(old.registers(), &canaries_old)?;
            }
            return Err(err.into());
        }
        if changed {
            let index = Arc::new(index);
            self.index.store(Arc::clone(&index));
            self.canaries.store(Arc::new(canaries.clone()));
            record(index.registers(), &canaries)?;
        }
        Ok(())
    }

    /// Lets open requests end within their deadline, then closes the ledger.
    pub(crate) fn stop(self) -> Result<()> {
        self.gateway.shutdown();
        self.webhook.into_iter().for_each(Webhook::stop);
        self.ledger.close().context("cannot close the ledger")
    }
}

/// Whose sessions were, as the ledger tells it.
fn bound_before(options: &Options, clock: &dyn Clock) -> Result<Vec<Bound>> {
    let now = clock.now();
    let from = Timestamp(now.0 - i64::try_from(REMEMBERED.as_micros()).unwrap_or(i64::MAX));
    let filter = Filter { from: Some(from), ..Filter::default() };
    let mut bound = Vec::new();
    let reader = Reader::open(&options.dir, Arc::clone(&options.disk));
    let read = reader.and_then(|reader| reader.bindings(&filter, |told| bound.push(told)));
    read.context("cannot read from the ledger whose the sessions are")?;
    bound.sort_by_key(|bound| bound.at);
    Ok(bound)
}

/// The new registers, with what the old ones do not look for as not examined.
fn looked_for_by_both(old: &[RegisterDescription], new: &[RegisterDescription]) -> Vec<RegisterDescription> {
    let mut both = new.to_vec();
    for register in &mut both {
        let before = old.iter().find(|before| before.name == register.name);
        register.subject_next = register.subject_next.min(before.map_or(0, |before| before.subject_next));
        let mut fields_before = before.into_iter().flat_map(|before| &before.fields);
        for field in &mut register.fields {
            // A column keeps its place over rebuilds.
            match fields_before.next() {
                Some(before) if before.not_examined.is_none() => {
                    field.values_not_indexed = field.values_not_indexed.max(before.values_not_indexed);
                }
                _ if field.not_examined.is_none() => {
                    field.not_examined = Some("the register was being loaded".to_owned());
                }
                _ => {}
            }
        }
    }
    both
}

/// `canaries` names the registers of planted customers.
fn record_registers(
    ledger: &Ledger,
    clock: &dyn Clock,
    registers: &[RegisterDescription],
    canaries: &[String],
) -> Result<()> {
    let mut registers = registers.to_vec();
    registers.iter_mut().for_each(|register| register.is_canary = canaries.contains(&register.name));
    let registers = Registers { at: clock.now(), registers };
    let position = ledger.append(Record::Registers(registers)).context("cannot record the registers")?;
    ledger.wait_durable(position).context("cannot record the registers")
}

#[cfg(test)]
mod tests {
    use super::looked_for_by_both;
    use sekisho_model::{Field, FieldKind, RegisterDescription, RegisterId, Timestamp};

    fn register(name: &str, subject_next: u32, fields: &[(&str, Option<&str>, u64)]) -> RegisterDescription {
        let field = |(name, not_examined, values_not_indexed): &(&str, Option<&str>, u64)| Field {
            name: (*name).to_owned(),
            kind: FieldKind::Email,
            not_examined: not_examined.map(str::to_owned),
            values_not_indexed: *values_not_indexed,
        };
        RegisterDescription {
            id: RegisterId(0),
            name: name.to_owned(),
            fields: fields.iter().map(field).collect(),
            persons: 9,
            subject_next,
            built_at: Timestamp(0),
            is_canary: false,
        }
    }

    #[test]
    fn sco_1_until_new_registers_are_in_force_only_what_the_old_ones_look_for_too_is_looked_for() {
        let old = [register("holders", 5, &[("mail", None, 2), ("tel", Some("no value"), 0)])];
        let new = [
            register("holders", 7, &[("mail", None, 0), ("tel", None, 0), ("card", None, 0)]),
            register("applicants", 3, &[("mail", None, 0)]),
        ];
        let loading = Some("the register was being loaded");
        let expected = [
            register("holders", 5, &[("mail", None, 2), ("tel", loading, 0), ("card", loading, 0)]),
            register("applicants", 0, &[("mail", loading, 0)]),
        ];
        assert_eq!(looked_for_by_both(&old, &new), expected);
    }
}
