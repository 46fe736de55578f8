//! Fault profiles: which kinds of faults a run draws its schedule from, and how many.

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A little loss, duplication and reordering on some wires for a while.
    LightNoise,
    /// Much of it.
    HarshNoise,
    /// Loss on all wires, all the time.
    SteadyLoss,
    /// Reordering on all wires, all the time.
    SteadyReordering,
    /// One way of one host's wire is dead.
    Cut,
    /// One host's wire is slow.
    SlowLink,
    /// Some hosts do not hear others.
    Partition,
    /// Some replicas do not hear others; clients reach all of them.
    Split,
    /// Some replicas do not hear some clients.
    Deaf,
    /// While clients ask, some replicas are deaf, and then one after the other is cut off from its
    /// peers, faster and slower than a view changes.
    Churn,
    /// While clients ask, one client is heard by one replica only, and an ambush waits for the
    /// view change that comes of it.
    Siege,
    /// The next leader that begins a view reaches only as many replicas as it needs to commit, and
    /// from its commit on nobody but clients.
    Ambush,
    /// What the root stamps takes a longer way to some replicas than everything else.
    Detour,
    /// While clients ask, a lock is told to one member only, and who told it restarts: see
    /// [`Snare::LostLock`](crate::schedule::Snare).
    LostLock,
    /// The root reboots, and who promises the second epoch from then on restarts: see
    /// [`Snare::LostPromise`](crate::schedule::Snare).
    LostPromise,
    /// Members change, and few hear of the epoch of the new ones: see
    /// [`Snare::Newcomers`](crate::schedule::Snare).
    Newcomers,
    /// A replica's clock is off and runs fast or slow, all the time.
    Clock,
    /// A replica's process ends; it starts again with what it saved.
    CrashWithDisk,
    /// A replica's process ends; it starts again with nothing.
    CrashWithoutDisk,
    /// Each replica's process ends, one after the other has come back; each starts again with what
    /// it saved.
    EachWithDisk,
    /// The same, and each starts again with nothing.
    EachWithoutDisk,
    /// A replica's process ends for good.
    CrashForGood,
    /// A replica cannot save anything, and ends when it tries.
    FullDisk,
    /// Saving takes long.
    SlowDisk,
    /// The root loses everything.
    RootReboot,
    /// The root is not heard for a while.
    RootVanishes,
    /// The root says what is not so: see [`Lie`](crate::schedule::Lie).
    RootLies,
    /// The root ends for good; another one has to take over.
    RootDies,
    /// An operator asks for other members.
    ChangeMembers,
    /// The controller ends and starts again.
    ControllerRestart,
}

/// What else happens where a root dies.
const ROOT_STORM: &[Kind] = &[
    Kind::LightNoise,
    Kind::HarshNoise,
    Kind::Split,
    Kind::CrashWithDisk,
    Kind::CrashWithoutDisk,
    Kind::RootReboot,
    Kind::RootVanishes,
    Kind::ControllerRestart,
];

/// Who does not hear whom.
const PARTITIONS: &[Kind] = &[
    Kind::Partition,
    Kind::Split,
    Kind::Split,
    Kind::Deaf,
    Kind::Churn,
    Kind::Churn,
    Kind::Ambush,
    Kind::Siege,
    Kind::Cut,
    Kind::LightNoise,
];

/// Members that come and go, and what goes wrong meanwhile.
const BESIDE_CHANGES: &[Kind] = &[
    Kind::ChangeMembers,
    Kind::ChangeMembers,
    Kind::ChangeMembers,
    Kind::ChangeMembers,
    Kind::LightNoise,
    Kind::Split,
    Kind::Churn,
    Kind::CrashWithDisk,
    Kind::CrashWithoutDisk,
    Kind::SlowDisk,
    Kind::RootReboot,
];

/// Who begins an epoch of new members is heard by few, and what goes wrong beside.
const BESIDE_NEWCOMERS: &[Kind] = &[
    Kind::Newcomers,
    Kind::Newcomers,
    Kind::Newcomers,
    Kind::ChangeMembers,
    Kind::LightNoise,
    Kind::Split,
    Kind::CrashWithDisk,
    Kind::CrashWithoutDisk,
    Kind::SlowDisk,
];

