//! Functions of numbers and of yes and no.

use super::super::value::Value;
use super::{Answer, Fail, Surroundings, number_of, text_of};

/// What a function of the table gives.
pub fn call(name: &str, args: &[Value], _: &Surroundings) -> Answer {
    let (a, b) = (number_of(args, 0), number_of(args, 1));
    let yes = |index: usize| args.get(index) == Some(&Value::Bool(true));
    let numbers = || args.iter().filter_map(|v| v.to_number().ok());
    let number = |number: f64| Ok(Value::Number(number));
    match name {
        "absolute" => number(a.abs()),
        "add" => number(a + b),
        "subtract" => number(a - b),
        "multiply" => number(a * b),
        "divide" | "modulo" if b == 0.0 => Err("division by zero".into()),
        "divide" => number(a / b),
        "modulo" => number(a % b),
        "negate" => number(-a),
        "ceil" => number(a.ceil()),
        "floor" => number(a.floor()),
        "int" => number(a.trunc()),
        "signum" => number(if a == 0.0 { 0.0 } else { a.signum() }),
        "log" => number(a.ln() / b.ln()),
        "pow" => number(a.powf(b)),
        "min" | "max" if args.is_empty() => Err("must pass at least one number".into()),
        "min" => number(numbers().fold(f64::INFINITY, f64::min)),
        "max" => number(numbers().fold(f64::NEG_INFINITY, f64::max)),
        "parseint" => parse_int(text_of(args, 0), b),
        "range" => range(&numbers().collect::<Vec<_>>()),
        _ => Ok(Value::Bool(match name {
            "and" => yes(0) && yes(1),
            "or" => yes(0) || yes(1),
            "not" => !yes(0),
            "equal" => args[0] == args[1],
            "notequal" => args[0] != args[1],
            "greaterthan" => a > b,
            "greaterthanorequalto" => a >= b,
            "lessthan" => a < b,
            _ => a <= b,
        })),
    }
}

fn parse_int(text: &str, base: f64) -> Answer {
    if !(2.0..=62.0).contains(&base) || base.fract() != 0.0 {
        return Err(Fail::Argument(1, "base must be a whole number between 2 and 62 inclusive".into()));
    }
    let wrong = || Fail::Argument(0, format!("cannot parse {text:?} as a base {base} integer"));
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut value = 0.0;
    for c in digits.chars() {
        // Beyond 36 the case of a letter counts.
        let digit = match c {
            '0'..='9' => c as u32 - '0' as u32,
            'a'..='z' => c as u32 - 'a' as u32 + 10,
            'A'..='Z' if base <= 36.0 => c as u32 - 'A' as u32 + 10,
            'A'..='Z' => c as u32 - 'A' as u32 + 36,
            _ => return Err(wrong()),
        };
        if f64::from(digit) >= base {
            return Err(wrong());
        }
        value = value * base + f64::from(digit);
    }
    if digits.is_empty() {
        return Err(wrong());
    }
    Ok(Value::Number(if text.starts_with('-') { -value } else { value }))
}

fn range(of: &[f64]) -> Answer {
    let (start, end, step) = match *of {
        [end] => (0.0, end, if end < 0.0 { -1.0 } else { 1.0 }),
        [start, end] => (start, end, if end < start { -1.0 } else { 1.0 }),
        [start, end, step] => (start, end, step),
        _ => return Err("must have one, two, or three arguments".into()),
    };
    if step == 0.0 {
        return Err(Fail::Argument(2, "step must not be zero".into()));
    }
    if step < 0.0 && end > start {
        return Err(Fail::Argument(1, "end must be less than start when step is negative".into()));
    }
    if step > 0.0 && end < start {
        return Err(Fail::Argument(1, "end must be greater than start when step is positive".into()));
    }
    let mut all = Vec::new();
    let mut at = start;
    while (step > 0.0 && at < end) || (step < 0.0 && at > end) {
        if all.len() >= 1024 {
            return Err("more than 1024 values were generated; either decrease the difference between start and end or use a smaller step".into());
        }
        all.push(Value::Number(at));
        at += step;
    }
    Ok(Value::List(all))
}
