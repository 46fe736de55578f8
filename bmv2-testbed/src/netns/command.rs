//! Finding and running the small system programs that make a lab.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::error::LabError;
use super::process::TOKEN_VARIABLE;

/// Folders of administrators' programs, which an ordinary user's `PATH` often leaves out.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The path of an installed program: from `PATH`, then from the system folders.
pub(super) fn find_program(name: &str) -> Option<PathBuf> {
    find_in(std::env::var_os("PATH").as_deref(), name)
}

fn find_in(path: Option<&OsStr>, name: &str) -> Option<PathBuf> {
    path.into_iter()
        .flat_map(std::env::split_paths)
        .chain(SYSTEM_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| is_executable(candidate))
}

/// Whether the path is a file that may be executed.
pub(super) fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// A command that carries the lab's token, so that it can be found again if its starter dies.
pub(super) fn tokened(program: &Path, token: &str) -> Command {
    let mut command = Command::new(program);
    command.env(TOKEN_VARIABLE, token).stdin(Stdio::null());
    command
}

/// Runs a command to its end and returns what it wrote to stdout.
pub(super) fn run(mut command: Command) -> Result<String, LabError> {
    let program = PathBuf::from(command.get_program());
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().map_err(LabError::io("start", &program))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let output = [stderr, stdout]
        .iter()
        .map(|bytes| String::from_utf8_lossy(bytes).trim().replace('\n', ", "))
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(", ");
    Err(LabError::Command {
        command: spoken(&command),
        status: status.to_string(),
        output,
    })
}

/// The command line as a person would type it.
fn spoken(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().map_or_else(
        || command.get_program().to_string_lossy().into_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    let words: Vec<OsString> = command.get_args().map(OsStr::to_owned).collect();
    words.iter().fold(program, |line, word| {
        format!("{line} {}", word.to_string_lossy())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_path_before_the_system_folders() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("ip");
        std::fs::write(&own, "#!/bin/sh\n").unwrap();
        let path = folder.path().as_os_str();
        // Not executable yet: it must not be taken.
        assert_ne!(find_in(Some(path), "ip"), Some(own.clone()));
        std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find_in(Some(path), "ip"), Some(own));
        assert_eq!(find_in(Some(path), "no-such-program-of-ours"), None);
    }

    #[test]
    fn a_failure_says_command_status_and_output() {
        let mut command = tokened(Path::new("/bin/sh"), "token");
        command.args(["-c", "echo said; echo worse >&2; exit 3"]);
        let text = run(command).unwrap_err().to_string();
        assert_eq!(
            text,
            "`sh -c echo said; echo worse >&2; exit 3` failed (exit status: 3): worse, said"
        );
    }

    #[test]
    fn the_token_reaches_the_command() {
        let mut command = tokened(Path::new("/bin/sh"), "the-token");
        command.args(["-c", &format!("echo ${TOKEN_VARIABLE}")]);
        assert_eq!(run(command).unwrap(), "the-token\n");
    }
}
