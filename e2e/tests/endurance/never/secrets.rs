//! What can go wrong with the operator's writes of the Secret.

use e2e::cluster::proxy::{After, Before, Call, Hooks, Request};
use http::{Method, StatusCode};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What becomes of a write of the Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// The API server answers 500, once.
    FailOnce,
    /// No answer, and nothing is written, once.
    DropOnce,
    /// It is written and the answer is lost, once.
    AnswerLost,
    /// 500 until it is put right.
    Fail,
    /// No answer until it is put right.
    Drop,
    /// Somebody else takes the name a moment before.
    NameTaken,
}

/// The hooks of one operator's proxy, switched on and off.
#[derive(Clone)]
pub(crate) struct Switch {
    on: Arc<AtomicBool>,
    hit: Arc<AtomicBool>,
    admin: PathBuf,
    namespace: String,
}

impl Switch {
    pub(crate) fn new(admin: PathBuf, namespace: String) -> Self {
        Self { on: Arc::default(), hit: Arc::default(), admin, namespace }
    }

    pub(crate) fn turn(&self, on: bool) {
        if on {
            self.hit.store(false, Ordering::SeqCst);
        }
        self.on.store(on, Ordering::SeqCst);
    }

    /// Whether it came into play since it was turned on.
    pub(crate) fn was_hit(&self) -> bool {
        self.hit.load(Ordering::SeqCst)
    }

    fn meets(&self, once: bool) -> bool {
        let hit = if once { self.on.swap(false, Ordering::SeqCst) } else { self.on.load(Ordering::SeqCst) };
        if hit {
            self.hit.store(true, Ordering::SeqCst);
        }
        hit
    }

    /// Hooks for writes of the Secret.
    pub(crate) fn of_writes(&self, writes: Writes) -> Hooks {
        let (before, after) = (self.clone(), self.clone());
        Hooks::default()
            .before_request(move |call: &Call| {
                let write = is_write(&call.method, &call.path);
                match writes {
                    Writes::FailOnce if write && before.meets(true) => Before::Fail(StatusCode::INTERNAL_SERVER_ERROR),
                    Writes::DropOnce if write && before.meets(true) => Before::Drop,
                    Writes::Fail if write && before.meets(false) => Before::Fail(StatusCode::INTERNAL_SERVER_ERROR),
                    Writes::Drop if write && before.meets(false) => Before::Drop,
                    Writes::NameTaken if write && before.meets(true) => {
                        take_name(before.admin.clone(), before.namespace.clone());
                        Before::Forward
                    }
                    _ => Before::Forward,
                }
            })
            .after_request(move |request: &Request| {
                let lost =
                    writes == Writes::AnswerLost && is_write(&request.method, &request.path) && after.meets(true);
                if lost { After::Drop } else { After::Answer }
            })
    }

    /// Hooks for writes of a client's status.
    pub(crate) fn of_status(&self) -> Hooks {
        let switch = self.clone();
        Hooks::default().before_request(move |call: &Call| {
            let write = call.method == Method::PATCH
                && call.path.contains("/qlikoauthclients/")
                && call.path.ends_with("/status");
            if write && switch.meets(false) { Before::Fail(StatusCode::INTERNAL_SERVER_ERROR) } else { Before::Forward }
        })
    }
}

/// Whether a request writes a Secret.
pub(crate) fn is_write(method: &Method, path: &str) -> bool {
    (method == Method::POST && path.ends_with("/secrets")) || (method == Method::PUT && path.contains("/secrets/"))
}

/// The Secret of somebody else, under the name of ours. On a thread of its own and waited for: nothing may be awaited in
/// a hook.
fn take_name(kubeconfig: PathBuf, namespace: String) {
    let done = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let config = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
            let options = kube::config::KubeConfigOptions::default();
            let config = kube::Config::from_custom_kubeconfig(config, &options).await.unwrap();
            let client = kube::Client::try_from(config).unwrap();
            let secrets: Api<Secret> = Api::namespaced(client, &namespace);
            // There is one already where a secret is replaced.
            drop(secrets.delete("app", &DeleteParams::default()).await);
            let theirs = Secret {
                metadata: ObjectMeta { name: Some("app".to_owned()), ..ObjectMeta::default() },
                string_data: Some(theirs()),
                ..Secret::default()
            };
            secrets.create(&PostParams::default(), &theirs).await.unwrap();
        });
    });
    done.join().unwrap();
}

/// What it says.
pub(crate) fn theirs() -> std::collections::BTreeMap<String, String> {
    [("mine".to_owned(), "1".to_owned())].into()
}
