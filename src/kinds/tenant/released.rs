//! Tenants that were let go where no record could be written: entries in the operator's own namespace, with which a later
//! object of that namespace and name is compared before anything is created for it.

use super::own_maps::{ATTEMPTS, OwnMap};
use crate::crd::{QlikTenant, Reason};
use crate::engine::{Context, Error};
use crate::plan::released::{Page, Released, find};
use crate::qlik::TenantId;
use kube::ResourceExt;

/// The `ConfigMap`s, in the order in which they are filled. One that is not there ends the search, so that the first one is
/// all that is read where no tenant was ever let go like this.
const PAGES: [&str; 3] = ["qlik-operator-released-1", "qlik-operator-released-2", "qlik-operator-released-3"];
const READ: &str = "read which tenants were let go";
const WRITE: &str = "write down which tenant is let go";

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It stands there.
    Written,
    /// Every page is full.
    Full,
    /// The operator's own namespace is not known.
    Nowhere,
}

/// Keeps an entry on the first page that has room.
pub(super) async fn keep(entry: &Released, cx: &Context) -> Result<Kept, Error> {
    let _one_at_a_time = cx.own_maps.lock().await;
    for _ in 0..ATTEMPTS {
        match attempt(entry, cx).await {
            Err(Error::Raced) => {}
            other => return other,
        }
    }
    Err(Error::Raced)
}

async fn attempt(entry: &Released, cx: &Context) -> Result<Kept, Error> {
    for name in PAGES {
        let Some(map) = OwnMap::read(name, READ, cx).await? else {
            return Ok(Kept::Nowhere);
        };
        let mut page = map.data().unwrap_or_default();
        if entry.fits(&page) {
            page.insert(entry.tenant_id.to_string(), entry.text());
            return map.write(WRITE, page).await.map(|()| Kept::Written);
        }
    }
    Ok(Kept::Full)
}

/// The tenant that the last object of this namespace and name let go, if an entry tells.
pub(super) async fn of(tenant: &QlikTenant, cx: &Context) -> Result<Option<Released>, Error> {
    let (namespace, name) = (tenant.namespace().unwrap_or_default(), tenant.name_any());
    let mut newest: Option<Released> = None;
    for (map, page) in pages(cx).await? {
        let found = find(&page, &namespace, &name).map_err(|key| not_readable(map, &key))?;
        newest = found.into_iter().chain(newest).max_by_key(|entry| entry.at);
    }
    Ok(newest)
}

/// Takes the entry of a tenant away: an object holds it again, or a human gave it up.
pub(super) async fn forget(id: &TenantId, cx: &Context) -> Result<(), Error> {
    let _one_at_a_time = cx.own_maps.lock().await;
    for name in PAGES {
        for attempt in 1..=ATTEMPTS {
            let Some(map) = OwnMap::read(name, READ, cx).await? else {
                return Ok(());
            };
            let Some(mut page) = map.data() else {
                return Ok(());
            };
            if page.remove(id.as_str()).is_none() {
                break;
            }
            match map.write("take away the entry of a tenant that is held again", page).await {
                Ok(()) => break,
                Err(Error::Raced) if attempt < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

async fn pages(cx: &Context) -> Result<Vec<(&'static str, Page)>, Error> {
    let mut found = Vec::new();
    for name in PAGES {
        let map = OwnMap::read(name, READ, cx).await?;
        match map.and_then(|map| map.data()) {
            Some(page) => found.push((name, page)),
            None => break,
        }
    }
    Ok(found)
}

fn not_readable(map: &str, key: &str) -> Error {
    Error::Misconfigured {
        reason: Reason::PreviousTenantReleased,
        message: format!(
            "whether an earlier object of this name let a tenant go cannot be read, so nothing is created: in ConfigMap {map} of \
             the operator's namespace mend the key {key}, or remove it if it is not about this object"
        ),
    }
}
