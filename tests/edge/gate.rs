//! The firmware in `examples/firmware`, built and run on emulated boards: budgets, the memory that the compiler foretold, the
//! same bytes as on the host, and a computation that goes from the device to the server and back.
//!
//! Without `qemu-system-arm` or the target of the compiler the test passes with a message, unless `CI` is set.

mod elf;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use chacha20::ChaCha20Rng;
use cipherloom_ckks::seed::derive_seed;
use cipherloom_ckks::stream::{Client, Encoding, Factors, Roots, Slots, Ternary};
use cipherloom_host::{
    EvaluationKeys, Inputs, Outputs, PlanFile, RunOptions, Silent, decrypt_outputs, read_secret_key, run,
};
use cipherloom_plan::{PortKind, PortView};
use elf::Program;
use rand_core::SeedableRng;

const PROGRAMS: [&str; 4] = ["encrypt-symmetric", "encrypt-public", "infer", "decrypt"];
/// Bytes before the first ciphertext in a container: header, list of ports.
const RECORDS: usize = 96 + 16;
/// Bytes before the payload of a ciphertext.
const RECORD_HEADER: usize = 16;

/// The ring degree that budgets are for, with tables of every kind.
#[test]
fn firmware() {
    let Some(run) = Run::start(12, "computed stored generated") else {
        return;
    };
    run.keeps_its_budgets();
    run.takes_what_the_compiler_said();
    run.has_no_allocator_and_no_division_in_loops();
    run.gives_what_the_host_gives();
    run.checks_refuse_what_they_must();
    // Several ciphertexts to a port, more memory than the smaller board has, and a plan of one prime.
    for log_n in [11, 13, 10] {
        let run = Run::start(log_n, "computed").expect("what was there is there");
        run.takes_what_the_compiler_said();
        run.gives_what_the_host_gives();
    }
}

/// A finished run of all programs.
struct Run {
    folder: PathBuf,
    elfs: PathBuf,
    /// What the programs printed.
    lines: Vec<serde_json::Value>,
    /// What the compiler says of the plan.
    report: serde_json::Value,
    plan: PlanFile,
}

