//! Builds from beginning to end, on the simulated machine.

use crate::sim::session::{Config, Session};

/// What a script of the simulated host prints, both streams together.
fn shell(script: &str) -> String {
    let session = Session::new(Config::default());
    let mut seen = Vec::new();
    session.script(&format!("{{ {script}\n}} 2>&1"), |bytes| seen.extend_from_slice(bytes));
    String::from_utf8_lossy(&seen).into_owned()
}

/// Builds a Dockerfile in a folder with a few files, then runs a command; what the last one prints.
fn built(dockerfile: &str, after: &str) -> String {
    shell(&format!(
        "mkdir ctx; cd ctx; mkdir src; echo one > src/one; echo two > src/two; echo k > keep.log; echo x > a.log\n\
         printf '*.log\\n!keep.log\\n' > .dockerignore; printf '{dockerfile}' > Dockerfile\n\
         docker build -q -t it . > /dev/null && {after}"
    ))
}

#[test]
fn what_instructions_leave() {
    for (dockerfile, after, expected) in [
        (
            "FROM busybox\\nCOPY . /all\\n",
            "docker run --rm it ls -A /all",
            ".dockerignore\nDockerfile\nkeep.log\nsrc\n",
        ),
        (
            "FROM busybox\\nCOPY src/one /x/y/z\\nCOPY src /d\\nCOPY src/* /e/\\n",
            "docker run --rm it cat /x/y/z /d/two /e/one",
            "one\ntwo\none\n",
        ),
        ("FROM busybox\\nCOPY src/one /bin\\n", "docker run --rm it cat /bin/one", "one\n"),
        ("FROM busybox\\nCOPY --parents src/one /p/\\n", "docker run --rm it cat /p/src/one", "one\n"),
        ("FROM busybox\\nCOPY --exclude=two src /p\\n", "docker run --rm it ls /p", "one\n"),
        ("FROM busybox\\nARG V=1\\nENV E=$V\\nRUN echo $V-$E > /v\\n", "docker run --rm it cat /v", "1-1\n"),
        ("FROM busybox\\nWORKDIR /a\\nWORKDIR b\\nRUN pwd > p\\n", "docker run --rm it cat /a/b/p", "/a/b\n"),
        ("FROM busybox\\nUSER nobody\\nRUN id -un > /tmp/w\\n", "docker run --rm it cat /tmp/w", "nobody\n"),
        (
            "FROM busybox\\nRUN rm /etc/passwd\\n",
            "docker run --rm it ls /etc/passwd",
            "ls: /etc/passwd: No such file or directory\n",
        ),
        (
            "FROM busybox AS a\\nRUN echo art > /art\\nFROM busybox AS unused\\nRUN exit 1\\nFROM busybox\\nCOPY --from=a /art /\\n",
            "docker run --rm it cat /art",
            "art\n",
        ),
        (
            "FROM busybox\\nCOPY --from=alpine /etc/alpine-release /r\\nRUN test -s /r && echo there > /s\\n",
            "docker run --rm it cat /s",
            "there\n",
        ),
        (
            "FROM busybox\\nRUN <<EOF\\necho 1 > /h\\necho 2 >> /h\\nEOF\\nCOPY <<EOF /i\\ninline\\nEOF\\n",
            "docker run --rm it cat /h /i",
            "1\n2\ninline\n",
        ),
        (
            "FROM scratch\\nCOPY keep.log /k\\n",
            "docker image inspect -f \"{{len .RootFS.Layers}} {{json .Config.Cmd}}\" it",
            "1 null\n",
        ),
        ("FROM busybox\\nRUN true\\n", "docker image inspect -f \"{{len .RootFS.Layers}}\" it", "2\n"),
        (
            "FROM busybox\\nRUN --mount=type=cache,target=/c echo a >> /c/f\\nRUN --mount=type=cache,target=/c cat /c/f > /f\\n",
            "docker run --rm it sh -c \"cat /f; ls -d /c\"",
            "a\nls: /c: No such file or directory\n",
        ),
        (
            "FROM busybox\\nRUN --mount=type=bind,source=src,target=/m cat /m/one > /f\\n",
            "docker run --rm it cat /f",
            "one\n",
        ),
        (
            "FROM busybox\\nENTRYPOINT [\"echo\",\"e\"]\\nCMD [\"c\"]\\n",
            "docker run --rm it; docker run --rm it d",
            "e c\ne d\n",
        ),
    ] {
        assert_eq!(built(dockerfile, after), expected, "{dockerfile}");
    }
}

#[test]
fn the_same_build_is_the_same_image() {
    let script = "mkdir c; cd c; printf 'FROM busybox\\nCOPY f /f\\nRUN date > /d\\nCMD [\"x\"]\\n' > Dockerfile; echo 1 > f\n\
                  docker build -q . > a; sleep 5; docker build -q . > b; cmp a b && echo same\n\
                  docker build -q --no-cache . > c; cmp -s a c || echo anew\n\
                  echo 2 > f; docker build -q . > d; cmp -s a d || echo changed\n\
                  touch f; echo 1 > f; docker build -q . > e; docker build . 2>&1 | grep -c CACHED";
    assert_eq!(shell(script), "same\nanew\nchanged\n2\n");
}

