//! Everything that can go wrong with everything that happens to a client.

use super::life::{Row, live};
use super::operation::Operation;
use super::secrets::Writes;
use super::trouble::Trouble;
use e2e::sim::Effect;
use e2e::stage::faults;
use e2e::table;

fn rows() -> Vec<(String, Row)> {
    let mut rows = Vec::new();
    for (name, effect, commit, _) in faults() {
        let trouble = Trouble::Call(effect.clone(), commit);
        if effect == Effect::Hang {
            // Each takes as long as the operator's deadline, so they are met at the same time.
            let each =
                Operation::ALL.into_iter().map(|o| (format!("{name}, {}", o.title()), Row::one(trouble.clone(), o)));
            rows.extend(each);
        } else {
            rows.push((name.to_owned(), Row::whole(trouble)));
        }
    }
    let more = [
        ("no fault", Trouble::None),
        ("operator killed in the call", Trouble::Killed),
        ("two operators", Trouble::TwoOperators),
        ("Secret: 500 once", Trouble::Secret(Writes::FailOnce)),
        ("Secret: no answer, nothing written, once", Trouble::Secret(Writes::DropOnce)),
        ("Secret: written, the answer lost", Trouble::Secret(Writes::AnswerLost)),
        ("Secret: 500 for long", Trouble::Secret(Writes::Fail)),
        ("Secret: API server away for long", Trouble::Secret(Writes::Drop)),
        ("Secret: name taken in between", Trouble::Secret(Writes::NameTaken)),
        ("Secret: the right is taken away", Trouble::Rights),
        ("Secret: quota", Trouble::Quota),
        ("status cannot be written", Trouble::Status),
        ("status cannot be written, then killed", Trouble::StatusAndKilled),
    ];
    rows.extend(more.map(|(name, trouble)| (name.to_owned(), Row::whole(trouble))));
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_never_happen_to_a_client() {
    table::run("never (calls that matter, with each operation)", rows(), |row| async move { live(&row).await }).await;
}
