//! Which devices a container may use, where control groups are of version 2: a small program in the kernel.
//!
//! The kernel runs it at each use with the device's kind, numbers and access, and takes 0 as no. It is put
//! together from the rules, the last matching rule first, as later rules override earlier ones.
//! Source: `BPF_PROG_TYPE_CGROUP_DEVICE`, linux/bpf.h.

use cutaway_core::world::acts::DeviceRule;
use nix::Result;
use nix::errno::Errno;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// One instruction: operation, registers (destination low, source high), offset of a jump, constant.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    operation: u8,
    registers: u8,
    offset: i16,
    constant: i32,
}

const fn instruction(operation: u8, destination: u8, source: u8, offset: i16, constant: i32) -> Instruction {
    Instruction { operation, registers: source << 4 | destination, offset, constant }
}

const LOAD_WORD: u8 = 0x61;
const AND: u8 = 0x54;
const SHIFT_RIGHT: u8 = 0x74;
const MOVE: u8 = 0xb7;
const MOVE_WORD_REGISTER: u8 = 0xbc;
const JUMP_NOT_EQUAL: u8 = 0x55;
const JUMP_NOT_EQUAL_REGISTER: u8 = 0x5d;
const EXIT: u8 = 0x95;

/// The program. Registers: 2 kind, 3 access, 4 major, 5 minor; 1 is the context and then scratch.
pub fn program(rules: &[DeviceRule]) -> Vec<Instruction> {
    let mut code = vec![
        instruction(LOAD_WORD, 2, 1, 0, 0),
        instruction(AND, 2, 0, 0, 0xffff),
        instruction(LOAD_WORD, 3, 1, 0, 0),
        instruction(SHIFT_RIGHT, 3, 0, 0, 16),
        instruction(LOAD_WORD, 4, 1, 4, 0),
        instruction(LOAD_WORD, 5, 1, 8, 0),
    ];
    for rule in rules.iter().rev() {
        let access = rule.access.chars().fold(0, |bits, c| {
            bits | match c {
                'm' => 1,
                'r' => 2,
                'w' => 4,
                _ => 0,
            }
        });
        let mut tests = Vec::new();
        match rule.kind {
            'b' => tests.push((JUMP_NOT_EQUAL, 2, 0, 1)),
            'c' => tests.push((JUMP_NOT_EQUAL, 2, 0, 2)),
            _ => {}
        }
        let mut block = Vec::new();
        if access != 7 && rule.kind != 'a' {
            // All that is asked for must be in the rule.
            block.push(instruction(MOVE_WORD_REGISTER, 1, 3, 0, 0));
            block.push(instruction(AND, 1, 0, 0, access));
            tests.push((JUMP_NOT_EQUAL_REGISTER, 1, 3, 0));
        }
        tests.extend(rule.major.map(|n| (JUMP_NOT_EQUAL, 4, 0, n as i32)));
        tests.extend(rule.minor.map(|n| (JUMP_NOT_EQUAL, 5, 0, n as i32)));
        let count = tests.len();
        for (i, (operation, left, right, constant)) in tests.into_iter().enumerate() {
            // Past the tests that are left, and past the two instructions of the answer.
            block.push(instruction(operation, left, right, (count - i - 1) as i16 + 2, constant));
        }
        code.extend(block);
        code.push(instruction(MOVE, 0, 0, 0, i32::from(rule.allow)));
        code.push(instruction(EXIT, 0, 0, 0, 0));
    }
    code.push(instruction(MOVE, 0, 0, 0, 0));
    code.push(instruction(EXIT, 0, 0, 0, 0));
    code
}

/// Loads the program of these rules and attaches it to a group.
pub fn attach(group: &OwnedFd, rules: &[DeviceRule]) -> Result<()> {
    #[repr(C)]
    #[derive(Default)]
    struct Load {
        kind: u32,
        count: u32,
        code: u64,
        license: u64,
        rest: [u64; 12],
    }
    #[repr(C)]
    #[derive(Default)]
    struct Attach {
        target: u32,
        program: u32,
        kind: u32,
        flags: u32,
        rest: [u64; 4],
    }
    let code = program(rules);
    let load = Load {
        kind: 15,
        count: code.len() as u32,
        code: code.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        ..Load::default()
    };
    // SAFETY: `load` and what it points to live through the call; the size is its own.
    let fd =
        Errno::result(unsafe { libc::syscall(libc::SYS_bpf, 5, &load as *const Load, std::mem::size_of::<Load>()) })?;
    // SAFETY: the kernel has just made this descriptor for us.
    let program = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    const ALLOW_MULTI: u32 = 2;
    let attach = Attach {
        target: group.as_fd().as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        kind: 6,
        flags: ALLOW_MULTI,
        ..Attach::default()
    };
    // SAFETY: `attach` lives through the call; the size is its own.
    Errno::result(unsafe { libc::syscall(libc::SYS_bpf, 8, &attach as *const Attach, std::mem::size_of::<Attach>()) })
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_tests_and_an_answer() {
        let rule = DeviceRule { allow: true, kind: 'c', major: Some(1), minor: Some(3), access: "rw".into() };
        let code = program(&[rule]);
        assert_eq!(code.len(), 6 + 2 + 4 + 2 + 2);
        // The first test jumps over three more tests and the answer.
        let first = code[8];
        assert_eq!((first.operation, first.offset, first.constant), (JUMP_NOT_EQUAL, 5, 2));
        assert_eq!(program(&[]).len(), 8);
    }
}