#[test]
fn progress_on_a_pipe() {
    let script = "mkdir c; cd c; printf 'FROM busybox AS base\\nRUN echo hi\\nFROM base\\nLABEL a=b\\n' > Dockerfile\n\
                  docker pull -q busybox > /dev/null; docker build -t x . 2>&1 | sed -E 's/[0-9a-f]{64}/ID/; s/[0-9]+B/NB/; s/[0-9]+\\.[0-9]+/T/'";
    assert_eq!(
        shell(script),
        "#0 building with \"default\" instance using docker driver\n\
         \n#1 [internal] load build definition from Dockerfile\n#1 transferring dockerfile: NB done\n#1 DONE Ts\n\
         \n#2 [internal] load metadata for docker.io/library/busybox:latest\n#2 DONE Ts\n\
         \n#3 [internal] load .dockerignore\n#3 transferring context: NB done\n#3 DONE Ts\n\
         \n#4 [base 1/2] FROM docker.io/library/busybox:latest\n#4 DONE Ts\n\
         \n#5 [base 2/2] RUN echo hi\n#5 T hi\n#5 DONE Ts\n\
         \n#6 exporting to image\n#6 exporting layers done\n#6 writing image sha256:ID done\n#6 naming to docker.io/library/x done\n#6 DONE Ts\n"
    );
}

#[test]
fn failures_leave_nothing() {
    let script = "docker pull -q busybox > /dev/null\n\
                  printf 'FROM busybox\\nRUN echo out; exit 3\\n' | docker build -q -; echo $?\n\
                  printf 'FROM busybox\\nCOPY x /\\n' | docker build -q - 2>&1 | grep -o '\"/x\": not found'\n\
                  printf 'FROM nosuch\\n' | docker build -q - 2>&1 | tail -1\n\
                  printf 'FROM busybox\\nADD x\\n' | docker build -q - 2>&1 | tail -1\n\
                  docker build -q nosuch; docker build -q -f no . ; docker images -aq | wc -l; docker ps -aq | wc -l; docker volume ls -q | wc -l";
    assert_eq!(
        shell(script),
        "Dockerfile:2\n--------------------\n   1 |     FROM busybox\n   2 | >>> RUN echo out; exit 3\n   3 |     \n--------------------\n\
         ERROR: failed to build: failed to solve: process \"/bin/sh -c echo out; exit 3\" did not complete successfully: exit code: 3\n1\n\
         \"/x\": not found\n\
         ERROR: failed to build: failed to solve: nosuch: failed to resolve source metadata for docker.io/library/nosuch:latest: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed\n\
         ERROR: failed to build: failed to solve: dockerfile parse error on line 2: ADD requires at least two arguments, but only one was provided. Destination could not be determined\n\
         ERROR: unable to prepare context: path \"nosuch\" not found\n\
         ERROR: failed to build: failed to solve: failed to read dockerfile: open no: no such file or directory\n\
         1\n0\n0\n"
    );
}

#[test]
fn independent_stages_are_built_at_once() {
    let script = "docker pull -q busybox > /dev/null; mkdir c; cd c\n\
                  printf 'FROM busybox AS a\\nRUN sleep 20\\nFROM busybox AS b\\nRUN sleep 30\\nFROM busybox\\nCOPY --from=a /etc/passwd /a\\nCOPY --from=b /etc/passwd /b\\n' > Dockerfile\n\
                  date +%s > before; docker build . 2>&1 | grep -E '^#[0-9]+ (\\[[ab]|DONE [23]|\\.)'; date +%s > after; expr $(cat after) - $(cat before)";
    assert_eq!(
        shell(script),
        "#4 [a 1/2] FROM docker.io/library/busybox:latest\n#5 [a 2/2] RUN sleep 20\n\
         #5 DONE 20.0s\n#6 [b 2/2] RUN sleep 30\n#6 ...\n#6 [b 2/2] RUN sleep 30\n#6 DONE 30.0s\n30\n"
    );
}

#[test]
fn a_failing_stage_stops_the_others() {
    let script = "docker pull -q busybox > /dev/null; mkdir c; cd c\n\
                  printf 'FROM busybox AS a\\nRUN echo a; sleep 900\\nRUN touch /never\\nFROM busybox AS b\\nRUN sleep 1; exit 4\\nFROM busybox\\nCOPY --from=a / /a\\nCOPY --from=b / /b\\n' > Dockerfile\n\
                  date +%s > before; docker build . > log 2>&1; echo $?; date +%s > after; expr $(cat after) - $(cat before)\n\
                  grep -E 'CANCELED|ERROR' log; ps | grep -c '[s]leep 900'; docker volume ls -q; docker ps -aq; docker images -aq | wc -l";
    assert_eq!(
        shell(script),
        "1\n1\n#6 ERROR: process \"/bin/sh -c sleep 1; exit 4\" did not complete successfully: exit code: 4\n#5 CANCELED\n\
         ERROR: failed to build: failed to solve: process \"/bin/sh -c sleep 1; exit 4\" did not complete successfully: exit code: 4\n0\n1\n"
    );
}

