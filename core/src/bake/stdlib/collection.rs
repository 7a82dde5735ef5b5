//! Functions of lists, sets and maps.

use super::super::value::Value;
use super::{Answer, Fail, Surroundings, number_of, text_of};
use cutaway_userland::sorted::Map as BTreeMap;

/// How many combinations `setproduct` makes at most.
const MOST: usize = 65_536;

/// What a function of the table gives.
pub fn call(name: &str, args: &[Value], _: &Surroundings) -> Answer {
    match name {
        "length" => length(&args[0]),
        "keys" | "values" => of_map(name, &args[0]),
        "lookup" => lookup(args),
        "merge" => merge(args),
        "zipmap" => zipmap(args),
        "csvdecode" => csv(text_of(args, 0)),
        "coalesce" | "coalescelist" => coalesce(name, args),
        "hasindex" => Ok(Value::Bool(at(&args[0], &args[1]).is_some())),
        "index" => at(&args[0], &args[1]).ok_or_else(|| "invalid index".into()),
        "sethaselement" | "setintersection" | "setproduct" | "setsubtract" | "setsymmetricdifference" | "setunion" => {
            sets(name, args)
        }
        "concat" => {
            let mut all = Vec::new();
            for (index, arg) in args.iter().enumerate() {
                let items = arg.items().ok_or_else(|| {
                    Fail::Argument(index, "all arguments must be lists or tuples; got ".to_string() + arg.kind())
                })?;
                all.extend(items.to_vec());
            }
            Ok(Value::List(all))
        }
        _ => of_list(name, args),
    }
}

fn of_list(name: &str, args: &[Value]) -> Answer {
    let wrong = match name {
        "contains" => "argument must be list, tuple, or set".to_string(),
        "flatten" => "can only flatten lists, sets and tuples".into(),
        "indexof" => "argument must be a list or tuple".into(),
        "element" => format!("cannot read elements from {}", args[0].kind()),
        _ => "must be a list or tuple value".into(),
    };
    let Some(items) = args[0].items() else { return Err(wrong.into()) };
    let number = |number: usize| Ok(Value::Number(number as f64));
    let list = |items: Vec<Value>| Ok(Value::List(items));
    match name {
        "compact" => list(items.iter().filter(|v| !v.is_null() && **v != Value::text("")).cloned().collect()),
        "contains" => Ok(Value::Bool(items.contains(&args[1]))),
        "distinct" => {
            let mut all: Vec<Value> = Vec::new();
            for item in items {
                if !all.contains(item) {
                    all.push(item.clone());
                }
            }
            list(all)
        }
        "flatten" => list(flat(items)),
        "reverselist" => list(items.iter().rev().cloned().collect()),
        "sort" => {
            let mut all: Vec<String> = items.iter().map(Value::to_text).collect::<Result<_, _>>()?;
            all.sort();
            list(all.into_iter().map(Value::Text).collect())
        }
        "indexof" if items.is_empty() => Err("cannot search an empty list".into()),
        "indexof" => items.iter().position(|v| *v == args[1]).map_or(Err("item not found".into()), number),
        "element" if items.is_empty() => Err("cannot use element function with an empty list".into()),
        "element" => Ok(items[(number_of(args, 1) as i64).rem_euclid(items.len() as i64) as usize].clone()),
        "chunklist" => {
            let size = number_of(args, 1);
            match size {
                size if size < 0.0 => Err("the size argument must be positive".into()),
                0.0 => list(vec![args[0].clone()]),
                size => list(items.chunks(size as usize).map(|c| Value::List(c.to_vec())).collect()),
            }
        }
        _ => slice(items, number_of(args, 1), number_of(args, 2)),
    }
}

fn slice(items: &[Value], start: f64, end: f64) -> Answer {
    let wrong = |index: usize, text: &str| Err(Fail::Argument(index, text.to_string()));
    let length = items.len() as f64;
    if start < 0.0 {
        return wrong(1, "start index must not be less than zero");
    }
    if start > length {
        return wrong(1, "start index must not be greater than the length of the list");
    }
    if end < 0.0 {
        return wrong(2, "end index must not be less than zero");
    }
    if end > length {
        return wrong(2, "end index must not be greater than the length of the list");
    }
    if start > end {
        return wrong(1, "start index must not be greater than end index");
    }
    Ok(Value::List(items[start as usize..end as usize].to_vec()))
}

fn flat(items: &[Value]) -> Vec<Value> {
    items.iter().flat_map(|item| item.items().map_or_else(|| vec![item.clone()], flat)).collect()
}

fn length(of: &Value) -> Answer {
    let length = match of {
        Value::List(items) | Value::Set(items) => items.len(),
        Value::Map(map) => map.len(),
        _ => return Err("collection must be a list, a map or a tuple".into()),
    };
    Ok(Value::Number(length as f64))
}

