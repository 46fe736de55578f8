//! What INFO and CONFIG GET say.

use super::request::MAX_BUFFERED;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

/// The version of this program.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The version of Redis whose commands are the model, for clients that look.
const MODEL_VERSION: &str = "7.0.0";

/// Names and values.
type Facts = Vec<(String, String)>;

/// Facts about the replica group, for INFO; whoever starts the front knows them.
pub trait Info: Send + Sync + 'static {
    /// Lines of the replication section: names and values, without line ends. They are read at
    /// each INFO, so they must not wait.
    fn replication(&self) -> Vec<(String, String)>;
}

impl Info for () {
    fn replication(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// What all connections of a front share.
pub(super) struct Shared {
    /// Facts for INFO.
    pub info: Arc<dyn Info>,
    /// Connections open now.
    pub clients: AtomicUsize,
    /// Most connections at a time.
    pub max_clients: usize,
    /// Connections accepted so far.
    pub accepted: AtomicU64,
    /// Commands received so far.
    pub commands: AtomicU64,
    /// When the front started.
    pub started: Instant,
    /// The port it listens on.
    pub port: u16,
}

/// Settings for CONFIG GET. None can be set here; some are what tools ask for by habit.
pub(super) fn settings(shared: &Shared) -> Vec<(&'static str, String)> {
    vec![
        ("appendonly", "no".to_owned()),
        ("databases", "1".to_owned()),
        ("maxclients", shared.max_clients.to_string()),
        ("maxmemory", "0".to_owned()),
        ("port", shared.port.to_string()),
        ("proto-max-bulk-len", MAX_BUFFERED.to_string()),
        ("save", String::new()),
        ("timeout", "0".to_owned()),
    ]
}

/// The text of INFO: the named sections, or all.
pub(super) fn text(shared: &Shared, sections: &[&[u8]]) -> String {
    let all = ["all", "default", "everything"];
    let wanted = |name: &str| {
        sections.is_empty()
            || sections.iter().any(|section| {
                let is = |word: &str| section.eq_ignore_ascii_case(word.as_bytes());
                is(name) || all.into_iter().any(is)
            })
    };
    let mut text = String::new();
    let parts = [
        ("Server", server as fn(&Shared) -> Facts),
        ("Clients", clients),
        ("Stats", stats),
        ("Replication", |shared| shared.info.replication()),
    ];
    for (name, facts) in parts {
        if wanted(name) {
            section(&mut text, name, &facts(shared));
        }
    }
    text
}

fn section(text: &mut String, name: &str, facts: &[(String, String)]) {
    if !text.is_empty() {
        text.push_str("\r\n");
    }
    // Writing to a string cannot fail.
    let _ = write!(text, "# {name}\r\n");
    for (name, value) in facts {
        let value = value.replace(['\r', '\n'], " ");
        let _ = write!(text, "{name}:{value}\r\n");
    }
}

fn server(shared: &Shared) -> Facts {
    facts(&[
        ("redis_version", MODEL_VERSION.to_owned()),
        ("redis_mode", "standalone".to_owned()),
        ("downbeat_version", VERSION.to_owned()),
        ("process_id", std::process::id().to_string()),
        ("tcp_port", shared.port.to_string()),
        (
            "uptime_in_seconds",
            shared.started.elapsed().as_secs().to_string(),
        ),
    ])
}

fn clients(shared: &Shared) -> Facts {
    facts(&[
        (
            "connected_clients",
            shared.clients.load(Ordering::Relaxed).to_string(),
        ),
        ("maxclients", shared.max_clients.to_string()),
    ])
}

fn stats(shared: &Shared) -> Facts {
    facts(&[
        (
            "total_connections_received",
            shared.accepted.load(Ordering::Relaxed).to_string(),
        ),
        (
            "total_commands_processed",
            shared.commands.load(Ordering::Relaxed).to_string(),
        ),
    ])
}

fn facts(facts: &[(&str, String)]) -> Facts {
    facts
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}
