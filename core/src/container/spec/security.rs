//! `--security-opt`, read.

use crate::container::spec::SpecError;
use crate::world::acts::Seccomp;

/// What the options amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityOptions {
    pub no_new_privileges: bool,
    pub seccomp: Seccomp,
    /// Whether /proc and /sys keep their masked and read-only paths.
    pub masked_paths: bool,
}

impl SecurityOptions {
    /// Reads the options as kept in the record, where a seccomp profile's file has been replaced by its text.
    pub fn parse(options: &[String], privileged: bool) -> Result<SecurityOptions, SpecError> {
        let seccomp = if privileged { Seccomp::Unconfined } else { Seccomp::Default };
        let mut result = SecurityOptions { no_new_privileges: false, seccomp, masked_paths: !privileged };
        for option in options {
            let bad = || SpecError::daemon(format!("invalid --security-opt 2: {option:?}"));
            if option == "no-new-privileges" {
                result.no_new_privileges = true;
                continue;
            }
            if option == "disable" {
                continue;
            }
            let (key, value) = option.split_once('=').or_else(|| option.split_once(':')).ok_or_else(bad)?;
            match key {
                "label" | "apparmor" => {}
                "seccomp" => {
                    result.seccomp = match value {
                        "unconfined" => Seccomp::Unconfined,
                        "builtin" | "default" => Seccomp::Default,
                        profile => Seccomp::Profile(profile.to_string()),
                    }
                }
                "no-new-privileges" => {
                    result.no_new_privileges = match value {
                        "true" => true,
                        "false" => false,
                        _ => return Err(bad()),
                    }
                }
                "systempaths" if value == "unconfined" => result.masked_paths = false,
                "writable-cgroups" => {}
                _ => return Err(bad()),
            }
        }
        Ok(result)
    }
}
