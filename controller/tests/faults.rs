//! The loop against a switch in memory that fails in every way that a switch can: requests lost
//! before or after they were carried out, half batches, reboots, sessions that end, controllers
//! that die between any two requests. Whatever happens, no term is written twice, and once the
//! faults stop the switch becomes what it should be.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::{DEADLINE, Watcher, topology};
use controller::controller::{Pauses, SwitchController};
use controller::plan::{Plan, differences};
use controller::rule::Rule;
use controller::target::{Change, FailedWrite, Lead, Session, Target, TargetError};
use controller::terms::TermStore;
use controller::{EventKind, Events};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use tokio::sync::{Notify, watch};

const COOKIE: u64 = 42;
const SEEDS: u64 = 12;
/// So many controllers die in a run.
const CRASHES: u32 = 6;

struct Memory {
    random: ChaCha8Rng,
    faulty: bool,
    /// Requests until the controller dies.
    crash_in: Option<u64>,
    program: bool,
    rules: BTreeSet<Rule>,
    primary: Option<u128>,
    next_session: u128,
    /// The greatest term that each group ever had, over all lives.
    terms: BTreeMap<u32, u32>,
    /// All terms ever written, with their groups.
    written: BTreeSet<(u32, u32)>,
    /// Terms must grow also over reboots: true unless controllers keep files of their own.
    strict: bool,
}

#[derive(Clone)]
struct Switch {
    memory: Arc<Mutex<Memory>>,
    changed: Arc<Notify>,
    crashed: Arc<Notify>,
}

struct Link {
    switch: Switch,
    id: u128,
}

enum Fault {
    None,
    Before,
    After,
    Reboot,
}

