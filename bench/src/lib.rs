//! Load and measurement, independent of any protocol: a table of contents.
//!
//! - [`workload`]: which operations each client asks for, from a seed; [`preset`]: by name;
//! - [`arrivals`]: when it means to ask, in a closed or an open loop;
//! - [`recorder`]: what came back and when;
//! - [`summary`] and [`table`]: the same for people and for programs;
//! - [`spread`]: repeated measurements, and ratios of them;
//! - [`sample`]: one measurement of one contestant, raw; [`curves`] and [`plot`]: many of them as
//!   SVG; [`html`]: tables and plots as one file;
//! - [`figure`]: what papers have measured, and what we hold against it;
//! - [`run_directory`] and [`machine`]: where results are kept, with what they depend on.
//!
//! Nothing here opens a socket, reads a clock or waits: callers give times in nanoseconds since
//! the start of the run, so the same code measures a deployment and a simulation.

pub mod arrivals;
pub mod curves;
pub mod figure;
pub mod html;
pub mod keys;
pub mod machine;
pub mod plot;
pub mod preset;
mod random;
pub mod recorder;
pub mod run_directory;
pub mod sample;
pub mod spread;
pub mod summary;
pub mod table;
mod timeline;
pub mod workload;
