//! Files as texts, and the projects or the words that come of them.

use super::*;
use crate::compose::yaml;

/// Loads files given as texts; the first is the one that is asked for.
fn loaded(files: &[(&str, &str)], count: usize, profiles: &[&str]) -> Result<Project, String> {
    let mut contents = Contents::new();
    for (path, text) in files {
        contents.insert((*path).to_string(), Some(text.as_bytes().to_vec()));
    }
    loop {
        let asked = files[..count].iter().map(|(path, _)| (*path).to_string()).collect();
        let env = |name: &str| (name == "HOME").then(|| "/root".to_string());
        let request = Request {
            profiles: profiles.iter().map(|p| (*p).to_string()).collect(),
            ..Request::whole(asked, "/p", &env, &contents)
        };
        match load(&request) {
            Ok(project) => return Ok(project),
            Err(LoadError::Needs(path)) => drop(contents.insert(path, None)),
            Err(LoadError::Invalid(text)) => return Err(text),
        }
    }
}

#[test]
fn later_files_win() {
    let project = loaded(
        &[
            ("/p/a.yaml", "services: {a: {image: x, command: one, ports: ['80:80'], environment: [A=1, B=1], volumes: ['./x:/v']}}"),
            ("/p/b.yaml", "services: {a: {command: two, ports: ['81:81'], environment: {B: y}, volumes: ['~/y:/v']}}"),
        ],
        2,
        &[],
    )
    .expect("loads");
    let text = yaml(&project);
    for part in ["- two", "published: \"80\"", "published: \"81\"", "A: \"1\"", "B: \"y\"", "source: /root/y"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(!text.contains("- one") && !text.contains("/p/x"), "{text}");
}

#[test]
fn extends_includes_and_profiles() {
    let files = [
        (
            "/p/a.yaml",
            "include: [sub/inc.yaml]\nservices:\n  a: {extends: {file: sub/base.yaml, service: b}, command: $X}\n  \
             t: {image: x, profiles: [tools]}\n",
        ),
        ("/p/sub/base.yaml", "services: {b: {image: base, volumes: ['./d:/d'], environment: {K: v}}}"),
        ("/p/sub/inc.yaml", "services: {i: {image: inc, env_file: e.env}}"),
        ("/p/sub/e.env", "E='one two'"),
        ("/p/.env", "X=from dotenv"),
    ];
    let project = loaded(&files, 1, &[]).expect("loads");
    assert_eq!(project.services.keys().map(String::as_str).collect::<Vec<_>>(), ["a", "i"]);
    assert_eq!(project.disabled.len(), 1);
    assert_eq!(project.services["a"]["volumes"][0]["source"], "/p/sub/d");
    assert_eq!(project.services["a"]["command"][0], "from");
    assert_eq!(project.services["i"]["environment"]["E"], "one two");
    assert_eq!(loaded(&files, 1, &["tools"]).expect("loads").services.len(), 3);
}

#[test]
fn faults_are_worded_as_compose_words_them() {
    for (text, error) in [
        (
            "services: {a: {image: x, depends_on: [b]}}",
            "service \"a\" depends on undefined service \"b\": invalid compose project",
        ),
        (
            "services: {a: {image: x, networks: [n]}}",
            "service \"a\" refers to undefined network n: invalid compose project",
        ),
        (
            "services: {a: {image: x, volumes: ['v:/v']}}",
            "service \"a\" refers to undefined volume v: invalid compose project",
        ),
        (
            "services: {a: {command: x}}",
            "service \"a\" has neither an image nor a build context specified: invalid compose project",
        ),
        (
            "services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}",
            "dependency cycle detected: a -> b -> a",
        ),
        (
            "services: {a: {image: '${'}}",
            "invalid interpolation format for services.a.image.\nYou may need to escape any $ with another $.\n${",
        ),
        (
            "services: {a: {image: x, env_file: no.env}}",
            "env file /p/no.env not found: stat /p/no.env: no such file or directory",
        ),
        (
            "name: Bad\nservices: {a: {image: x}}",
            "invalid project name \"Bad\": must consist only of lowercase alphanumeric characters, hyphens, and underscores as well as start with a letter or number",
        ),
        (
            "services:\n  a:\n    image: x\n    image: y\n",
            "failed to parse /p/a.yaml: line 4: mapping key \"image\" already defined at line 3",
        ),
        ("include: [a.yaml]", "include cycle detected:\n/p/a.yaml\n include /p/a.yaml"),
    ] {
        assert_eq!(loaded(&[("/p/a.yaml", text)], 1, &[]).err().as_deref(), Some(error), "{text}");
    }
}
