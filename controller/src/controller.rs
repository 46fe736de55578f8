//! The loop for one switch: connect, lead, compare, install if need be, watch, and again.
//!
//! ```text
//! connect ─▶ lead ─▶ compare ──equal──────────────────────────▶ verified ─▶ watch ─┐
//!    ▲        ▲        └─differs─▶ load ─▶ term ─▶ write ─▶ read ─▶┘        │      │
//!    │        └───────────────── another one leads ◀────────────────────────┘      │
//!    └──────────────────────────── session lost, or an error ◀─────────────────────┘
//! ```
//!
//! Rules are inserted into a switch whose program was loaded anew in this session, or that was just
//! found to be as its plan said when the plan changed. An answer that was lost, or a controller
//! that died half way, hence leaves nothing to reason about: the next try compares, and what is not
//! equal is loaded anew with a fresh term (routes that lead elsewhere are set right in place). A
//! switch that is equal keeps its term, because an entry survives only as long as the registers do.
//!
//! The plan may change at any time; see `placement`. News of the switch go to whoever changes it.
//! A switch whose session stands and that does not answer a [`Probe`] counts as lost.
//!
//! What keeps a controller that was superseded from writing an old term:
//!
//! 1. A loads the program, takes term 7, and stalls.
//! 2. B takes over with a higher election id, loads, takes term 8, installs; members see term 8.
//! 3. A wakes up and writes its rules. The switch refuses them: the election id is not the highest.
//!
//! What is not seen from here: somebody who is no controller of ours and zeroes registers under
//! entries that stay, such as by `RECONCILE_AND_COMMIT`. Members see the numbers run back then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

pub use crate::installation::Settled;

use crate::event::{EventKind, Events};
use crate::installation::{Answer, Ask, Installation, Next};
use crate::placement::News;
use crate::plan::{Difference, Plan};
use crate::rule::Rule;
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

/// How a switch is found out that keeps its session open and does nothing: a process that hangs, a
/// machine without power behind a connection that nobody ended. A process that ends is noticed
/// without.
///
/// A switch that is taken for lost and is not costs its groups an epoch, never more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// How long after one answer the next one is asked for.
    pub every: Duration,
    /// How long an answer may take.
    pub patience: Duration,
}

impl Default for Probe {
    /// For switches in software beside busy processes: a switch may wait as long for a processor.
    fn default() -> Self {
        Self {
            every: Duration::from_millis(50),
            patience: Duration::from_millis(200),
        }
    }
}

/// Where news of a switch go.
pub type Reports = mpsc::UnboundedSender<(String, News)>;

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
    switch: String,
    plans: watch::Receiver<Arc<Plan>>,
    reports: Option<Reports>,
    terms: TermStore,
    events: Events,
    pauses: Pauses,
    audit_interval: Option<Duration>,
    probe: Option<Probe>,
}

/// A switch that is as its plan says.
struct Standing {
    settled: Settled,
    rules: BTreeSet<Rule>,
}

/// What ends the wait with a switch that is as it should be.
enum Wake {
    Session(Change),
    Plan,
    Audit,
}

impl<T: Target> SwitchController<T> {
    /// A controller that has done nothing yet, for a plan that never changes.
    pub fn new(target: T, plan: Plan, terms: TermStore, events: Events) -> Self {
        let (_, plans) = watch::channel(Arc::new(plan));
        Self::following(target, plans, terms, events)
    }

    /// A controller that has done nothing yet and follows a plan that may change.
    pub fn following(
        target: T,
        plans: watch::Receiver<Arc<Plan>>,
        terms: TermStore,
        events: Events,
    ) -> Self {
        let switch = plans.borrow().switch().to_owned();
        Self {
            target,
            switch,
            plans,
            reports: None,
            terms,
            events,
            pauses: Pauses::default(),
            audit_interval: None,
            probe: None,
        }
    }

    /// Where news of the switch go.
    #[must_use]
    pub fn with_reports(self, reports: Reports) -> Self {
        Self {
            reports: Some(reports),
            ..self
        }
    }

