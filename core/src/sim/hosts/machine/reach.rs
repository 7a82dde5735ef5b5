//! Whether the engine of a machine can be used: as `docker-machine` tries it, with the client's own certificates.

use super::Run;
use super::record::{PEMS, Record};
use crate::engine::context::{Endpoint, Target, Tls, Unreachable};
use crate::sim::hosts::dial;

/// Why an engine does not answer.
enum Failure {
    /// A certificate of the client can't be read.
    Certificates(String),
    Refused,
    Network(String),
}

async fn connect(run: &Run, url: &str) -> Result<(), Failure> {
    let mut pems = Vec::new();
    for name in PEMS {
        pems.push(run.read(&format!("{}/certs/{name}", run.store)).await.map_err(Failure::Certificates)?);
    }
    let [ca, cert, key] = pems.try_into().unwrap_or_default();
    let endpoint = Endpoint::parse(url).unwrap_or_else(|_| Endpoint::Other(url.into()));
    let tls = Some(Tls { ca, cert, key, verify: true });
    let target = Target { context: "default".into(), host: url.into(), endpoint, tls };
    match dial(&run.here, &target).await {
        Ok(_) => Ok(()),
        Err(Unreachable::Silent) => Err(Failure::Refused),
        Err(Unreachable::Failed(why) | Unreachable::Refused(why)) => {
            Err(Failure::Network(why.trim_start_matches("tls: failed to verify certificate: ").to_string()))
        }
    }
}

/// The address of a machine, whose engine has answered with a certificate that counts.
pub async fn checked(run: &Run, record: &Record) -> Result<String, String> {
    let url = run.url(record)?;
    if run.args.flag("swarm") {
        return Err(format!(
            "{:?} is not a swarm master. The --swarm flag is intended for use with swarm masters",
            record.name
        ));
    }
    let address = url.split_once("://").map_or("", |(_, address)| address);
    let why = match connect(run, &url).await {
        Ok(()) => return Ok(url),
        Err(Failure::Certificates(why) | Failure::Network(why)) => why,
        Err(Failure::Refused) => format!("dial tcp {address}: connect: connection refused"),
    };
    Err(format!(
        "Error checking and/or regenerating the certs: There was an error validating certificates for host \
         {address:?}: {why}\nYou can attempt to regenerate them using 'docker-machine regenerate-certs [name]'.\nBe \
         advised that this will trigger a Docker daemon restart which might stop running containers.\n"
    ))
}

/// Asks the engine at an address for its version; that of a simulated one is always the same.
pub async fn version(run: &Run, url: &str) -> Result<&'static str, String> {
    let why = match connect(run, url).await {
        Ok(()) => return Ok(crate::cli::DOCKER_VERSION),
        Err(Failure::Certificates(why)) => format!("Unable to read TLS config: {why}"),
        Err(Failure::Refused) => "Cannot connect to the docker engine endpoint".into(),
        Err(Failure::Network(why)) => {
            format!("Get {}/v1.15/version: {why}", url.replacen("tcp://", "https://", 1))
        }
    };
    Err(format!("Unable to query docker version: {why}"))
}
