//! Whole definitions, and what a command line makes of them.

use super::*;
use crate::compose::Contents;
use serde_json::Value as Json;

fn source(name: &str, text: &str) -> Rc<Source> {
    Rc::new(Source { name: name.into(), text: text.into() })
}

fn plan(
    files: &[(&str, &str)],
    targets: &[&str],
    sets: &[&str],
    env: &[(&str, &str)],
) -> std::result::Result<Json, String> {
    let files: Vec<Rc<Source>> = files.iter().map(|(name, text)| source(name, text)).collect();
    let env = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_string());
    let contents = Contents::from([("/w/.env".to_string(), None)]);
    let outside = Outside {
        env: &env,
        built_in: BTreeMap::from([("BAKE_CMD_CONTEXT".to_string(), "cwd://".to_string())]),
        around: Surroundings::default(),
        directory: "/w".into(),
        contents: &contents,
    };
    let (config, _) = load(&files, &outside).map_err(|e| match e {
        LoadError::Needs(path) => format!("needs {path}"),
        LoadError::Wrong(wrong) => wrong.to_string(),
    })?;
    let words = |all: &[&str]| all.iter().map(|w| (*w).to_string()).collect::<Vec<_>>();
    Ok(config.plan(&words(targets), &words(sets), &env).map_err(|e| e.to_string())?.to_json())
}

/// The target `t` of one file of HCL, as JSON.
fn target(text: &str, env: &[(&str, &str)]) -> std::result::Result<String, String> {
    plan(&[("f.hcl", text)], &["t"], &[], env).map(|plan| plan["target"]["t"].to_string())
}

