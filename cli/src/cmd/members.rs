//! `downbeat members`: who is a member of the group, and others in their place.

use crate::arguments::MembersArguments;
use crate::failure::Failure;
use crate::output::Output;
use bmv2_testbed::deployment::{self, Deployment};
use bmv2_testbed::status;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use wire::message::rounds::{Change, Membership};
use wire::{Members, ReplicaId};

/// How long a change may take to be in force.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What the replicas that answer say together.
struct Seen {
    /// Who is decided to be a member.
    decided: Membership,
    /// Who votes in the newest epoch.
    voting: Members,
    /// Who is a member and well.
    normal: Members,
    epoch: String,
}

/// Runs the verb.
pub(crate) fn run(arguments: &MembersArguments, output: Output) -> Result<(), Failure> {
    let deployment = Deployment::read(&arguments.run.join(deployment::FILE)).map_err(|error| {
        let text = crate::failure::chain(&error);
        Failure::Usage(format!("{text}; `downbeat up` brings a deployment up"))
    })?;
    if !deployment.protocol.changes_members() {
        return Err(Failure::Usage(format!(
            "protocol {} has the same members for ever; `downbeat up --protocol=rounds --spares=1` \
             brings up a deployment whose members can change",
            deployment.protocol.name()
        )));
    }
    let mut seen = look(&deployment)?;
    if !(arguments.add.is_empty() && arguments.remove.is_empty()) {
        seen = change(&deployment, seen, arguments)?;
    }
    let numbers = |members: Members| members.iter().map(|id| id.0).collect::<Vec<_>>();
    output.object(json!({
        "members": numbers(seen.voting),
        "version": seen.decided.version,
        "epoch": seen.epoch,
    }));
    output.line(&format!("{} (epoch {})", seen.voting, seen.epoch));
    Ok(())
}

/// Has the change made, and waits until it is in force.
fn change(
    deployment: &Deployment,
    seen: Seen,
    arguments: &MembersArguments,
) -> Result<Seen, Failure> {
    let began = Instant::now();
    let seen = wait_for_majority(deployment, seen, arguments, began)?;
    let wanted = wanted(deployment, seen.decided.members, arguments)?;
    let change = Change(Membership {
        version: seen.decided.version + 1,
        members: wanted,
    });
    while began.elapsed() < PATIENCE {
        for member in seen.decided.members.iter() {
            let socket = deployment.socket(&format!("r{member}"));
            // Whoever is down is not needed; the others hear it too.
            let _ = status::command(&socket, &status::change_text(change));
        }
        std::thread::sleep(LOOK_AGAIN);
        let now = look(deployment)?;
        if now.decided.version > seen.decided.version && now.decided.members != wanted {
            return Err(Failure::Check(format!(
                "somebody else made another change: members are {}",
                now.decided.members
            )));
        }
        if now.decided == change.0 && now.voting == wanted {
            return Ok(now);
        }
    }
    Err(Failure::Check(format!(
        "{wanted} are not in force after {} s; `downbeat status` tells who is up. A majority of the \
         members must be, and at least a majority of the new members must have been members before",
        PATIENCE.as_secs()
    )))
}

/// Waits until a majority of the new members are members and well, without which nobody could
/// go on. In the middle of an agreement on an epoch they are not, for a moment: after the last
/// change, or when something took long.
fn wait_for_majority(
    deployment: &Deployment,
    mut seen: Seen,
    arguments: &MembersArguments,
    began: Instant,
) -> Result<Seen, Failure> {
    loop {
        let wanted = wanted(deployment, seen.decided.members, arguments)?;
        let ready = wanted.common(seen.normal).len();
        if ready > wanted.len() / 2 {
            return Ok(seen);
        }
        if began.elapsed() >= PATIENCE {
            return Err(Failure::Check(format!(
                "of the new members {wanted} only {ready} are members and normal, for {} s now, and \
                 a majority must be; `downbeat status` tells who is not",
                PATIENCE.as_secs()
            )));
        }
        std::thread::sleep(LOOK_AGAIN);
        seen = look(deployment)?;
    }
}

fn wanted(
    deployment: &Deployment,
    now: Members,
    arguments: &MembersArguments,
) -> Result<Members, Failure> {
    let mut members = now;
    for name in &arguments.add {
        let replica = replica(deployment, name)?;
        if members.contains(replica) {
            return Err(Failure::Usage(format!("{name} is a member already: {now}")));
        }
        members = members.with(replica);
    }
    for name in &arguments.remove {
        let replica = replica(deployment, name)?;
        if !now.contains(replica) {
            return Err(Failure::Usage(format!("{name} is not a member: {now}")));
        }
        members = members.without(replica);
    }
    let stay = members.common(now).len();
    if members.is_empty() || stay < members.len() / 2 + 1 {
        return Err(Failure::Usage(format!(
            "of {} new members {stay} are members now; at least a majority must be: change fewer at \
             a time",
            members.len()
        )));
    }
    Ok(members)
}

fn replica(deployment: &Deployment, name: &str) -> Result<ReplicaId, Failure> {
    let number = name.strip_prefix('r').and_then(|text| text.parse().ok());
    let last = deployment.replicas - 1;
    number
        .filter(|number: &u8| usize::from(*number) <= last)
        .map(ReplicaId)
        .ok_or_else(|| {
            Failure::Usage(format!(
                "there is no replica {name}, valid are r0 to r{last}"
            ))
        })
}

fn look(deployment: &Deployment) -> Result<Seen, Failure> {
    let all: Vec<Value> = (0..deployment.replicas)
        .map(|index| status::ask(&deployment.socket(&format!("r{index}"))))
        .filter(|said| said["rounds"].is_object())
        .collect();
    let newest = all.iter().max_by_key(|said| said["view"].as_u64());
    let decided = all.iter().filter_map(decided).max_by_key(|it| it.version);
    let (Some(newest), Some(decided)) = (newest, decided) else {
        let text = "no replica answers; `downbeat status` tells why";
        return Err(Failure::Check(text.to_owned()));
    };
    let normal = all.iter().filter(|said| said["state"] == "normal");
    Ok(Seen {
        decided,
        voting: status::members_in(&newest["rounds"]["members"]).unwrap_or_default(),
        normal: normal
            .filter_map(|said| id(&said["replica"]))
            .fold(Members::default(), Members::with),
        epoch: newest["epoch"].as_str().unwrap_or("-").to_owned(),
    })
}

fn decided(said: &Value) -> Option<Membership> {
    let decided = &said["rounds"]["decided"];
    Some(Membership {
        version: decided["version"].as_u64()?,
        members: status::members_in(&decided["members"])?,
    })
}

fn id(number: &Value) -> Option<ReplicaId> {
    u8::try_from(number.as_u64()?).ok().map(ReplicaId)
}
