//! The commands of redis over its store, and the protocol they come in. Source: redis.io, "Redis
//! serialization protocol specification" (version 2) and the command reference.

use super::value::{Entry, Store, Value};

/// The most arguments and bytes that one command may have.
const WORD_LIMIT: usize = 1 << 20;
const BYTE_LIMIT: usize = 64 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Status(String),
    Error(String),
    Number(i64),
    Bulk(Option<Vec<u8>>),
    Array(Vec<Reply>),
}

/// What the server has to do after a command.
pub enum Outcome {
    Reply(Reply),
    Save,
    Shutdown,
}

impl Reply {
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Reply::Status(text) => format!("+{text}\r\n").into_bytes(),
            Reply::Error(text) => format!("-{text}\r\n").into_bytes(),
            Reply::Number(n) => format!(":{n}\r\n").into_bytes(),
            Reply::Bulk(None) => b"$-1\r\n".to_vec(),
            Reply::Bulk(Some(bytes)) => [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat(),
            Reply::Array(all) => {
                let mut out = format!("*{}\r\n", all.len()).into_bytes();
                all.iter().for_each(|r| out.extend(r.to_bytes()));
                out
            }
        }
    }

    /// Reads one reply; `None` where it is not complete, an inner `None` where it is none.
    pub fn parse(bytes: &[u8]) -> Option<(Option<Reply>, usize)> {
        let (line, used) = line_of(bytes)?;
        let rest = line.get(1..).unwrap_or("");
        let number = rest.parse::<i64>();
        match (line.as_bytes().first(), number) {
            (Some(b'+'), _) => Some((Some(Reply::Status(rest.to_string())), used)),
            (Some(b'-'), _) => Some((Some(Reply::Error(rest.to_string())), used)),
            (Some(b':'), Ok(n)) => Some((Some(Reply::Number(n)), used)),
            (Some(b'$'), Ok(n)) if n < 0 => Some((Some(Reply::Bulk(None)), used)),
            (Some(b'$'), Ok(n)) => {
                let body = bytes.get(used..used + n as usize)?;
                bytes.get(used + n as usize + 1)?;
                Some((Some(Reply::Bulk(Some(body.to_vec()))), used + n as usize + 2))
            }
            (Some(b'*'), Ok(n)) => {
                let (mut all, mut at) = (Vec::new(), used);
                for _ in 0..n {
                    let (reply, used) = Reply::parse(bytes.get(at..)?)?;
                    all.push(reply?);
                    at += used;
                }
                Some((Some(Reply::Array(all)), at))
            }
            _ => Some((None, bytes.len())),
        }
    }
}

fn line_of(bytes: &[u8]) -> Option<(String, usize)> {
    let end = bytes.iter().position(|b| *b == b'\n')?;
    let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
    Some((String::from_utf8_lossy(line).into_owned(), end + 1))
}

/// Reads one command: an array of bulk strings, or a plain line. `None` where it is not complete, an inner
/// `None` where it is not the protocol; and how many bytes it had.
pub fn parse(bytes: &[u8]) -> Option<(Option<Vec<Vec<u8>>>, usize)> {
    if bytes.first() != Some(&b'*') {
        let (line, used) = line_of(bytes)?;
        return Some((Some(line.split_whitespace().map(|w| w.as_bytes().to_vec()).collect()), used));
    }
    let (line, mut at) = line_of(bytes)?;
    let count = match line[1..].parse::<usize>() {
        Ok(count) if count <= WORD_LIMIT => count,
        _ => return Some((None, bytes.len())),
    };
    let mut words = Vec::new();
    for _ in 0..count {
        let (line, used) = line_of(bytes.get(at..)?)?;
        let length = match line.strip_prefix('$').and_then(|n| n.parse::<usize>().ok()) {
            Some(length) if length <= BYTE_LIMIT => length,
            _ => return Some((None, bytes.len())),
        };
        at += used;
        words.push(bytes.get(at..at + length)?.to_vec());
        bytes.get(at + length + 1)?;
        at += length + 2;
    }
    Some((Some(words), at))
}

type Done = Result<Reply, String>;

fn ok() -> Done {
    Ok(Reply::Status("OK".into()))
}

