//! Where the Kubernetes programs come from.
use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::error::{Error, io_error};
use crate::process::{Exit, Launch, interval, tail};

const BINARY: &str = "local-kubernetes";
const PROGRAMS: [&str; 7] =
    ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "kubelet", "kube-scheduler", "kube-proxy"];
const LDFLAGS: &str = "-s -w -X k8s.io/component-base/version.gitVersion=v1.37.2 \
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37";
/// How often a long wait says that it still goes on.
const REPORT_EVERY: Duration = Duration::from_secs(15);

/// The directory that holds etcd, kube-apiserver, kubectl and, where there is one, kube-controller-manager:
/// `KUBEBUILDER_ASSETS` when set, else built from the pinned sources.
pub async fn directory() -> Result<PathBuf, Error> {
    match env::var_os("KUBEBUILDER_ASSETS") {
        Some(assets) if !assets.is_empty() => checked_assets(PathBuf::from(assets)),
        Some(_) | None => built().await,
    }
}

fn checked_assets(assets: PathBuf) -> Result<PathBuf, Error> {
    let missing = ["etcd", "kube-apiserver", "kubectl"].into_iter().find(|program| !assets.join(program).exists());
    match missing {
        Some(program) => Err(Error::Program(format!("KUBEBUILDER_ASSETS={} holds no {program}", assets.display()))),
        None => Ok(assets),
    }
}

/// Builds the programs unless they are there already, built from the same sources.
async fn built() -> Result<PathBuf, Error> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let build = Build { sources: workspace.join("e2e/kubernetes"), output: target.join(BINARY) };
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

struct Build {
    sources: PathBuf,
    output: PathBuf,
}

impl Build {
    /// Stands for everything that the programs are built from.
    fn stamp(&self) -> Result<String, Error> {
        let mut hash = Sha256::new();
        for name in ["go.mod", "go.sum", "main.go"] {
            let path = self.sources.join(name);
            let content = fs::read(&path).map_err(io_error(format!("read {}", path.display())))?;
            hash.update(content.len().to_le_bytes());
            hash.update(content);
        }
        hash.update(LDFLAGS);
        Ok(format!("{:x}", hash.finalize()))
    }

    fn stamp_file(&self) -> PathBuf {
        self.output.join("built-from.sha256")
    }

    /// The stamp is written last, so that an interrupted build is not taken for a whole one.
    fn is_current(&self, stamp: &str) -> bool {
        fs::read_to_string(self.stamp_file()).is_ok_and(|built| built == stamp) && self.output.join(BINARY).is_file()
    }

    /// Waits until no other process is building. Polls, so that the caller can be cancelled meanwhile.
    async fn lock(&self) -> Result<File, Error> {
        let path = self.output.join("lock");
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
                say(&format!("another process is building Kubernetes; waiting for {} s", since.elapsed().as_secs()));
            }
        }
    }

    async fn run(&self, stamp: &str) -> Result<(), Error> {
        say(&format!(
            "building Kubernetes into {}: seconds with a warm Go cache, 11 minutes without",
            self.output.display()
        ));
        let since = Instant::now();
        self.compile(since).await?;
        for program in PROGRAMS {
            let link = self.output.join(program);
            match fs::remove_file(&link) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                Ok(()) | Err(_) => symlink(BINARY, link)?,
            }
        }
        fs::write(self.stamp_file(), stamp)?;
        say(&format!("Kubernetes is built; it took {} s", since.elapsed().as_secs()));
        Ok(())
    }

    async fn compile(&self, since: Instant) -> Result<(), Error> {
        let (unfinished, log) = (self.output.join("unfinished"), self.output.join("build.log"));
        fs::write(&log, "")?;
        let go = Launch::new(go()?)
            .args(["build", "-trimpath", "-ldflags", LDFLAGS, "-o"])
            .arg(&unfinished)
            .arg(".")
            .current_dir(&self.sources)
            .env("CGO_ENABLED", "0")
            .spawn(&log)?;
        let mut report = interval(REPORT_EVERY);
        report.tick().await;
        let exit = loop {
            tokio::select! {
                exit = go.ended() => break exit,
                _ = report.tick() => say(&format!("still building Kubernetes; {} s so far", since.elapsed().as_secs())),
            }
        };
        match exit {
            Exit::Code(0) => Ok(fs::rename(unfinished, self.output.join(BINARY))?),
            Exit::Code(_) | Exit::Signal(_) | Exit::Unknown => {
                Err(Error::Program(format!("go build failed ({exit:?}); {}", tail(&log))))
            }
        }
    }
}

fn go() -> Result<PathBuf, Error> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|directory| directory.join("go")).find(|go| go.is_file()).ok_or_else(|| {
        let advice = "install Go 1.26 or later (https://go.dev/dl/), or set KUBEBUILDER_ASSETS to a directory \
                      with etcd, kube-apiserver, kube-controller-manager and kubectl";
        Error::Program(format!("no `go` in PATH to build Kubernetes with: {advice}"))
    })
}

/// Tells the person who waits. Standard error, because standard output is for programs to read.
fn say(message: &str) {
    // Nobody left to tell is no reason to stop building.
    let _ = writeln!(io::stderr(), "local-control-plane: {message}");
}
