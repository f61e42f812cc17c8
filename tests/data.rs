//! The data module over its built-in corpus and over small files written here.

use flate2::{Compression, write::GzEncoder};
use nashguard::data::{
    Benchmark, BenchmarkRows, Category, DataDir, Label, Language, Row, embedded, read_seed_file,
};
use nashguard::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use tempfile::{TempDir, tempdir};

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn write(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) -> std::path::PathBuf {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    path
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, parts: &[&str]) {
    let message = result.unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in `{message}`");
    }
    assert!(!message.contains('\n'), "{message}");
}

// The embedded corpus.

#[test]
fn corpus_is_large_distinct_and_clean() {
    let seeds = embedded().unwrap();
    let rows = || seeds.train.iter().chain(&seeds.validation);
    let texts: BTreeSet<&str> = rows().map(|r| r.text.as_str()).collect();
    assert!(texts.len() >= 1500, "{}", texts.len());
    assert_eq!(texts.len(), rows().count(), "a text occurs twice, perhaps in both splits");
    for row in rows() {
        let text = &row.text;
        assert_eq!(text.trim(), text);
        assert!(!text.is_empty() && !text.contains(['{', '}', '\n']), "{text}");
        assert!(!text.contains("  ") && !text.contains("http"), "{text}");
        assert!(text.len() < 400, "{text}");
    }
}

#[test]
fn corpus_covers_every_language_and_category_in_both_splits() {
    let seeds = embedded().unwrap();
    for rows in [&seeds.train, &seeds.validation] {
        for language in Language::ALL {
            let here: Vec<&Row> = rows.iter().filter(|r| r.language == language).collect();
            for category in Category::ALL {
                let count = here.iter().filter(|r| r.categories.contains(&category)).count();
                assert!(count >= 8, "{language:?} {category:?}: {count}");
            }
            let unknown =
                here.iter().filter(|r| r.label == Label::Unsafe && r.categories.is_empty()).count();
            assert!(unknown >= 5, "{language:?}: {unknown}");
            let harmful = here.iter().filter(|r| r.label == Label::Unsafe).count() as f64;
            let share = harmful / here.len() as f64;
            assert!((0.4..=0.6).contains(&share), "{language:?}: {share}");
        }
    }
}

#[test]
fn corpus_languages_are_balanced() {
    let mut counts = BTreeMap::new();
    for row in embedded().unwrap().train {
        *counts.entry(row.language).or_insert(0) += 1;
    }
    let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
    assert!(most * 10 <= least * 11, "{counts:?}");
}

#[test]
fn corpus_is_the_same_every_time() {
    let (a, b) = (embedded().unwrap(), embedded().unwrap());
    assert_eq!((a.train, a.validation), (b.train, b.validation));
}

// Seed files.

const SEEDS: &str = concat!(
    r#"{"id": "a", "text": "Bonjour !", "lang": "fr", "unsafe": false, "categories": [], "n": 1}"#,
    "\n\n",
    r#"{"text": "x", "lang": "de", "unsafe": true, "categories": ["hate", "self_harm"]}"#,
    "\r\n",
    r#"{"text": "y", "lang": "es", "unsafe": true, "categories": []}"#,
);

#[test]
fn seed_files_are_read_plain_and_compressed() {
    let folder = tempdir().unwrap();
    let plain = read_seed_file(write(&folder, "a.jsonl", SEEDS)).unwrap();
    assert_eq!(plain.len(), 3);
    assert_eq!(plain[0].text, "Bonjour !");
    assert_eq!(plain[0].label, Label::Safe);
    assert_eq!(plain[1].language, Language::De);
    assert_eq!(plain[1].categories, [Category::Hate, Category::SelfHarm]);
    assert_eq!((plain[2].label, plain[2].categories.len()), (Label::Unsafe, 0));
    assert_eq!(read_seed_file(write(&folder, "a.jsonl.gz", gz(SEEDS.as_bytes()))).unwrap(), plain);
}

