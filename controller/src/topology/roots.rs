//! Which switches can stamp for a group, and how the leaf reaches them.

use super::{Group, Switch, SwitchLink, Topology};

impl Topology {
    /// The switch that all members of a group are at.
    pub fn leaf_of(&self, group: &Group) -> Option<&Switch> {
        let first = self.host(&group.members.first()?.host)?;
        self.switch(&first.port.switch)
    }

    /// The switches that can stamp for a group: those above its leaf, or the leaf itself if there
    /// are none. Best first, by rendezvous hashing: each group has an order of its own, so that
    /// groups spread over the roots, and the loss of one root moves only the groups it had.
    pub fn roots_of(&self, group: &Group) -> Vec<&Switch> {
        let Some(leaf) = self.leaf_of(group) else {
            return Vec::new();
        };
        let above = self.links_of(&leaf.name);
        let mut roots: Vec<&Switch> = above
            .filter(|link| link.leaf.switch == leaf.name)
            .filter_map(|link| self.switch(&link.root.switch))
            .collect();
        if roots.is_empty() {
            roots.push(leaf);
        }
        roots.sort_by_cached_key(|root| std::cmp::Reverse(weight(group.id, &root.name)));
        roots
    }

    /// The switch that stamps for a group when nothing has failed.
    pub fn root_of(&self, group: &Group) -> Option<&Switch> {
        self.roots_of(group).first().copied()
    }

    /// The links at a switch.
    pub fn links_of(&self, switch: &str) -> impl Iterator<Item = &SwitchLink> {
        let is_at =
            move |link: &&SwitchLink| link.leaf.switch == switch || link.root.switch == switch;
        self.links.iter().filter(is_at)
    }

    /// The link between two switches, lower and upper one.
    pub fn link_between(&self, leaf: &str, root: &str) -> Option<&SwitchLink> {
        let joins = |link: &&SwitchLink| link.leaf.switch == leaf && link.root.switch == root;
        self.links.iter().find(joins)
    }
}

/// How well a root suits a group.
fn weight(group: u16, root: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&group.to_be_bytes()).update(root.as_bytes());
    *hasher.finalize().as_bytes()
}
