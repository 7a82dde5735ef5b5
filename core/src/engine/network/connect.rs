//! `docker network connect` and `disconnect`: what they read from the line; the work is the container's.

use super::find::find;
use crate::cli::Invocation;
use crate::container::spec::NetworkRequest;
use crate::engine::{Ctx, Error, Result, container};
use crate::world::World;

pub(super) async fn connect<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let args = &call.args;
    let mut request = NetworkRequest {
        name: args.word(0).to_string(),
        aliases: args.values("alias").to_vec(),
        ip: args.value("ip").unwrap_or("").to_string(),
        ip6: args.value("ip6").unwrap_or("").to_string(),
        links: args.values("link").to_vec(),
        link_local_ips: args.values("link-local-ip").to_vec(),
        gw_priority: args.number("gw-priority").unwrap_or(0),
        ..NetworkRequest::default()
    };
    for option in args.values("driver-opt") {
        let (key, value) = option.split_once('=').unwrap_or_default();
        if key.trim().is_empty() {
            return Err(Error::Client("invalid key/value pair format in driver options".into()));
        }
        request.driver_opts.insert(key.trim().to_string(), value.trim().to_string());
    }
    let record = container::find(ctx, args.word(1)).await?;
    match find(ctx, args.word(0)) {
        Ok(network) => container::connect(ctx, &record, &network, &request).await?,
        // One that does not run may wait for a network that is yet to come.
        Err(_) if !record.is_running() => container::expect(ctx, &record, &request)?,
        Err(error) => return Err(error),
    }
    Ok(0)
}

pub(super) async fn disconnect<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let args = &call.args;
    let (name, who) = (args.word(0), args.word(1));
    let record = match container::find(ctx, who).await {
        Ok(record) => record,
        // With --force it is the network that is asked for its endpoints.
        Err(_) if args.flag("force") => {
            find(ctx, name)?;
            return Err(Error::Daemon(format!("endpoint {who} not found")));
        }
        Err(error) => return Err(error),
    };
    match find(ctx, name) {
        Ok(network) => container::disconnect(ctx, &record, &network).await?,
        Err(_) if !record.is_running() || args.flag("force") => container::forget(ctx, &record, name)?,
        Err(error) => return Err(error),
    }
    Ok(0)
}
