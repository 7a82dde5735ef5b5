//! From rules to the instructions of classic BPF.

use std::collections::BTreeMap;

/// `AUDIT_ARCH_X86_64`: the only architecture whose numbers the table has.
pub const ARCHITECTURE: u32 = 0xc000_003e;
/// Numbers from here on are the x32 interface's.
const X32: u32 = 0x4000_0000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Masked { mask: u64 },
}

/// A test of one of the six arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub argument: u32,
    pub compare: Compare,
    pub value: u64,
}

/// What is answered where all conditions hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub conditions: Vec<Condition>,
    pub action: u32,
}

#[derive(Clone, Copy)]
struct Instruction {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    value: u32,
}

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const IF_EQUAL: u16 = 0x15;
const IF_GREATER: u16 = 0x25;
const IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

fn plain(code: u16, value: u32) -> Instruction {
    Instruction { code, jump_true: 0, jump_false: 0, value }
}

/// Where a jump of a condition goes.
#[derive(Clone, Copy, PartialEq)]
enum To {
    Next,
    /// The condition holds: on to the next one.
    Pass,
    /// It does not: past the rule.
    Fail,
}

/// What is answered for a range of numbers.
#[derive(Clone, PartialEq)]
enum Answer {
    Action(u32),
    Rules(Vec<Rule>),
}

/// One condition: instructions with symbolic jumps.
fn test(condition: &Condition) -> Vec<(Instruction, To, To)> {
    let low = 16 + condition.argument * 8;
    let high = low + 4;
    let (value_low, value_high) = (condition.value as u32, (condition.value >> 32) as u32);
    let step = |code, value| (plain(code, value), To::Next, To::Next);
    let jump = |code, value, yes, no| (plain(code, value), yes, no);
    use To::{Fail, Next, Pass};
    match condition.compare {
        Compare::Equal => vec![
            step(LOAD, high),
            jump(IF_EQUAL, value_high, Next, Fail),
            step(LOAD, low),
            jump(IF_EQUAL, value_low, Pass, Fail),
        ],
        Compare::NotEqual => vec![
            step(LOAD, high),
            jump(IF_EQUAL, value_high, Next, Pass),
            step(LOAD, low),
            jump(IF_EQUAL, value_low, Fail, Pass),
        ],
        Compare::Masked { mask } => vec![
            step(LOAD, high),
            step(AND, (mask >> 32) as u32),
            jump(IF_EQUAL, value_high, Next, Fail),
            step(LOAD, low),
            step(AND, mask as u32),
            jump(IF_EQUAL, value_low, Pass, Fail),
        ],
        Compare::Greater | Compare::GreaterOrEqual => vec![
            step(LOAD, high),
            jump(IF_GREATER, value_high, Pass, Next),
            jump(IF_EQUAL, value_high, Next, Fail),
            step(LOAD, low),
            jump(if condition.compare == Compare::Greater { IF_GREATER } else { IF_AT_LEAST }, value_low, Pass, Fail),
        ],
        Compare::Less | Compare::LessOrEqual => vec![
            step(LOAD, high),
            jump(IF_GREATER, value_high, Fail, Next),
            jump(IF_EQUAL, value_high, Next, Pass),
            step(LOAD, low),
            jump(if condition.compare == Compare::Less { IF_AT_LEAST } else { IF_GREATER }, value_low, Fail, Pass),
        ],
    }
}

/// A rule: its conditions, then its answer; falls through to what follows where one fails.
fn rule(rule: &Rule) -> Vec<Instruction> {
    let tests: Vec<Vec<(Instruction, To, To)>> = rule.conditions.iter().map(test).collect();
    let end: usize = tests.iter().map(Vec::len).sum::<usize>() + 1;
    let mut out: Vec<Instruction> = Vec::new();
    for test in tests {
        let pass = out.len() + test.len();
        for (mut instruction, yes, no) in test {
            let here = out.len() + 1;
            let offset = |to: To| match to {
                To::Next => 0,
                To::Pass => (pass - here) as u8,
                To::Fail => (end - here) as u8,
            };
            (instruction.jump_true, instruction.jump_false) = (offset(yes), offset(no));
            out.push(instruction);
        }
    }
    out.push(plain(RETURN, rule.action));
    out
}

fn answer(answer: &Answer, default: u32) -> Vec<Instruction> {
    match answer {
        Answer::Action(action) => vec![plain(RETURN, *action)],
        Answer::Rules(rules) => {
            let mut out: Vec<Instruction> = rules.iter().flat_map(rule).collect();
            out.push(plain(RETURN, default));
            out
        }
    }
}

/// A binary search: each element is where a range begins, and its answer.
fn search(ranges: &[(u32, Answer)], default: u32) -> Vec<Instruction> {
    if let [(_, only)] = ranges {
        return answer(only, default);
    }
    let (left, right) = ranges.split_at(ranges.len() / 2);
    let (below, above) = (search(left, default), search(right, default));
    let mut out = vec![
        Instruction { jump_true: 0, jump_false: 1, ..plain(IF_AT_LEAST, right[0].0) },
        plain(JUMP, below.len() as u32),
    ];
    out.extend(below);
    out.extend(above);
    out
}

/// The whole filter.
pub fn assemble(rules: &BTreeMap<u32, Vec<Rule>>, default: u32) -> Vec<u8> {
    let mut ranges: Vec<(u32, Answer)> = vec![(0, Answer::Action(default))];
    let mut push = |from: u32, answer: Answer| match ranges.last_mut() {
        Some((_, last)) if *last == answer => {}
        Some((start, last)) if *start == from => *last = answer,
        _ => ranges.push((from, answer)),
    };
    let mut next = 0;
    for (number, rules) in rules {
        if *number > next {
            push(next, Answer::Action(default));
        }
        // A rule without conditions decides alone.
        let answer = match rules.iter().find(|r| r.conditions.is_empty()) {
            Some(rule) => Answer::Action(rule.action),
            None => Answer::Rules(rules.clone()),
        };
        push(*number, answer);
        next = number + 1;
    }
    push(next, Answer::Action(default));
    let no_such_call = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    let mut code = vec![
        plain(LOAD, 4),
        Instruction { jump_true: 1, jump_false: 0, ..plain(IF_EQUAL, ARCHITECTURE) },
        plain(RETURN, no_such_call),
        plain(LOAD, 0),
        Instruction { jump_true: 0, jump_false: 1, ..plain(IF_AT_LEAST, X32) },
        plain(RETURN, no_such_call),
    ];
    code.extend(search(&ranges, default));
    let mut bytes = Vec::with_capacity(code.len() * 8);
    for i in code {
        bytes.extend(i.code.to_ne_bytes());
        bytes.extend([i.jump_true, i.jump_false]);
        bytes.extend(i.value.to_ne_bytes());
    }
    bytes
}