#[test]
fn an_interrupt_ends_what_runs() {
    let script = "docker pull -q busybox > /dev/null\n\
                  printf 'FROM busybox\\nRUN sleep 900\\n' | docker build - > log 2>&1 & sleep 2; kill -INT $!; wait $!; echo $?; tail -1 log; ps | grep -c '[s]leep 900'";
    assert_eq!(shell(script), "130\nERROR: failed to build: failed to solve: Canceled: context canceled\n0\n");
}

#[test]
fn progress_for_programs() {
    let script = "docker pull -q busybox > /dev/null; mkdir c; cd c; printf 'FROM busybox as a\\nRUN echo hi\\n' > Dockerfile\n\
                  docker build --progress=rawjson . 2>&1 | sed -E 's/sha256:[0-9a-f]{64}/D/g; s/\"20[^\"]*Z\"/T/g' | grep -E 'hi|echo|aGkK|warn'";
    assert_eq!(
        shell(script),
        "{\"warnings\":[{\"vertex\":\"D\",\"level\":1,\"short\":\"RnJvbUFzQ2FzaW5nOiAnYXMnIGFuZCAnRlJPTScga2V5d29yZHMnIGNhc2luZyBkbyBub3QgbWF0Y2ggKGxpbmUgMSk=\",\"detail\":[\"VGhlICdhcycga2V5d29yZCBzaG91bGQgbWF0Y2ggdGhlIGNhc2Ugb2YgdGhlICdmcm9tJyBrZXl3b3Jk\"],\"url\":\"https://docs.docker.com/go/dockerfile/rule/from-as-casing/\",\"range\":[{\"start\":{\"line\":1},\"end\":{\"line\":1}}]}]}\n\
         {\"vertexes\":[{\"digest\":\"D\",\"name\":\"[2/2] RUN echo hi\",\"started\":T}]}\n\
         {\"logs\":[{\"vertex\":\"D\",\"stream\":1,\"data\":\"aGkK\",\"timestamp\":T}]}\n\
         {\"vertexes\":[{\"digest\":\"D\",\"name\":\"[2/2] RUN echo hi\",\"started\":T,\"completed\":T}]}\n"
    );
}

#[test]
fn contexts_with_a_name_and_caches() {
    for (dockerfile, flags, expected) in [
        ("FROM base\\nRUN cat /etc/alpine-release > /f\\n", "--build-context base=docker-image://alpine", "3."),
        ("FROM busybox\\nCOPY --from=more x /f\\n", "--build-context more=other", "in other"),
        (
            "FROM busybox AS s\\nRUN exit 1\\nFROM busybox\\nCOPY --from=s x /f\\n",
            "--build-context s=other",
            "in other",
        ),
        (
            "FROM busybox\\nRUN --mount=from=more,target=/m cat /m/x > /f\\n",
            "--build-context more=./other/",
            "in other",
        ),
        ("FROM busybox\\nRUN --mount=type=cache,target=/c,uid=7,mode=0700 stat -c '%%u %%a' /c > /f\\n", "", "7 700"),
        (
            "FROM busybox\\nRUN --mount=type=cache,target=/c,from=alpine,source=/etc cat /c/alpine-release > /f\\n",
            "",
            "3.",
        ),
        ("FROM busybox\\nRUN echo \\$HTTP_PROXY > /f\\n", "--build-arg HTTP_PROXY=http://p", "http://p"),
        ("FROM busybox\\nRUN grep extra /etc/hosts > /f\\n", "--add-host extra=1.2.3.4", "1.2.3.4"),
    ] {
        let seen = shell(&format!(
            "mkdir ctx; cd ctx; mkdir other; echo in other > other/x; printf \"{dockerfile}\" > Dockerfile\n\
             docker build -q -t it {flags} . > /dev/null && docker run --rm it cat /f"
        ));
        assert!(seen.starts_with(expected) && seen.lines().count() == 1, "{dockerfile}: {seen}");
    }
}

