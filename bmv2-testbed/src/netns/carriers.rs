//! Which processes carry a lab's token in their environment.
//!
//! This is how processes are found that no manifest names: started by a bringer that was killed
//! before it could write them down, or by others of the lab. What `/proc/<pid>/environ` says, and
//! when it says nothing, is in proc_pid_environ(5) and proc_pid_stat(5).

use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use super::process::{ProcessIdentity, TOKEN_VARIABLE, after_name};

/// How long to look at processes that are in the middle of execve(2). That takes microseconds of
/// the processor, and longer only where it is not given them.
const EXEC_PATIENCE: Duration = Duration::from_secs(2);

/// How often such a process is looked at.
const EXEC_POLL: Duration = Duration::from_micros(200);

/// Room for an environment at first, in bytes; few are longer.
const FIRST_ROOM: usize = 64 << 10;

/// All processes of the machine that carry the token, but for this one and those above it.
pub(super) fn carriers_of(token: &str) -> io::Result<Vec<ProcessIdentity>> {
    let spared = lineage();
    let mut look = Look::new(token);
    let carriers = all_pids()?
        .filter(|pid| !spared.contains(pid) && look.carries(*pid))
        .filter_map(ProcessIdentity::of)
        .collect();
    Ok(carriers)
}

/// The pids of all processes.
pub(super) fn all_pids() -> io::Result<impl Iterator<Item = i32>> {
    let entries = std::fs::read_dir("/proc")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
}

/// This process and its ancestors: one that takes a lab down from within must not end itself.
fn lineage() -> Vec<i32> {
    const MAX_DEPTH: usize = 64;
    let mut pids = Vec::new();
    let mut next = i32::try_from(std::process::id()).ok();
    while let Some(pid) = next.filter(|pid| *pid > 0 && pids.len() < MAX_DEPTH) {
        pids.push(pid);
        next = std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .ok()
            .and_then(|stat| after_name(&stat)?.split(' ').nth(1)?.parse().ok());
    }
    pids
}

/// One look at many processes, for one token.
struct Look {
    mark: String,
    deadline: Instant,
    room: Vec<u8>,
}

/// What can be told of a process's environment at one moment.
#[derive(Debug, PartialEq, Eq)]
enum Environment<'a> {
    /// These variables, each with a zero byte behind it.
    Known(&'a [u8]),
    /// None, and there will be none: the process has ended, is of the kernel or of somebody
    /// whose processes may not be looked at, or was started without variables.
    None,
    /// None at this moment: the process is becoming another program.
    InExec,
}

impl Look {
    fn new(token: &str) -> Self {
        Self {
            mark: format!("{TOKEN_VARIABLE}={token}"),
            deadline: Instant::now() + EXEC_PATIENCE,
            room: vec![0; FIRST_ROOM],
        }
    }

    /// Whether the process carries the token. One that stays in execve(2) beyond the patience is
    /// taken for a stranger: if it is in a namespace of the lab, it is reported there.
    fn carries(&mut self, pid: i32) -> bool {
        loop {
            match environment(pid, &mut self.room) {
                Environment::Known(variables) => {
                    let mut variables = variables.split(|byte| *byte == 0);
                    return variables.any(|variable| variable == self.mark.as_bytes());
                }
                // Without another look a carrier could escape: 1. it calls execve(2), 2. the
                // kernel takes its old memory away, 3. its environment is read here and is empty,
                // 4. the kernel copies the environment, token and all, into its new memory.
                Environment::InExec if Instant::now() < self.deadline => {
                    std::thread::sleep(EXEC_POLL);
                }
                Environment::InExec | Environment::None => return false,
            }
        }
    }
}

fn environment(pid: i32, room: &mut Vec<u8>) -> Environment<'_> {
    match read_environ(pid, room) {
        Ok(0) if may_have_environment(pid) => Environment::InExec,
        Ok(0) | Err(_) => Environment::None,
        Ok(length) => Environment::Known(&room[..length]),
    }
}

/// Reads `/proc/<pid>/environ` with one call, which makes room for all of it. What several calls
/// return can end too soon: the file is of the memory that the process had when it was opened,
/// and is empty from the moment when execve(2) takes that away.
fn read_environ(pid: i32, room: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        let length = File::open(format!("/proc/{pid}/environ"))?.read(room)?;
        if length < room.len() {
            return Ok(length);
        }
        room.resize(2 * length, 0);
    }
}

/// Whether a process whose environment was just found empty may have one all the same, or will.
fn may_have_environment(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| Memory::parse(&stat))
        .is_some_and(Memory::may_have_environment)
}

/// What `/proc/<pid>/stat` says of a process's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Memory {
    /// Bytes, field 23.
    size: u64,
    /// Address, field 27.
    code_end: u64,
    /// Address, field 50.
    environment_start: u64,
    /// Address, field 51.
    environment_end: u64,
}

