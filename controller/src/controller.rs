//! The loop for one switch: connect, lead, compare, install if need be, watch, and again.
//!
//! ```text
//! connect ─▶ lead ─▶ compare ──equal──────────────────────────▶ verified ─▶ watch ─┐
//!    ▲        ▲        └─differs─▶ load ─▶ term ─▶ write ─▶ read ─▶┘        │      │
//!    │        └───────────────── another one leads ◀────────────────────────┘      │
//!    └──────────────────────────── session lost, or an error ◀─────────────────────┘
//! ```
//!
//! Rules are only ever inserted, into a switch whose program was loaded anew in this session. An
//! answer that was lost, or a controller that died half way, hence leaves nothing to reason about:
//! the next try compares, and what is not equal is loaded anew with a fresh term. A switch that is
//! equal keeps its term, because an entry survives only as long as the registers do.
//!
//! What keeps a controller that was superseded from writing an old term:
//!
//! 1. A loads the program, takes term 7, and stalls.
//! 2. B takes over with a higher election id, loads, takes term 8, installs; members see term 8.
//! 3. A wakes up and writes its rules. The switch refuses them: the election id is not the highest.
//!
//! What is not seen from here: somebody who is no controller of ours and zeroes registers under
//! entries that stay, such as by `RECONCILE_AND_COMMIT`. Members see the numbers run back then.

use std::time::{Duration, SystemTime};

use thiserror::Error;
use tokio::sync::watch;
use tokio::time::Instant;

pub use crate::installation::Settled;

use crate::event::{EventKind, Events};
use crate::installation::{Answer, Ask, Installation, Next};
use crate::plan::{Difference, Plan};
use crate::target::{Change, Lead, Session, Target, TargetError};
use crate::terms::{TermError, TermStore};

/// How long to pause between two tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// After the first failure.
    pub first: Duration,
    /// It doubles with each failure, up to this. A session that held as long as this begins anew
    /// with `first`, so that on the average no more than one term is taken in this time.
    pub longest: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(5),
            longest: Duration::from_secs(1),
        }
    }
}