#[test]
fn agents_and_repositories() {
    for (dockerfile, flags, expected) in [
        (
            "RUN --mount=type=ssh,required=true true",
            "",
            "failed to solve: no SSH key \"default\" forwarded from the client",
        ),
        ("RUN --mount=type=ssh test -z \\$SSH_AUTH_SOCK", "", ""),
        (
            "RUN true",
            "--ssh default",
            "failed to convert agent config {default [] false}: invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set",
        ),
        (
            "RUN true",
            "--ssh a=/no",
            "failed to convert agent config {a [/no] false}: failed to convert agent config for ID: \"a\": stat /no: no such file or directory",
        ),
        (
            "RUN true",
            "--ssh a=/etc/passwd",
            "failed to convert agent config {a [/etc/passwd] false}: failed to convert agent config for ID: \"a\": failed to parse /etc/passwd: ssh: no key found",
        ),
        (
            "ADD https://git.example/r.git#main /r",
            "",
            "failed to solve: failed to load cache key: failed to fetch remote https://git.example/r.git: git stderr:\nfatal: unable to access 'https://git.example/r.git/': Could not resolve host: git.example\n: exit status 128",
        ),
        ("ADD https://git.example/r.git?x=1 /r", "", "failed to solve: unexpected query \"x\""),
        ("RUN --mount=type=secret,id=s,required=true true", "", "failed to solve: secret s: not found"),
    ] {
        let seen = shell(&format!(
            "mkdir ctx; cd ctx; printf \"FROM busybox\\n{dockerfile}\\n\" > Dockerfile; docker pull -q busybox > /dev/null\n\
             docker build -q {flags} . > /dev/null"
        ));
        let told = seen.split_once("ERROR: failed to build: ").map_or("", |(_, told)| told);
        assert_eq!(told.trim_end(), expected, "{dockerfile}: {seen}");
    }
    let seen = shell("docker build git://git.example/r.git#main:sub; docker volume ls -q");
    assert!(seen.ends_with(
        "failed to read dockerfile: failed to load cache key: failed to fetch remote git://git.example/r.git: git stderr:\n\
         fatal: unable to look up git.example (port 9418) (Name or service not known)\n: exit status 128\n"
    ), "{seen}");
}

#[test]
fn what_is_refused() {
    for (lines, flags, expected) in [
        (
            "USER nosuch\\nRUN true",
            "",
            "process \"/bin/sh -c true\" did not complete successfully: unable to find user nosuch: no matching entries in passwd file",
        ),
        ("RUN [\\\"nosuch\\\"]", "", "process \"nosuch\" did not complete successfully: exit code: 1"),
        ("RUN --security=insecure true", "", "failed to load LLB: security.insecure is not allowed"),
        ("RUN --network=host true", "", "failed to load LLB: network.host is not allowed"),
        ("RUN --network=host true", "--allow network.host", ""),
        ("RUN --network=host true", "--network host", ""),
        ("COPY https://a/b /", "", "source can't be a URL for COPY"),
        ("COPY git@a:b /", "", "source can't be a git ref for COPY"),
        ("COPY --from=0 /a /b", "", "circular dependency detected on stage: stage-0"),
        (
            "FROM alpne",
            "",
            "alpne: failed to resolve source metadata for docker.io/library/alpne:latest: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed (did you mean alpine?)",
        ),
        ("FROM --platform=foo busybox", "", "failed to parse platform foo: "),
        (
            "FROM --platform=linux/s390x busybox",
            "--build-arg 'BUILDKIT_DOCKERFILE_CHECK=skip=FromPlatformFlagConstDisallowed;error=true'",
            "lint violation found for rules: InvalidBaseImagePlatform",
        ),
        ("FROM busybox AS tset", "--target test", "target stage \"test\" could not be found (did you mean tset?)"),
        ("RUN true", "--build-arg BUILDKIT_DOCKERFILE_CHECK=error=true", ""),
        (
            "CMD x",
            "--build-arg BUILDKIT_DOCKERFILE_CHECK=error=true",
            "lint violation found for rules: JSONArgsRecommended",
        ),
    ] {
        let seen = shell(&format!(
            "mkdir ctx; cd ctx; printf \"FROM busybox\\n{lines}\\n\" > Dockerfile; docker pull -q busybox > /dev/null\n\
             docker build -q {flags} . > /dev/null"
        ));
        let told = seen.split_once("ERROR: failed to build: failed to solve: ").map_or("", |(_, told)| told);
        assert!(told.trim_end().starts_with(expected) && told.is_empty() == expected.is_empty(), "{lines}: {seen}");
    }
}

#[test]
fn a_cache_is_exported_into_the_image_only() {
    let build = |to: &str| shell(&format!("echo FROM busybox | docker build -q --cache-to {to} - 2>&1 | head -1"));
    assert!(build("type=inline").starts_with("sha256:"));
    for to in ["type=local,dest=c", "type=registry,ref=a/b", "a/b"] {
        assert_eq!(build(to), "ERROR: failed to build: Cache export is not supported for the docker driver.\n", "{to}");
    }
}

#[test]
fn questions_instead_of_builds() {
    let script = "mkdir c; cd c; docker pull -q busybox > /dev/null\n\
                  printf '# V is the version\\nARG V=latest\\n# one is first\\nFROM busybox:${V} AS one\\nRUN --mount=type=secret,id=s,required=true x\\n# P is the port\\nARG P\\nFROM one\\nUSER $U\\n' > Dockerfile\n\
                  docker build --call=targets . 2> /dev/null; docker build --call=outline --build-arg P=80 --target one . 2> /dev/null; docker build --check --progress=plain . > o 2> e; echo $?; head -3 o; grep WARN e";
    assert_eq!(
        shell(script),
        "TARGET    DESCRIPTION\none       is first\n(default) \n\
         TARGET:      one\nDESCRIPTION: is first\n\nBUILD ARG   VALUE    DESCRIPTION\nV           latest   is the version\nP           80       is the port\n\n\
         SECRET   REQUIRED\ns        true\n\n1\nCheck complete, 1 warning has been found!\n\nWARNING: UndefinedVar - https://docs.docker.com/go/dockerfile/rule/undefined-var/\n"
    );
}

