//! `docker exec`: one more process in a running container.

use super::attach::{self, End, Streams};
use super::start::exec_refused;
use super::{change, find, link, note, plan};
use crate::cli::Args;
use crate::container::spec::{SecurityOptions, read_env_lines};
use crate::container::{ContainerRecord, Status};
use crate::engine::{Ctx, Error, Result};
use crate::world::Fault;
use crate::world::World;
use crate::world::acts::{ExecId, ExecIn, Seccomp};

/// What to run in a container, and how. Nothing said is as in the container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecRequest {
    pub argv: Vec<String>,
    /// As `NAME=value`.
    pub env: Vec<String>,
    pub cwd: String,
    pub user: String,
    pub privileged: bool,
    pub tty: bool,
    pub stdin: bool,
}

/// Starts a further process in a running container.
///
/// # Errors
/// In Docker's words; [`Error::Start`] with 126 or 127 where the program can't be run.
pub async fn exec<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, request: &ExecRequest) -> Result<ExecId> {
    match record.state.status {
        Status::Running => {}
        Status::Paused => {
            return Err(Error::Daemon(format!(
                "Container {} is paused, unpause the container before exec",
                record.name
            )));
        }
        Status::Restarting => {
            return Err(Error::Daemon(format!(
                "Container {} is restarting, wait until the container is running",
                record.id
            )));
        }
        _ => return Err(Error::Daemon(format!("container {} is not running", record.id))),
    }
    if !request.cwd.is_empty() && !request.cwd.starts_with('/') {
        let message = "OCI runtime exec failed: exec failed: Cwd must be an absolute path".into();
        return Err(Error::Start { message, status: 126 });
    }
    let id = ExecId(ctx.new_id());
    let act = act(ctx, record, request, id.clone()).await?;
    let shown = request.argv.join(" ");
    note(ctx, record, &format!("exec_create: {shown}"), &[("execID", id.0.clone())]);
    note(ctx, record, &format!("exec_start: {shown}"), &[("execID", id.0.clone())]);
    match ctx
        .act("It joins the namespaces that the container already has, so it sees what the container sees", act)
        .await
    {
        Ok(_) => {
            change(ctx, &record.id, |r| r.exec_ids.push(id.0.clone()))?;
            Ok(id)
        }
        Err(fault) => {
            let why = match &fault {
                Fault::Errno { errno, what } if what.starts_with("chdir to cwd") => {
                    format!("{what} set in config.json failed: {}", errno.text().to_lowercase())
                }
                fault => exec_refused(request.argv.first().map_or("", |p| p), fault),
            };
            let status = if why.contains("not found") || why.contains("no such file") { 127 } else { 126 };
            let message = format!("OCI runtime exec failed: exec failed: unable to start container process: {why}");
            Err(Error::Start { message, status })
        }
    }
}

async fn act<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, request: &ExecRequest, exec: ExecId) -> Result<ExecIn> {
    let user = if request.user.is_empty() { &record.config.image.user } else { &request.user };
    let who = plan::identity(ctx, record, user).await.map_err(|error| match error {
        Error::Daemon(message) => Error::Start { message, status: 126 },
        other => other,
    })?;
    let security = SecurityOptions::parse(&record.host.security_opt, record.host.privileged)?;
    let cwd = [request.cwd.as_str(), &record.config.image.working_dir, "/"];
    let privileged = request.privileged || record.host.privileged;
    let mut more = link::environment(ctx, record);
    more.extend(request.env.iter().cloned());
    Ok(ExecIn {
        exec,
        container: record.id.clone(),
        argv: request.argv.clone(),
        env: plan::environment(record, request.tty, &more, &who.home),
        cwd: cwd.into_iter().find(|c| !c.is_empty()).unwrap_or("/").to_string(),
        uid: who.uid,
        gid: who.gid,
        groups: who.groups,
        capabilities: if privileged { None } else { Some(plan::capabilities(record, false, who.uid)?) },
        seccomp: if privileged { Seccomp::Unconfined } else { security.seccomp },
        no_new_privileges: security.no_new_privileges,
        limits: plan::process_limits(record),
        oom_score_adj: record.host.oom_score_adj,
        tty: request.tty,
        stdin: request.stdin,
    })
}

/// Waits for a process started by [`exec`] and notes its end; its exit code.
pub(super) async fn finish<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, id: &ExecId) -> Result<i32> {
    let exit = ctx.world().wait_exec(id).await?;
    let _ = change(ctx, &record.id, |r| r.exec_ids.retain(|e| *e != id.0));
    note(ctx, record, "exec_die", &[("execID", id.0.clone()), ("exitCode", exit.code.to_string())]);
    Ok(exit.code)
}

/// Runs a command in a container and collects its first `most` bytes of output; its exit code.
pub(super) async fn capture<W: World>(
    ctx: &Ctx<W>,
    record: &ContainerRecord,
    request: &ExecRequest,
    most: usize,
) -> Result<(i32, Vec<u8>)> {
    let id = exec(ctx, record, request).await?;
    let console = ctx.world().exec_console(&id).await?;
    let mut output = Vec::new();
    while let Some(chunk) = console.read().await {
        output.extend_from_slice(&chunk.bytes);
        output.truncate(most);
    }
    Ok((finish(ctx, record, &id).await?, output))
}

/// `docker exec`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let keys = attach::detach_keys(args.value("detach-keys"))?;
    let request = request(ctx, args).await?;
    let detach = args.flag("detach");
    let record = find(ctx, args.word(0)).await?;
    if !detach {
        attach::check_tty(ctx, request.stdin, request.tty).await?;
    }
    let id = match exec(ctx, &record, &request).await {
        Ok(id) => id,
        // Docker sends this to the client as if the program had printed it.
        Err(Error::Start { message, status }) if !detach => {
            ctx.print(format!("{message}\r\n")).await;
            return Err(Error::Status(status));
        }
        Err(error) => return Err(error),
    };
    if detach {
        let (inner, id) = (ctx.clone(), id);
        ctx.world().spawn(Box::pin(async move {
            let _ = finish(&inner, &record, &id).await;
        }));
        ctx.world().begun().await;
        return Ok(0);
    }
    let console = ctx.world().exec_console(&id).await?;
    let streams = Streams {
        input: request.stdin,
        output: true,
        errors: true,
        tty: request.tty,
        detach_keys: keys,
        signals_to: None,
    };
    match attach::pump(ctx, console, &streams).await {
        End::Closed => finish(ctx, &record, &id).await,
        End::Detached => Ok(0),
        End::Signal(signal) => Err(Error::Status(128 + i32::from(signal.0))),
    }
}

async fn request<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<ExecRequest> {
    let mut env = Vec::new();
    for path in args.values("env-file") {
        let contents = ctx
            .client
            .read_file(path)
            .await
            .map_err(|_| Error::Client(format!("open {path}: no such file or directory")))?;
        env.extend(read_env_lines(path, &contents, |name| ctx.client.env(name)).map_err(Error::Client)?);
    }
    for value in args.values("env") {
        if value.contains('=') {
            env.push(value.clone());
        } else {
            env.extend(ctx.client.env(value).map(|v| format!("{value}={v}")));
        }
    }
    let detach = args.flag("detach");
    Ok(ExecRequest {
        argv: args.positionals.get(1..).unwrap_or_default().to_vec(),
        env,
        cwd: args.value("workdir").unwrap_or("").into(),
        user: args.value("user").unwrap_or("").into(),
        privileged: args.flag("privileged"),
        tty: args.flag("tty"),
        stdin: args.flag("interactive") && !detach,
    })
}
