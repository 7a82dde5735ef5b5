//! The checks by their names, with what each is about.

/// Name and description. All but the base's platform are explained at an address.
const RULES: [(&str, &str); 22] = [
    ("StageNameCasing", "Stage names should be lowercase"),
    ("FromAsCasing", "The 'as' keyword should match the case of the 'from' keyword"),
    ("NoEmptyContinuation", "Empty continuation lines will become errors in a future release"),
    (
        "ConsistentInstructionCasing",
        "All commands within the Dockerfile should use the same casing (either upper or lower)",
    ),
    ("DuplicateStageName", "Stage names should be unique"),
    ("ReservedStageName", "Reserved words should not be used as stage names"),
    (
        "JSONArgsRecommended",
        "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
    ),
    ("MaintainerDeprecated", "The MAINTAINER instruction is deprecated, use a label instead to define an image author"),
    ("UndefinedArgInFrom", "FROM command must use declared ARGs"),
    (
        "WorkdirRelativePath",
        "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes",
    ),
    ("UndefinedVar", "Variables should be defined before their use"),
    ("MultipleInstructionsDisallowed", "Multiple instructions of the same type should not be used in the same stage"),
    ("LegacyKeyValueFormat", "Legacy key/value format with whitespace separator should not be used"),
    (PLATFORM, "Base image platform does not match expected target platform"),
    (
        "RedundantTargetPlatform",
        "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
    ),
    ("SecretsUsedInArgOrEnv", "Sensitive data should not be used in the ARG or ENV commands"),
    ("InvalidDefaultArgInFrom", "Default value for global ARG results in an empty or invalid base image name"),
    ("FromPlatformFlagConstDisallowed", "FROM --platform flag should not use a constant value"),
    ("CopyIgnoredFile", "Attempting to Copy file that is excluded by .dockerignore"),
    (
        "InvalidDefinitionDescription",
        "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.",
    ),
    ("ExposeProtoCasing", "Protocol in EXPOSE instruction should be lowercase"),
    (
        "ExposeInvalidFormat",
        "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release",
    ),
];

const PLATFORM: &str = "InvalidBaseImagePlatform";

/// What a rule is about.
pub fn description(rule: &str) -> &'static str {
    RULES.iter().find(|(name, _)| *name == rule).map_or("", |(_, text)| text)
}

/// Whether a rule is followed only by who asks for it.
pub fn is_experimental(rule: &str) -> bool {
    matches!(rule, "CopyIgnoredFile" | "InvalidDefinitionDescription")
}

/// Where a rule is explained.
pub fn address(rule: &str) -> Option<String> {
    (rule != PLATFORM).then(|| format!("https://docs.docker.com/go/dockerfile/rule/{}/", kebab(rule)))
}

fn kebab(rule: &str) -> String {
    let mut out = String::new();
    let chars: Vec<char> = rule.chars().collect();
    for (i, c) in chars.iter().enumerate() {
        let starts = c.is_uppercase()
            && i > 0
            && (!chars[i - 1].is_uppercase() || chars.get(i + 1).is_some_and(|n| n.is_lowercase()));
        if starts {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_explained() {
        for (rule, _) in RULES {
            assert!(!description(rule).is_empty() && (rule == PLATFORM || address(rule).is_some()), "{rule}");
        }
        assert!(address("JSONArgsRecommended").unwrap().ends_with("/json-args-recommended/"));
        assert!(address("UndefinedArgInFrom").unwrap().ends_with("/undefined-arg-in-from/"));
        assert_eq!(address(PLATFORM), None);
    }
}
