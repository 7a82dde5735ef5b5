//! Bakes from beginning to end, on the simulated machine.

use crate::sim::session::{Config, Session};

const FILES: &str = r#"mkdir -p p/web p/api; cd p
cat > docker-bake.hcl <<'X'
variable "TAG" {
  default = "latest"
  description = "the tag"
}
group "default" {
  targets = ["web", "api"]
}
target "web" {
  context = "web"
  args = { GREETING = "hi" }
  tags = ["me/web:${TAG}"]
  contexts = { api = "target:api" }
}
target "api" {
  context = "./api"
  dockerfile-inline = <<EOT
FROM busybox
RUN echo api > /api && true
EOT
  tags = ["me/api:${TAG}"]
}
X
printf 'FROM busybox\nARG GREETING\nCOPY --from=api /api /api\nRUN echo $GREETING > /w\n' > web/Dockerfile
"#;

/// What a script prints after the files are there, both streams together.
fn shell(script: &str) -> String {
    let session = Session::new(Config::default());
    let mut seen = Vec::new();
    session.script(&format!("{{ {FILES}{script}\n}} 2>&1"), |bytes| seen.extend_from_slice(bytes));
    String::from_utf8_lossy(&seen).into_owned()
}

const READ: &str =
    "#1 [internal] load local bake definitions\n#1 reading docker-bake.hcl 377B / 377B done\n#1 DONE 0.0s\n";
const HEAD: &str = "#0 building with \"default\" instance using docker driver\n\n";

#[test]
fn targets_are_built_after_those_they_need() {
    let built = shell(
        "TAG=v2 docker bake > log 2>&1; docker run --rm me/web:v2 cat /api /w; docker images --format '{{.Repository}}:{{.Tag}}' | sort; grep -c 'web internal' log; grep -c '^ERROR' log",
    );
    assert_eq!(built, "api\nhi\nme/api:v2\nme/web:v2\n3\n0\n", "{}", shell("docker bake"));
    // What is there only for another is not kept.
    let linked = shell(
        "docker buildx bake -q web 2>/dev/null; docker buildx bake web >/dev/null 2>&1; docker images -q --filter dangling=true; docker images --format '{{.Repository}}' | grep me",
    );
    assert_eq!(linked, "me/web\n");
}

#[test]
fn what_is_told() {
    for (script, expected) in [
        ("rm docker-bake.hcl; docker buildx bake; echo $?", format!("{HEAD}#1 [internal] load local bake definitions\n#1 DONE 0.0s\nERROR: couldn't find a bake definition\n1\n")),
        ("docker buildx bake nope; echo $?", format!("{HEAD}{READ}ERROR: failed to find target nope\n1\n")),
        ("docker buildx bake --list=targets", format!("{READ}TARGET\tDESCRIPTION\napi\t\ndefault\tapi, web\nweb\t\n")),
        ("docker buildx bake --list=variables 2>/dev/null", "VARIABLE\tTYPE\tVALUE\tDESCRIPTION\nTAG\t\t\tlatest\tthe tag\n".into()),
        ("docker buildx bake --list=x 2>/dev/null; docker buildx bake --list=x --print; echo $?", "ERROR: --print and --list are mutually exclusive\n1\n".into()),
        ("docker buildx bake --print api 2>/dev/null | head -4", "{\n  \"group\": {\n    \"default\": {\n      \"targets\": [\n".into()),
        ("docker buildx bake --print api 2>/dev/null | grep inline", "      \"dockerfile-inline\": \"FROM busybox\\nRUN echo api \\u003e /api \\u0026\\u0026 true\\n\",\n".into()),
        ("printf 'target \"t\" {\\n  tags = [X]\\n}' > b.hcl; docker buildx bake -f b.hcl t 2>&1 | tail -6", "--------------------\n   1 |     target \"t\" {\n   2 | >>>   tags = [X]\n   3 |     }\n--------------------\nERROR: b.hcl:2,11-12: Unknown variable; There is no variable named \"X\".\n".into()),
        ("docker buildx bake api --set api.context=.. --allow network.host 2>&1 | sed -n '6,10p'", "Your build is requesting privileges for following possibly insecure capabilities:\n\n - Read access to path ..\n\nPass \"--allow=fs.read=..\" to grant requested privileges.\n".into()),
        ("docker buildx bake api --metadata-file m --progress=quiet; sed -E 's/(sha256:|default.default).*\"/X\"/' m", "{\n  \"api\": {\n    \"buildx.build.ref\": \"X\",\n    \"containerimage.config.digest\": \"X\",\n    \"containerimage.digest\": \"X\",\n    \"image.name\": \"docker.io/me/api:latest\"\n  }\n}".into()),
        ("printf 'FROM busybox\\nRUN exit 3\\n' > web/Dockerfile; docker bake >log 2>&1; echo $?; tail -1 log; docker bake --set 'web.contexts.api=' web 2>&1 | tail -1", "1\nERROR: target web: failed to solve: process \"/bin/sh -c exit 3\" did not complete successfully: exit code: 3\nERROR: failed to solve: process \"/bin/sh -c exit 3\" did not complete successfully: exit code: 3\n".into()),
        ("docker bake --check 2>/dev/null; echo $?", "api\n\nCheck complete, no warnings found.\n\nweb\n\nCheck complete, no warnings found.\n0\n".into()),
        ("printf 'services:\\n  a:\\n    build: ./api\\n    image: me/a\\n' > compose.yaml; docker bake --print a 2>/dev/null | tail -9", "    \"a\": {\n      \"context\": \"api\",\n      \"dockerfile\": \"Dockerfile\",\n      \"tags\": [\n        \"me/a\"\n      ]\n    }\n  }\n}\n".into()),
    ] {
        assert_eq!(shell(script), expected, "{script}");
    }
}
