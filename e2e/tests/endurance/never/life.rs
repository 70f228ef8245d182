//! One client's life from its first manifest to its end, with the trouble at some of its operations or at all.

use super::customer::{Customer, Human};
use super::operation::{OVERLAP, Operation, all_in_qlik};
use super::trouble::{Trouble, Troubled};
use e2e::app::{App, As};
use e2e::process::until;
use e2e::stage::{Error, Inside, PATIENCE, Stage};
use std::collections::BTreeSet;
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

/// One row of the table.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) trouble: Trouble,
    /// Operations that it meets.
    pub(crate) meets: Vec<Operation>,
    /// Operations in all.
    pub(crate) all: BTreeSet<Operation>,
}

impl Row {
    /// A whole life with this trouble wherever it can be.
    pub(crate) fn whole(trouble: Trouble) -> Self {
        let meets = Operation::ALL.into_iter().filter(|operation| trouble.concerns(*operation)).collect();
        Self { trouble, meets, all: Operation::ALL.into() }
    }

    /// The trouble at one operation; what need not be is left out.
    pub(crate) fn one(trouble: Trouble, operation: Operation) -> Self {
        let needed = operation.needs().iter().copied().chain([operation, Operation::Delete]);
        Self { trouble, meets: vec![operation], all: needed.collect() }
    }
}

/// Lives it. Answers, for each operation that the trouble met, how often the call that matters was made.
pub(crate) async fn live(row: &Row) -> Result<String, Error> {
    let troubled = Troubled::new(&row.trouble).await?;
    let customer = Customer::new(&troubled.stage)?;
    let course = async {
        let mut shown = Vec::new();
        for operation in &row.all {
            let met = row.meets.contains(operation);
            let told = one(&troubled, &customer, (*operation, met)).await;
            let told = told.map_err(|error| format!("{}: {error}", operation.title()))?;
            if met {
                let calls = check_calls(&troubled, row, *operation)?;
                shown.push(format!("{} {calls}{told}", operation.title()));
            }
            let verified = verify(&troubled, *operation).await;
            verified.map_err(|error| format!("after {}: {error}", operation.title()))?;
        }
        Ok::<_, Error>(format!("{}; app called {}", shown.join(", "), customer.calls()))
    };
    tokio::select! {
        shown = course => shown,
        error = customer.watch() => Err(error),
    }
}

/// One operation. Answers what people had to do.
async fn one(
    troubled: &Troubled,
    customer: &Customer<'_>,
    (operation, met): (Operation, bool),
) -> Result<String, Error> {
    let stage = &troubled.stage;
    stage.sim.clear_journal();
    customer.tell(match operation {
        _ if met && troubled.takes_name() => Human::TookName,
        Operation::Repair => Human::TookSecret(operation.title()),
        Operation::Delete => Human::Deleted,
        Operation::Create | Operation::Rotate | Operation::Retire | Operation::Change => Human::Idle,
    });
    if met {
        troubled.begin(operation).await?;
    }
    operation.begin(stage).await?;
    if met {
        troubled.go_on(operation).await?;
    }
    let told = ended(troubled, operation, met).await?;
    if met {
        if troubled.is_switched() && !troubled.switch.was_hit() {
            return Err("nothing went wrong".into());
        }
        troubled.end().await?;
    }
    if operation != Operation::Delete {
        customer.tell(Human::Idle);
    }
    Ok(told)
}

/// Waits for the end. What does not come about soon gets more time by the clock, and help from people where the object
/// says so.
async fn ended(troubled: &Troubled, operation: Operation, met: bool) -> Result<String, Error> {
    let (mut asked, mut told) = (0_u32, BTreeSet::new());
    let stage = &troubled.stage;
    let ended = until(PATIENCE * 2, "its end", async || {
        if operation.has_ended(stage).await? {
            return Ok::<_, Error>(Some(()));
        }
        asked += 1;
        if asked.is_multiple_of(ASKED_IN_VAIN) {
            told.extend(if met { troubled.put_right().await? } else { None });
            stage.turn(MINUTE * 11)?;
        }
        Ok(None)
    });
    if let Err(error) = ended.await {
        let object = stage.clients().get_opt("app").await?;
        return Err(format!("{error}; {:#}", object.map(|object| object.shown()).unwrap_or_default()).into());
    }
    if met && troubled.needs_people() && told.is_empty() {
        return Err("nobody was told what to do".into());
    }
    Ok(if told.is_empty() { String::new() } else { format!(" ({})", told.into_iter().collect::<Vec<_>>().join(", ")) })
}