#[test]
fn attributes_come_to_values() {
    let rest = r#""context":".","dockerfile":"Dockerfile""#;
    for (text, env, expected) in [
        (
            r#"variable "V" { default = "1" }
target "t" { tags = ["a:${V}"] }"#,
            vec![],
            format!(r#"{{{rest},"tags":["a:1"]}}"#),
        ),
        (
            r#"variable "V" { default = "1" }
target "t" { tags = ["a:${V}"] }"#,
            vec![("V", "2")],
            format!(r#"{{{rest},"tags":["a:2"]}}"#),
        ),
        (
            r#"variable "V" { default = 1 }
target "t" { args = { n = V + 1 } }"#,
            vec![("V", "2")],
            format!(r#"{{{rest},"args":{{"n":"3"}}}}"#),
        ),
        (
            r#"variable "V" {
  type = list(string)
}
target "t" { tags = V }"#,
            vec![("V", "a,b")],
            format!(r#"{{{rest},"tags":["a","b"]}}"#),
        ),
        (
            r#"X = "y"
target "t" { args = { a = X, b = upper(X), c = equal(X, "y") ? "yes" : "no", d = null } }"#,
            vec![],
            format!(r#"{{{rest},"args":{{"a":"y","b":"Y","c":"yes"}}}}"#),
        ),
        (
            r#"function "tag" {
  params = [n]
  variadic_params = more
  result = ["r/${n}:${join("-", more)}"]
}
target "t" { tags = tag("app", "a", "b") }"#,
            vec![],
            format!(r#"{{{rest},"tags":["r/app:a-b"]}}"#),
        ),
        (
            "target \"base\" { args = { a = \"1\" } }\ntarget \"t\" {\n  inherits = [\"base\"]\n  args = { b = target.base.args.a }\n}",
            vec![],
            format!(r#"{{{rest},"args":{{"a":"1","b":"1"}}}}"#),
        ),
        (
            "target \"t\" { tags = [for v in [\"a\", \"b\"] : upper(v) if v != \"a\"] }",
            vec![],
            format!(r#"{{{rest},"tags":["B"]}}"#),
        ),
        (
            "target \"t\" {\n  dockerfile-inline = <<-EOT\n    FROM a\n      RUN b\n    EOT\n}",
            vec![],
            r#"{"context":".","dockerfile":"Dockerfile","dockerfile-inline":"FROM a\n  RUN b\n"}"#.to_string(),
        ),
        (
            r#"target "t" { args = { a = "%{ if true ~} x %{ endif }$${y}" } }"#,
            vec![],
            format!(r#"{{{rest},"args":{{"a":"x $${{y}}"}}}}"#),
        ),
        (
            r#"target "t" {
  output = ["type=docker", { type = "local", dest = "o" }]
  secret = [{ id = "k", env = "K" }]
  no-cache = true
  unknown = 1
}"#,
            vec![],
            format!(
                r#"{{{rest},"secret":[{{"id":"k","env":"K"}}],"output":[{{"type":"docker"}},{{"dest":"o","type":"local"}}],"no-cache":true}}"#
            ),
        ),
    ] {
        assert_eq!(target(text, &env), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_wrong_has_its_place() {
    for (text, env, expected) in [
        (
            "target \"t\" {\n  tags = [X]\n}\n",
            vec![],
            "f.hcl:2,11-12: Unknown variable; There is no variable named \"X\".",
        ),
        (
            "variable \"TAG\" {}\ntarget \"t\" {\n  tags = [TAGS]\n}\n",
            vec![],
            "f.hcl:3,11-15: Unknown variable; There is no variable named \"TAGS\". Did you mean \"TAG\"?",
        ),
        (
            "target \"t\" {\n  tags = [uper(\"x\")]\n}\n",
            vec![],
            "f.hcl:2,11-15: Call to unknown function; There is no function named \"uper\". Did you mean \"upper\"?",
        ),
        (
            "target \"t\" {\n  tags = \"x\"\n}\n",
            vec![],
            "f.hcl:2,11-12: Unsuitable value type; Unsuitable value: list of string required",
        ),
        (
            "target \"t\" {\n  tags = [upper()]\n}\n",
            vec![],
            "f.hcl:2,17-18: Not enough function arguments; Function \"upper\" expects 1 argument(s). Missing value for \"str\".",
        ),
        // Few lines that ask for more than a machine has.
        (
            "target \"t\" {\n  args = { a = [for i in range(1000): [for j in range(1000): [for k in range(1000): 1]]] }\n}\n",
            vec![],
            "f.hcl:2,62-87: Too much to work out; The definition asks for more values than anybody could want to build.",
        ),
        (
            "function \"f\" {\n  params = [x]\n  result = \"${x}${x}${x}${x}${x}${x}${x}${x}\"\n}\ntarget \"t\" {\n  args = { a = f(f(f(f(f(f(f(f(f(\"a\"))))))))) }\n}\n",
            vec![],
            "f.hcl:3,23-24: Too much to work out; The definition asks for more values than anybody could want to build.",
        ),
        (
            "target \"t\" {\n  name = \"t-${a}-${b}\"\n  matrix = { a = range(100), b = range(100) }\n}\n",
            vec![],
            "f.hcl:1,8-11: Invalid name; matrix makes more than 4096 targets",
        ),
        ("target \"a b\" {}\n", vec![], "f.hcl:1,8-13: Invalid name; only \"[a-zA-Z0-9_-]+\" are allowed"),
        (
            "variable \"V\" {\n  default = V\n}\ntarget \"t\" {}\n",
            vec![],
            "f.hcl:2,13-14: Invalid expression; variable cycle not allowed for V",
        ),
        (
            "variable \"V\" {\n  default = 1\n}\ntarget \"t\" {}\n",
            vec![("V", "x")],
            "f.hcl:3,1-2: Invalid value; failed to parse V as number: strconv.ParseFloat: parsing \"x\": invalid syntax",
        ),
        (
            "variable \"V\" {\n  default = 1\n  validation {\n    condition = V > 1\n    error_message = \"V must be more\"\n  }\n}\ntarget \"t\" {}\n",
            vec![],
            "f.hcl:4,17-22: Validation failed; V must be more",
        ),
        ("target \"t\" {\n  name = \"x\"\n}\n", vec![], "f.hcl:1,8-11: Invalid name; name requires matrix"),
        (
            "group \"g\" {}\n",
            vec![],
            "f.hcl:1,12-13: Missing required argument; The argument \"targets\" is required, but no definition was found.",
        ),
        ("target \"x\" {}\n", vec![], "failed to find target t"),
    ] {
        assert_eq!(target(text, &env), Err(expected.to_string()), "{text}");
    }
}

#[test]
fn groups_and_matrices() {
    let text = "group \"default\" {\n  targets = [\"app\", \"lib\"]\n}\ntarget \"lib\" {}\ntarget \"app\" {\n  name = \"app-${v}\"\n  matrix = { v = [\"1\", \"2\"] }\n  args = { v = v }\n}\n";
    let made = plan(&[("f.hcl", text)], &["default"], &["app-1.tags=x", "*.args.z=9"], &[]).expect("a plan");
    assert_eq!(
        made["group"].to_string(),
        r#"{"app":{"targets":["app-1","app-2"]},"default":{"targets":["app","lib"]}}"#
    );
    assert_eq!(
        made["target"]["app-1"].to_string(),
        r#"{"context":".","dockerfile":"Dockerfile","args":{"v":"1","z":"9"},"tags":["x"]}"#
    );
    let made = plan(&[("f.hcl", text)], &["lib"], &["lib.push=true"], &[]).expect("a plan");
    assert_eq!(
        made.to_string(),
        r#"{"group":{"default":{"targets":["lib"]}},"target":{"lib":{"context":".","dockerfile":"Dockerfile","output":[{"push":"true","type":"image"}]}}}"#
    );
}

#[test]
fn overrides_and_links_are_checked() {
    let text = "target \"a\" {\n  contexts = { b = \"target:b\" }\n}\ntarget \"b\" {}\ntarget \"c\" {\n  contexts = { c = \"target:c\" }\n}\n";
    for (targets, sets, expected) in [
        (["a"], "a=1", "invalid override key a, expected target.name"),
        (["a"], "a.tags", "invalid override a.tags, expected target.name=value"),
        (["a"], "x.tags=1", "could not find any target matching 'x'"),
        (["a"], "a.foo=1", "unknown key: foo"),
        (["a"], "a.args=1", "invalid key a.args, args requires name"),
        (["a"], "a.no-cache=maybe", "invalid value maybe for boolean key no-cache"),
        (["c"], "a.tags=1", "target c cannot link to itself"),
        (["x*"], "a.tags=1", "could not find any target matching \"x*\""),
    ] {
        assert_eq!(plan(&[("f.hcl", text)], &targets, &[sets], &[]), Err(expected.to_string()), "{sets}");
    }
    let made = plan(&[("f.hcl", text)], &["a"], &[], &[]).expect("a plan");
    assert_eq!(made["target"]["b"]["output"].to_string(), r#"[{"type":"cacheonly"}]"#);
}

#[test]
fn json_and_compose_files_are_definitions() {
    let json = r#"{"variable":{"V":{"default":"1"}},"target":{"t":{"tags":["a:${V}"],"context":"x"}}}"#;
    let compose = "services:\n  web.a:\n    image: me/web\n    build:\n      context: ./web\n      args: {A: '1'}\n      additional_contexts: {o: 'service:api'}\n      x-bake: {platforms: linux/amd64}\n  api:\n    build: ./api\n  db: {image: redis}\n";
    let made = plan(&[("compose.yaml", compose), ("f.json", json)], &["default", "t"], &[], &[]).expect("a plan");
    assert_eq!(made["group"].to_string(), r#"{"default":{"targets":["api","t","web_a"]}}"#);
    assert_eq!(
        made["target"]["web_a"].to_string(),
        r#"{"context":"./web","contexts":{"o":"target:api"},"dockerfile":"Dockerfile","args":{"A":"1"},"tags":["me/web"],"platforms":["linux/amd64"]}"#
    );
    assert_eq!(made["target"]["t"]["tags"].to_string(), r#"["a:1"]"#);
}
