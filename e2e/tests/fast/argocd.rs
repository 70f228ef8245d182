//! Health checks and actions for Argo CD, run by a Lua of the same version. `make argocd-scripts` runs them by Argo CD.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use e2e::argocd::cases::{self, Answer, Case};
use e2e::argocd::scripts::{Action, KINDS, config_map, discovery, health};
use mlua::{Lua, LuaOptions, LuaSerdeExt, StdLib};
use serde_json::Value;
use std::path::Path;

/// What Argo CD gives to scripts: no strings, no files, and of `os` only the time, which has to be asked for by `require`.
fn argo(object: &Value) -> Lua {
    let lua = Lua::new_with(StdLib::TABLE | StdLib::OS | StdLib::PACKAGE, LuaOptions::default()).unwrap();
    let shut = "package.loaded.os = { date = os.date, time = os.time }; os = nil";
    lua.load(shut).exec().unwrap();
    let null_is_nil = mlua::SerializeOptions::new().serialize_none_to_null(false).serialize_unit_to_null(false);
    lua.globals().set("obj", lua.to_value_with(object, null_is_nil).unwrap()).unwrap();
    lua
}

fn run(script: &str, object: &Value) -> mlua::Result<Value> {
    let lua = argo(object);
    lua.load(script).eval::<mlua::Value>().and_then(|answer| lua.from_value(answer))
}

fn actions(case: &Case) -> &'static [Action] {
    let kind = case.object["kind"].as_str().unwrap();
    KINDS.iter().find(|(name, _)| *name == kind).unwrap().1
}

#[test]
fn the_patch_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/argocd/argocd-cm.yaml");
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(committed == config_map(), "config/argocd/argocd-cm.yaml is stale: run `make argocd-config`");
}

#[test]
fn the_patch_says_what_the_scripts_say() {
    let document: Value = serde_saphyr::from_str(&config_map()).unwrap();
    let data = document["data"].as_object().unwrap();
    assert_eq!(data.len(), 2 * KINDS.len());
    for (kind, actions) in KINDS {
        let found = |what: &str| {
            data[&format!("resource.customizations.{what}.qlik-operator.dev_{kind}")].as_str().unwrap().to_owned()
        };
        assert_eq!(found("health"), health(), "{kind}");
        let found: Value = serde_saphyr::from_str(&found("actions")).unwrap();
        assert_eq!(found["discovery.lua"], discovery(actions), "{kind}");
        let definitions = found["definitions"].as_array().unwrap();
        let (names, scripts): (Vec<_>, Vec<_>) =
            definitions.iter().map(|one| (one["name"].as_str().unwrap(), one["action.lua"].as_str().unwrap())).unzip();
        assert_eq!(names, actions.iter().map(|action| action.name).collect::<Vec<_>>(), "{kind}");
        assert_eq!(scripts, actions.iter().map(Action::script).collect::<Vec<_>>(), "{kind}");
    }
}

#[test]
fn health_is_as_in_the_table() {
    for case in cases::all() {
        let found = run(&health(), &case.object).unwrap();
        assert_eq!(found["status"], case.health, "{}: {found}", case.what);
        assert!(found["message"].as_str().unwrap().contains(case.message), "{}: {found}", case.what);
    }
}

#[test]
fn what_is_offered_and_what_it_does_is_as_in_the_table() {
    for case in cases::all() {
        let what = case.what;
        let offered = run(&discovery(actions(&case)), &case.object).unwrap();
        assert_eq!(offered.as_object().unwrap().len(), case.actions.len(), "{what}: {offered}");
        for (name, annotation, answer) in &case.actions {
            let action = actions(&case).iter().find(|action| action.name == *name).unwrap();
            let outcome = run(&action.script(), &case.object);
            let refused = matches!(answer, Answer::Refuses(_));
            assert_eq!(offered[name]["disabled"], refused, "{what}: {name}");
            let written = outcome.map(|object| {
                object["metadata"]["annotations"][format!("qlik-operator.dev/{annotation}")].as_str().map(str::to_owned)
            });
            match (answer, written) {
                (Answer::Now, Ok(Some(value))) => assert!(value.parse::<jiff::Timestamp>().is_ok(), "{what}: {value}"),
                (Answer::Writes(wanted), Ok(Some(value))) => assert_eq!(value, *wanted, "{what}: {name}"),
                (Answer::Refuses(why), Err(error)) => assert!(error.to_string().contains(why), "{what}: {error}"),
                (answer, written) => panic!("{what}: {name} should {answer:?}, and {written:?}"),
            }
        }
    }
}
