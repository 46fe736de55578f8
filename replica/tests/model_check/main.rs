//! Model checks over the real cores: every run of three replicas and two clients within bounds that
//! stand as constants. Speculative Paxos here, synchronous rounds in `rounds`.
//!
//! Time is not in the model: it is always 0, and a timer that is armed may fire at any time. The
//! network loses, repeats and overtakes (`network`); the root gives the requests their numbers.
//! The clients count with the real client core (`asker`).
//!
//! - `bounds`: what may happen how often; `model`: the steps; `properties`: what must hold
//! - `seat`, `outcome`: a replica and what it makes of an event
//! - `small`, `full`: the configurations with their pinned state counts; a core that behaves
//!   differently has other counts, which are then to be looked at and noted anew
//! - `firing`, `common`, `checking`, `machine`, `network`: shared with `rounds`
//! - `broken`: mutants, to show that the model can fail
//!
//! `DOWNBEAT_MODEL=full` also checks the configurations of `full`.

mod asker;
mod bounds;
mod broken;
mod checking;
mod common;
mod firing;
mod full;
mod machine;
mod model;
mod network;
mod outcome;
mod properties;
mod rounds;
mod seat;
mod small;
