//! Programs of Go modules that pin upstream's sources, built once and found again.
use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::error::{Error, io_error};
use crate::process::{Exit, Launch, in_path, interval, tail};

/// How often a long wait says that it still goes on.
const REPORT_EVERY: Duration = Duration::from_secs(15);

/// A Go module of this repository whose one binary is built from the sources that it pins.
pub struct Module {
    /// What people call it.
    pub title: &'static str,
    /// Its folder, from the top of the repository.
    pub folder: &'static str,
    /// The main package: `.`, or the path of one that the module requires as a tool.
    pub package: &'static str,
    /// The folder below `target` that the binary comes into.
    pub output: &'static str,
    /// The binary's name.
    pub binary: &'static str,
    /// Names that it is called by besides its own: symbolic links to it.
    pub programs: &'static [&'static str],
    /// For the linker.
    pub ldflags: &'static str,
    /// How long a build takes with an empty Go cache, on two cores.
    pub cold: &'static str,
}

impl Module {
    /// The directory with the programs; builds them unless they are there already, built from the same sources.
    pub async fn built(&'static self) -> Result<PathBuf, Error> {
        let build = Build { module: self, sources: workspace().join(self.folder), output: target().join(self.output) };
        let stamp = build.stamp()?;
        // Asked before the lock is taken: who only uses the programs need not be able to write here.
        if !build.is_current(&stamp) {
            fs::create_dir_all(&build.output).map_err(io_error(format!("create {}", build.output.display())))?;
            let _lock = build.lock().await?;
            if !build.is_current(&stamp) {
                build.run(&stamp).await?;
            }
        }
        Ok(build.output)
    }
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The folder for everything that is built.
pub(super) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

struct Build {
    module: &'static Module,
    sources: PathBuf,
    output: PathBuf,
}

impl Build {
    /// Stands for everything that the programs are built from.
    fn stamp(&self) -> Result<String, Error> {
        let mut hash = Sha256::new();
        let mut sources = Vec::new();
        for entry in fs::read_dir(&self.sources).map_err(io_error(format!("read {}", self.sources.display())))? {
            sources.push(entry?.path());
        }
        sources.sort();
        let is_source = |path: &&PathBuf| path.extension().is_some_and(|e| e == "go" || e == "mod" || e == "sum");
        for path in sources.iter().filter(is_source) {
            let content = fs::read(path).map_err(io_error(format!("read {}", path.display())))?;
            hash.update(content.len().to_le_bytes());
            hash.update(content);
        }
        hash.update(self.module.package);
        hash.update(self.module.ldflags);
        Ok(format!("{:x}", hash.finalize()))
    }

    fn stamp_file(&self) -> PathBuf {
        self.output.join("built-from.sha256")
    }

    /// The stamp is written last, so that an interrupted build is not taken for a whole one.
    fn is_current(&self, stamp: &str) -> bool {
        fs::read_to_string(self.stamp_file()).is_ok_and(|built| built == stamp)
            && self.output.join(self.module.binary).is_file()
    }

    /// Waits until no other process is building. Polls, so that the caller can be cancelled meanwhile.
    async fn lock(&self) -> Result<File, Error> {
        let (path, title) = (self.output.join("lock"), self.module.title);
        let file = File::create(&path).map_err(io_error(format!("create {}", path.display())))?;
        let (since, mut again, mut reported) = (Instant::now(), interval(Duration::from_millis(200)), None);
        loop {
            again.tick().await;
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(fs::TryLockError::WouldBlock) => {}
                Err(fs::TryLockError::Error(error)) => return Err(error.into()),
            }
            if reported.is_none_or(|last: Instant| last.elapsed() >= REPORT_EVERY) {
                reported = Some(Instant::now());
                say(&format!("another process is building {title}; waiting for {} s", since.elapsed().as_secs()));
            }
        }
    }

    async fn run(&self, stamp: &str) -> Result<(), Error> {
        let Module { title, cold, binary, programs, .. } = self.module;
        say(&format!("building {title} into {}: seconds with a warm Go cache, {cold} without", self.output.display()));
        let since = Instant::now();
        self.compile(since).await?;
        for program in *programs {
            let link = self.output.join(program);
            match fs::remove_file(&link) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                Ok(()) | Err(_) => symlink(binary, link)?,
            }
        }
        fs::write(self.stamp_file(), stamp)?;
        say(&format!("{title} is built; it took {} s", since.elapsed().as_secs()));
        Ok(())
    }

    async fn compile(&self, since: Instant) -> Result<(), Error> {
        let title = self.module.title;
        let (unfinished, log) = (self.output.join("unfinished"), self.output.join("build.log"));
        fs::write(&log, "")?;
        let go = Launch::new(go()?)
            .args(["build", "-trimpath", "-ldflags", self.module.ldflags, "-o"])
            .arg(&unfinished)
            .arg(self.module.package)
            .current_dir(&self.sources)
            .env("CGO_ENABLED", "0")
            .spawn(&log)?;
        let mut report = interval(REPORT_EVERY);
        report.tick().await;
        let exit = loop {
            tokio::select! {
                exit = go.ended() => break exit,
                _ = report.tick() => say(&format!("still building {title}; {} s so far", since.elapsed().as_secs())),
            }
        };
        match exit {
            Exit::Code(0) => Ok(fs::rename(unfinished, self.output.join(self.module.binary))?),
            Exit::Code(_) | Exit::Signal(_) | Exit::Unknown => {
                Err(Error::Program(format!("go build failed ({exit:?}); {}", tail(&log))))
            }
        }
    }
}

fn go() -> Result<PathBuf, Error> {
    in_path("go").ok_or_else(|| {
        let advice = "install Go 1.26 or later (https://go.dev/dl/), or (for Kubernetes alone) set KUBEBUILDER_ASSETS to a \
                      directory with etcd, kube-apiserver, kube-controller-manager and kubectl";
        Error::Program(format!("no `go` in PATH to build the tests' programs with: {advice}"))
    })
}

/// Tells the person who waits. Standard error, because standard output is for programs to read.
fn say(message: &str) {
    // Nobody left to tell is no reason to stop building.
    let _ = writeln!(io::stderr(), "local-control-plane: {message}");
}
