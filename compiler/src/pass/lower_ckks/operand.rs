//! Operands at the level and scale that a use needs.

use super::Lowering;
use crate::dialect::slot::Contents;
use crate::ir::{Attributes, Basis, Builder, CipherType, Opcode, PlainType, Type, Value};

impl Lowering<'_> {
    /// An operation whose result has the type of its first operand.
    pub(super) fn same(&mut self, opcode: Opcode, operands: &[Value], attributes: Attributes) -> Value {
        let ty = self.new.ty(operands[0]).clone();
        self.push(opcode, operands, attributes, ty)
    }

    pub(super) fn rescale(&mut self, value: Value) -> Value {
        let lower = Type::Cipher(self.rescaled(value));
        self.push(Opcode::CkksRescale, &[value], Attributes::new(), lower)
    }

    /// The type of a value once it is divided by its last prime.
    pub(super) fn rescaled(&self, value: Value) -> CipherType {
        let ty = self.cipher(value);
        CipherType {
            level: ty.level - 1,
            scale: ty.scale / self.chain.q[ty.level as usize] as f64,
            ..ty
        }
    }

    pub(super) fn mul_scalar(&mut self, value: Value, factors: Vec<f64>, scale: f64) -> Value {
        let ty = self.cipher(value);
        let attributes = Builder::attributes([("values", factors.into()), ("scale", scale.into())]);
        let scale = ty.scale * scale;
        self.push(
            Opcode::CkksMulScalar,
            &[value],
            attributes,
            Type::Cipher(CipherType { scale, ..ty }),
        )
    }

    pub(super) fn encode(&mut self, constant: Value, sign: f64, level: u32, scale: f64) -> Value {
        let key = (constant, sign.to_bits(), level, scale.to_bits());
        if let Some(&encoded) = self.encoded.get(&key) {
            return encoded;
        }
        let attributes = match self.definition(constant) {
            Some((_, op)) if sign < 0.0 => Contents::of(op).scaled(-1.0).attributes(),
            Some((_, op)) => op.attributes.clone(),
            None => Attributes::new(),
        };
        let log_n = self.chain.log_n;
        let contents = self.definition(constant).map(|(_, op)| Contents::of(op));
        let ty = Type::Plain(PlainType {
            level,
            scale,
            basis: Basis::Q,
            compact: contents.map_or(0, |contents| contents.compact(log_n)),
        });
        let encoded = self.push(Opcode::CkksEncode, &[], attributes, ty);
        self.encoded.insert(key, encoded);
        encoded
    }

    pub(super) fn input_level(&self, value: Value) -> u32 {
        self.definition(value).map_or(0, |(_, op)| {
            self.port_levels[op.int("port").unwrap_or(0) as usize]
        })
    }

    /// A value at just this level, at whatever scale it has.
    pub(super) fn loose(&mut self, value: Value, level: u32) -> Value {
        if let Some((_, op)) = self
            .definition(value)
            .filter(|(_, op)| op.opcode == Opcode::SlotInput)
        {
            if let Some(&read) = self.read.get(&(value, level)) {
                return read;
            }
            let attributes = op.attributes.clone();
            let ty = Type::cipher(level, self.chain.scale(self.input_level(value)));
            let read = self.push(Opcode::CkksInput, &[], attributes, ty);
            self.read.insert((value, level), read);
            return read;
        }
        let made = self.defined[&value];
        let ty = self.cipher(made);
        if ty.level == level {
            return made;
        }
        self.push(
            Opcode::CkksDrop,
            &[made],
            Attributes::new(),
            Type::Cipher(CipherType { level, ..ty }),
        )
    }

    /// A value at this level and the canonical scale.
    pub(super) fn at(&mut self, value: Value, level: u32) -> Value {
        let high = if self.is_input(value) {
            self.input_level(value)
        } else {
            self.level(value)
        };
        if high == level {
            return self.loose(value, level);
        }
        if let Some(&adjusted) = self.adjusted.get(&(value, level)) {
            return adjusted;
        }
        let loose = self.loose(value, level + 1);
        let scale =
            self.chain.scale(level) * self.chain.q[level as usize + 1] as f64 / self.cipher(loose).scale;
        let raw = self.mul_scalar(loose, vec![1.0], scale);
        let adjusted = self.rescale(raw);
        self.adjusted.insert((value, level), adjusted);
        adjusted
    }
}