#[test]
fn stages_inherit_and_images_trigger() {
    let script = "mkdir c; cd c; echo z > z\n\
                  printf 'FROM busybox AS one\\nARG A=1\\nFROM one\\nRUN echo $A > /o\\n' > Dockerfile; docker build -q -t a . > /dev/null; docker run --rm a cat /o\n\
                  printf 'FROM busybox\\nONBUILD COPY --from=alpine /etc/alpine-release /r\\nONBUILD COPY z /z\\n' > Dockerfile; docker build -q -t b . > /dev/null\n\
                  printf 'FROM b\\nRUN cat /z; grep -c . /r > /n\\n' > Dockerfile; docker build -q -t c . > /dev/null; docker run --rm c cat /n /z\n\
                  ln -s z link; printf 'FROM busybox\\nCOPY link /d/\\n' > Dockerfile; docker build -q -t d . > /dev/null; docker run --rm d ls -F /d";
    assert_eq!(shell(script), "1\n1\nz\nlink\n");
}

#[test]
fn single_files_are_mounted() {
    let script = "mkdir c; cd c; echo sec > s; echo ctx > f; docker pull -q busybox > /dev/null\n\
                  printf 'FROM busybox AS one\\nRUN echo one > /o\\nFROM busybox\\n\
                  RUN --mount=type=secret,id=a --mount=type=secret,id=b,target=/etc/b (ls /run/secrets; cat /run/secrets/a /etc/b; test -e /etc/passwd && echo etc) > /1\\n\
                  RUN --mount=from=one,source=/o,target=/m/o --mount=source=f,target=/etc/f cat /m/o /etc/f > /2\\n\
                  RUN ls -d /etc/b /etc/f /m /run 2>&1 | wc -l > /3; ls /etc/b /etc/f /m /run > /dev/null 2>&1 || echo gone >> /3\\n' > Dockerfile\n\
                  docker build -q -t t --secret id=a,src=s --secret id=b,src=s . > /dev/null; docker run --rm t cat /1 /2 /3; docker volume ls -q";
    assert_eq!(shell(script), "a\nsec\nsec\netc\none\nctx\n4\ngone\n");
}

#[test]
fn outputs() {
    let script = "mkdir c; cd c; echo f > f; printf 'FROM scratch\\nCOPY f /\\n' > Dockerfile\n\
                  docker build -q -o type=docker,dest=d.tar -t t:1 . > /dev/null; docker build -q -o type=oci,dest=o.tar . > /dev/null; docker images -aq | wc -l\n\
                  docker load -q -i d.tar; tar tf o.tar | grep -c -E '^(index.json|oci-layout)$'\n\
                  docker build -q -o type=image,name=named:2 . > /dev/null; docker images --format '{{.Repository}}:{{.Tag}}' | sort\n\
                  docker build -q -o type=cacheonly . > /dev/null; docker build -o type=oci . 2>&1 | tail -1";
    assert_eq!(
        shell(script),
        "0\nLoaded image: t:1\n2\nnamed:2\nt:1\nERROR: failed to build: output file is required for oci exporter. refusing to write to console\n"
    );
}

#[test]
fn a_dockerfile_in_small_letters_serves() {
    let script = "mkdir c; cd c; echo 'FROM scratch' > dockerfile; echo 'CMD x' >> dockerfile; touch x\n\
                  for word in . '-f ./Dockerfile .' '-f dockerfile .' '-f dockerFile .'; do docker build $word 2>&1 | grep -o -E '(definition from|open).*' | head -2; done\n\
                  tar c dockerfile x | docker build -q - 2> /dev/null | cut -c1-7; DOCKER_BUILDKIT=0 docker build -q . 2> /dev/null | cut -c1-7\n\
                  echo 'FROM scratch' > Dockerfile; docker build . 2>&1 | grep -o 'definition from.*'";
    let found = "definition from dockerfile\n";
    assert_eq!(
        shell(script),
        format!(
            "{}definition from dockerFile\nopen dockerFile: no such file or directory\nsha256:\nsha256:\ndefinition from Dockerfile\n",
            found.repeat(6)
        )
    );
}