fn bulk(bytes: impl Into<Vec<u8>>) -> Reply {
    Reply::Bulk(Some(bytes.into()))
}

const NOT_A_NUMBER: &str = "ERR value is not an integer or out of range";
const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

/// Runs one command at a time given in milliseconds since the epoch.
pub fn run(store: &mut Store, words: &[Vec<u8>], now: u64) -> Outcome {
    store.retain(|_, entry| entry.expires.is_none_or(|at| at > now));
    let Some(first) = words.first() else { return Outcome::Reply(Reply::Array(Vec::new())) };
    let name = String::from_utf8_lossy(first).to_ascii_uppercase();
    let least = match name.as_str() {
        "SAVE" | "BGSAVE" => return Outcome::Save,
        "SHUTDOWN" => return Outcome::Shutdown,
        "GET" | "DEL" | "UNLINK" | "EXISTS" | "INCR" | "DECR" | "KEYS" | "TTL" | "PTTL" | "PERSIST" | "TYPE"
        | "STRLEN" | "LPOP" | "RPOP" | "LLEN" | "SMEMBERS" | "SCARD" | "HGETALL" | "HLEN" | "HKEYS" | "MGET"
        | "ECHO" => 2,
        "SET" | "APPEND" | "INCRBY" | "DECRBY" | "EXPIRE" | "LPUSH" | "RPUSH" | "SADD" | "SREM" | "SISMEMBER"
        | "HGET" | "HDEL" | "MSET" | "SETNX" | "RENAME" | "GETSET" => 3,
        "LRANGE" | "HSET" | "SETEX" | "HINCRBY" => 4,
        _ => 1,
    };
    let reply = if words.len() < least {
        Err(format!("ERR wrong number of arguments for '{}' command", name.to_ascii_lowercase()))
    } else {
        text(store, &name, words, now)
            .or_else(|| collection(store, &name, words))
            .unwrap_or_else(|| Err(unknown(words)))
    };
    Outcome::Reply(reply.unwrap_or_else(Reply::Error))
}

fn unknown(words: &[Vec<u8>]) -> String {
    let show = |w: &Vec<u8>| format!("'{}' ", String::from_utf8_lossy(w));
    let args: String = words[1..].iter().map(show).collect();
    format!("ERR unknown command '{}', with args beginning with: {args}", String::from_utf8_lossy(&words[0]))
}

