//! `downbeat p4`: compiles the switch programs where p4c is installed; checks everywhere that what
//! was compiled is what the sources say, by the hashes in `built/MANIFEST`.

use crate::arguments::{P4Action, P4Arguments};
use crate::failure::Failure;
use crate::output::Output;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output as Said};

const MANIFEST: &str = "built/MANIFEST";
/// Entry files, each a program, below `v1model/`.
const PROGRAMS: [&str; 1] = ["root"];

/// Runs the verb.
pub(crate) fn run(arguments: &P4Arguments, output: Output) -> Result<(), Failure> {
    match arguments.action {
        P4Action::Check => check(&arguments.p4, output),
        P4Action::Build => build(arguments, output),
    }
}

/// Compares every source and built file with the manifest.
fn check(p4: &Path, output: Output) -> Result<(), Failure> {
    let manifest = p4.join(MANIFEST);
    let text = fs::read_to_string(&manifest).map_err(|error| {
        let path = manifest.display();
        Failure::Usage(format!(
            "cannot read {path}: {error}; --p4 names the folder of the programs"
        ))
    })?;
    let recorded = parse(&text).map_err(|line| {
        let path = manifest.display();
        Failure::Usage(format!(
            "{path} line {line}: not `<sha256>  <file>`; run `downbeat p4 build`"
        ))
    })?;
    let present = hashes(p4)?;
    let differences = differences(&recorded, &present);
    output.object(json!({ "files": present.len(), "differences": differences }));
    for difference in &differences {
        output.line(difference);
    }
    if differences.is_empty() {
        output.line(&format!("p4: {} files are as compiled", present.len()));
        return Ok(());
    }
    let count = differences.len();
    Err(Failure::Check(format!(
        "{count} files of the switch programs differ from {MANIFEST}; \
         run `downbeat p4 build` where p4c is installed, and commit what it writes"
    )))
}

/// Compiles every program and writes the manifest.
fn build(arguments: &P4Arguments, output: Output) -> Result<(), Failure> {
    let P4Arguments { p4, p4c, .. } = arguments;
    let version = compiler_version(p4c)?;
    for program in PROGRAMS {
        let status = Command::new(p4c)
            // Relative names, so that no path of this machine gets into the output.
            .current_dir(p4)
            .arg("--p4runtime-files")
            .arg(format!("built/{program}.p4info.txtpb"))
            .arg("-o")
            .arg(format!("built/{program}.json"))
            .arg(format!("v1model/{program}.p4"))
            .status()
            .map_err(|error| no_compiler(p4c, &error))?;
        if !status.success() {
            return Err(Failure::Check(format!(
                "p4c refused v1model/{program}.p4 ({status})"
            )));
        }
        output.say(&format!("p4: compiled v1model/{program}.p4"));
    }
    let mut text = format!("# sha256 of the sources and of what {version} made of them\n");
    for (file, hash) in hashes(p4)? {
        let _ = writeln!(text, "{hash}  {file}");
    }
    let manifest = p4.join(MANIFEST);
    fs::write(&manifest, text)?;
    output.line(&format!("p4: wrote {}", manifest.display()));
    output.object(json!({ "programs": PROGRAMS.len(), "compiler": version }));
    Ok(())
}

fn compiler_version(p4c: &Path) -> Result<String, Failure> {
    let answer = Command::new(p4c).arg("--version").output();
    let answer = answer.map_err(|error| no_compiler(p4c, &error))?;
    let version = version_in(&answer).unwrap_or_else(|| "of unknown version".to_owned());
    Ok(format!("p4c {version}"))
}

/// The number in the line `Version 1.2.5.16 (SHA: …)`. p4c prints it to stderr; stdout is looked
/// at too, because that is where programs usually say it.
fn version_in(answer: &Said) -> Option<String> {
    [&answer.stdout, &answer.stderr]
        .into_iter()
        .find_map(|said| {
            let said = String::from_utf8_lossy(said);
            let mut lines = said.lines();
            let version = lines.find_map(|line| line.trim().strip_prefix("Version "))?;
            version.split_whitespace().next().map(str::to_owned)
        })
}