/// Members forget what they have told or promised, and what goes wrong beside.
const BESIDE_OBLIVION: &[Kind] = &[
    Kind::LostLock,
    Kind::LostLock,
    Kind::LostPromise,
    Kind::LostPromise,
    Kind::LightNoise,
    Kind::CrashWithDisk,
    Kind::CrashWithoutDisk,
    Kind::SlowDisk,
];

/// Stamped packets that come late, and what goes wrong beside.
const BESIDE_DETOURS: &[Kind] = &[
    Kind::Detour,
    Kind::Detour,
    Kind::Detour,
    Kind::Detour,
    Kind::LightNoise,
    Kind::SlowLink,
    Kind::Split,
    Kind::Deaf,
    Kind::CrashWithDisk,
    Kind::RootReboot,
];

/// Lies, and most other faults.
const BESIDE_LIES: &[Kind] = &[
    Kind::RootLies,
    Kind::RootLies,
    Kind::RootLies,
    Kind::RootLies,
    Kind::RootLies,
    Kind::RootLies,
    Kind::LightNoise,
    Kind::HarshNoise,
    Kind::Cut,
    Kind::Split,
    Kind::Deaf,
    Kind::Churn,
    Kind::Ambush,
    Kind::Partition,
    Kind::CrashWithDisk,
    Kind::CrashWithoutDisk,
    Kind::SlowDisk,
    Kind::RootReboot,
    Kind::ControllerRestart,
];

/// A named mix of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Nothing goes wrong.
    None,
    /// Loss.
    Loss,
    /// Heavy reordering.
    Reorder,
    /// A little noise, clocks, slow wires.
    Light,
    /// Much noise, dead wires.
    Harsh,
    /// Up to f replicas end for good.
    Crash,
    /// Replicas end and start again, with and without their disks.
    Restart,
    /// Each replica in turn ends and starts again with its disk, and nothing else goes wrong.
    Rolling,
    /// The same without their disks.
    RollingLost,
    /// Partitions, one way too.
    Partition,
    /// Reboots and absences of the root and of the controller.
    Root,
    /// A root that lies, and everything else. Only for protocols that trust no root.
    LyingRoot,
    /// The root ends for good while clients ask, and nothing else goes wrong. Needs two roots.
    RootDies,
    /// The same, with much else from then on and before: noise, splits, restarts of replicas, the
    /// controller and the root that is left.
    RootStorm,
    /// Members that leave, come in and come back, and much else meanwhile. Only for protocols whose
    /// members can change.
    Members,
    /// Members change while few hear of it: an epoch of the new ones begins, and the old ones
    /// settle among themselves. Only for protocols whose members can change.
    Newcomers,
    /// Members restart in the middle of what they have told or promised others.
    Oblivion,
    /// What the root stamps reaches some replicas later than what clients send them.
    Detour,
    /// Full and slow disks.
    Disk,
    /// Heavy reordering all the time, and replicas that are cut off, deaf or end meanwhile: what
    /// makes logs differ together with what makes views change.
    Storm,
    /// Sieges and ambushes: what a leader commits, few know of.
    Siege,
    /// Everything.
    All,
}