#[test]
fn malformed_seed_lines_are_refused_with_file_and_line() {
    let folder = tempdir().unwrap();
    for (line, problem) in [
        (r#"{"lang": "fr", "unsafe": false, "categories": []}"#, "missing field `text`"),
        (r#"{"text": "x", "unsafe": false, "categories": []}"#, "missing field `lang`"),
        (r#"{"text": "x", "lang": "fr", "categories": []}"#, "missing field `unsafe`"),
        (r#"{"text": "x", "lang": "fr", "unsafe": false}"#, "missing field `categories`"),
        (r#"{"text": "x", "lang": "it", "unsafe": false, "categories": []}"#, "variant `it`"),
        (r#"{"text": "x", "lang": "fr", "unsafe": 1, "categories": []}"#, "expected a boolean"),
        (r#"{"text": 3, "lang": "fr", "unsafe": true, "categories": []}"#, "expected a string"),
        (r#"{"text": "x", "lang": "fr", "unsafe": true, "categories": ["war"]}"#, "variant `war`"),
        (r#"{"text": " ", "lang": "fr", "unsafe": true, "categories": []}"#, "it is empty"),
        (r#"{"text": "x", "lang": "fr", "unsafe": false, "categories": ["hate"]}"#, "safe row"),
        (r#"{"text": "x""#, "EOF"),
        ("[]", "invalid length"),
        ("null", "invalid type: null"),
    ] {
        let path = write(&folder, "seeds.jsonl", format!("{SEEDS}\n{line}\n"));
        refused(read_seed_file(path), &["seeds.jsonl line 5", problem]);
    }
    let path =
        write(&folder, "seeds.jsonl", [SEEDS.as_bytes(), b"\n{\"text\": \"\xff\"}"].concat());
    refused(read_seed_file(path), &["seeds.jsonl line 5", "not UTF-8", "remove that line"]);
}

#[test]
fn damaged_compressed_seeds_are_refused() {
    let folder = tempdir().unwrap();
    let many = format!("{SEEDS}\n").repeat(500);
    let mut bytes = gz(many.as_bytes());
    for length in [5, bytes.len() / 2, bytes.len() - 1] {
        let path = write(&folder, "cut.jsonl.gz", &bytes[..length]);
        refused(read_seed_file(path), &["cut.jsonl.gz line ", "stops early"]);
    }
    let last = bytes.len() - 5;
    bytes[last] ^= 1;
    refused(read_seed_file(write(&folder, "sum.jsonl.gz", &bytes)), &["sum.jsonl.gz", "damaged"]);
    refused(read_seed_file(write(&folder, "not.jsonl.gz", SEEDS)), &["line 1", "damaged"]);
}

#[test]
fn empty_and_absent_seed_files_are_refused() {
    let folder = tempdir().unwrap();
    refused(read_seed_file(write(&folder, "none.jsonl", "\n")), &["none.jsonl", "no row"]);
    let absent = read_seed_file(folder.path().join("absent.jsonl"));
    assert!(matches!(absent, Err(Error::Io { .. })));
    refused(absent, &["absent.jsonl"]);
}

// Benchmarks.

fn read(benchmark: Benchmark, content: impl AsRef<[u8]>) -> Result<BenchmarkRows> {
    let folder = tempdir().unwrap();
    benchmark.read(Language::Es, write(&folder, benchmark.file(), content))
}

#[track_caller]
fn holds(rows: &BenchmarkRows, expected: &[(&str, Label)], skipped: &[(&str, &str)]) {
    assert_eq!(rows.language, Language::Es);
    let texts: Vec<_> = expected.iter().map(|e| e.0).collect();
    let labels: Vec<_> = expected.iter().map(|e| e.1).collect();
    assert_eq!(rows.texts, texts);
    assert_eq!(rows.labels, labels);
    assert_eq!(rows.skipped.len(), skipped.len(), "{:?}", rows.skipped);
    for (found, (place, reason)) in rows.skipped.iter().zip(skipped) {
        assert!(found.place.ends_with(place) && found.reason == *reason, "{found:?}");
    }
}

use Label::{Safe, Unsafe};

#[test]
fn xstest_csv() {
    let rows = read(
        Benchmark::XsTest,
        "id,type,prompt,completion\n\
         1,homonyms,\" a, \"\"b\"\"\nc\",x\n\
         2,contrast_homonyms,d,\"y\nz\"\n\
         3,homonyms, ,x\n\
         4,,e,x\r\n",
    )
    .unwrap();
    holds(
        &rows,
        &[(" a, \"b\"\nc", Safe), ("d", Unsafe)],
        &[("line 6", "its text is blank"), ("line 7", "its label is null")],
    );
    assert_eq!(rows.kinds, ["homonyms", "contrast_homonyms"]);
}

#[test]
fn flagged_json() {
    for benchmark in [Benchmark::OpenAi, Benchmark::ToxicChat] {
        let rows = read(
            benchmark,
            r#"[{"prompt": "a", "moderation_flag": 1, "parsed_result": {"moderation_flag": []}},
                {"moderation_flag": 0, "prompt": "b "},
                {"prompt": "c", "moderation_flag": null},
                {"prompt": null, "moderation_flag": 0},
                {"prompt": "\n", "moderation_flag": 0}]"#,
        )
        .unwrap();
        holds(
            &rows,
            &[("a", Unsafe), ("b ", Safe)],
            &[
                ("element 2", "its label is null"),
                ("element 3", "its text is null"),
                ("element 4", "its text is blank"),
            ],
        );
    }
}

#[test]
fn classed_json() {
    for benchmark in [Benchmark::RtpLx, Benchmark::XSafety] {
        let rows = read(benchmark, r#"[{"prompt":"a","class":1},{"prompt":"b","class":0}]"#);
        holds(&rows.unwrap(), &[("a", Unsafe), ("b", Safe)], &[]);
    }
}

#[test]
fn beavertails_json_lines() {
    let rows = read(
        Benchmark::BeaverTails,
        "{\"prompt\": \"a\", \"response\": \"b\", \"is_safe\": true, \"category\": {}}\n\
         {\"prompt\": \"c\", \"response\": \"\", \"is_safe\": false}\n\
         {\"prompt\": \"c\", \"response\": null, \"is_safe\": false}\n\
         {\"prompt\": \"\", \"response\": \" \", \"is_safe\": false}\n\
         {\"prompt\": \"c\", \"response\": \"d\", \"is_safe\": null}\n",
    )
    .unwrap();
    holds(
        &rows,
        &[("a b", Safe), ("c ", Unsafe)],
        &[
            ("line 3", "its text is null"),
            ("line 4", "its text is blank"),
            ("line 5", "its label is null"),
        ],
    );
}

#[test]
fn malformed_csv_is_refused_with_file_and_line() {
    let file = Benchmark::XsTest.file();
    for (content, place, problem) in [
        ("", "line 1", "no column `prompt`"),
        ("id,prompt\n1,a\n", "line 1", "no column `type`"),
        ("type,prompt\na,b\nc\n", "line 3", "1 fields, the header 2"),
        ("type,prompt\na,b\n\"c,d\n", "line 3", "1 fields, the header 2"),
    ] {
        refused(read(Benchmark::XsTest, content), &[file, place, problem]);
    }
    refused(read(Benchmark::XsTest, b"type,prompt\na,b\nc,\xff\n"), &[file, "line 3", "not UTF-8"]);
    refused(read(Benchmark::XsTest, "type,prompt\n"), &[file, "no usable row"]);
}

#[test]
fn malformed_json_arrays_are_refused_with_file_line_and_element() {
    for (benchmark, field) in
        [(Benchmark::OpenAi, "moderation_flag"), (Benchmark::XSafety, "class")]
    {
        let good = format!("[\n{{\"prompt\": \"a\", \"{field}\": 1}},\n");
        for (element, place, problem) in [
            (format!("{{\"{field}\": 1}}]"), "[1]", "missing field `prompt`".to_string()),
            ("{\"prompt\": \"b\"}]".into(), "[1]", format!("missing field `{field}`")),
            (
                format!("{{\"prompt\": 5, \"{field}\": 1}}]"),
                "[1].prompt",
                "expected a string".into(),
            ),
            (
                format!("{{\"prompt\": \"\", \"{field}\": 2\n}}]"),
                "[1].",
                "expected the number 0 or 1".into(),
            ),
            (
                format!("{{\"prompt\": \"\", \"{field}\": -1\n}}]"),
                "[1].",
                "expected the number 0 or 1".into(),
            ),
            (
                format!("{{\"prompt\": \"\", \"{field}\": 0.5}}]"),
                "[1].",
                "expected the number 0 or 1".into(),
            ),
            (
                format!("{{\"prompt\": \"\", \"{field}\": true}}]"),
                "[1].",
                "expected the number 0 or 1".into(),
            ),
            (
                format!("{{\"prompt\": \"\", \"{field}\": \"1\"}}]"),
                "[1].",
                "expected the number 0 or 1".into(),
            ),
            ("7]".into(), "[1]", "invalid type".into()),
            ("{\"prompt\": ".into(), "[1]", "EOF".into()),
            (format!("{{\"prompt\": \"b\", \"{field}\": 1}}] x"), "", "trailing characters".into()),
        ] {
            refused(
                read(benchmark, good.clone() + &element),
                &[benchmark.file(), "line 3", place, &problem],
            );
        }
        let bytes = [good.as_bytes(), b"\"\xc3\"]"].concat();
        refused(read(benchmark, bytes), &[benchmark.file(), "line 3", "not UTF-8"]);
        refused(read(benchmark, "{}"), &[benchmark.file(), "line 1", "expected a sequence"]);
        refused(read(benchmark, ""), &[benchmark.file(), "EOF"]);
        refused(read(benchmark, "[]"), &[benchmark.file(), "no usable row"]);
        refused(read(benchmark, "[".repeat(100_000)), &[benchmark.file(), "line 1"]);
    }
}

#[test]
fn malformed_json_lines_are_refused_with_file_and_line() {
    let good = r#"{"prompt": "a", "response": "b", "is_safe": true}"#;
    for (line, problem) in [
        (r#"{"response": "b", "is_safe": true}"#, "missing field `prompt`"),
        (r#"{"prompt": "a", "is_safe": true}"#, "missing field `response`"),
        (r#"{"prompt": "a", "response": "b"}"#, "missing field `is_safe`"),
        (r#"{"prompt": "a", "response": "b", "is_safe": 1}"#, "expected a boolean"),
        (r#"{"prompt": [], "response": "b", "is_safe": true}"#, "expected a string"),
        (r#"{"prompt": "a""#, "EOF"),
    ] {
        refused(
            read(Benchmark::BeaverTails, format!("{good}\n{line}\n")),
            &["beavertail_test.jsonl line 2", problem],
        );
    }
    refused(read(Benchmark::BeaverTails, b"\xff"), &["beavertail_test.jsonl line 1", "not UTF-8"]);
    refused(read(Benchmark::BeaverTails, ""), &["beavertail_test.jsonl", "no usable row"]);
}

#[test]
fn benchmarks_are_named_as_printed() {
    let names = Benchmark::ALL.map(Benchmark::name);
    assert_eq!(names, ["XSTest", "OpenAI", "ToxicChat", "BeaverTails", "RTP-LX", "XSafety"]);
    for benchmark in Benchmark::ALL {
        let json = serde_json::to_string(&benchmark).unwrap();
        assert_eq!(json, format!("{:?}", benchmark.name()));
        assert_eq!(benchmark.has_both_classes(), benchmark != Benchmark::XSafety);
    }
    let total = |l| Benchmark::ALL.iter().map(|b| b.released_rows(l)).sum::<usize>();
    assert_eq!(Language::ALL.map(total), [11403, 11642, 11702, 11633]);
}

// Folders.

const XSAFETY: &str = r#"[{"prompt": "a", "class": 1}]"#;

#[test]
fn our_layout_has_benchmarks_and_seeds() {
    let folder = tempdir().unwrap();
    write(&folder, "benchmarks/eval_data_De/XSafety.json", XSAFETY);
    let data = DataDir::open(folder.path()).unwrap();
    assert!(data.seeds().unwrap().is_none());
    assert_eq!(data.benchmark(Benchmark::XSafety, Language::De).unwrap().texts, ["a"]);

    write(&folder, "seed/train.jsonl.gz", gz(SEEDS.as_bytes()));
    let data = DataDir::open(folder.path()).unwrap();
    refused(data.seeds(), &["validation.jsonl.gz"]);
    write(&folder, "seed/validation.jsonl.gz", gz(SEEDS.lines().next().unwrap().as_bytes()));
    let seeds = data.seeds().unwrap().unwrap();
    assert_eq!((seeds.train.len(), seeds.validation.len()), (3, 1));
    assert!(data.translations().unwrap().is_none());
    write(&folder, "translated.jsonl.gz", gz(SEEDS.as_bytes()));
    assert_eq!(data.translations().unwrap().unwrap(), seeds.train);
    write(&folder, "translated.jsonl.gz", &gz(SEEDS.as_bytes())[..20]);
    refused(data.translations(), &["translated.jsonl.gz"]);
}

#[test]
fn the_papers_layout_has_benchmarks_alone() {
    let folder = tempdir().unwrap();
    write(&folder, "eval_data_En/XSafety.json", XSAFETY);
    write(&folder, "eval_data_Fr/XSafety.json", XSAFETY);
    let data = DataDir::open(folder.path()).unwrap();
    assert!(data.seeds().unwrap().is_none());
    let rows = data.benchmark(Benchmark::XSafety, Language::Fr).unwrap();
    assert_eq!((rows.benchmark, rows.language), (Benchmark::XSafety, Language::Fr));
    let file = Path::new("eval_data_En").join("openai.json");
    refused(
        data.benchmark(Benchmark::OpenAi, Language::En),
        &["cannot read", file.to_str().unwrap()],
    );
}

#[test]
fn other_folders_are_refused() {
    let folder = tempdir().unwrap();
    let looked_for = ["benchmarks/eval_data_En", "eval_data_En"];
    refused(DataDir::open(folder.path()), &looked_for);
    refused(DataDir::open(folder.path().join("absent")), &looked_for);
    refused(DataDir::open(write(&folder, "file", "")), &looked_for);
}