    /// How a switch is found out that hangs; without it, only by requests that it does not answer.
    #[must_use]
    pub fn with_probe(self, probe: Option<Probe>) -> Self {
        Self { probe, ..self }
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
            self.report(News::Lost);
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
        let mut plans = self.plans.clone();
        loop {
            while let Lead::Backup { highest } = session.lead().await? {
                self.tell(EventKind::NotPrimary { highest });
                session.vacant().await?;
            }
            self.tell(EventKind::Primary);
            let mut told = None;
            let mut standing = self.compare_or_install(&session, &mut plans).await?;
            loop {
                let Standing { settled, rules } = standing;
                // An audit that finds all well is no news.
                if told.is_none() || settled.installed {
                    self.verified(&settled);
                    verified_at.get_or_insert_with(Instant::now);
                    told = Some(settled);
                }
                standing = match self.wait(&session, &mut plans).await {
                    Wake::Audit => self.compare_or_install(&session, &mut plans).await?,
                    Wake::Plan => self.follow(&session, rules, &mut plans).await?,
                    Wake::Session(Change::StillPrimary) => {
                        told = None;
                        self.compare_or_install(&session, &mut plans).await?
                    }
                    Wake::Session(Change::Superseded) => break,
                    Wake::Session(Change::Lost { reason }) => return Err(TryError::Lost(reason)),
                };
            }
            // Whoever leads now decides what the switch has. It is not lost: nothing moves.
        }
    }

    /// Waits for a change, but no longer than to the next audit.
    async fn wait(&self, session: &T::Session, plans: &mut watch::Receiver<Arc<Plan>>) -> Wake {
        let audit = async {
            match self.audit_interval {
                Some(interval) => tokio::time::sleep(interval).await,
                None => std::future::pending().await,
            }
        };
        let new_plan = async {
            if plans.changed().await.is_err() {
                // Nobody will change it any more.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            change = session.changed() => Wake::Session(change),
            reason = self.silence(session) => Wake::Session(Change::Lost { reason }),
            () = new_plan => Wake::Plan,
            () = audit => Wake::Audit,
        }
    }

    /// Ends when the switch does not answer a probe, with the reason.
    async fn silence(&self, session: &T::Session) -> String {
        let Some(Probe { every, patience }) = self.probe else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(every).await;
            match tokio::time::timeout(patience, session.probe()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => {
                    let patience_ms = patience.as_millis();
                    return format!("no answer to a probe within {patience_ms} ms");
                }
            }
        }
    }

    /// Makes the switch what it should be. We must lead.
    async fn settle(&self, session: &T::Session) -> Result<Settled, TryError> {
        let mut plans = self.plans.clone();
        let standing = self.compare_or_install(session, &mut plans).await?;
        self.verified(&standing.settled);
        Ok(standing.settled)
    }

    async fn compare_or_install(
        &self,
        session: &T::Session,
        plans: &mut watch::Receiver<Arc<Plan>>,
    ) -> Result<Standing, TryError> {
        let plan = Arc::clone(&plans.borrow_and_update());
        let (installation, ask) = Installation::begin();
        self.finish(session, &plan, installation, ask).await
    }

    /// Goes over to a new plan on a switch that has exactly `rules`.
    async fn follow(
        &self,
        session: &T::Session,
        rules: BTreeSet<Rule>,
        plans: &mut watch::Receiver<Arc<Plan>>,
    ) -> Result<Standing, TryError> {
        let plan = Arc::clone(&plans.borrow_and_update());
        let begun = Installation::change(&plan, rules, &mut |kind| self.tell(kind));
        match begun {
            (installation, Next::Ask(ask)) => self.finish(session, &plan, installation, ask).await,
            (_, Next::Done(_)) => self.compare_or_install(session, plans).await,
        }
    }

    async fn finish(
        &self,
        session: &T::Session,
        plan: &Plan,
        mut installation: Installation,
        mut ask: Ask,
    ) -> Result<Standing, TryError> {
        loop {
            if ask == Ask::ReadBack {
                let groups = installation.groups().iter().map(|it| it.group).collect();
                self.report(News::Written(groups));
            }
            let answer = self.carry_out(session, ask).await?;
            let mut tell = |kind| self.tell(kind);
            match installation.answer(plan, answer, &mut tell) {
                Next::Ask(next) => ask = next,
                Next::Done(done) => {
                    return Ok(Standing {
                        settled: done.map_err(TryError::ReadBack)?,
                        rules: installation.rules().clone(),
                    });
                }
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
            Ask::Modify(rules) => {
                session.modify(&rules).await?;
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
        let (terms, switch) = (self.terms.clone(), self.switch.clone());
        let done = tokio::task::spawn_blocking(move || job(terms, switch)).await;
        Ok(done.map_err(|_| TryError::Stopped)??)
    }

    fn verified(&self, settled: &Settled) {
        let Settled { groups, installed } = settled.clone();
        self.report(News::Ready(groups.iter().map(|it| it.group).collect()));
        self.tell(EventKind::Verified { groups, installed });
    }

    fn tell(&self, kind: EventKind) {
        self.events.tell(&self.switch, kind);
    }

    fn report(&self, news: News) {
        if let Some(reports) = &self.reports {
            // Whoever listened may have gone, and with it the need to know.
            let _ = reports.send((self.switch.clone(), news));
        }
    }
}

/// A clock before 1970 counts as 0, which the terms refuse.
fn unix_us() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
