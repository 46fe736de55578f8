//! Processor time of a process, all its threads together, as the scheduler has counted it: see
//! `/proc/<pid>/schedstat` in the kernel's documentation. In nanoseconds, where `/proc/<pid>/stat`
//! has ticks of 10 ms.

use std::fs;
use std::io;
use std::path::Path;

/// What a process has spent on processors since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessorTime {
    /// Nanoseconds, user and system.
    pub ns: u64,
}

impl ProcessorTime {
    /// Of the process with this id. Threads that have ended are not in it.
    pub fn of(pid: i32) -> io::Result<Self> {
        Self::of_threads(Path::new(&format!("/proc/{pid}")), |_| true)
    }

    /// Of those threads of this process that have one of these names.
    pub fn of_own_threads(names: &[&str]) -> io::Result<Self> {
        let is_one = |thread: &Path| {
            fs::read_to_string(thread.join("comm")).is_ok_and(|name| names.contains(&name.trim()))
        };
        Self::of_threads(Path::new("/proc/self"), is_one)
    }

    fn of_threads(process: &Path, counts: impl Fn(&Path) -> bool) -> io::Result<Self> {
        let mut ns = 0;
        for thread in fs::read_dir(process.join("task"))? {
            let thread = thread?.path();
            if !counts(&thread) {
                continue;
            }
            match fs::read_to_string(thread.join("schedstat")) {
                Ok(text) => ns += first_number(&text)?,
                // It has ended between the two looks.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { ns })
    }

    /// Nanoseconds from `earlier` to this.
    pub fn since(self, earlier: Self) -> u64 {
        self.ns.saturating_sub(earlier.ns)
    }
}

fn first_number(text: &str) -> io::Result<u64> {
    let number = text
        .split_whitespace()
        .next()
        .and_then(|word| word.parse().ok());
    number.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("schedstat says {text:?}, expected three numbers"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::time::{Duration, Instant};

    #[test]
    fn work_is_counted_and_ids_of_nobody_are_errors() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let before = ProcessorTime::of(pid).unwrap();
        let begun = Instant::now();
        let mut sum = 0_u64;
        // The counters of a thread that runs are brought up to date at the next tick.
        while ProcessorTime::of(pid).unwrap().since(before) < 5_000_000 {
            assert!(begun.elapsed() < Duration::from_secs(30), "nothing counted");
            for number in 0..100_000 {
                sum = black_box(sum.wrapping_add(number));
            }
        }
        assert!(ProcessorTime::of(i32::MAX).is_err());
    }

    #[test]
    fn the_first_number_is_the_time() {
        assert_eq!(first_number("123 45 6\n").unwrap(), 123);
        assert!(first_number("").is_err());
    }
}