fn at(collection: &Value, key: &Value) -> Option<Value> {
    match (collection, key) {
        (Value::Map(map), key) => map.get(&key.to_text().ok()?).cloned(),
        (Value::List(items), key) => {
            let key = key.to_number().ok().filter(|n| *n >= 0.0 && n.fract() == 0.0)?;
            items.get(key as usize).cloned()
        }
        _ => None,
    }
}

fn of_map(name: &str, value: &Value) -> Answer {
    match (name, value) {
        ("keys", Value::Map(map)) => Ok(Value::List(map.keys().map(|k| Value::text(k.as_str())).collect())),
        (_, Value::Map(map)) => Ok(Value::List(map.values().cloned().collect())),
        ("keys", _) => Err(Fail::Argument(0, "must have map or object type".into())),
        _ => Err("values() requires a map as the first argument".into()),
    }
}

fn lookup(args: &[Value]) -> Answer {
    let Value::Map(map) = &args[0] else {
        return Err(Fail::Argument(0, "lookup() requires a map as the first argument".into()));
    };
    Ok(map.get(text_of(args, 1)).unwrap_or(&args[2]).clone())
}

fn merge(args: &[Value]) -> Answer {
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    for arg in args {
        match arg {
            Value::Null => {}
            Value::Map(map) => all.extend(map.iter().map(|(k, v)| (k.clone(), v.clone()))),
            other => return Err(format!("arguments must be maps or objects, got {:?}", other.kind()).into()),
        }
    }
    Ok(Value::Map(all))
}

fn zipmap(args: &[Value]) -> Answer {
    let (Some(keys), Some(values)) = (args[0].items(), args[1].items()) else {
        return Err("values argument must be a list or tuple value".into());
    };
    if keys.len() != values.len() {
        let (keys, values) = (keys.len(), values.len());
        return Err(format!("number of keys ({keys}) does not match number of values ({values})").into());
    }
    let pairs = keys.iter().zip(values).map(|(k, v)| Ok((k.to_text()?, v.clone())));
    Ok(Value::Map(pairs.collect::<Result<Vec<_>, String>>()?.into_iter().collect()))
}

fn coalesce(name: &str, args: &[Value]) -> Answer {
    let lists = name == "coalescelist";
    if lists && args.iter().any(|v| !v.is_null() && v.items().is_none()) {
        return Err("coalescelist arguments must be lists or tuples".into());
    }
    let found = args.iter().find(|v| !v.is_null() && (!lists || v.items().is_some_and(|items| !items.is_empty())));
    found.cloned().ok_or_else(|| {
        if args.is_empty() { "at least one argument is required" } else { "no non-null arguments" }.into()
    })
}

fn sets(name: &str, args: &[Value]) -> Answer {
    if name == "sethaselement" {
        return Ok(Value::Bool(args[0].items().is_some_and(|items| items.contains(&args[1]))));
    }
    let mut all = Vec::new();
    for (index, arg) in args.iter().enumerate() {
        all.push(arg.items().ok_or_else(|| Fail::Argument(index, "a set or a list is required".into()))?);
    }
    if name == "setproduct" {
        if all.len() < 2 {
            return Err("at least two arguments are required".into());
        }
        let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
        for items in all {
            if rows.len().saturating_mul(items.len()) > MOST {
                return Err(format!("more than {MOST} combinations").into());
            }
            rows = rows.iter().flat_map(|row| items.iter().map(|i| [row.clone(), vec![i.clone()]].concat())).collect();
        }
        return Ok(Value::List(rows.into_iter().map(Value::List).collect()));
    }
    let mut kept = all[0].to_vec();
    for items in &all[1..] {
        kept = match name {
            "setintersection" => kept.into_iter().filter(|v| items.contains(v)).collect(),
            "setsubtract" => kept.into_iter().filter(|v| !items.contains(v)).collect(),
            "setunion" => [kept, items.to_vec()].concat(),
            _ => {
                let new = items.iter().filter(|v| !kept.contains(v)).cloned().collect::<Vec<_>>();
                [kept.into_iter().filter(|v| !items.contains(v)).collect(), new].concat()
            }
        };
    }
    Ok(Value::set(kept))
}

fn csv(text: &str) -> Answer {
    let mut rows = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| crate::container::spec::csv_strict(line).map_err(Fail::Call));
    let Some(heads) = rows.next().transpose()? else { return Err("missing header line".into()) };
    let mut all = Vec::new();
    for row in rows {
        let row = row?;
        if row.len() != heads.len() {
            return Err("wrong number of fields".into());
        }
        let pairs = heads.iter().cloned().zip(row.into_iter().map(Value::Text));
        all.push(Value::Map(pairs.collect()));
    }
    Ok(Value::List(all))
}
