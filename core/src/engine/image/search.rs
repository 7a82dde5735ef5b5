//! `docker search`: what the hub has.

use super::remote::{RemoteError, host_of, unreachable, uses_tls};
use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::registry::Request;
use crate::view::filter::Filters;
use crate::view::rows;
use crate::view::table::Formatter;
use crate::view::units;
use crate::world::World;
use crate::world::acts::SendRequest;
use serde_json::{Value, json};

/// So much of a description is shown.
const SHOWN: usize = 45;

pub async fn search<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let filters = Filters::parse(call.args.values("filter"));
    filters.allow(&["is-official", "is-automated", "stars"]).map_err(Error::Daemon)?;
    let official = filters.flag("is-official").map_err(Error::Daemon)?;
    filters.flag("is-automated").map_err(Error::Daemon)?;
    let mut stars = 0;
    for text in filters.values("stars") {
        let why = || format!("invalid filter 'stars={text}': strconv.Atoi: parsing {text:?}: invalid syntax");
        stars = stars.max(text.parse::<i64>().map_err(|_| Error::Daemon(why()))?);
    }
    let formatter =
        Formatter::new(&rows::SEARCH, call.args.value("format").unwrap_or(""), false).map_err(Error::Client)?;
    let limit = call.args.number("limit").filter(|n| *n != 0).unwrap_or(25);
    if !(1..=100).contains(&limit) {
        return Err(Error::Daemon(format!("Limit {limit} is outside the range of [1, 100]")));
    }
    let (host, term) = match call.args.word(0).split_once('/') {
        Some((host, term)) if host.contains(['.', ':']) => (host.to_string(), term),
        _ => ("index.docker.io".to_string(), call.args.word(0)),
    };
    let tls = host_of(&host) != host || uses_tls(&host);
    let term: String = term.bytes().map(escaped).collect();
    let request = Request::new("GET", &host, tls, &format!("/v1/search?q={term}&n={limit}"));
    let act = SendRequest { request: request.clone() };
    let response = ctx.act("Ask the registry what it has", act).await.map_err(|f| unreachable(&request, f))?;
    if response.status != 200 {
        return Err(Error::Daemon(RemoteError::of(&response).text()));
    }
    let format = call.args.value("format").unwrap_or("");
    // In JSON these are truths, in templates what the table has.
    let is_json = format == "json" || format.contains("json .}}");
    let truth = |is: bool| match (is, is_json) {
        (_, true) => is.to_string(),
        (true, false) => "[OK]".to_string(),
        (false, false) => String::new(),
    };
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let mut all = Vec::new();
    for found in answer["results"].as_array().into_iter().flatten() {
        let is_official = found["is_official"].as_bool().unwrap_or(false);
        if official.is_some_and(|wanted| wanted != is_official) || found["star_count"].as_i64().unwrap_or(0) < stars {
            continue;
        }
        let description = found["description"].as_str().unwrap_or("").replace(['\n', '\r'], " ");
        let whole = call.args.flag("no-trunc");
        all.push(json!({
            "Description": if whole { description } else { units::ellipsis(&description, SHOWN) },
            "IsAutomated": truth(false),
            "IsOfficial": truth(is_official),
            "Name": found["name"],
            "StarCount": found["star_count"].to_string(),
        }));
    }
    ctx.print(formatter.render(&all).map_err(Error::Client)?).await;
    Ok(0)
}

fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}
