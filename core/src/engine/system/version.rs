//! `docker version`.

use crate::cli::{API_VERSION, DOCKER_VERSION, Invocation};
use crate::engine::{Ctx, Error, Result, context};
use crate::view::template::{Shape, Template, TemplateError, Zero};
use crate::world::World;
use serde_json::{Value, json};

/// The oldest version of the API that the answers' formats are of.
const LEAST_API: &str = "1.24";
/// What stands where Docker names the commit that it was built from.
const COMMIT: &str = "cutaway";

/// The engine's own version.
pub(super) const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Go's name of the processor's architecture.
pub(super) fn go_architecture(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "armv7l" => "arm",
        "i686" => "386",
        other => other,
    }
}

pub(super) async fn version<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let name = context::current(&*ctx.client, &call.global).await?;
    let facts = facts(ctx, &name);
    match call.args.value("format").unwrap_or("") {
        "" => ctx.print(layout(&facts)).await,
        "json" => ctx.print(format!("{facts}\n")).await,
        source => {
            let text = render(ctx, source, &facts, "version", "system.versionInfo").await?;
            ctx.print(text).await;
        }
    }
    Ok(0)
}

/// One value through a template, a line; `name` is the template's in errors of parsing, `type_name` the value's.
pub(super) async fn render<W: World>(
    ctx: &Ctx<W>,
    source: &str,
    value: &Value,
    name: &str,
    type_name: &'static str,
) -> Result<String> {
    let template = match Template::parse(source) {
        Ok(template) => template,
        Err(error) => {
            let error = error.0.replacen("template: :", &format!("template: {name}:"), 1);
            ctx.warn(format!("template parsing error: {error}\n")).await;
            return Err(Error::Status(64));
        }
    };
    let inner = &[("Client", "system.clientVersion"), ("Server", "*types.Version")];
    let optional = &[("Warnings", Zero::Slice), ("Plugins", Zero::Slice)];
    let shape = Shape { type_name: Some(type_name), inner, optional, ..Shape::default() };
    let named = |e: TemplateError| {
        let text = e.0.replacen("template: :", &format!("template: {name}:"), 1);
        Error::Client(text.replacen("executing \"\"", &format!("executing {name:?}"), 1))
    };
    let text = template.execute(value, &shape).map_err(named)?;
    Ok(text + "\n")
}

fn facts<W: World>(ctx: &Ctx<W>, context: &str) -> Value {
    let host = ctx.world().host();
    let arch = go_architecture(&host.architecture);
    json!({
        "Client": {
            "Version": DOCKER_VERSION,
            "ApiVersion": API_VERSION,
            "DefaultAPIVersion": API_VERSION,
            "GitCommit": COMMIT,
            "GoVersion": "none",
            "Os": "linux",
            "Arch": arch,
            "BuildTime": "",
            "Context": context
        },
        "Server": {
            "Platform": {"Name": "Cutaway"},
            "Components": [
                {
                    "Name": "Engine",
                    "Version": DOCKER_VERSION,
                    "Details": {
                        "ApiVersion": API_VERSION,
                        "Arch": arch,
                        "BuildTime": "",
                        "Experimental": "false",
                        "GitCommit": COMMIT,
                        "GoVersion": "none",
                        "KernelVersion": host.kernel,
                        "MinAPIVersion": LEAST_API,
                        "Os": "linux"
                    }
                },
                {"Name": host.runtime, "Version": OWN_VERSION, "Details": {"GitCommit": ""}}
            ],
            "Version": DOCKER_VERSION,
            "ApiVersion": API_VERSION,
            "MinAPIVersion": LEAST_API,
            "GitCommit": COMMIT,
            "GoVersion": "none",
            "Os": "linux",
            "Arch": arch,
            "KernelVersion": host.kernel,
            "BuildTime": ""
        }
    })
}

/// What is told without an engine: the client's half.
///
/// # Errors
/// Where the format needs the other half, or is none.
pub async fn client_text<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<String> {
    let name = context::current(&*ctx.client, &call.global).await.unwrap_or_default();
    let mut facts = facts(ctx, &name);
    facts["Server"] = Value::Null;
    match call.args.value("format").unwrap_or("") {
        "" => Ok(client_half(&facts)),
        "json" => Ok(format!("{facts}\n")),
        source => render(ctx, source, &facts, "version", "system.versionInfo").await,
    }
}

/// The text without a format.
fn client_half(facts: &Value) -> String {
    let client = |name: &str| facts["Client"][name].as_str().unwrap_or_default().to_string();
    let mut text = "Client:\n".to_string();
    for (label, value) in [
        ("Version:", client("Version")),
        ("API version:", client("ApiVersion")),
        ("Go version:", client("GoVersion")),
        ("Git commit:", client("GitCommit")),
        ("Built:", client("BuildTime")),
        ("OS/Arch:", format!("{}/{}", client("Os"), client("Arch"))),
        ("Context:", client("Context")),
    ] {
        text += &format!(" {label:18} {value}\n");
    }
    text
}

fn layout(facts: &Value) -> String {
    let mut text = client_half(facts);
    text += &format!("\nServer: {}\n", facts["Server"]["Platform"]["Name"].as_str().unwrap_or_default());
    for component in facts["Server"]["Components"].as_array().into_iter().flatten() {
        let detail = |name: &str| component["Details"][name].as_str().unwrap_or_default().to_string();
        let version = component["Version"].as_str().unwrap_or_default().to_string();
        let name = component["Name"].as_str().unwrap_or_default();
        text += &format!(" {name}:\n");
        let lines = match name {
            "Engine" => vec![
                ("Version:", version),
                ("API version:", format!("{} (minimum version {})", detail("ApiVersion"), detail("MinAPIVersion"))),
                ("Go version:", detail("GoVersion")),
                ("Git commit:", detail("GitCommit")),
                ("Built:", detail("BuildTime")),
                ("OS/Arch:", format!("{}/{}", detail("Os"), detail("Arch"))),
                ("Experimental:", detail("Experimental")),
            ],
            _ => vec![("Version:", version), ("GitCommit:", detail("GitCommit"))],
        };
        for (label, value) in lines {
            text += &format!("  {label:17} {value}\n");
        }
    }
    text
}
