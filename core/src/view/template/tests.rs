//! Templates, what they print, and how they fail: Docker's own answers where it was asked.

use super::{Shape, Template, Zero};
use serde_json::{Value, json};

fn sample() -> Value {
    json!({
        "Id": "0123abcd",
        "Name": "/tt",
        "Path": "sleep",
        "Args": ["300"],
        "Html": "a<b>&'c'",
        "Config": {
            "Hostname": "thost",
            "Env": ["A=1", "PATH=/bin"],
            "Cmd": ["sleep", "300"],
            "Entrypoint": null,
            "Image": "busybox",
            "Labels": {"k": "v", "a.b": "w"}
        },
        "State": {"Running": true, "ExitCode": 0, "Status": "running", "Ratio": 0.5},
        "Ports": {"91/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}], "90/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9090"}]},
        "Empty": [],
        "None": null
    })
}

const STRICT: Shape = Shape {
    type_name: None,
    inner: &[],
    optional: &[("Health", Zero::Pointer), ("Entrypoint", Zero::Slice)],
    strict: true,
    heading: false,
    wire: false,
};

fn run(source: &str, shape: &Shape) -> Result<String, String> {
    Template::parse(source).and_then(|t| t.execute(&sample(), shape)).map_err(|e| e.0)
}

#[test]
fn what_is_printed() {
    for (source, expected) in [
        ("", ""),
        ("plain", "plain"),
        ("{{.Name}} {{.Config.Hostname}}", "/tt thost"),
        ("{{json .Config.Env}}", "[\"A=1\",\"PATH=/bin\"]"),
        ("{{json .Html}}", "\"a<b>&'c'\""),
        ("{{json .Nothing.Here | len}}", "!"),
        ("{{range .Config.Env}}{{println .}}{{end}}", "A=1\nPATH=/bin\n"),
        ("{{index .Config.Labels \"k\"}}", "v"),
        ("{{index .Config.Labels \"nope\"}}|", "|"),
        ("{{with index .Ports \"90/tcp\"}}{{(index . 0).HostIp}}:{{(index . 0).HostPort}}{{end}}", "127.0.0.1:9090"),
        ("{{(index (index .Ports \"90/tcp\") 0).HostPort}}", "9090"),
        ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
        ("{{if not .State.Running}}down{{else if eq .Path \"sleep\"}}sleeps{{else}}x{{end}}", "sleeps"),
        ("{{if false}}a{{else if false}}b{{else}}c{{end}}d", "cd"),
        ("{{len .Config.Env}} {{len .Name}} {{len .Config.Labels}}", "2 3 2"),
        ("{{join .Config.Cmd \",\"}}", "sleep,300"),
        ("{{upper .Name}} {{lower \"ABC\"}} {{title \"abc def\"}}", "/TT abc Abc Def"),
        ("{{split .Config.Image \"s\"}}", "[bu ybox]"),
        ("{{printf \"%s-%d\" .Config.Hostname .State.ExitCode}}", "thost-0"),
        ("{{truncate .Config.Image 4}} {{pad \"x\" 1 2}}|", "busy  x  |"),
        ("{{eq .State.Status \"running\"}} {{and true false}} {{or false true}} {{not true}}", "true false true false"),
        ("{{range $p, $b := .Ports}}{{$p}};{{end}}", "90/tcp;91/tcp;"),
        ("{{range $i, $e := .Config.Cmd}}{{if $i}}, {{end}}{{$i}}={{$e}}{{end}}", "0=sleep, 1=300"),
        ("{{range .Empty}}x{{else}}none{{end}}", "none"),
        ("{{range .Config.Cmd}}{{if eq . \"300\"}}{{break}}{{end}}{{.}}{{end}}", "sleep"),
        ("{{range .Config.Cmd}}{{if eq . \"sleep\"}}{{continue}}{{end}}{{.}}{{end}}", "300"),
        ("{{range 3}}{{.}}{{end}}", "012"),
        ("{{.Config.Labels}}", "map[a.b:w k:v]"),
        ("{{.Config.Cmd}}", "[sleep 300]"),
        ("{{.Config.Entrypoint}}", "[]"),
        ("{{index .Ports \"90/tcp\"}}", "[{127.0.0.1 9090}]"),
        ("{{.None}}", "<no value>"),
        ("{{.State.Ratio}} {{.State.ExitCode}}", "0.5 0"),
        ("{{.ID}}", "0123abcd"),
        ("{{if .Health}}{{.Health.Status}}{{else}}none{{end}}", "none"),
        ("{{.Health}}", "<nil>"),
        ("{{$x := .Name}}{{with .Config}}{{$x}} {{$.Path}} {{.Hostname}}{{end}}", "/tt sleep thost"),
        ("{{$x := 1}}{{range .Config.Cmd}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("a {{- 1 -}} b", "a1b"),
        ("a{{/* note */}}b {{- /* note */ -}} c", "abc"),
        ("{{\"quoted\\t\\\"x\\\"\"}}{{`raw\\n`}}", "quoted\t\"x\"raw\\n"),
        ("{{.Name | upper | printf \"%q\"}}", "\"/TT\""),
        ("{{printf \"%5d|%-5s|%05d|%x|%v|%.2f|%%\" 42 \"ab\" 7 255 true 1.5}}", "   42|ab   |00007|ff|true|1.50|%"),
        ("{{printf \"%s\" 5}} {{printf \"%d\" \"a\"}} {{printf \"%d\"}}", "%!s(int=5) %!d(string=a) %!d(MISSING)"),
        ("{{printf \"a\" 1}}", "a%!(EXTRA int=1)"),
        ("{{slice .Config.Image 1 3}} {{slice .Config.Cmd 1}}", "us [300]"),
        ("{{print 1 2 \"a\" \"b\" 3}}", "1 2ab3"),
        ("{{html .Html}} {{urlquery \"a b&c\"}}", "a&lt;b&gt;&amp;&#39;c&#39; a+b%26c"),
        ("{{lt 1 2}} {{ge 2 2}} {{ne \"a\" \"b\"}} {{eq 3 1 2 3}}", "true true true true"),
        ("{{or .None .Path}} {{and .Path .Name}}", "sleep /tt"),
        ("{{define \"t\"}}<{{.}}>{{end}}{{template \"t\" .Path}}{{block \"u\" .Name}}[{{.}}]{{end}}", "<sleep>[/tt]"),
        ("{{with .None}}x{{else}}y{{end}}", "y"),
        ("{{1.5}} {{0x10}} {{'a'}} {{-3}}", "1.5 16 97 -3"),
    ] {
        if expected == "!" {
            assert!(run(source, &STRICT).is_err(), "{source}");
            continue;
        }
        assert_eq!(run(source, &STRICT), Ok(expected.to_string()), "{source}");
    }
}

#[test]
fn how_it_fails() {
    for (source, expected) in [
        ("{{", "template: :1: unclosed action"),
        ("a\n{{.Name", "template: :2: unclosed action"),
        ("{{.Name}", "template: :1: bad character U+007D '}'"),
        ("{{end}}", "template: :1: unexpected {{end}}"),
        ("{{if .Name}}x", "template: :1: unexpected EOF"),
        ("{{if}}x{{end}}", "template: :1: missing value for if"),
        ("{{}}", "template: :1: missing value for command"),
        ("{{nope .Name}}", "template: :1: function \"nope\" not defined"),
        ("{{$x}}", "template: :1: undefined variable \"$x\""),
        ("{{(len .Name}}", "template: :1: unclosed left paren"),
        ("{{\"abc}}", "template: :1: unterminated quoted string"),
        ("{{break}}", "template: :1: {{break}} outside {{range}}"),
        ("{{.Nope}}", "template: :1:2: executing \"\" at <.Nope>: map has no entry for key \"Nope\""),
        (
            "{{.State.Nope.Deeper}}",
            "template: :1:8: executing \"\" at <.State.Nope.Deeper>: map has no entry for key \"Nope\"",
        ),
        (
            "{{.Name.Sub}}",
            "template: :1:7: executing \"\" at <.Name.Sub>: can't evaluate field Sub in type interface {}",
        ),
        (
            "{{index .Config.Env 9}}",
            "template: :1:2: executing \"\" at <index .Config.Env 9>: error calling index: index out of range: 9",
        ),
        (
            "{{eq 1 \"a\"}}",
            "template: :1:2: executing \"\" at <eq 1 \"a\">: error calling eq: incompatible types for comparison",
        ),
        (
            "{{range .State.Running}}{{end}}",
            "template: :1:8: executing \"\" at <.State.Running>: range can't iterate over true",
        ),
        ("{{template \"x\"}}", "template: :1:11: executing \"\" at <{{template \"x\"}}>: template \"x\" not defined"),
    ] {
        assert_eq!(run(source, &STRICT), Err(expected.to_string()), "{source}");
    }
}

/// `go.txt` is a value, and templates with what Go makes of them: their output, or after `!` their error. Recorded
/// from Go's text/template with Docker's functions, over the value as a struct and, where that fails, as a map, which is
/// how `inspect` does it; and from Docker's own client where Go's newer version differs.
#[test]
fn as_go_does_it() {
    let mut lines = include_str!("go.txt").lines();
    let value: Value = serde_json::from_str(lines.next().expect("a value")).expect("JSON");
    let shape = Shape {
        type_name: None,
        inner: &[],
        optional: &[
            ("Entrypoint", Zero::Slice),
            ("Health", Zero::Pointer),
            ("Labels", Zero::Map),
            ("Ports", Zero::Map),
            ("Size", Zero::Pointer),
        ],
        strict: true,
        heading: false,
        wire: false,
    };
    let mut wrong = Vec::new();
    for line in lines {
        let (source, expected) = line.split_once('\t').expect("two columns");
        let [source, expected] = [source, expected].map(|t| serde_json::from_str::<String>(t).expect("JSON"));
        let found = Template::parse(&source).and_then(|t| t.execute(&value, &shape));
        let found = found.unwrap_or_else(|error| format!("!{}", error.0));
        if found != expected {
            wrong.push(format!("{source:?}\n  Go: {expected:?}\n  we: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rows_have_a_type() {
    let shape = Shape { type_name: Some("*formatter.ContainerContext"), ..Shape::default() };
    let row = json!({"Names": "web", "Labels": "tier=db", "@labels": {"tier": "db"}});
    let run = |source: &str| Template::parse(source).and_then(|t| t.execute(&row, &shape)).map_err(|e| e.0);
    assert_eq!(run("{{.Names}} {{.Label \"tier\"}}{{.Label \"none\"}}"), Ok("web db".into()));
    assert_eq!(run("{{json .}}"), Ok("{\"Labels\":\"tier=db\",\"Names\":\"web\"}".into()));
    for (argument, found) in [("1", "1"), ("true", "true")] {
        let what = format!("template: :1:9: executing \"\" at <{argument}>: expected string; found {found}");
        assert_eq!(run(&format!("{{{{.Label {argument}}}}}")), Err(what));
    }
    assert_eq!(
        run("{{.Nope}}"),
        Err("template: :1:2: executing \"\" at <.Nope>: can't evaluate field Nope in type *formatter.ContainerContext"
            .into())
    );
}

#[test]
fn nothing_runs_for_ever() {
    for source in [
        "{{range 100000}}{{range 100000}}x{{end}}{{end}}".to_string(),
        "{{define \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}".to_string(),
        "{{(".repeat(5000),
        format!("{{{{{}", "(".repeat(5000)),
        "{{if 1}}".repeat(5000),
        "{{if 1}}{{else if 1}}".repeat(500),
        "{{printf \"%99999999d\" 1}}{{pad \"x\" 999999999 1}}{{end}}".to_string(),
    ] {
        assert!(run(&source, &STRICT).is_err(), "{}", &source[..20]);
    }
}