/// Commands on plain values, on keys and on the server.
fn text(store: &mut Store, name: &str, words: &[Vec<u8>], now: u64) -> Option<Done> {
    let word = |i: usize| words.get(i).cloned().unwrap_or_default();
    Some(match name {
        "PING" => Ok(words.get(1).map_or(Reply::Status("PONG".into()), |w| bulk(w.clone()))),
        "ECHO" => Ok(bulk(word(1))),
        "QUIT" | "SELECT" | "CLIENT" | "HELLO" => ok(),
        "COMMAND" | "CONFIG" => Ok(Reply::Array(Vec::new())),
        "INFO" => Ok(bulk(format!(
            "# Server\r\nredis_version:{}\r\n\r\n# Keyspace\r\ndb0:keys={},expires={},avg_ttl=0\r\n",
            super::VERSION,
            store.len(),
            store.values().filter(|e| e.expires.is_some()).count()
        ))),
        "DBSIZE" => Ok(Reply::Number(store.len() as i64)),
        "FLUSHALL" | "FLUSHDB" => {
            store.clear();
            ok()
        }
        "GET" => get(store, &words[1]).map(Reply::Bulk),
        "GETSET" => get(store, &words[1]).map(|old| {
            store.insert(word(1), Entry { value: Value::Text(word(2)), expires: None });
            Reply::Bulk(old)
        }),
        "MGET" => Ok(Reply::Array(words[1..].iter().map(|k| Reply::Bulk(get(store, k).unwrap_or(None))).collect())),
        "SET" => set(store, words, now),
        "SETNX" if store.contains_key(&words[1]) => Ok(Reply::Number(0)),
        "SETNX" => {
            store.insert(word(1), Entry { value: Value::Text(word(2)), expires: None });
            Ok(Reply::Number(1))
        }
        "SETEX" => number(&words[2]).map(|seconds| {
            let expires = Some(now + seconds.max(0) as u64 * 1000);
            store.insert(word(1), Entry { value: Value::Text(word(3)), expires });
            Reply::Status("OK".into())
        }),
        "MSET" if words.len().is_multiple_of(2) => Err("ERR wrong number of arguments for 'mset' command".into()),
        "MSET" => {
            for pair in words[1..].chunks_exact(2) {
                store.insert(pair[0].clone(), Entry { value: Value::Text(pair[1].clone()), expires: None });
            }
            ok()
        }
        "APPEND" => get(store, &words[1]).map(|old| {
            let joined = [old.unwrap_or_default(), word(2)].concat();
            let length = joined.len() as i64;
            let expires = store.get(&words[1]).and_then(|e| e.expires);
            store.insert(word(1), Entry { value: Value::Text(joined), expires });
            Reply::Number(length)
        }),
        "STRLEN" => get(store, &words[1]).map(|v| Reply::Number(v.map_or(0, |v| v.len() as i64))),
        "INCR" => add(store, &words[1], 1),
        "DECR" => add(store, &words[1], -1),
        "INCRBY" => number(&words[2]).and_then(|n| add(store, &words[1], n)),
        "DECRBY" => number(&words[2]).and_then(|n| add(store, &words[1], n.wrapping_neg())),
        "DEL" | "UNLINK" => {
            Ok(Reply::Number(words[1..].iter().filter(|k| store.remove(k.as_slice()).is_some()).count() as i64))
        }
        "EXISTS" => Ok(Reply::Number(words[1..].iter().filter(|k| store.contains_key(k.as_slice())).count() as i64)),
        "KEYS" => Ok(Reply::Array(store.keys().filter(|k| glob(&words[1], k)).map(|k| bulk(k.clone())).collect())),
        "TYPE" => Ok(Reply::Status(store.get(&words[1]).map_or("none", |e| e.value.kind()).into())),
        "RENAME" => match store.remove(&words[1]) {
            None => Err("ERR no such key".into()),
            Some(entry) => {
                store.insert(word(2), entry);
                ok()
            }
        },
        "EXPIRE" => number(&words[2]).map(|seconds| match store.get_mut(&words[1]) {
            None => Reply::Number(0),
            Some(entry) => {
                entry.expires = Some(now.saturating_add_signed(seconds.saturating_mul(1000)));
                Reply::Number(1)
            }
        }),
        "PERSIST" => Ok(Reply::Number(i64::from(store.get_mut(&words[1]).is_some_and(|e| e.expires.take().is_some())))),
        "TTL" | "PTTL" => Ok(Reply::Number(match store.get(&words[1]).map(|e| e.expires) {
            None => -2,
            Some(None) => -1,
            Some(Some(at)) if name == "TTL" => ((at - now) as i64 + 500) / 1000,
            Some(Some(at)) => (at - now) as i64,
        })),
        _ => return None,
    })
}

fn get(store: &Store, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
    match store.get(key).map(|e| &e.value) {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text.clone())),
        Some(_) => Err(WRONG_TYPE.into()),
    }
}

fn number(word: &[u8]) -> Result<i64, String> {
    std::str::from_utf8(word).ok().and_then(|t| t.parse().ok()).ok_or(NOT_A_NUMBER.to_string())
}

fn add(store: &mut Store, key: &[u8], by: i64) -> Done {
    let old = match get(store, key)? {
        None => 0,
        Some(text) => number(&text)?,
    };
    let new = old.checked_add(by).ok_or("ERR increment or decrement would overflow")?;
    let expires = store.get(key).and_then(|e| e.expires);
    store.insert(key.to_vec(), Entry { value: Value::Text(new.to_string().into_bytes()), expires });
    Ok(Reply::Number(new))
}

