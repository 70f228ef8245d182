//! Whose process is it? Every guarded process carries a mark of the one that started it, so that what was left behind
//! can be told from what another test run next door is still using.
use std::fs;
use std::io;

/// The environment variable that holds the owner's mark.
pub const OWNER_VARIABLE: &str = "QLIK_OPERATOR_E2E_OWNER";

/// A process whose owner is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unowned {
    /// Its id.
    pub pid: i32,
    /// Its command line.
    pub command: String,
}

/// The environment variable by which processes in a process id namespace of their own, whose ids mean nothing outside,
/// are told the mark that stands for all of them: that of the process which made the namespace.
pub const NAMESPACE_OWNER_VARIABLE: &str = "QLIK_OPERATOR_E2E_NAMESPACE_OWNER";

/// The mark of this process: its id and its start time, for ids come round again.
pub fn own_mark() -> io::Result<String> {
    if let Some(mark) = std::env::var_os(NAMESPACE_OWNER_VARIABLE) {
        return mark.into_string().map_err(|mark| io::Error::other(format!("no mark: {}", mark.display())));
    }
    let pid = rustix::process::getpid().as_raw_pid();
    Ok(format!("{pid}:{}", start_time(pid)?))
}

/// All processes that carry the mark of an owner that lives no more.
pub fn unowned() -> io::Result<Vec<Unowned>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        // Unreadable means gone meanwhile or somebody else's; both are none of ours.
        let Some(mark) = fs::read(format!("/proc/{pid}/environ")).ok().and_then(|environment| mark_in(&environment))
        else {
            continue;
        };
        if !is_alive(&mark) {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ").trim_end().to_owned();
            found.push(Unowned { pid, command });
        }
    }
    Ok(found)
}

fn mark_in(environment: &[u8]) -> Option<String> {
    let variables = environment.split(|byte| *byte == 0).filter_map(|variable| std::str::from_utf8(variable).ok());
    variables
        .filter_map(|variable| variable.split_once('='))
        .find(|(name, _)| *name == OWNER_VARIABLE)
        .map(|(_, mark)| mark.to_owned())
}

fn is_alive(mark: &str) -> bool {
    let Some((pid, started)) = mark.split_once(':') else { return false };
    let Ok(pid) = pid.parse() else { return false };
    start_time(pid).is_ok_and(|now| now == started)
}

/// Field 22 of `proc_pid_stat(5)`; an error when there is no such process or only its remains.
fn start_time(pid: i32) -> io::Result<String> {
    let fields = stat_fields(pid)?;
    match (fields.first().map(String::as_str), fields.get(19)) {
        (Some("Z" | "X"), _) | (_, None) => {
            Err(io::Error::new(io::ErrorKind::NotFound, format!("process {pid} has ended")))
        }
        (_, Some(started)) => Ok(started.clone()),
    }
}

/// The fields of /proc/PID/stat from the third on: the second is the name, which may itself hold spaces and brackets.
pub(super) fn stat_fields(pid: i32) -> io::Result<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    Ok(after_name.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_among_other_variables() {
        let environment = b"HOME=/\0QLIK_OPERATOR_E2E_OWNER=12:34\0X=QLIK_OPERATOR_E2E_OWNER=1:1\0";
        assert_eq!(mark_in(environment).as_deref(), Some("12:34"));
        assert_eq!(mark_in(b"HOME=/\0"), None);
    }

    #[test]
    fn this_process_is_alive_and_its_id_with_another_start_time_is_not() {
        let mark = own_mark().expect("own mark");
        assert!(is_alive(&mark));
        assert!(!is_alive(&format!("{mark}9")));
        assert!(!is_alive("nonsense"));
    }
}
