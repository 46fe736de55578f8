//! Running a piece of this program inside a network namespace.
//!
//! Follows setns(2): a thread moves, not a process, and it moves for good. So the work gets a
//! thread of its own that ends with it, and no other thread is ever in the wrong namespace.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where `ip netns` keeps the names.
const NAMESPACE_FOLDER: &str = "/run/netns";

/// The file that stands for a named namespace.
pub(super) fn namespace_path(name: &str) -> PathBuf {
    Path::new(NAMESPACE_FOLDER).join(name)
}

/// Runs `work` on a thread of its own in the named network namespace and returns its result.
///
/// Sockets made by `work` stay in the namespace and may be handed out and used anywhere; so do
/// threads that it starts. `/proc/sys/net` shows the namespace too, but `/proc/net` and `/sys` do
/// not. A panic of `work` goes on in the caller.
///
/// # Errors
/// The namespace does not exist, or the caller may not enter it (`CAP_SYS_ADMIN`).
pub fn inside<T: Send>(namespace: &str, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let file = File::open(namespace_path(namespace))?;
    std::thread::scope(|scope| {
        let moved = std::thread::Builder::new().spawn_scoped(scope, move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(work())
        })?;
        moved.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}
