//! Model check of synchronous rounds over the real core.
//!
//! The root numbers packets as they are sent and each member gets them in that order; a bounded
//! number of copies is held back, to arrive at any later time or never: loss and overtaking in
//! one. What members send each other beside the root arrives at any time, repeatedly, or never
//! (`network`). The root may give a number twice, and it may be replaced.
//!
//! - `bounds`: what may happen how often; `model`: the steps; `root`: numbers and copies
//! - `seat`: a member and what comes of an event there; `voted`: what it has voted for
//! - `properties`: what must hold, and what must happen somewhere
//! - `small`, `full`: the configurations with their pinned state counts; `broken`: mutants

mod bounds;
mod broken;
mod full;
mod model;
mod properties;
mod root;
mod seat;
mod small;
mod voted;