/// `SET key value [EX s | PX ms] [NX | XX]`.
fn set(store: &mut Store, words: &[Vec<u8>], now: u64) -> Done {
    let (mut expires, mut only) = (None, None);
    let mut rest = words[3..].iter();
    while let Some(option) = rest.next() {
        match String::from_utf8_lossy(option).to_ascii_uppercase().as_str() {
            "NX" => only = Some(false),
            "XX" => only = Some(true),
            "KEEPTTL" => expires = store.get(&words[1]).and_then(|e| e.expires),
            unit @ ("EX" | "PX") => {
                let amount = number(rest.next().ok_or("ERR syntax error")?)?;
                if amount <= 0 {
                    return Err("ERR invalid expire time in 'set' command".into());
                }
                let scale = if unit == "EX" { 1000 } else { 1 };
                expires = Some(now.saturating_add((amount as u64).saturating_mul(scale)));
            }
            _ => return Err("ERR syntax error".into()),
        }
    }
    if only.is_some_and(|there| store.contains_key(&words[1]) != there) {
        return Ok(Reply::Bulk(None));
    }
    store.insert(words[1].clone(), Entry { value: Value::Text(words[2].clone()), expires });
    ok()
}

/// The value at a key as one kind of collection, made empty where it is missing; gone again when left empty.
macro_rules! at {
    ($store:ident, $key:expr, $kind:ident, |$inner:ident| $body:expr) => {{
        let fresh = Entry { value: Value::$kind(Default::default()), expires: None };
        let entry = $store.entry($key.clone()).or_insert(fresh);
        match &mut entry.value {
            Value::$kind($inner) => {
                let reply = $body;
                if $inner.is_empty() {
                    $store.remove($key);
                }
                reply
            }
            _ => Err(WRONG_TYPE.to_string()),
        }
    }};
}

/// Commands on lists, sets and hashes.
fn collection(store: &mut Store, name: &str, words: &[Vec<u8>]) -> Option<Done> {
    let key = words.get(1)?;
    let count = |n: usize| Ok(Reply::Number(n as i64));
    Some(match name {
        "LPUSH" | "RPUSH" => at!(store, key, List, |list| {
            for word in &words[2..] {
                if name == "LPUSH" { list.push_front(word.clone()) } else { list.push_back(word.clone()) }
            }
            count(list.len())
        }),
        "LPOP" => at!(store, key, List, |list| Ok(Reply::Bulk(list.pop_front()))),
        "RPOP" => at!(store, key, List, |list| Ok(Reply::Bulk(list.pop_back()))),
        "LLEN" => at!(store, key, List, |list| count(list.len())),
        "LRANGE" => at!(store, key, List, |list| {
            let place = |i: i64| if i < 0 { (list.len() as i64 + i).max(0) } else { i } as usize;
            match (number(&words[2]), number(&words[3])) {
                (Ok(from), Ok(to)) if to >= -(list.len() as i64) => {
                    let (from, to) = (place(from), place(to));
                    let items = list.iter().skip(from).take((to + 1).saturating_sub(from));
                    Ok(Reply::Array(items.map(|i| bulk(i.clone())).collect()))
                }
                (Ok(_), Ok(_)) => Ok(Reply::Array(Vec::new())),
                _ => Err(NOT_A_NUMBER.into()),
            }
        }),
        "SADD" => at!(store, key, Set, |set| count(words[2..].iter().filter(|w| set.insert((*w).clone())).count())),
        "SREM" => at!(store, key, Set, |set| count(words[2..].iter().filter(|w| set.remove(*w)).count())),
        "SISMEMBER" => at!(store, key, Set, |set| count(usize::from(set.contains(&words[2])))),
        "SCARD" => at!(store, key, Set, |set| count(set.len())),
        "SMEMBERS" => at!(store, key, Set, |set| Ok(Reply::Array(set.iter().map(|m| bulk(m.clone())).collect()))),
        "HSET" if words.len() % 2 == 1 => Err("ERR wrong number of arguments for 'hset' command".into()),
        "HSET" => at!(store, key, Hash, |hash| {
            let pairs = words[2..].chunks_exact(2);
            count(pairs.filter(|p| hash.insert(p[0].clone(), p[1].clone()).is_none()).count())
        }),
        "HGET" => at!(store, key, Hash, |hash| Ok(Reply::Bulk(hash.get(&words[2]).cloned()))),
        "HDEL" => at!(store, key, Hash, |hash| count(words[2..].iter().filter(|w| hash.remove(*w).is_some()).count())),
        "HLEN" => at!(store, key, Hash, |hash| count(hash.len())),
        "HKEYS" => at!(store, key, Hash, |hash| Ok(Reply::Array(hash.keys().map(|k| bulk(k.clone())).collect()))),
        "HGETALL" => at!(store, key, Hash, |hash| {
            Ok(Reply::Array(hash.iter().flat_map(|(k, v)| [bulk(k.clone()), bulk(v.clone())]).collect()))
        }),
        "HINCRBY" => at!(store, key, Hash, |hash| {
            let old = hash.get(&words[2]).map_or(Ok(0), |v| number(v));
            match (old, number(&words[3])) {
                (Ok(old), Ok(by)) => {
                    let new = old.saturating_add(by);
                    hash.insert(words[2].clone(), new.to_string().into_bytes());
                    Ok(Reply::Number(new))
                }
                _ => Err("ERR hash value is not an integer".into()),
            }
        }),
        _ => return None,
    })
}

