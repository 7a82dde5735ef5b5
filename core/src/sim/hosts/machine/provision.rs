//! Making a host ready for its engine to be used from outside: `docker-machine provision`, `regenerate-certs`,
//! `upgrade`, and the end of `create`.

use super::create::{GAVE_UP, MOMENT, stage};
use super::record::{self, Record};
use super::{Ending, Run, State, run};
use crate::sim::hosts::{Host, dial};
use crate::sim::programs::{read_line, serve::write_all};
use cutaway_userland::os::{Os, Signal};
use std::rc::Rc;

/// How often a host that has just begun is asked; the real program has more patience.
const TRIES: u32 = 5;

/// The host of a machine, once its ssh lets the program in.
pub async fn detect(run: &Run, record: &Record) -> Result<Rc<Host>, String> {
    run.say("Waiting for SSH to be available...").await;
    for _ in 0..TRIES {
        if let Ok(host) = dial::over_ssh(&run.here, &record.user, &record.ip, record.ssh_port).await {
            run.say("Detecting the provisioner...").await;
            return Ok(host);
        }
        let _ = run.here.os.sleep(MOMENT).await;
    }
    Err(format!("Too many retries waiting for SSH to be available.  Last error: {GAVE_UP}"))
}

/// New certificates for the engine, which is stopped for that and started with them.
pub async fn provision(run: &Run, record: &Record, host: &Rc<Host>) -> Result<(), String> {
    stage(run, "Copying certs to the local machine directory...").await;
    host.stop_containers(Signal::TERM).await;
    run.say("Copying certs to the remote machine...").await;
    record::certify(run, &record.name, &host.world).await?;
    stage(run, "Setting Docker configuration on the remote daemon...").await;
    host.start_containers().await;
    Ok(())
}

/// Asks, and reads one word; the error is what Go's scanner says.
pub async fn confirm(run: &Run, question: &str) -> Result<bool, String> {
    let _ = write_all(&run.here.os, 1, format!("{question} (y/n): ").as_bytes()).await;
    let Some(line) = read_line(&run.here.os, 0, &mut Vec::new()).await else { return Err("EOF".into()) };
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        (None, _) => Err("unexpected newline".into()),
        (Some(_), Some(_)) => Err("expected newline".into()),
        (Some(word), None) => Ok(word.to_lowercase().starts_with('y')),
    }
}

pub async fn regenerate(run: &Run) -> Ending {
    if !run.args.flag("force") && !confirm(run, "Regenerate TLS machine certs?  Warning: this is irreversible.").await?
    {
        return Ok(0);
    }
    run.say("Regenerating TLS certificates").await;
    run::each(run, "regenerate-certs").await
}

pub async fn upgrade(run: &Run, record: &Record) -> Result<(), String> {
    if run.known_state(record)? != State::Running {
        run.say("Starting machine so machine can be upgraded...").await;
        Box::pin(run::one(run, "start", record)).await?;
    }
    let host = detect(run, record).await?;
    super::reach::version(run, &run.url(record)?).await?;
    run.say("Upgrading docker...").await;
    if record.driver == "virtualbox" {
        run.say("Stopping machine to do the upgrade...").await;
        host.switch_off(Signal::TERM).await;
        run.say(&format!("Upgrading machine {:?}...", record.name)).await;
        run.say("Starting machine back up...").await;
        run::booting(run, &record.name).await;
        host.switch_on().await.map_err(|errno| errno.text().to_string())?;
        run.say("Restarting docker...").await;
    } else {
        run.say("Restarting docker...").await;
        host.stop_containers(Signal::TERM).await;
        host.start_containers().await;
    }
    Ok(())
}