#[test]
fn the_builder_of_before_says_what_is_wrong() {
    let buildkit = "option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/ to learn how to build images with BuildKit enabled\n1\n";
    for (file, flags, expected) in [
        (
            "FROM busybox\\nARG A\\nRUN echo no; exit 3",
            "--build-arg A=1 --build-arg B=2",
            " ---> Running in ID\nno\nThe command '/bin/sh -c echo no; exit 3' returned a non-zero code: 3\n3\n".to_string(),
        ),
        (
            "FROM busybox\\nCOPY no /",
            "",
            "COPY failed: file not found in build context or excluded by .dockerignore: stat no: file does not exist\n1\n"
                .to_string(),
        ),
        ("FROM busybox\\nADD no* /", "", "ADD failed: no source files were specified\n1\n".to_string()),
        (
            "FROM busybox\\nCOPY f f /x",
            "",
            "When using COPY with more than one source file, the destination must be a directory and end with a /\n1\n"
                .to_string(),
        ),
        ("FROM busybox\\nRUN --mount=type=cache,target=/x true", "", format!("the --mount {buildkit}")),
        ("FROM busybox\\nCOPY --chmod=1 f /x", "", format!("the --chmod {buildkit}")),
        ("FROM scratch", "", " ---> \nNo image was generated. Is your Dockerfile empty?\n1\n".to_string()),
        ("", "", "Error response from daemon: the Dockerfile (Dockerfile) cannot be empty\n1\n".to_string()),
        (
            "FROM busybox",
            "--target z",
            "Error response from daemon: failed to reach build target z in Dockerfile\n1\n".to_string(),
        ),
        (
            "FROM no/such",
            "",
            "Step 1/1 : FROM no/such\npull access denied for no/such, repository does not exist or may require 'docker login': denied: requested access to the resource is denied\n1\n".to_string(),
        ),
        (
            "FROM scratch\\nARG A\\nCOPY f /",
            "--label l=v --build-arg A=1 --build-arg U=1 --build-arg no_proxy=x",
            "Step 4/4 : LABEL l=v\n ---> Running in ID\n ---> Removed intermediate container ID\n ---> ID\n[Warning] One or more build-args [U] were not consumed\nSuccessfully built ID\n0\n".to_string(),
        ),
    ] {
        let seen = shell(&format!(
            "mkdir c; cd c; echo f > f; docker pull -q busybox > /dev/null; printf '{file}' > Dockerfile\n\
             DOCKER_BUILDKIT=0 docker build {flags} . 2>&1 | sed -E 's/[0-9a-f]{{12}}/ID/'; DOCKER_BUILDKIT=0 docker build {flags} . > /dev/null 2>&1; echo $?"
        ));
        assert!(seen.ends_with(&expected), "{file}: {seen}");
    }
    let script = "export DOCKER_BUILDKIT=0; printf 'FROM busybox\\nARG A\\nWORKDIR /w\\nHEALTHCHECK CMD x\\nRUN echo $A\\n' > Dockerfile\n\
                  docker build -q --build-arg A=1 -t t --label 'l=it'\\''s $x' . > /dev/null 2>&1; docker history --no-trunc --format '{{.CreatedBy}}' t | head -4; docker inspect -f '{{.Config.Labels.l}}' t";
    assert_eq!(
        shell(script),
        "/bin/sh -c #(nop)  LABEL l=it's $x\n|1 A=1 /bin/sh -c echo $A\n\
         /bin/sh -c #(nop)  HEALTHCHECK {[\"CMD-SHELL\" \"x\"] \"0s\" \"0s\" \"0s\" \"0s\" '\\x00'}\n/bin/sh -c #(nop) WORKDIR /w\nit's $x\n"
    );
}

#[test]
fn the_cache_is_shown_as_it_is_asked_for() {
    let script = "docker pull -q busybox > /dev/null; printf 'FROM busybox\\nRUN echo hi > /f\\n' > Dockerfile; docker build -q . > /dev/null\n\
                  docker buildx du --format '{{.Type}} {{.Mutable}} {{.UsageCount}} {{.Description}}' --filter type=regular | grep RUN; docker buildx du --filter type=none | wc -l\n\
                  docker buildx du --verbose --format json; docker buildx du --verbose | grep -c -E '^(ID:           |Usage count:  1|Type:         regular|Total:\t\t)'\n\
                  docker builder du --format json | grep -c '\"Shared\":true,'; docker builder prune -af --verbose | grep -E '^(Type|Usage count|Reclaimable):' | sort -u";
    assert_eq!(
        shell(script),
        "regular false 1 RUN echo hi > /f\n1\nERROR: --format and --verbose cannot be used together\n9\n2\n\
         Reclaimable:\ttrue\nType:\t\tregular\nType:\t\tsource.local\nUsage count:\t1\n"
    );
}

#[test]
fn a_pattern_may_stand_for_nothing() {
    let seen = built("FROM busybox\\nCOPY nosuch* /d/\\nCOPY Dockerfile nosuc[h] /d/", "docker run --rm it ls /d");
    assert_eq!(seen, "Dockerfile\n");
}

