//! The history of a few builds, on the simulated machine.

use crate::sim::session::{Config, Session};

/// What a script prints after three builds, the last of which fails.
fn shell(script: &str) -> String {
    let before = "mkdir -p p/sub; cd p; printf 'FROM busybox AS a\\nARG V\\nRUN echo $V\\n' > Dockerfile; cp Dockerfile sub/prod.Dockerfile\n\
                  docker build -q --build-arg V=1 --label x=y . >/dev/null; docker build -q -f sub/prod.Dockerfile --target a . >/dev/null\n\
                  printf 'FROM busybox\\nRUN echo no; exit 3\\n' | docker build --no-cache - >/dev/null 2>&1\n";
    let session = Session::new(Config::default());
    let mut seen = Vec::new();
    session.script(&format!("{{ {before}{script}\n}} 2>&1"), |bytes| seen.extend_from_slice(bytes));
    String::from_utf8_lossy(&seen).into_owned()
}

#[test]
fn records_are_listed_shown_and_removed() {
    let mut wrong = String::new();
    for (script, expected) in [
        (
            "docker buildx history ls --format '{{.Name}}|{{.Status}}'",
            "|Error\np/sub/prod.Dockerfile (a)|Completed\np|Completed\n",
        ),
        ("docker buildx history ls | head -1 | tr -s ' '", "BUILD ID NAME STATUS CREATED AT DURATION \n"),
        ("docker buildx history ls --filter status=error --format '{{.Status}}'", "Error\n"),
        (
            "docker buildx history ls --filter duration=1s",
            "ERROR: invalid separator for \"duration=1s\", expected <=, <, >= or >\n",
        ),
        ("docker buildx history ls --filter foo=1", "ERROR: unsupported filter \"foo=1\"\n"),
        ("docker buildx history inspect nope; echo $?", "ERROR: no record found for ref \"nope\"\n1\n"),
        ("docker buildx history inspect ^9; echo $?", "ERROR: no completed build found with offset 6\n1\n"),
        (
            "docker buildx history inspect ^2 | grep -vE 'Started|Duration|logs|View'",
            "Name:\t\tp\nContext:\t.\nDockerfile:\tDockerfile\n\nBuild Steps:\t6/6 (0% cached)\n\nImage Resolve Mode:\tlocal\n\nBUILD ARG\tVALUE\nV\t\t1\n\nLABEL\tVALUE\nx\ty\n\n",
        ),
        (
            "docker buildx history inspect --format '{{.Status}} {{.Error.Message}}'",
            "error process \"/bin/sh -c echo no; exit 3\" did not complete successfully: exit code: 3\n",
        ),
        (
            "docker buildx history inspect ^1 --format json | grep -E 'Target\"|Dockerfile\"'",
            "  \"Dockerfile\": \"sub/prod.Dockerfile\",\n  \"Target\": \"a\",\n",
        ),
        (
            "docker buildx history logs 2>&1 >/dev/null | sed 's/ [0-9.]* no$/ T no/' | tail -3",
            "#5 [2/2] RUN echo no; exit 3\n#5 T no\n#5 ERROR: process \"/bin/sh -c echo no; exit 3\" did not complete successfully: exit code: 3\n",
        ),
        (
            "docker buildx history rm; docker buildx history rm $(docker buildx history ls --format '{{.Ref}}' | head -1); docker buildx history ls --format '{{.Name}}'",
            "ERROR: rm requires at least one argument\np/sub/prod.Dockerfile (a)\np\n",
        ),
        ("docker buildx history rm --all; docker buildx history logs", "ERROR: no records found\n"),
        (
            "docker buildx history open; docker build --builder x . ; BUILDX_BUILDER=y docker buildx du",
            "bundles of build records are not supported: there is no Docker Desktop that could show them\nERROR: no builder \"x\" found\nERROR: no builder \"y\" found\n",
        ),
    ] {
        let seen = shell(script);
        if seen != expected {
            wrong += &format!("{script}\n  seen {seen:?}\n  not  {expected:?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