impl Switch {
    fn new(seed: u64) -> Self {
        let memory = Memory {
            random: ChaCha8Rng::seed_from_u64(seed),
            faulty: true,
            crash_in: None,
            program: false,
            rules: BTreeSet::new(),
            primary: None,
            next_session: 0,
            terms: BTreeMap::new(),
            written: BTreeSet::new(),
            strict: true,
        };
        let memory = Arc::new(Mutex::new(memory));
        Self {
            memory,
            changed: Arc::default(),
            crashed: Arc::default(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of the next request. Never returns when the controller is to die with it.
    async fn fault(&self) -> Fault {
        let dies = {
            let mut memory = self.memory();
            match &mut memory.crash_in {
                Some(0) => true,
                Some(left) => {
                    *left -= 1;
                    false
                }
                None => false,
            }
        };
        if dies {
            self.crashed.notify_one();
            pending::<()>().await;
        }
        let mut memory = self.memory();
        if !memory.faulty {
            return Fault::None;
        }
        match memory.random.next_u32() % 24 {
            0 => Fault::Before,
            1 => Fault::After,
            2 => Fault::Reboot,
            _ => Fault::None,
        }
    }

    fn reboot(&self) {
        let mut memory = self.memory();
        (memory.program, memory.primary) = (false, None);
        memory.rules.clear();
        drop(memory);
        self.changed.notify_waiters();
    }
}

impl Target for Switch {
    type Session = Link;

    async fn connect(&self) -> Result<Link, TargetError> {
        if !matches!(self.fault().await, Fault::None) {
            return Err(TargetError::Unreachable("nobody answers".to_owned()));
        }
        let mut memory = self.memory();
        memory.next_session += 1;
        Ok(Link {
            switch: self.clone(),
            id: memory.next_session,
        })
    }

    fn cookie(&self) -> u64 {
        COOKIE
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut memory = self.switch.memory();
        if memory.primary == Some(self.id) {
            memory.primary = None;
            drop(memory);
            self.switch.changed.notify_waiters();
        }
    }
}

impl Link {
    /// One request: `job` is done, or not, and the answer comes, or not.
    async fn request<R>(
        &self,
        writes: bool,
        job: impl FnOnce(&mut Memory) -> Result<R, TargetError>,
    ) -> Result<R, TargetError> {
        let lost = || TargetError::Failed("no answer".to_owned());
        match self.switch.fault().await {
            Fault::Before => return Err(lost()),
            Fault::Reboot => {
                self.switch.reboot();
                return Err(lost());
            }
            Fault::After => {
                let mut memory = self.switch.memory();
                if !writes || memory.primary == Some(self.id) {
                    drop(job(&mut memory));
                }
                return Err(lost());
            }
            Fault::None => {}
        }
        let mut memory = self.switch.memory();
        if writes && memory.primary != Some(self.id) {
            return Err(TargetError::Failed("not primary".to_owned()));
        }
        job(&mut memory)
    }
}

impl Session for Link {
    async fn lead(&self) -> Result<Lead, TargetError> {
        self.request(false, |memory| match memory.primary {
            Some(id) if id != self.id => Ok(Lead::Backup { highest: Some(id) }),
            _ => {
                memory.primary = Some(self.id);
                Ok(Lead::Primary)
            }
        })
        .await
    }

    async fn vacant(&self) -> Result<(), TargetError> {
        loop {
            let changed = self.switch.changed.notified();
            if self.switch.memory().primary.is_none() {
                return Ok(());
            }
            changed.await;
        }
    }

    async fn changed(&self) -> Change {
        let lost = |reason: &str| Change::Lost {
            reason: reason.to_owned(),
        };
        match self.switch.fault().await {
            Fault::Before => return lost("the connection broke"),
            Fault::After => return Change::StillPrimary,
            Fault::Reboot => {
                self.switch.reboot();
                return lost("the switch rebooted");
            }
            Fault::None => {}
        }
        loop {
            let changed = self.switch.changed.notified();
            let (primary, faulty) = {
                let memory = self.switch.memory();
                (memory.primary, memory.faulty)
            };
            match primary {
                None => return lost("the switch forgot us"),
                Some(id) if id != self.id => return Change::Superseded,
                // While there are faults, something always happens.
                Some(_) if faulty => return Change::StillPrimary,
                Some(_) => changed.await,
            }
        }
    }

    async fn has_program(&self) -> Result<bool, TargetError> {
        self.request(false, |memory| Ok(memory.program)).await
    }

    async fn load_program(&self) -> Result<(), TargetError> {
        self.request(true, |memory| {
            memory.program = true;
            memory.rules.clear();
            Ok(())
        })
        .await
    }

    async fn read(&self) -> Result<BTreeSet<Rule>, TargetError> {
        self.request(false, |memory| Ok(memory.rules.clone())).await
    }

    async fn insert(&self, rules: &[Rule]) -> Result<(), TargetError> {
        let half = rules.len() / 2;
        self.request(true, |memory| {
            rules[..half]
                .iter()
                .try_for_each(|rule| memory.insert(rule))
        })
        .await?;
        self.request(true, |memory| {
            rules[half..]
                .iter()
                .try_for_each(|rule| memory.insert(rule))
        })
        .await
    }

    async fn modify(&self, rules: &[Rule]) -> Result<(), TargetError> {
        self.request(true, |memory| {
            for rule in rules {
                assert!(!matches!(rule, Rule::Group(_)), "{rule:?} is modified");
                memory.rules.retain(|other| other.place() != rule.place());
                memory.rules.insert(rule.clone());
            }
            Ok(())
        })
        .await
    }

    async fn close(&self) {}
}

impl Memory {
    fn insert(&mut self, rule: &Rule) -> Result<(), TargetError> {
        if self.rules.iter().any(|other| other.place() == rule.place()) {
            let reason = "there is one".to_owned();
            return Err(TargetError::Refused(vec![FailedWrite {
                place: rule.place(),
                reason,
            }]));
        }
        if let Rule::Group(group) = rule {
            let (id, term) = (group.group.0, group.term.0);
            assert!(
                self.written.insert((id, term)),
                "group {id} gets term {term} again"
            );
            let greatest = self.terms.entry(id).or_default();
            assert!(
                term > *greatest || !self.strict,
                "group {id}: {term} after {greatest}"
            );
            *greatest = term.max(*greatest);
            assert!(
                self.copies_are_complete(group.multicast_group),
                "{rule:?} comes too early"
            );
        }
        self.rules.insert(rule.clone());
        Ok(())
    }

    fn copies_are_complete(&self, wanted: u16) -> bool {
        let is_member = |id: u16| {
            let found = |rule: &Rule| matches!(rule, Rule::Member { replication_id, .. } if *replication_id == id);
            self.rules.iter().any(found)
        };
        self.rules.iter().any(|rule| match rule {
            Rule::Copies {
                multicast_group,
                copies,
            } if *multicast_group == wanted => {
                copies.iter().all(|copy| is_member(copy.replication_id))
            }
            _ => false,
        })
    }
}

fn start(switch: &Switch, terms: &TermStore, events: Events) -> SwitchController<Switch> {
    let plan = Plan::new(&topology("127.0.0.1:9559"), "s1").expect("plan");
    let pauses = Pauses {
        first: Duration::ZERO,
        longest: Duration::from_millis(1),
    };
    SwitchController::new(switch.clone(), plan, terms.clone(), events).with_pauses(pauses)
}

fn block_on(seed: u64, test: impl Future<Output = ()>) {
    writeln!(std::io::stderr(), "seed {seed}").expect("stderr");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        tokio::time::timeout(DEADLINE, test)
            .await
            .expect("heals within the deadline");
    });
}

/// The rules of the switch but for the terms are those of the plan.
fn assert_complete(switch: &Switch, terms: &TermStore) {
    let plan = Plan::new(&topology("127.0.0.1:9559"), "s1").expect("plan");
    let recorded = terms.recorded("s1").expect("state");
    let desired = plan.rules(&recorded).expect("a term for every group");
    assert_eq!(differences(&desired, &switch.memory().rules), []);
}

#[test]
fn a_controller_that_dies_anywhere_never_writes_a_term_twice_and_heals() {
    for seed in 0..SEEDS {
        block_on(seed, async {
            let folder = tempfile::tempdir().expect("folder");
            let terms = TermStore::open(folder.path().join("terms.json"), 0).expect("state file");
            let switch = Switch::new(seed);
            let (_stop, shutdown) = watch::channel(false);
            for _ in 0..CRASHES {
                let crash_in = u64::from(switch.memory().random.next_u32() % 60);
                switch.memory().crash_in = Some(crash_in);
                let controller = start(&switch, &terms, Events::ignored());
                tokio::select! {
                    () = controller.run(shutdown.clone()) => panic!("stopped by itself"),
                    () = switch.crashed.notified() => {}
                }
            }
            switch.memory().crash_in = None;
            switch.memory().faulty = false;
            let (events, queue) = Events::queue();
            let controller = start(&switch, &terms, events);
            let mut watcher = Watcher::new(queue);
            tokio::select! {
                () = controller.run(shutdown) => panic!("stopped by itself"),
                _ = watcher.verified() => {}
            }
            assert_complete(&switch, &terms);
        });
    }
}

#[test]
fn an_equal_switch_keeps_its_term_and_a_changed_one_gets_another() {
    block_on(0, async {
        let folder = tempfile::tempdir().expect("folder");
        let terms = TermStore::open(folder.path().join("terms.json"), 0).expect("state file");
        let switch = Switch::new(0);
        switch.memory().faulty = false;
        let first = start(&switch, &terms, Events::ignored())
            .once()
            .await
            .expect("installs");
        assert!(first.installed);
        let again = start(&switch, &terms, Events::ignored())
            .once()
            .await
            .expect("compares");
        assert!(!again.installed);
        assert_eq!(again.groups, first.groups);
        // One copy is missing.
        let lost = {
            let memory = switch.memory();
            memory
                .rules
                .iter()
                .find(|rule| matches!(rule, Rule::Member { .. }))
                .cloned()
        };
        switch.memory().rules.remove(&lost.expect("a member"));
        let (events, queue) = Events::queue();
        let third = start(&switch, &terms, events)
            .once()
            .await
            .expect("installs");
        assert!(third.installed && third.groups[0].term > first.groups[0].term);
        let mut watcher = Watcher::new(queue);
        let told = watcher.wait_for("Differs", |kind| match kind {
            EventKind::Differs { differences } => Some(differences.clone()),
            _ => None,
        });
        let told = told.await;
        assert_eq!(told.len(), 1);
        assert!(
            told[0]
                .to_string()
                .starts_with("rewrite [1]: wanted 10.0.0.1:9770"),
            "{told:?}"
        );
    });
}

#[test]
fn a_lost_state_file_leads_to_a_greater_term() {
    block_on(0, async {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("terms.json");
        let terms = TermStore::open(&path, 0).expect("state file");
        let switch = Switch::new(0);
        switch.memory().faulty = false;
        let first = start(&switch, &terms, Events::ignored())
            .once()
            .await
            .expect("installs");
        std::fs::remove_file(&path).expect("lost");
        let second = start(&switch, &terms, Events::ignored())
            .once()
            .await
            .expect("installs");
        assert!(second.installed && second.groups[0].term > first.groups[0].term);
    });
}

fn two_controllers(seed: u64, shared: bool) {
    block_on(seed, async {
        let folder = tempfile::tempdir().expect("folder");
        let path = |name: &str| folder.path().join(name);
        let first = TermStore::open(path("0.json"), 0).expect("state file");
        let second = if shared {
            first.clone()
        } else {
            TermStore::open(path("1.json"), 1).expect("state file")
        };
        let switch = Switch::new(seed);
        switch.memory().strict = shared;
        let (events, queue) = Events::queue();
        let one = start(&switch, &first, events.clone());
        let two = start(&switch, &second, events);
        let mut watcher = Watcher::new(queue);
        let (_stop, shutdown) = watch::channel(false);
        let complete = |terms: &TermStore| {
            let plan = Plan::new(&topology("127.0.0.1:9559"), "s1").expect("plan");
            let rules = plan.rules(&terms.recorded("s1").expect("state"));
            rules.is_some_and(|rules| rules == switch.memory().rules)
        };
        tokio::select! {
            () = one.run(shutdown.clone()) => panic!("stopped by itself"),
            () = two.run(shutdown) => panic!("stopped by itself"),
            () = async {
                for _ in 0..20 {
                    watcher.verified().await;
                }
                switch.memory().faulty = false;
                switch.reboot();
                // Events from before the reboot may still wait in the queue.
                while !complete(&first) && !complete(&second) {
                    watcher.verified().await;
                }
            } => {}
        }
    });
}

#[test]
fn of_two_controllers_one_leads_and_no_term_comes_twice() {
    for seed in 0..SEEDS {
        two_controllers(seed, true);
        two_controllers(seed, false);
    }
}
