//! Temporary.
use std::path::Path;
use std::process::Command;
/// e
#[derive(Debug, thiserror::Error)]
#[error("namespaces are not there yet")]
pub struct LabError;
/// l
pub struct Lab;
impl Lab {
    /// p
    pub fn preflight() -> Result<(), LabError> { Err(LabError) }
    /// h
    pub fn host_namespace(&self, _i: usize) -> &str { "" }
    /// s
    pub fn switch_namespace(&self) -> &str { "" }
    /// c
    pub fn command_in(&self, _n: &str, p: &Path) -> Command { Command::new(p) }
    /// l
    pub fn leave(self) {}
    /// d
    pub fn down(self) -> Result<(), LabError> { Ok(()) }
}
/// u
pub fn up_for(_d: &crate::Deployment) -> Result<Lab, LabError> { Err(LabError) }
/// d
pub fn down_by_manifest(_f: &Path) -> Result<(), LabError> { Ok(()) }
/// f
pub fn find_bmv2() -> Result<(), LabError> { Err(LabError) }
/// s
pub fn switch_interface(_n: u16) -> String { String::new() }