impl Run {
    fn start(log_n: u32, tables: &str) -> Option<Self> {
        let target = env::var_os("CARGO_TARGET_DIR").map_or(firmware_folder().join("target"), PathBuf::from);
        let target = env::current_dir().unwrap().join(target);
        let folder = target.join(format!("edge-{log_n}"));
        let output = Command::new(firmware_folder().join("measure.sh"))
            .env("CIPHERLOOM_EDGE", &folder)
            .env("LOG_N", log_n.to_string())
            .env("TABLES", tables)
            .output()
            .expect("measure.sh starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(3) && env::var_os("CI").is_none() {
            eprintln!("skipped: {errors}");
            return None;
        }
        assert!(output.status.success(), "{errors}");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str(line).expect(line))
            .collect();
        let report = fs::read(folder.join("report.json")).unwrap();
        Some(Self {
            lines,
            report: serde_json::from_slice(&report).unwrap(),
            plan: PlanFile::open(folder.join("score.plan")).unwrap(),
            elfs: target.join("thumbv7em-none-eabihf/release"),
            folder,
        })
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).expect(name)
    }

    fn keeps_its_budgets(&self) {
        let budgets = budgets(include_str!("budgets.toml"));
        assert_eq!(
            self.lines.len(),
            PROGRAMS.len() * 6 - 2,
            "two boards, three kinds of tables; generated ones leave `infer` no room"
        );
        for line in &self.lines {
            let program = line["program"].as_str().unwrap();
            for name in ["instructions", "ram_bytes", "flash_bytes"] {
                let tables = line["tables"].as_str().unwrap();
                let own = format!("{name}_{tables}");
                let budget = budgets[program].get(&own).unwrap_or(&budgets[program][name]);
                let used = line[name].as_u64().unwrap();
                assert!(
                    used <= *budget,
                    "{program} on {} with {tables} tables: {used} {name}, {budget} allowed",
                    line["machine"]
                );
            }
        }
    }

    /// Memory to the byte, flash within two in a hundred.
    fn takes_what_the_compiler_said(&self) {
        let devices = self.report["devices"].as_array().unwrap();
        let device = devices
            .iter()
            .find(|device| device["target"] == self.report["device"]);
        let programs = device.unwrap()["programs"].as_array().unwrap();
        assert!(self.lines.len() >= PROGRAMS.len());
        for line in &self.lines {
            let said = programs
                .iter()
                .find(|said| said["role"] == line["program"] && said["tables"] == line["tables"])
                .unwrap();
            assert_eq!(said["fits"], true);
            assert_eq!(said["ram_bytes"], line["ram_bytes"], "{line}");
            let (said, used) = (
                said["flash_bytes"].as_u64().unwrap(),
                line["flash_bytes"].as_u64().unwrap(),
            );
            assert!(
                said.abs_diff(used) <= used / 50,
                "{said} bytes of flash foretold: {line}"
            );
        }
    }

    fn has_no_allocator_and_no_division_in_loops(&self) {
        for name in PROGRAMS {
            let problems = self.program(name).problems();
            assert!(problems.is_empty(), "{name}: {problems:?}");
        }
    }

    /// A program that does all that is forbidden.
    fn checks_refuse_what_they_must(&self) {
        let status = Command::new("cargo")
            .args([
                "build",
                "--quiet",
                "--release",
                "--bin",
                "provoked",
                "--features",
                "provoked",
            ])
            .env("CIPHERLOOM_EDGE", &self.folder)
            .current_dir(firmware_folder())
            .status();
        assert!(status.unwrap().success());
        let problems = self.program("provoked").problems();
        for expected in ["alloc", "8provoked6kernel"] {
            assert!(
                problems.iter().any(|problem| problem.contains(expected)),
                "nothing about {expected} in {problems:?}"
            );
        }
        for machine in ["netduinoplus2", "mps2-an386"] {
            let run = Command::new("timeout")
                .args([
                    "60",
                    "qemu-system-arm",
                    "-M",
                    machine,
                    "-display",
                    "none",
                    "-monitor",
                    "none",
                ])
                .args([
                    "-serial",
                    "none",
                    "-icount",
                    "shift=0",
                    "-semihosting-config",
                    "enable=on,target=native",
                ])
                .arg("-kernel")
                .arg(self.elfs.join("provoked"))
                .output()
                .unwrap();
            assert!(
                !run.status.success() && run.status.code() != Some(124),
                "no fault on {machine}"
            );
            assert!(
                String::from_utf8_lossy(&run.stderr).contains("Lockup"),
                "{machine}: {run:?}"
            );
        }
    }

    fn program(&self, name: &str) -> Program {
        Program::new(fs::read(self.elfs.join(name)).unwrap())
    }

    fn gives_what_the_host_gives(&self) {
        self.symmetric_bytes_are_the_host_s();
        self.public_bytes_are_the_host_s();
        self.computes_what_the_server_computes();
        self.server_takes_what_a_public_key_encrypted();
    }

    fn symmetric_bytes_are_the_host_s(&self) {
        let plan = self.plan.plan();
        let (_, port) = plan.port_by_name(PortKind::Input, "x").unwrap();
        let master: [u8; 32] = self.file("entropy")[..32].try_into().unwrap();
        let log_n = u32::from(plan.parameters().log_n());
        let mut ternary = vec![0; Ternary::memory_words(log_n)];
        let secret = Ternary::secret(log_n, &self.secret(), &mut ternary).unwrap();
        for tile in 0..port.layout().tiles() {
            let label = 2 * u64::from(tile);
            let (seed, errors) = (derive_seed(&master, label), derive_seed(&master, label + 1));
            let mut work = vec![0; Slots::memory_words(log_n)];
            let message = message(&port, tile, log_n, &mut work);
            let mut bytes = seed.to_vec();
            let mut rng = ChaCha20Rng::from_seed(errors);
            self.client()
                .encrypt_symmetric(&secret, message, encoding(&port), &seed, &mut rng, |piece| {
                    bytes.extend(piece)
                })
                .unwrap();
            assert!(
                payload(&self.file("inputs.ct"), tile, bytes.len()) == bytes,
                "tile {tile}"
            );
        }
    }

    fn public_bytes_are_the_host_s(&self) {
        let plan = self.plan.plan();
        let (_, port) = plan.port_by_name(PortKind::Input, "x").unwrap();
        let log_n = u32::from(plan.parameters().log_n());
        let mut ternary = vec![0; Ternary::memory_words(log_n)];
        let mut ephemeral = Ternary::empty(log_n, &mut ternary).unwrap();
        let mut rng = ChaCha20Rng::from_seed(self.file("entropy")[..32].try_into().unwrap());
        let key = self.file("public.key");
        for tile in 0..port.layout().tiles() {
            let mut work = vec![0; Slots::memory_words(log_n)];
            let message = message(&port, tile, log_n, &mut work);
            let mut bytes: Vec<u8> = Vec::new();
            self.client()
                .encrypt_public(
                    &key[32..],
                    message,
                    encoding(&port),
                    &mut ephemeral,
                    &mut rng,
                    |piece| bytes.extend(piece),
                )
                .unwrap();
            let found = self.file("public-inputs.ct");
            assert!(payload(&found, tile, bytes.len()) == bytes, "tile {tile}");
        }
    }

    /// Device encrypts, server computes and gives the bytes that the device gave, device and host decrypt.
    fn computes_what_the_server_computes(&self) {
        let outputs = self.serve("inputs.ct");
        let server = self.folder.join("server-outputs.ct");
        outputs.write(&server).unwrap();
        assert!(
            fs::read(server).unwrap() == self.file("outputs.ct"),
            "the server computes something else"
        );

        let host = self.decrypt(&outputs);
        let device = self.file("scores");
        let device = device
            .chunks_exact(8)
            .map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()));
        let view = self.plan.plan();
        let (_, port) = view.port_by_name(PortKind::Reveal, "score").unwrap();
        assert_eq!(device.len(), host.len());
        let mut squares = 0.0;
        for (index, (device, (&host, exact))) in device.zip(host.iter().zip(self.scores())).enumerate() {
            // The device decodes in fixed point: 2^-27, and the root of N in all.
            assert!(
                (device - host).abs() < 1e-6,
                "score {index}: {device} on the device, {host} here"
            );
            assert!(
                (host - exact).abs() < 6.0 * port.error(),
                "score {index}: {host}, not {exact}"
            );
            squares += (host - exact).powi(2);
        }
        let deviation = (squares / host.len() as f64).sqrt();
        assert!(
            deviation <= port.error(),
            "{deviation} where {} was predicted",
            port.error()
        );
    }

    /// The device holds a public key alone, and the server computes with whole ciphertexts.
    fn server_takes_what_a_public_key_encrypted(&self) {
        let scores = self.decrypt(&self.serve("public-inputs.ct"));
        let view = self.plan.plan();
        let (_, input) = view.port_by_name(PortKind::Input, "x").unwrap();
        let (_, reveal) = view.port_by_name(PortKind::Reveal, "score").unwrap();
        // A coefficient's error has variance σ²·(4N/3 + 1), half of N times that is in the real part of a slot; the weights
        // are below 1, and what the plan adds is known.
        let n = f64::from(2 * view.parameters().slots());
        let fresh = (n / 2.0 * 3.19f64.powi(2) * (4.0 / 3.0 * n + 1.0)).sqrt() / input.scale();
        let deviation = fresh.hypot(reveal.error());
        for (index, (&found, exact)) in scores.iter().zip(self.scores()).enumerate() {
            assert!(
                (found - exact).abs() < 6.0 * deviation,
                "score {index}: {found}, not {exact}"
            );
        }
    }

    /// Runs the plan as a server does.
    fn serve(&self, inputs: &str) -> Outputs {
        let plan = &self.plan;
        let keys = EvaluationKeys::read(self.folder.join("keys/evaluation.keys"), plan, &mut Silent).unwrap();
        let inputs = Inputs::open(self.folder.join(inputs), plan).unwrap();
        let options = RunOptions {
            threads: 1,
            allow_toy: false,
        };
        run(plan, &keys, &inputs, options, &mut Silent).unwrap().0
    }

    fn decrypt(&self, outputs: &Outputs) -> Vec<f64> {
        let secret = read_secret_key(self.folder.join("secret.key"), &self.plan).unwrap();
        let mut tensors = decrypt_outputs(&self.plan, &secret, outputs).unwrap();
        tensors.remove("score").unwrap().values
    }

    /// What the plan computes, in the clear: a product and a sum, or the sum alone where it has only one level.
    fn scores(&self) -> Vec<f64> {
        let weights = fs::File::open(firmware_folder().join("weights.npz"));
        let mut weights = ndarray_npy::NpzReader::new(weights.unwrap()).unwrap();
        let mut array = |name: &str| {
            weights
                .by_name::<ndarray::OwnedRepr<f64>, ndarray::Ix1>(name)
                .unwrap()
        };
        let (w, b) = (array("w"), array("b"));
        let product = self.plan.plan().parameters().max_level() > 0;
        let score =
            |(index, (w, b)): (usize, (&f64, &f64))| reading(index) * if product { *w } else { 1.0 } + b;
        w.iter().zip(&b).enumerate().map(score).collect()
    }

    /// The key holder, with tables of its own.
    fn client(&self) -> Client<'static> {
        let parameters = self.plan.plan();
        let parameters = parameters.parameters();
        let log_n = parameters.log_n().into();
        Client::new(log_n, parameters.q().iter(), Roots::Computed, Factors::Computed).unwrap()
    }

    fn secret(&self) -> [u8; 32] {
        self.file("secret.key")[96..128].try_into().unwrap()
    }
}