impl Profile {
    /// All profiles.
    pub const ALL: [Self; 22] = [
        Self::None,
        Self::Loss,
        Self::Reorder,
        Self::Light,
        Self::Harsh,
        Self::Crash,
        Self::Restart,
        Self::Rolling,
        Self::RollingLost,
        Self::Partition,
        Self::Root,
        Self::LyingRoot,
        Self::RootDies,
        Self::RootStorm,
        Self::Members,
        Self::Newcomers,
        Self::Oblivion,
        Self::Detour,
        Self::Disk,
        Self::Storm,
        Self::Siege,
        Self::All,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Loss => "loss",
            Self::Reorder => "reorder",
            Self::Light => "light",
            Self::Harsh => "harsh",
            Self::Crash => "crash",
            Self::Restart => "restart",
            Self::Rolling => "rolling",
            Self::RollingLost => "rolling-lost",
            Self::Partition => "partition",
            Self::Root => "root",
            Self::LyingRoot => "lying-root",
            Self::RootDies => "root-dies",
            Self::RootStorm => "root-storm",
            Self::Members => "members",
            Self::Newcomers => "newcomers",
            Self::Oblivion => "oblivion",
            Self::Detour => "detour",
            Self::Disk => "disk",
            Self::Storm => "storm",
            Self::Siege => "siege",
            Self::All => "all",
        }
    }

    /// Faults that every run of the profile has.
    pub fn always(self) -> &'static [Kind] {
        match self {
            Self::Loss => &[Kind::SteadyLoss],
            Self::Reorder | Self::Storm => &[Kind::SteadyReordering],
            Self::Rolling => &[Kind::EachWithDisk],
            Self::RollingLost => &[Kind::EachWithoutDisk],
            Self::RootDies | Self::RootStorm => &[Kind::RootDies],
            _ => &[],
        }
    }

    /// Whether stamps may be false: a number given twice, numbers and rounds that run back.
    pub fn lies(self) -> bool {
        self == Self::LyingRoot
    }

    /// Whether members come and go.
    pub fn changes_members(self) -> bool {
        matches!(self, Self::Members | Self::Newcomers)
    }

    /// Whether messages of the bulk channel are late and come twice while a fault lasts. Not where
    /// restarts are all that is to be seen.
    pub fn shakes_bulk(self) -> bool {
        !matches!(self, Self::Rolling | Self::RollingLost | Self::RootDies)
    }

    /// Whether it makes no sense without a second root.
    pub fn needs_two_roots(self) -> bool {
        self.always().contains(&Kind::RootDies)
    }

    /// From which kinds, one as likely as the other, further faults are drawn.
    pub fn kinds(self) -> &'static [Kind] {
        use Kind as K;
        match self {
            _ if self.count() == (0, 0) => &[],
            Self::RootStorm => ROOT_STORM,
            Self::Light => &[K::LightNoise, K::LightNoise, K::SlowLink, K::Clock],
            Self::Harsh => &[K::HarshNoise, K::HarshNoise, K::Cut, K::SlowLink, K::Clock],
            Self::Crash => &[
                K::CrashForGood,
                K::CrashForGood,
                K::LightNoise,
                K::Split,
                K::Deaf,
                K::Churn,
            ],
            Self::Restart => &[K::CrashWithDisk, K::CrashWithoutDisk, K::LightNoise],
            Self::Partition => PARTITIONS,
            Self::Root => &[
                K::RootReboot,
                K::RootVanishes,
                K::ControllerRestart,
                K::LightNoise,
            ],
            Self::LyingRoot => BESIDE_LIES,
            Self::Members => BESIDE_CHANGES,
            Self::Newcomers => BESIDE_NEWCOMERS,
            Self::Oblivion => BESIDE_OBLIVION,
            Self::Detour => BESIDE_DETOURS,
            Self::Disk => &[K::FullDisk, K::SlowDisk, K::CrashWithDisk, K::HarshNoise],
            Self::Storm => &[
                K::Churn,
                K::Ambush,
                K::Siege,
                K::Split,
                K::Deaf,
                K::HarshNoise,
                K::CrashWithDisk,
                K::CrashWithoutDisk,
            ],
            Self::Siege => &[K::Siege, K::Siege, K::Ambush],
            // Those without a count are above.
            _ => &[
                K::LightNoise,
                K::HarshNoise,
                K::Cut,
                K::SlowLink,
                K::Split,
                K::Deaf,
                K::Churn,
                K::Ambush,
                K::Siege,
                K::Partition,
                K::Clock,
                K::CrashWithDisk,
                K::CrashWithoutDisk,
                K::FullDisk,
                K::SlowDisk,
                K::RootReboot,
                K::RootVanishes,
                K::ControllerRestart,
            ],
        }
    }

    /// The fewest and the most faults drawn from [`kinds`](Self::kinds).
    pub fn count(self) -> (u64, u64) {
        match self {
            Self::None
            | Self::Loss
            | Self::Reorder
            | Self::Rolling
            | Self::RollingLost
            | Self::RootDies => (0, 0),
            Self::Light => (1, 6),
            Self::Harsh
            | Self::Crash
            | Self::Restart
            | Self::Partition
            | Self::Root
            | Self::RootStorm
            | Self::Newcomers
            | Self::Oblivion
            | Self::Detour
            | Self::Disk
            | Self::Storm => (2, 8),
            Self::Siege | Self::LyingRoot | Self::Members => (4, 10),
            Self::All => (2, 12),
        }
    }
}
