//! The doubly linked list of invocations and responses that the search walks.
//!
//! Nodes are unlinked when an operation is placed and linked back, newest first, when it is taken
//! back, so both cost a few writes wherever the operation stands (Lowe 2017, section 3). Two lists
//! share the nodes: operations with a known outcome, and those whose outcome is unknown. It knows
//! times and indices; it does not know the model.

use crate::history::Moment;

/// Most operations in one part: two nodes each, and the sentinels, must be countable in a `u32`.
pub(super) const MAX_OPERATIONS: usize = (u32::MAX / 2 - 2) as usize;

/// Head of the list of operations with a known outcome.
pub(super) const COMPLETED: u32 = 0;
/// Head of the list of operations with an unknown outcome.
pub(super) const PENDING: u32 = 1;

const NONE: u32 = u32::MAX;

/// An invocation or a response, in one of the lists.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// Index of the operation.
    pub(super) operation: u32,
    /// Whether it is the response.
    pub(super) is_return: bool,
    /// Place among all events of both lists.
    pub(super) position: u32,
    /// The node after it, or the head of its list.
    pub(super) next: u32,
    previous: u32,
}

/// Both lists.
#[derive(Debug)]
pub(super) struct Events {
    nodes: Vec<Node>,
    invocation: Vec<u32>,
    response: Vec<u32>,
}

impl Events {
    /// The lists for operations with these times (invoked, returned), in the order of invocation.
    /// `None` if there are more than [`MAX_OPERATIONS`].
    pub(super) fn new(times: &[(Moment, Option<Moment>)]) -> Option<Self> {
        if times.len() > MAX_OPERATIONS {
            return None;
        }
        let mut order: Vec<(Moment, bool, u32)> = Vec::with_capacity(2 * times.len());
        for (operation, (invoked, returned)) in (0_u32..).zip(times) {
            order.push((*invoked, false, operation));
            order.extend(returned.map(|moment| (moment, true, operation)));
        }
        // An invocation stands before a response of the same moment: equal moments are concurrent.
        order.sort_unstable();

        let sentinel = |at| Node {
            operation: NONE,
            is_return: false,
            position: NONE,
            next: at,
            previous: at,
        };
        let mut events = Self {
            nodes: vec![sentinel(COMPLETED), sentinel(PENDING)],
            invocation: vec![NONE; times.len()],
            response: vec![NONE; times.len()],
        };
        for (position, (_, is_return, operation)) in (0_u32..).zip(order) {
            let index = operation as usize;
            let head = if times[index].1.is_some() {
                COMPLETED
            } else {
                PENDING
            };
            let node = position + 2;
            let last = events.nodes[head as usize].previous;
            events.nodes.push(Node {
                operation,
                is_return,
                position,
                next: head,
                previous: last,
            });
            events.nodes[last as usize].next = node;
            events.nodes[head as usize].previous = node;
            let of = if is_return {
                &mut events.response
            } else {
                &mut events.invocation
            };
            of[index] = node;
        }
        Some(events)
    }

    /// The node with this number.
    pub(super) fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    /// The first node of the list `head`, or `head` itself if the list is empty.
    pub(super) fn first(&self, head: u32) -> u32 {
        self.nodes[head as usize].next
    }

    /// Unlinks both events of `operation`.
    pub(super) fn lift(&mut self, operation: u32) {
        self.unlink(self.invocation[operation as usize]);
        let response = self.response[operation as usize];
        if response != NONE {
            self.unlink(response);
        }
    }

    /// Links both events of `operation` back. It must be the newest that is lifted.
    pub(super) fn put_back(&mut self, operation: u32) {
        let response = self.response[operation as usize];
        if response != NONE {
            self.relink(response);
        }
        self.relink(self.invocation[operation as usize]);
    }

    fn unlink(&mut self, node: u32) {
        let Node { next, previous, .. } = *self.node(node);
        self.nodes[previous as usize].next = next;
        self.nodes[next as usize].previous = previous;
    }

    fn relink(&mut self, node: u32) {
        let Node { next, previous, .. } = *self.node(node);
        self.nodes[previous as usize].next = node;
        self.nodes[next as usize].previous = node;
    }
}