#[test]
fn results_are_told_in_files() {
    let script = "mkdir c; cd c; echo f > f; ln -s f l; printf 'FROM busybox\\nCOPY f l /\\nRUN mkdir /h; echo a > /h/a; ln /h/a /h/b\\n' > Dockerfile; docker pull -q busybox > /dev/null\n\
                  for to in type=docker type=docker,dest=d.tar type=oci,dest=o.tar type=local,dest=out type=tar,dest=t.tar type=cacheonly; do\n\
                  echo $to; docker build -q -t t -o $to --metadata-file m . | cut -c1-7; sed -E 's/[0-9]{4}-.*Z|sha256:[0-9a-f]+|[0-9]{3,}|default.default.[a-z0-9]+/X/' m; echo; done\n\
                  docker build -q --iidfile i -o type=docker,dest=d.tar . > j; cut -c1-71 j | grep -c -f i; cut -c1-7 i; docker build -q --iidfile i -o type=cacheonly .; wc -c < i\n\
                  docker build --iidfile i -o out .; cat out/h/b; ls -F out | grep -c -E '^[fl]$'; docker build --iidfile no/i -q . 2>&1 | tail -1; docker build --metadata-file no/i -q . 2>&1 | tail -1\n\
                  echo FROM no/such | docker build -q --iidfile i - 2> /dev/null; ls i; docker build -q -o out .";
    let head = "{\n  \"buildx.build.ref\": \"X\"";
    let digest = "  \"containerimage.digest\": \"X\",\n  \"image.name\": \"docker.io/library/t:latest\"\n}\n";
    let image = format!("{head},\n  \"containerimage.config.digest\": \"X\",\n");
    let descriptor = "  \"containerimage.descriptor\": {\n    \"mediaType\": \"application/vnd.oci.image.manifest.v1+json\",\n    \"digest\": \"X\",\n    \"size\": X,\n    \"annotations\": {\n      \"org.opencontainers.image.created\": \"X\"\n    }\n  },\n";
    assert_eq!(
        shell(script),
        format!(
            "type=docker\nsha256:\n{image}{digest}type=docker,dest=d.tar\nsha256:\n{image}{descriptor}{digest}\
             type=oci,dest=o.tar\nsha256:\n{image}{descriptor}{digest}type=local,dest=out\n\n{head}\n}}\ntype=tar,dest=t.tar\n\n{head}\n}}\n\
             type=cacheonly\n\n{head}\n}}\n1\nsha256:\n\n0\n\
             ERROR: failed to build: local and tar exporters are incompatible with image ID file\na\n2\n\
             ERROR: failed to build: writing image ID file: open no/i: no such file or directory\n\
             ERROR: failed to build: open no/i: no such file or directory\nls: i: No such file or directory\n\n"
        )
    );
}

#[test]
fn checks_of_all_stages() {
    let script = "mkdir c; cd c; echo f > .dockerignore; touch f; docker pull -q busybox > /dev/null\n\
                  printf '# check=experimental=all\\n# no\\nARG A=1\\nFROM alpine AS one\\nEXPOSE 80:80\\nFROM busybox AS two\\nCOPY f /\\nCMD x\\n' > Dockerfile\n\
                  docker build --check . 2> e; echo $?; grep -c 'load metadata for' e; grep -c '^#.*WARN' e; docker images --format '{{.Repository}}'\n\
                  docker build --call=check,format=json --target one . 2> /dev/null | grep -E 'ruleName|buildError|filename'\n\
                  docker build --call=check,ignorestatus=true . > /dev/null 2>&1; echo $?; docker build --check -f /c/no . 2>&1 | tail -1";
    assert_eq!(
        shell(script),
        "Check complete, 4 warnings have been found!\n\n\
         WARNING: InvalidDefinitionDescription - https://docs.docker.com/go/dockerfile/rule/invalid-definition-description/\n\
         Comment for ARG should follow the format: `# A <description>`\n\
         Dockerfile:3\n--------------------\n   1 |     # check=experimental=all\n   2 |     # no\n   3 | >>> ARG A=1\n   4 |     FROM alpine AS one\n   5 |     EXPOSE 80:80\n--------------------\n\n\
         WARNING: ExposeInvalidFormat - https://docs.docker.com/go/dockerfile/rule/expose-invalid-format/\n\
         EXPOSE instruction should not define an IP address or host-port mapping, found '80:80'\n\
         Dockerfile:5\n--------------------\n   3 |     ARG A=1\n   4 |     FROM alpine AS one\n   5 | >>> EXPOSE 80:80\n   6 |     FROM busybox AS two\n   7 |     COPY f /\n--------------------\n\n\
         WARNING: CopyIgnoredFile - https://docs.docker.com/go/dockerfile/rule/copy-ignored-file/\n\
         Attempting to Copy file \"f\" that is excluded by .dockerignore\n\
         Dockerfile:7\n--------------------\n   5 |     EXPOSE 80:80\n   6 |     FROM busybox AS two\n   7 | >>> COPY f /\n   8 |     CMD x\n   9 |     \n--------------------\n\n\
         WARNING: JSONArgsRecommended - https://docs.docker.com/go/dockerfile/rule/json-args-recommended/\n\
         JSON arguments recommended for CMD to prevent unintended behavior related to OS signals\n\
         Dockerfile:8\n--------------------\n   6 |     FROM busybox AS two\n   7 |     COPY f /\n   8 | >>> CMD x\n   9 |     \n--------------------\n\
         1\n2\n0\nbusybox\n\
         \u{20}     \"ruleName\": \"InvalidDefinitionDescription\",\n\u{20}     \"ruleName\": \"ExposeInvalidFormat\",\n\u{20}     \"filename\": \"Dockerfile\",\n\
         0\nERROR: failed to build: failed to solve: failed to read dockerfile: open no: no such file or directory\n"
    );
}