fn firmware_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/firmware")
}

/// The bytes of a ciphertext, of `length` each.
fn payload(container: &[u8], tile: u32, length: usize) -> &[u8] {
    let start = RECORDS + tile as usize * (RECORD_HEADER + length) + RECORD_HEADER;
    &container[start..start + length]
}

/// Reading number `index` of the firmware's sensor.
fn reading(index: usize) -> f64 {
    ((index * 2741 % 16384) as f64 - 8192.0) / 8192.0
}

fn message<'m>(port: &PortView<'_>, tile: u32, log_n: u32, work: &'m mut [u32]) -> Slots<'m> {
    let mut message = Slots::new(log_n, 1.0, work).unwrap();
    assert!(port.low() == -1.0 && port.high() == 1.0 && port.layout().factor() == 1.0);
    port.layout().for_each_slot(port.shape(), tile, |index, slot| {
        message.set(slot as usize, reading(index)).unwrap();
    });
    message
}

fn encoding(port: &PortView<'_>) -> Encoding {
    Encoding {
        scale: port.scale(),
        level: port.level().into(),
    }
}

/// Tables of whole numbers, which is all of TOML that budgets need.
fn budgets(text: &str) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut budgets: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    let mut program = String::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => program = name.to_owned(),
            None => {
                let (name, number) = line.split_once(" = ").expect(line);
                let number = number.replace('_', "").parse().expect(line);
                budgets
                    .entry(program.clone())
                    .or_default()
                    .insert(name.to_owned(), number);
            }
        }
    }
    budgets
}