fn no_compiler(p4c: &Path, error: &std::io::Error) -> Failure {
    let p4c = p4c.display();
    Failure::Usage(format!(
        "cannot run {p4c}: {error}; p4c is at https://github.com/p4lang/p4c#getting-started, \
         --p4c names its bmv2 compiler"
    ))
}

/// File and hash of each line, or the number of the first line that has not both.
fn parse(text: &str) -> Result<BTreeMap<String, String>, usize> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.starts_with('#'));
    lines
        .map(|(index, line)| {
            let (hash, file) = line.split_once("  ").ok_or(index + 1)?;
            Ok((file.to_owned(), hash.to_owned()))
        })
        .collect()
}

fn differences(
    recorded: &BTreeMap<String, String>,
    present: &BTreeMap<String, String>,
) -> Vec<String> {
    let changed = present
        .iter()
        .filter_map(|(file, hash)| match recorded.get(file) {
            None => Some(format!("{file}: not in the manifest")),
            Some(known) if known != hash => Some(format!("{file}: changed since it was compiled")),
            Some(_) => None,
        });
    let gone = recorded
        .keys()
        .filter(|file| !present.contains_key(*file))
        .map(|file| format!("{file}: in the manifest, but gone"));
    changed.chain(gone).collect()
}

/// Hashes of all sources and built files, by their names below `p4`.
fn hashes(p4: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let mut hashes = BTreeMap::new();
    for folder in ["shared", "v1model", "built"] {
        let mut folders = vec![PathBuf::from(folder)];
        while let Some(folder) = folders.pop() {
            let path = p4.join(&folder);
            let entries = fs::read_dir(&path).map_err(|error| {
                Failure::Usage(format!("cannot read {}: {error}", path.display()))
            })?;
            for entry in entries {
                let entry = entry?;
                let name = folder.join(entry.file_name());
                if entry.file_type()?.is_dir() {
                    folders.push(name);
                } else if name != Path::new(MANIFEST) {
                    let mut hash = String::new();
                    for byte in Sha256::digest(fs::read(entry.path())?) {
                        let _ = write!(hash, "{byte:02x}");
                    }
                    hashes.insert(name.display().to_string(), hash);
                }
            }
        }
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::ExitStatus;

    fn files(text: &str) -> BTreeMap<String, String> {
        parse(text).unwrap()
    }

    #[test]
    fn every_kind_of_difference_is_named() {
        let recorded = files("# comment\n11  a.p4\n22  b.p4\n33  built/a.json\n");
        assert!(differences(&recorded, &recorded).is_empty());
        let present = files("11  a.p4\n99  b.p4\n44  c.p4\n");
        assert_eq!(
            differences(&recorded, &present),
            [
                "b.p4: changed since it was compiled",
                "c.p4: not in the manifest",
                "built/a.json: in the manifest, but gone"
            ]
        );
        assert_eq!(parse("11 a.p4"), Err(1));
    }

    #[test]
    fn the_version_is_found_on_either_stream() {
        let said = "p4c-bm2-ss\nVersion 1.2.5.16 (SHA: 6b7ec98e77 BUILD: Release)\n";
        let version = |stdout: &str, stderr: &str| {
            version_in(&Said {
                status: ExitStatus::default(),
                stdout: stdout.into(),
                stderr: stderr.into(),
            })
        };
        assert_eq!(version("", said).as_deref(), Some("1.2.5.16"));
        assert_eq!(version(said, "").as_deref(), Some("1.2.5.16"));
        assert_eq!(version("p4c-bm2-ss\n", "Version \n"), None);
    }

    #[test]
    fn the_committed_programs_are_as_compiled() {
        let p4 = Path::new(env!("CARGO_MANIFEST_DIR")).join("../p4");
        let recorded = files(&fs::read_to_string(p4.join(MANIFEST)).unwrap());
        let present = hashes(&p4).unwrap_or_else(|failure| panic!("{failure:?}"));
        assert_eq!(differences(&recorded, &present), Vec::<String>::new());
    }
}