/// Why a try failed.
#[derive(Debug, Error)]
pub enum TryError {
    /// The switch.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The state file.
    #[error(transparent)]
    Term(#[from] TermError),
    /// What was read back is not what was written.
    #[error("{} rules differ after installing, the first is {}", .0.len(), first(.0))]
    ReadBack(Vec<Difference>),
    /// Another controller leads.
    #[error("another controller leads")]
    NotPrimary,
    /// The session ended.
    #[error("session lost: {0}")]
    Lost(String),
    /// A task for the state file was stopped.
    #[error("the state file's task was stopped")]
    Stopped,
}

fn first(differences: &[Difference]) -> String {
    differences
        .first()
        .map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

/// The controller of one switch.
#[derive(Clone, Debug)]
pub struct SwitchController<T> {
    target: T,
    plan: Plan,
    terms: TermStore,
    events: Events,
    pauses: Pauses,
    audit_interval: Option<Duration>,
}

impl<T: Target> SwitchController<T> {
    /// A controller that has done nothing yet.
    pub fn new(target: T, plan: Plan, terms: TermStore, events: Events) -> Self {
        Self {
            target,
            plan,
            terms,
            events,
            pauses: Pauses::default(),
            audit_interval: None,
        }
    }

    /// Other pauses between tries.
    #[must_use]
    pub fn with_pauses(self, pauses: Pauses) -> Self {
        Self { pauses, ..self }
    }

    /// Compares so often even when nothing happened; without it only when the session changed.
    #[must_use]
    pub fn with_audit_interval(self, audit_interval: Option<Duration>) -> Self {
        Self {
            audit_interval,
            ..self
        }
    }

    /// Works until `shutdown` is true or its sender is gone. Errors are told as events and tried
    /// again. It may be stopped at any point: see the head of this file.
    pub async fn run(&self, mut shutdown: watch::Receiver<bool>) {
        let mut pause = self.pauses.first;
        loop {
            let mut verified_at = None;
            let error = tokio::select! {
                error = self.session(&mut verified_at) => error,
                _ = shutdown.wait_for(|stop| *stop) => return,
            };
            let held = verified_at.map_or(Duration::ZERO, |at: Instant| at.elapsed());
            if held >= self.pauses.longest {
                pause = self.pauses.first;
            }
            if let TryError::Lost(reason) = &error {
                self.tell(EventKind::StreamLost {
                    reason: reason.clone(),
                });
            }
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            self.tell(EventKind::Retrying {
                reason: error.to_string(),
                pause_ms,
            });
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = shutdown.wait_for(|stop| *stop) => return,
            }
            pause = pause.saturating_mul(2).min(self.pauses.longest);
        }
    }

    /// One try: connects, leads, makes the switch what it should be, and leaves.
    pub async fn once(&self) -> Result<Settled, TryError> {
        let session = self.target.connect().await?;
        self.tell(EventKind::Connected);
        let settled = match session.lead().await? {
            Lead::Primary => self.settle(&session).await,
            Lead::Backup { highest } => {
                self.tell(EventKind::NotPrimary { highest });
                Err(TryError::NotPrimary)
            }
        };
        session.close().await;
        settled
    }

    /// One session, until it ends or something fails.
    async fn session(&self, verified_at: &mut Option<Instant>) -> TryError {
        match self.hold(verified_at).await {
            Err(error) => error,
            Ok(never) => match never {},
        }
    }

    async fn hold(
        &self,
        verified_at: &mut Option<Instant>,
    ) -> Result<std::convert::Infallible, TryError> {
        let session = self.target.connect().await?;
        self.tell(EventKind::Connected);
        loop {
            while let Lead::Backup { highest } = session.lead().await? {
                self.tell(EventKind::NotPrimary { highest });
                session.vacant().await?;
            }
            self.tell(EventKind::Primary);
            let mut told = None;
            loop {
                let settled = self.compare_or_install(&session).await?;
                // An audit that finds all well is no news.
                if told.is_none() || settled.installed {
                    self.verified(&settled);
                    verified_at.get_or_insert_with(Instant::now);
                    told = Some(settled);
                }
                match self.next_change(&session).await {
                    None => {}
                    Some(Change::StillPrimary) => told = None,
                    Some(Change::Superseded) => break,
                    Some(Change::Lost { reason }) => return Err(TryError::Lost(reason)),
                }
            }
        }
    }

    /// Waits for a change, but no longer than to the next audit.
    async fn next_change(&self, session: &T::Session) -> Option<Change> {
        let Some(interval) = self.audit_interval else {
            return Some(session.changed().await);
        };
        tokio::time::timeout(interval, session.changed()).await.ok()
    }

    /// Makes the switch what it should be. We must lead.
    async fn settle(&self, session: &T::Session) -> Result<Settled, TryError> {
        let settled = self.compare_or_install(session).await?;
        self.verified(&settled);
        Ok(settled)
    }

    async fn compare_or_install(&self, session: &T::Session) -> Result<Settled, TryError> {
        let (mut installation, mut ask) = Installation::begin();
        loop {
            let answer = self.carry_out(session, ask).await?;
            let mut tell = |kind| self.tell(kind);
            match installation.answer(&self.plan, answer, &mut tell) {
                Next::Ask(next) => ask = next,
                Next::Done(done) => return done.map_err(TryError::ReadBack),
            }
        }
    }

    async fn carry_out(&self, session: &T::Session, ask: Ask) -> Result<Answer, TryError> {
        Ok(match ask {
            Ask::Program => Answer::Program(session.has_program().await?),
            Ask::Rules => {
                let found = session.read().await?;
                let recorded = self
                    .with_terms(|terms, switch| terms.recorded(&switch))
                    .await?;
                Answer::Rules { recorded, found }
            }
            Ask::Load => {
                session.load_program().await?;
                self.tell(EventKind::PipelinePushed {
                    cookie: self.target.cookie(),
                });
                Answer::Loaded
            }
            Ask::Term { groups, observed } => {
                let take = move |terms: TermStore, switch: String| {
                    terms.take(&switch, &groups, observed, unix_us())
                };
                Answer::Term(self.with_terms(take).await?)
            }
            Ask::Insert(rules) => {
                if let Err(error) = session.insert(&rules).await {
                    if let TargetError::Refused(failures) = &error {
                        self.tell(EventKind::WriteFailed {
                            failures: failures.clone(),
                        });
                    }
                    return Err(error.into());
                }
                Answer::Inserted
            }
            Ask::ReadBack => Answer::ReadBack(session.read().await?),
        })
    }

    /// Runs a job on the state file where it may block.
    async fn with_terms<R: Send + 'static>(
        &self,
        job: impl FnOnce(TermStore, String) -> Result<R, TermError> + Send + 'static,
    ) -> Result<R, TryError> {
        let (terms, switch) = (self.terms.clone(), self.plan.switch().to_owned());
        let done = tokio::task::spawn_blocking(move || job(terms, switch)).await;
        Ok(done.map_err(|_| TryError::Stopped)??)
    }

    fn verified(&self, settled: &Settled) {
        let Settled { groups, installed } = settled.clone();
        self.tell(EventKind::Verified { groups, installed });
    }

    fn tell(&self, kind: EventKind) {
        self.events.tell(self.plan.switch(), kind);
    }
}

/// A clock before 1970 counts as 0, which the terms refuse.
fn unix_us() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
