//! Tenants that were let go where no record could be written: entries in the operator's own namespace, with which a later
//! object of that namespace and name is compared before anything is created for it.

use super::own_maps::{Changed, OwnMap, change};
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
const FORGET: &str = "take away the entry of a tenant that is held again";

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
    let add = |page: Option<Page>| {
        let mut page = page.unwrap_or_default();
        let fits = entry.fits(&page);
        page.insert(entry.tenant_id.to_string(), entry.text());
        Ok(fits.then_some(page))
    };
    for name in PAGES {
        match change(name, (READ, WRITE), cx, add).await? {
            Changed::Written => return Ok(Kept::Written),
            Changed::Nowhere => return Ok(Kept::Nowhere),
            Changed::Left => {}
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
        let mut last = false;
        let remove = |page: Option<Page>| {
            last = page.is_none();
            Ok(page.and_then(|mut page| page.remove(id.as_str()).map(|_| page)))
        };
        let changed = change(name, (READ, FORGET), cx, remove).await?;
        if last || changed == Changed::Nowhere {
            break;
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