/// About a second and a half of asking.
const ASKED_IN_VAIN: u32 = 30;

/// Never a second client; and what need not be asked twice is not.
fn check_calls(troubled: &Troubled, row: &Row, operation: Operation) -> Result<usize, Error> {
    let calls = troubled.calls(operation);
    let without_effect = matches!(row.trouble, Trouble::Call(_, false));
    let most = match operation {
        Operation::Create => 1 + usize::from(without_effect),
        Operation::Rotate | Operation::Retire | Operation::Change | Operation::Repair | Operation::Delete => 3,
    };
    if calls > most {
        return Err(format!("{}: {calls} calls, at most {most} allowed", operation.title()).into());
    }
    let created = troubled.stage.committed("oauth-client.created");
    if created != usize::from(operation == Operation::Create) {
        return Err(format!("{}: {created} clients were made", operation.title()).into());
    }
    Ok(calls)
}

/// Qlik Cloud has the object's client and the secrets on record, and nothing else.
async fn verify(troubled: &Troubled, operation: Operation) -> Result<(), Error> {
    let stage = &troubled.stage;
    if operation == Operation::Delete {
        let left = all_in_qlik(stage)?;
        if !left.is_empty() {
            return Err(format!("left behind in Qlik Cloud: {left:?}").into());
        }
        return stage.until_some("the Secret goes", async || Ok((!stage.has_secret("app").await?).then_some(()))).await;
    }
    let Leftovers { hints, issued } = compare(stage).await?;
    let wanted = usize::from(operation == Operation::Rotate) + 1;
    if hints.len() > wanted {
        // What was lost on the way has been put on record, and goes when its time has come.
        if hints != issued {
            return Err(format!("secrets {hints:?}, on record {issued:?}").into());
        }
        if operation == Operation::Rotate {
            return Ok(());
        }
        until_swept(stage).await?;
    }
    let given = stage.read_secret("app").await?;
    App::new(&stage.sim)?.whoami(&given, As::Itself).await?;
    Ok(())
}

/// Waits until what was made on the way and is not used has gone.
pub(crate) async fn until_swept(stage: &Stage) -> Result<(), Error> {
    stage.turn(OVERLAP)?;
    let swept = async || Ok((compare(stage).await?.hints.len() == 1).then_some(()));
    stage.in_time("what was made on the way goes", swept).await
}

/// The hints of the client's secrets or the ids of its keys, and those on record.
pub(crate) struct Leftovers {
    pub(crate) hints: BTreeSet<String>,
    issued: BTreeSet<String>,
}

pub(crate) async fn compare(stage: &Stage) -> Result<Leftovers, Error> {
    let clients = all_in_qlik(stage)?;
    let [client] = clients.as_slice() else {
        return Err(format!("{} clients", clients.len()).into());
    };
    let object = stage.clients().get("app").await?;
    let status = object.status.clone().unwrap_or_default();
    if status.client_id.as_deref() != client["clientId"].as_str() {
        return Err(format!("the object has another client than {}: {:#}", client["clientId"], object.shown()).into());
    }
    let all = |list: &str, id: &'static str| {
        let list = client[list].as_array().cloned().unwrap_or_default();
        list.into_iter().filter_map(move |item| item[id].as_str().map(str::to_owned))
    };
    let hints = all("clientSecrets", "hint").chain(all("publicKeys", "kid")).collect();
    Ok(Leftovers { hints, issued: status.issued.into_iter().map(|issued| issued.id).collect() })
}