/// Whether a pattern of `*`, `?` and `[…]` matches a whole key.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some(b'*'), _) => glob(&pattern[1..], text) || (!text.is_empty() && glob(pattern, &text[1..])),
        (Some(b'?'), Some(_)) => glob(&pattern[1..], &text[1..]),
        (Some(b'['), Some(c)) => match pattern.iter().position(|b| *b == b']') {
            Some(end) => {
                let (not, set) = match pattern[1..end].split_first() {
                    Some((b'^', rest)) => (true, rest),
                    _ => (false, &pattern[1..end]),
                };
                (set.contains(c) != not) && glob(&pattern[end + 1..], &text[1..])
            }
            None => false,
        },
        (Some(b'\\'), Some(c)) if pattern.len() > 1 => pattern[1] == *c && glob(&pattern[2..], &text[1..]),
        (Some(p), Some(c)) => p == c && glob(&pattern[1..], &text[1..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        let mut store = Store::new();
        for (line, reply) in [
            ("PING", "+PONG\r\n"),
            ("SET a 1", "+OK\r\n"),
            ("SET a 2 NX", "$-1\r\n"),
            ("INCR a", ":2\r\n"),
            ("INCRBY a 40", ":42\r\n"),
            ("GET a", "$2\r\n42\r\n"),
            ("GET b", "$-1\r\n"),
            ("INCR", "-ERR wrong number of arguments for 'incr' command\r\n"),
            ("LPUSH a x", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("RPUSH l x y", ":2\r\n"),
            ("LRANGE l 0 -1", "*2\r\n$1\r\nx\r\n$1\r\ny\r\n"),
            ("LRANGE l 0 -9", "*0\r\n"),
            ("KEYS *", "*2\r\n$1\r\na\r\n$1\r\nl\r\n"),
            ("LPOP l", "$1\r\nx\r\n"),
            ("LPOP l", "$1\r\ny\r\n"),
            ("EXISTS l a", ":1\r\n"),
            ("EXPIRE a 10", ":1\r\n"),
            ("TTL a", ":10\r\n"),
            ("HSET h f v", ":1\r\n"),
            ("HGETALL h", "*2\r\n$1\r\nf\r\n$1\r\nv\r\n"),
            ("DEL a h", ":2\r\n"),
            ("NOSUCH x", "-ERR unknown command 'NOSUCH', with args beginning with: 'x' \r\n"),
        ] {
            let words: Vec<Vec<u8>> = line.split(' ').map(|w| w.as_bytes().to_vec()).collect();
            let Outcome::Reply(got) = run(&mut store, &words, 1000) else { panic!("{line}") };
            assert_eq!(String::from_utf8(got.to_bytes()).unwrap(), reply, "{line}");
        }
    }

    #[test]
    fn protocol() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\nPING\r\n";
        assert_eq!(parse(bytes), Some((Some(vec![b"GET".to_vec(), b"a".to_vec()]), 20)));
        assert_eq!(parse(&bytes[20..]), Some((Some(vec![b"PING".to_vec()]), 6)));
        assert_eq!(parse(&bytes[..19]), None);
        assert_eq!(parse(b"*9999999999\r\n"), Some((None, 13)));
        for (pattern, text, fits) in [("a*", "abc", true), ("a?c", "abc", true), ("[ab]", "c", false), ("*", "", true)]
        {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), fits, "{pattern} {text}");
        }
    }
}
