//! Loading a program, changing it under its entries, telling which one there is.
//!
//! P4Runtime 1.4, sections "`SetForwardingPipelineConfig` RPC" and "`GetForwardingPipelineConfig`
//! RPC".

use std::sync::Arc;

use p4runtime::P4Info;
use p4runtime::v1::get_forwarding_pipeline_config_request::ResponseType;
use p4runtime::v1::set_forwarding_pipeline_config_request::Action;
use p4runtime::v1::{self, forwarding_pipeline_config::Cookie};

use super::{Config, Device, Running, bind};
use crate::pipeline::{ControlError, Switch};
use crate::server::Failure;

/// A program that was verified and waits to be loaded into a [`Device`].
///
/// Making one is the expensive part and needs no device: do it outside of the packet thread.
#[derive(Debug)]
pub struct Pipeline {
    switch: Switch,
    config: Arc<Config>,
}

impl Pipeline {
    /// Loads a program for the switch and checks that it is the one that the P4Info describes.
    pub fn new(info: P4Info, device_config: Vec<u8>, cookie: Option<u64>) -> Result<Self, Failure> {
        let switch = Switch::load(&device_config)
            .map_err(|error| Failure::invalid(format!("p4_device_config: {error}")))?;
        if let Some(disagreement) = bind::disagreement(&info, switch.program()) {
            return Err(Failure::invalid(disagreement));
        }
        let config = Arc::new(Config {
            info,
            for_switch: device_config,
            cookie,
        });
        Ok(Self { switch, config })
    }

    /// Verifies the program of a request; none if there is nothing to load then.
    pub(in crate::server) fn of_request(
        action: Action,
        config: Option<v1::ForwardingPipelineConfig>,
    ) -> Result<Option<Self>, Failure> {
        match action {
            Action::Unspecified => {
                return Err(Failure::invalid(
                    "action is UNSPECIFIED, choose VERIFY_AND_COMMIT",
                ));
            }
            Action::VerifyAndSave | Action::Commit => {
                return Err(Failure::unimplemented(action.as_str_name()));
            }
            Action::Verify | Action::VerifyAndCommit | Action::ReconcileAndCommit => {}
        }
        let config = config.ok_or_else(|| Failure::invalid("config is missing"))?;
        let info = config
            .p4info
            .ok_or_else(|| Failure::invalid("p4info is missing"))?;
        let info = P4Info::from_message(info)
            .map_err(|error| Failure::invalid(format!("p4info: {error}")))?;
        let cookie = config.cookie.map(|cookie| cookie.cookie);
        let pipeline = Self::new(info, config.p4_device_config, cookie)?;
        Ok((action != Action::Verify).then_some(pipeline))
    }

    pub(super) fn into_parts(self) -> (Switch, Arc<Config>) {
        (self.switch, self.config)
    }
}

impl Device {
    /// Loads a verified program: for `RECONCILE_AND_COMMIT` entries, groups and default actions
    /// stay, registers and counters become 0; else all goes. Returns what was replaced, so that
    /// the caller can drop it where there is time.
    pub fn set_pipeline(
        &mut self,
        action: Action,
        pipeline: Pipeline,
    ) -> Result<Option<Box<Self>>, Failure> {
        let mut next = Running::new(pipeline);
        if action == Action::ReconcileAndCommit
            && let Some(running) = &self.running
        {
            reconcile(running, &mut next)?;
        }
        let before = self.running.replace(next);
        Ok(before.map(|running| {
            Box::new(Self {
                running: Some(running),
            })
        }))
    }

    /// The program, or what of it was asked for; none if there is none.
    pub fn pipeline(&self, response: ResponseType) -> Option<v1::ForwardingPipelineConfig> {
        let config = &self.running.as_ref()?.config;
        let with_info = matches!(response, ResponseType::All | ResponseType::P4infoAndCookie);
        let with_config = matches!(
            response,
            ResponseType::All | ResponseType::DeviceConfigAndCookie
        );
        Some(v1::ForwardingPipelineConfig {
            p4info: with_info.then(|| config.info.message().clone()),
            p4_device_config: if with_config {
                config.for_switch.clone()
            } else {
                Vec::new()
            },
            cookie: config.cookie.map(|cookie| Cookie { cookie }),
        })
    }
}

/// Writes into `next` what the control plane wrote into `running`.
fn reconcile(running: &Running, next: &mut Running) -> Result<(), Failure> {
    let lost = |what: &str, error: &ControlError| {
        Failure::invalid(format!("the new program cannot keep {what}: {error}"))
    };
    for table in running.config.info.tables() {
        let program = running.switch.program().table(&table.name);
        if program.is_none_or(|program| program.entries_are_constant) {
            continue;
        }
        let what = || format!("the entries of table {}", table.name);
        for entry in running.switch.entries(&table.name)? {
            match next.switch.insert_entry(&table.name, &entry) {
                // The program brings this entry itself; the controller's action counts.
                Err(ControlError::EntryExists { .. }) => {
                    next.switch.modify_entry(&table.name, &entry)
                }
                result => result,
            }
            .map_err(|error| lost(&what(), &error))?;
        }
        let default = running.switch.default_action(&table.name)?;
        let initial = program.map(|program| &program.default_action);
        if initial != Some(&default) {
            let what = format!("the default action of table {}", table.name);
            next.switch
                .set_default_action(&table.name, &default)
                .map_err(|error| lost(&what, &error))?;
        }
    }
    for (id, replicas) in running.switch.multicast_groups() {
        let what = format!("multicast group {id}");
        next.switch
            .set_multicast_group(id, replicas)
            .map_err(|error| lost(&what, &error))?;
    }
    keep_extras(running, next);
    Ok(())
}

/// Table ids may have changed; names are what stays.
fn keep_extras(running: &Running, next: &mut Running) {
    let (here, there) = (running.config(), next.config());
    let new_id = |id: u32| {
        let name = &here.info.table_by_id(id)?.name;
        there
            .info
            .tables()
            .iter()
            .find(|table| table.name == *name)
            .map(|table| table.id)
    };
    for ((id, key), extras) in &running.extras.entries {
        if let Some(id) = new_id(*id) {
            next.extras
                .entries
                .insert((id, key.clone()), extras.clone());
        }
    }
    for (id, extras) in &running.extras.defaults {
        if let Some(id) = new_id(*id) {
            next.extras.defaults.insert(id, extras.clone());
        }
    }
    next.extras.groups.clone_from(&running.extras.groups);
}
