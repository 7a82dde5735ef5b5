//! What Docker's client says where an engine can't be reached.

use super::Target;
use crate::cli::{API_VERSION, Invocation};
use crate::engine::{Ctx, Error, system};
use crate::world::World;

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// Nobody listens there, or nobody answered in time.
    Silent,
    /// The connection failed; why, in the words of Go's network library or of ssh.
    Failed(String),
    /// The engine answered, and refused.
    Refused(String),
}

/// What Docker's client asks first for a command: method and path. Only errors name it.
fn first_request(call: &Invocation) -> (&'static str, String) {
    let subject = call.args.word(0);
    let (method, path) = match call.command {
        "container run" | "container create" | "image build" | "buildx build" => return ("Head", "/_ping".into()),
        "container ls" => ("Get", "/containers/json".to_string()),
        "image ls" => ("Get", "/images/json".into()),
        "network ls" => ("Get", "/networks".into()),
        "volume ls" => ("Get", "/volumes".into()),
        "version" => ("Get", "/version".into()),
        "system info" => ("Get", "/info".into()),
        "system df" => ("Get", "/system/df".into()),
        "system events" => ("Get", "/events".into()),
        "image pull" => ("Post", "/images/create".into()),
        "image inspect" => ("Get", format!("/images/{subject}/json")),
        "container rm" => ("Delete", format!("/containers/{subject}")),
        "image rm" => ("Delete", format!("/images/{subject}")),
        "volume create" => ("Post", "/volumes/create".into()),
        "network create" => ("Post", "/networks/create".into()),
        "container start" | "container stop" | "container kill" | "container restart" | "container pause"
        | "container unpause" | "container wait" => {
            let act = call.command.rsplit(' ').next().unwrap_or_default();
            ("Post", format!("/containers/{subject}/{act}"))
        }
        _ => ("Get", format!("/containers/{subject}/json")),
    };
    (method, format!("/v{API_VERSION}{path}"))
}

/// Tells that the engine of a command was not reached; the exit status.
pub async fn report<W: World>(ctx: &Ctx<W>, call: &Invocation, target: &Target, why: &Unreachable) -> i32 {
    match call.command {
        "version" | "system info" => {
            let told = match call.command {
                "version" => system::client_version(ctx, call).await,
                _ => system::client_info(ctx, call).await,
            };
            match told {
                Ok(text) => ctx.print(text).await,
                Err(error) => {
                    ctx.warn(format!("{}\n", error.render(&call.typed))).await;
                    return error.status(call.command);
                }
            }
        }
        _ => {}
    }
    let error = match why {
        Unreachable::Silent => Error::Client(format!(
            "Cannot connect to the Docker daemon at {}. Is the docker daemon running?",
            target.host
        )),
        Unreachable::Failed(why) => {
            let (method, path) = first_request(call);
            let scheme = if target.tls.is_some() { "https" } else { "http" };
            let place = match target.host.strip_prefix("tcp://") {
                Some(place) => place.trim_end_matches('/'),
                // Requests over another kind of connection need some name.
                None => "docker.example.com",
            };
            Error::Client(format!("error during connect: {method} \"{scheme}://{place}{path}\": {why}"))
        }
        Unreachable::Refused(why) => Error::Daemon(why.clone()),
    };
    ctx.warn(format!("{}\n", error.render(&call.typed))).await;
    error.status(call.command)
}