impl Memory {
    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<&str> = after_name(stat)?.trim_end().split(' ').collect();
        // The first that follows the name is field 3.
        let field = |number: usize| fields.get(number - 3)?.parse().ok();
        Some(Self {
            size: field(23)?,
            code_end: field(27)?,
            environment_start: field(50)?,
            environment_end: field(51)?,
        })
    }

    fn may_have_environment(self) -> bool {
        // Threads of the kernel have no memory, and who is ending has none any more. execve(2)
        // says where the environment starts, with the end at the same address as if it were
        // empty; then, all variables found, where it ends; and only after that, where the code is.
        let in_exec = self.code_end == 0;
        let filled_since = self.environment_end > self.environment_start;
        self.size > 0 && (in_exec || filled_since)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::super::process::{Process, end_all};
    use super::*;

    /// A shell that runs the script and carries the token.
    fn shell(script: &str, token: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).env(TOKEN_VARIABLE, token);
        command
    }

    /// Starts the command and waits for the line that it writes when it is under way.
    fn start(command: &mut Command) -> Process {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::new(piped.spawn().unwrap()).unwrap();
        let mut line = String::new();
        BufReader::new(process.child().stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "ready\n");
        process
    }

    fn token(what: &str) -> String {
        format!("test.{}.{what}", std::process::id())
    }

    #[test]
    fn carriers_are_found_by_their_token_with_their_children() {
        let token = token("carriers");
        let carrier = start(&mut shell("sh -c 'echo ready; read x'; true", &token));
        let found = carriers_of(&token).unwrap();
        assert!(found.contains(&carrier.identity()), "{found:?}");
        assert_eq!(found.len(), 2, "the shell and its child: {found:?}");
        for ending in end_all(&found, Duration::from_secs(20)) {
            ending.unwrap();
        }
        assert_eq!(carriers_of(&token).unwrap(), []);
        carrier.kill().unwrap();
    }

    #[test]
    fn a_carrier_is_found_in_the_middle_of_exec() {
        /// So often must the looks have fallen into the middle of execve(2). One of a thousand
        /// does where two processors have nothing else to do.
        const ENOUGH: usize = 3;
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("again");
        std::fs::write(&script, "exec /bin/sh \"$0\"\n").unwrap();
        let token = token("exec");
        let mut command = shell("echo ready; exec /bin/sh \"$0\"", &token);
        let carrier = start(command.arg(&script));
        let pid = carrier.identity().pid;
        let mut room = vec![0; FIRST_ROOM];
        let deadline = Instant::now() + Duration::from_mins(1);
        let mut in_exec = 0;
        while in_exec < ENOUGH {
            assert!(Instant::now() < deadline, "seen in exec {in_exec} times");
            match environment(pid, &mut room) {
                Environment::Known(_) => {}
                Environment::InExec => in_exec += 1,
                Environment::None => panic!("taken for a process without variables"),
            }
            assert!(Look::new(&token).carries(pid), "not found");
        }
        assert_eq!(carriers_of(&token).unwrap(), [carrier.identity()]);
        carrier.kill().unwrap();
    }

    #[test]
    fn a_token_behind_much_else_is_found() {
        let token = token("long");
        let mut command = shell("echo ready; read x", &token);
        // Variables are passed in the order of their names.
        let carrier = start(command.env("A_LONG_ONE", "x".repeat(FIRST_ROOM + 1)));
        assert_eq!(carriers_of(&token).unwrap(), [carrier.identity()]);
        carrier.kill().unwrap();
    }

    #[test]
    fn a_process_without_variables_is_told_from_one_in_exec() {
        let mut room = vec![0; FIRST_ROOM];
        let bare = start(shell("echo ready; read x", "none").env_clear());
        let pid = bare.identity().pid;
        assert_eq!(environment(pid, &mut room), Environment::None);
        bare.kill().unwrap();
        assert_eq!(environment(pid, &mut room), Environment::None, "it ended");
    }

    #[test]
    fn memory_says_whether_there_can_be_an_environment() {
        let memory = |size, code_end, environment_start, environment_end| Memory {
            size,
            code_end,
            environment_start,
            environment_end,
        };
        assert!(memory(4096, 0, 0, 0).may_have_environment(), "in exec");
        assert!(memory(4096, 0, 70, 70).may_have_environment(), "still");
        assert!(memory(4096, 30, 70, 90).may_have_environment(), "filled");
        assert!(!memory(4096, 30, 70, 70).may_have_environment(), "bare");
        assert!(!memory(0, 0, 0, 0).may_have_environment(), "of the kernel");
        let fields: Vec<String> = (4..=52).map(|field| field.to_string()).collect();
        let stat = format!("77 (a) Z ) (b)) S {}\n", fields.join(" "));
        assert_eq!(Memory::parse(&stat), Some(memory(23, 27, 50, 51)));
        assert_eq!(Memory::parse("77 (a) S 1 2"), None);
    }

    #[test]
    fn this_process_is_spared() {
        let own = i32::try_from(std::process::id()).unwrap();
        let lineage = lineage();
        assert_eq!(lineage[0], own);
        assert!(lineage.len() > 1);
    }
}