#[test]
fn what_is_wrong_is_told_before_anything_is_done() {
    let script = "mkdir c; cd c; docker pull -q busybox > /dev/null\n\
                  printf 'FROM busybox\\nMAINTAINER me\\nRUN echo done\\nRUN --mount=type=cache,target=/c,uid=x true\\n' > Dockerfile\n\
                  docker build . 2> e; echo $?; grep -c '^#.*done$' e; tail -11 e; docker build --check . 2> /dev/null | head -1; docker build --check . 2>&1 > /dev/null | tail -9";
    let excerpt = "--------------------\n   2 |     MAINTAINER me\n   3 |     RUN echo done\n   4 | >>> RUN --mount=type=cache,target=/c,uid=x true\n   5 |     \n--------------------\n";
    let seen = shell(script);
    assert!(
        seen.contains(&format!(
            "\n\n 1 warning found (use docker --debug to expand):\n - MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label (line 2)\nDockerfile:4\n{excerpt}\
             ERROR: failed to build: failed to solve: invalid value x for uid\nCheck complete, 1 warning has been found!\n"
        )),
        "{seen}"
    );
    assert!(seen.starts_with("1\n2\n\n 1 warning"), "{seen}");
    assert!(seen.ends_with(&format!("ERROR: invalid value x for uid\nDockerfile:4\n{excerpt}\n")), "{seen}");
}

#[test]
fn caches_are_for_one_at_a_time_across_builds() {
    let build = |sharing: &str| {
        shell(&format!(
            "docker pull -q busybox > /dev/null\n\
             printf 'FROM busybox\\nARG N\\nENV C=/c\\nRUN --mount=type=cache,target=$C,sharing={sharing} echo in $N >> /c/log; sleep 5; echo out $N >> /c/log; cat /c/log > /log\\n' > Dockerfile\n\
             date +%s > before; docker build -q --build-arg N=1 -t one - < Dockerfile > /dev/null & sleep 1\n\
             docker build -q --build-arg N=2 -t two - < Dockerfile > /dev/null; wait; date +%s > after; expr $(cat after) - $(cat before)\n\
             docker run --rm two cat /log"
        ))
    };
    assert_eq!(build("locked"), "10\nin 1\nout 1\nin 2\nout 2\n");
    assert_eq!(build("shared"), "6\nin 1\nin 2\nout 1\nout 2\n");
    assert_eq!(build("private"), "6\nin 2\nout 2\n");
}

#[test]
fn bases_are_pulled_where_they_are_stood_upon() {
    let script = "mkdir c; cd c; printf 'FROM alpine AS one\\nRUN true\\nFROM alpine\\nCOPY --from=busybox /etc/passwd /p\\n' > Dockerfile\n\
                  docker build -t t . 2>&1 | sed -E 's/sha256:[0-9a-f]{64}/D/g; s/[0-9.]+[kM]?B/N/g; s/ [0-9.]+s( done)?$/ T\\1/' | grep -E '^#[0-9]+ (.*FROM|D |resolve|extracting|.*metadata)' | grep -v DONE | sort -u\n\
                  docker images --format '{{.Repository}}'; docker build . 2>&1 | grep -c -E 'CACHED|extracting'\n\
                  docker rmi -f t > /dev/null; docker builder prune -af > /dev/null; docker build --progress=rawjson . 2>&1 | grep -c '\"total\"'; docker images -q | wc -l";
    assert_eq!(
        shell(script),
        "#2 [internal] load metadata for docker.io/library/alpine:latest\n\
         #3 [internal] load metadata for docker.io/library/busybox:latest\n\
         #5 D N / N done\n#5 [stage-1 1/2] FROM docker.io/library/alpine:latest@D\n\
         #5 extracting D done\n#5 resolve docker.io/library/alpine:latest@D done\n\
         #6 D N / N done\n#6 FROM docker.io/library/busybox:latest@D\n\
         #6 extracting D done\n#6 resolve docker.io/library/busybox:latest@D done\n\
         t\n1\n12\n1\n"
    );
}

#[test]
fn a_here_document_with_an_interpreter_is_a_file() {
    for (dockerfile, expected) in [
        ("RUN <<EOF\\n#!/bin/sh -e\\necho \"$0\" > /f\\nEOF", "/dev/pipes/EOF\n"),
        ("RUN <<-EOF\\n\\techo plain > /f\\nEOF", "plain\n"),
        ("RUN cat <<EOF > /f && echo more >> /f\\nto cat\\nEOF", "to cat\nmore\n"),
    ] {
        assert_eq!(
            built(&format!("FROM busybox\\n{dockerfile}"), "docker run --rm it cat /f"),
            expected,
            "{dockerfile}"
        );
    }
}
