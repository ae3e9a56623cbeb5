//! As much of an ELF file for Cortex-M as it takes to see which function calls which.

use std::collections::BTreeMap;

/// Parts of the names of functions that may divide 64-bit numbers: they prepare or report, and none is a loop over
/// coefficients.
const MAY_DIVIDE: [&str; 8] = [
    "Prime",
    "Modulus",
    "Parameters",
    "cipherloom_plan",
    "Meter",
    "Display",
    "div",
    "8embedded7context",
];
/// Routines that divide them.
const DIVISIONS: [&str; 5] = [
    "__aeabi_uldivmod",
    "__aeabi_ldivmod",
    "__udivti3",
    "__umodti3",
    "__divti3",
];
/// Parts of the names of what only programs with an allocator have.
const ALLOCATORS: [&str; 6] = [
    "__rust_alloc",
    "__rg_",
    "__rdl_",
    "malloc",
    "GlobalAlloc",
    "5alloc5alloc",
];

/// Functions and other symbols of a program.
pub struct Program {
    bytes: Vec<u8>,
    /// Address, file offset and length of each section that is in the file.
    sections: Vec<(u32, usize, usize)>,
    /// Name by address, and length.
    functions: BTreeMap<u32, (String, u32)>,
    /// Names of all symbols.
    symbols: Vec<String>,
}

impl Program {
    /// Reads the symbol table of a little-endian ELF32 file.
    pub fn new(bytes: Vec<u8>) -> Self {
        assert!(
            bytes.starts_with(b"\x7fELF\x01\x01"),
            "not a little-endian ELF32 file"
        );
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let half = |at: usize| usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()));
        let (table, size, count) = (word(0x20) as usize, half(0x2e), half(0x30));
        let header = |index: usize, field: usize| word(table + index * size + 4 * field);
        // Fields: 1 type, 3 address, 4 offset, 5 length, 6 link.
        let section = |index: usize| {
            (
                header(index, 3),
                header(index, 4) as usize,
                header(index, 5) as usize,
            )
        };
        let sections = (0..count)
            .filter(|&index| header(index, 1) == 1)
            .map(section)
            .collect();
        let symbol_table = (0..count)
            .find(|&index| header(index, 1) == 2)
            .expect("a symbol table");
        let (_, first, length) = section(symbol_table);
        let (_, names, _) = section(header(symbol_table, 6) as usize);
        let mut functions = BTreeMap::new();
        let mut symbols = Vec::new();
        for at in (first..first + length).step_by(16) {
            let name = &bytes[names + word(at) as usize..];
            let name: String = name
                .iter()
                .take_while(|&&byte| byte != 0)
                .map(|&byte| char::from(byte))
                .collect();
            if bytes[at + 12] & 15 == 2 {
                functions.insert(word(at + 4) & !1, (name.clone(), word(at + 8)));
            }
            symbols.push(name);
        }
        Self {
            bytes,
            sections,
            functions,
            symbols,
        }
    }

    /// What a program without allocator, whose loops do not divide 64-bit numbers, must not have.
    pub fn problems(&self) -> Vec<String> {
        let allocates = |symbol: &&String| ALLOCATORS.iter().any(|part| symbol.contains(part));
        let allocators = self.symbols.iter().filter(allocates);
        let mut problems: Vec<String> = allocators.map(|symbol| format!("allocator: {symbol}")).collect();
        let dividing = self.callers(|symbol| DIVISIONS.contains(&symbol));
        if dividing.is_empty() {
            problems.push("no division at all, though moduli are prepared somewhere".to_owned());
        }
        let loops = dividing
            .into_iter()
            .filter(|caller| !MAY_DIVIDE.iter().any(|part| caller.contains(part)));
        problems.extend(loops.map(|caller| format!("division: {caller}")));
        problems
    }

    /// The functions that call, or jump to, one whose name `callee` accepts.
    fn callers(&self, callee: impl Fn(&str) -> bool) -> Vec<&str> {
        let wanted = |address: u32| self.functions.get(&address).is_some_and(|(name, _)| callee(name));
        let calls = |&(&start, (_, length)): &(&u32, &(String, u32))| {
            let code = self.code(start, *length as usize);
            (0..code.len().saturating_sub(3)).step_by(2).any(|at| {
                let half = |at: usize| u32::from(u16::from_le_bytes([code[at], code[at + 1]]));
                branch(start + at as u32, half(at), half(at + 2)).is_some_and(wanted)
            })
        };
        self.functions
            .iter()
            .filter(calls)
            .map(|(_, (name, _))| name.as_str())
            .collect()
    }

    fn code(&self, address: u32, length: usize) -> &[u8] {
        let within =
            |&&(start, _, size): &&(u32, usize, usize)| (start..start + size as u32).contains(&address);
        match self.sections.iter().find(within) {
            Some(&(start, offset, _)) => &self.bytes[offset + (address - start) as usize..][..length],
            None => &[],
        }
    }
}

/// Where BL and B.W at an address go (Armv7-M Architecture Reference Manual, A7.7.12 and A7.7.18).
fn branch(address: u32, first: u32, second: u32) -> Option<u32> {
    if first >> 11 != 0b11110 || second >> 15 != 1 || second >> 12 & 1 != 1 {
        return None;
    }
    let sign = first >> 10 & 1;
    let [high, low] = [13, 11].map(|bit| 1 ^ (second >> bit & 1) ^ sign);
    let offset = sign << 24 | high << 23 | low << 22 | (first & 0x3ff) << 12 | (second & 0x7ff) << 1;
    Some((address + 4).wrapping_add(((offset << 7) as i32 >> 7) as u32))
}
