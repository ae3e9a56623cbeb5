//! The rules: what an operation becomes, given what its operands became.

use super::{Fold, Place};
use crate::approx::Polynomial;
use crate::dialect::tensor::{Elements, infer, permutation, reduced_axes};
use crate::ir::{Attribute, Attributes, OpData, Opcode, TensorType, Value};
use crate::options::TensorData;
use crate::reference::evaluate;

use Opcode::{
    TensorAdd, TensorBroadcast, TensorConstant, TensorDiv, TensorMatmul, TensorMean, TensorMul, TensorNeg,
    TensorPoly, TensorPolynomial, TensorReshape, TensorSub, TensorSum, TensorTranspose,
};

impl Fold<'_> {
    /// The value of an operation, made in the simplest way known. `ty` gives the shape, and what a leaf is.
    pub(super) fn make(
        &mut self,
        place: Place,
        opcode: Opcode,
        operands: &[Value],
        attributes: &Attributes,
        ty: &TensorType,
    ) -> Value {
        let shape = ty.shape.as_slice();
        if opcode == TensorConstant {
            return match attributes.get("values") {
                Some(Attribute::Floats(values)) => {
                    self.constant(place, shape, Elements::shortest(values.to_vec()))
                }
                _ => self.emit(place, opcode, operands, attributes, shape, Some(ty)),
            };
        }
        if let Some(value) = self.evaluated(place, opcode, operands, attributes, shape) {
            return value;
        }
        let simplified = match (opcode, operands) {
            (TensorAdd, &[a, b]) => self.add(place, a, b, shape),
            (TensorSub, &[a, b]) => self.sub(place, a, b, shape),
            (TensorNeg, &[a]) => self.neg(place, a),
            (TensorMul, &[a, b]) => self.mul(place, a, b, shape),
            (TensorDiv, &[a, b]) if self.is_constant(b) => {
                let one = self.scalar(place, 1.0);
                let inverse = self.binary(place, TensorDiv, one, b);
                Some(self.binary(place, TensorMul, a, inverse))
            }
            (TensorMatmul, &[a, b]) => self.matmul(place, a, b, shape),
            (TensorMean, &[a]) => {
                let group = self
                    .shape(a)
                    .iter()
                    .map(|&extent| f64::from(extent))
                    .product::<f64>()
                    / shape.iter().map(|&extent| f64::from(extent)).product::<f64>();
                let sum = self.linear(place, TensorSum, a, attributes, shape);
                let share = self.scalar(place, 1.0 / group);
                Some(self.binary(place, TensorMul, sum, share))
            }
            (TensorSum | TensorTranspose | TensorBroadcast | TensorReshape, &[a]) => {
                Some(self.linear(place, opcode, a, attributes, shape))
            }
            (TensorPoly | TensorPolynomial, &[a]) => self.polynomial(place, opcode, a, attributes, shape),
            _ => None,
        };
        simplified.unwrap_or_else(|| self.emit(place, opcode, operands, attributes, shape, Some(ty)))
    }

    fn constant(&mut self, place: Place, shape: &[u32], elements: Elements) -> Value {
        let (name, attribute) = match elements {
            Elements::Splat(value) => ("value", Attribute::Float(value)),
            Elements::Each(values) => ("values", values.into()),
            Elements::Steps(values) => ("steps", values.into()),
        };
        let attributes = Attributes::from([(name.to_owned(), attribute)]);
        let ty = TensorType {
            shape: shape.to_vec(),
            secrecy: crate::ir::Secrecy::Public,
            range: None,
        };
        self.emit(place, TensorConstant, &[], &attributes, shape, Some(&ty))
    }

    pub(super) fn scalar(&mut self, place: Place, value: f64) -> Value {
        self.constant(place, &[], Elements::Splat(value))
    }

    /// An operation on constants alone.
    fn evaluated(
        &mut self,
        place: Place,
        opcode: Opcode,
        operands: &[Value],
        attributes: &Attributes,
        shape: &[u32],
    ) -> Option<Value> {
        if operands.is_empty() {
            return None;
        }
        if !operands.iter().all(|&operand| self.is_constant(operand)) {
            return self.evaluated_each_step(place, opcode, operands, attributes, shape);
        }
        if matches!(opcode, TensorBroadcast | TensorReshape | TensorTranspose)
            && let Some(splat) = self.splat(operands[0])
        {
            return Some(self.constant(place, shape, Elements::Splat(splat)));
        }
        let elements: Vec<Elements> = operands
            .iter()
            .map(|&operand| self.elements(operand))
            .collect::<Option<_>>()?;
        let value = self.value_of(place, opcode, operands, &elements, attributes, shape)?;
        Some(self.constant(place, shape, Elements::shortest(value)))
    }

    /// An operation on constants that differ from step to step, if its result is even in every step.
    fn evaluated_each_step(
        &mut self,
        place: Place,
        opcode: Opcode,
        operands: &[Value],
        attributes: &Attributes,
        shape: &[u32],
    ) -> Option<Value> {
        let elements: Vec<Elements> = operands
            .iter()
            .map(|&operand| self.elements(operand))
            .collect::<Option<_>>()?;
        let steps = elements.iter().find_map(|elements| match elements {
            Elements::Steps(values) => Some(values.len()),
            _ => None,
        })?;
        let values = (0..steps).map(|step| {
            let now: Vec<Elements> = elements.iter().map(|elements| elements.at_step(step)).collect();
            let value = self.value_of(place, opcode, operands, &now, attributes, shape)?;
            match Elements::shortest(value) {
                Elements::Splat(value) => Some(value),
                _ => None,
            }
        });
        let values = values.collect::<Option<Vec<f64>>>()?;
        let elements = match Elements::shortest(values) {
            Elements::Each(values) => Elements::Steps(values),
            even => even,
        };
        Some(self.constant(place, shape, elements))
    }

    /// The elements of the result of an operation on operands with these elements.
    fn value_of(
        &self,
        place: Place,
        opcode: Opcode,
        operands: &[Value],
        elements: &[Elements],
        attributes: &Attributes,
        shape: &[u32],
    ) -> Option<Vec<f64>> {
        let mut data = Vec::new();
        for (&operand, elements) in operands.iter().zip(elements) {
            let shape = self.shape(operand);
            let count = shape.iter().map(|&extent| extent as usize).product();
            data.push(TensorData {
                shape,
                values: elements.expand(count),
            });
        }
        let op = OpData {
            opcode,
            operands: operands.to_vec(),
            results: Vec::new(),
            attributes: attributes.clone(),
            regions: Vec::new(),
            span: place.span,
        };
        Some(evaluate(&op, &data.iter().collect::<Vec<_>>(), shape)?.values)
    }

    /// An elementwise operation of two operands, through the rules.
    pub(super) fn binary(&mut self, place: Place, opcode: Opcode, a: Value, b: Value) -> Value {
        self.inferred(place, opcode, &[a, b], &Attributes::new())
    }

    /// An operation whose type is inferred, through the rules.
    pub(super) fn inferred(
        &mut self,
        place: Place,
        opcode: Opcode,
        operands: &[Value],
        attributes: &Attributes,
    ) -> Value {
        let types: Vec<&TensorType> = operands
            .iter()
            .filter_map(|&value| self.rewriter.new.ty(value).as_tensor())
            .collect();
        match infer(opcode, attributes, &types) {
            Ok(ty) => self.make(place, opcode, operands, attributes, &ty),
            Err(message) => unreachable!("{}: {message}", opcode.name()),
        }
    }

    fn negated(&mut self, place: Place, a: Value) -> Value {
        self.inferred(place, TensorNeg, &[a], &Attributes::new())
    }

    /// `value` repeated along leading dimensions.
    fn spread(&mut self, place: Place, value: Value, shape: &[u32]) -> Value {
        let own = self.shape(value);
        if own == shape {
            return value;
        }
        let axes = (shape.len() - own.len()..shape.len())
            .map(|axis| axis as i64)
            .collect();
        let extents = shape.iter().map(|&extent| i64::from(extent)).collect();
        let attributes = Attributes::from([
            ("axes".to_owned(), Attribute::Ints(axes)),
            ("shape".to_owned(), Attribute::Ints(extents)),
        ]);
        self.inferred(place, TensorBroadcast, &[value], &attributes)
    }

    /// A splat beside a tensor of the result's shape is a scalar.
    fn shrunk(&mut self, place: Place, value: Value, beside: Value, shape: &[u32]) -> Value {
        match self.splat(value) {
            Some(splat) if self.shape(beside) == shape => self.scalar(place, splat),
            _ => value,
        }
    }

    fn add(&mut self, place: Place, a: Value, b: Value, shape: &[u32]) -> Option<Value> {
        if self.is_constant(a) {
            return Some(self.binary(place, TensorAdd, b, a));
        }
        if self.splat(b) == Some(0.0) {
            return Some(self.spread(place, a, shape));
        }
        for (value, other) in [(b, a), (a, b)] {
            if let Some((s, u)) = self.scaled(value).filter(|&(s, _)| s < 0.0) {
                let positive = self.times(place, u, -s);
                return Some(self.binary(place, TensorSub, other, positive));
            }
        }
        let inner = self.op_of(a).filter(|op| op.opcode == TensorAdd);
        if let Some((u, c)) = inner.map(|op| (op.operands[0], op.operands[1]))
            && self.is_constant(b)
            && self.is_constant(c)
        {
            let sum = self.binary(place, TensorAdd, c, b);
            return Some(self.binary(place, TensorAdd, u, sum));
        }
        let shrunk = self.shrunk(place, b, a, shape);
        (shrunk != b).then(|| self.emit(place, TensorAdd, &[a, shrunk], &Attributes::new(), shape, None))
    }

    fn sub(&mut self, place: Place, a: Value, b: Value, shape: &[u32]) -> Option<Value> {
        if a == b {
            return Some(self.constant(place, shape, Elements::Splat(0.0)));
        }
        if self.splat(a) == Some(0.0) {
            let negated = self.negated(place, b);
            return Some(self.spread(place, negated, shape));
        }
        if self.is_constant(b) {
            let negated = self.negated(place, b);
            return Some(self.binary(place, TensorAdd, a, negated));
        }
        if let Some((s, u)) = self.scaled(b).filter(|&(s, _)| s < 0.0) {
            let positive = self.times(place, u, -s);
            return Some(self.binary(place, TensorAdd, a, positive));
        }
        if let Some((_, u)) = self.scaled(a).filter(|&(s, _)| s == -1.0) {
            let sum = self.binary(place, TensorAdd, u, b);
            return Some(self.negated(place, sum));
        }
        let shrunk = self.shrunk(place, a, b, shape);
        (shrunk != a).then(|| self.emit(place, TensorSub, &[shrunk, b], &Attributes::new(), shape, None))
    }

    fn neg(&mut self, place: Place, a: Value) -> Option<Value> {
        if let Some((s, u)) = self.scaled(a) {
            return Some(self.times(place, u, -s));
        }
        let op = self
            .op_of(a)
            .filter(|op| op.opcode == TensorSub && self.is_single_use(a))?;
        let (x, y) = (op.operands[0], op.operands[1]);
        Some(self.binary(place, TensorSub, y, x))
    }

    fn mul(&mut self, place: Place, a: Value, b: Value, shape: &[u32]) -> Option<Value> {
        if self.is_constant(a) {
            return Some(self.binary(place, TensorMul, b, a));
        }
        if !self.is_constant(b) {
            return self.product(place, TensorMul, a, b, shape);
        }
        match self.splat(b) {
            Some(0.0) => return Some(self.constant(place, shape, Elements::Splat(0.0))),
            Some(1.0) => return Some(self.spread(place, a, shape)),
            Some(-1.0) => {
                let negated = self.negated(place, a);
                return Some(self.spread(place, negated, shape));
            }
            _ => {}
        }
        let inner = self.op_of(a).map(|op| (op.opcode, op.operands.clone()));
        match inner {
            Some((TensorMul, factors)) if self.is_constant(factors[1]) => {
                let constant = self.binary(place, TensorMul, factors[1], b);
                return Some(self.binary(place, TensorMul, factors[0], constant));
            }
            Some((TensorNeg, factors)) => {
                let constant = self.negated(place, b);
                return Some(self.binary(place, TensorMul, factors[0], constant));
            }
            _ => {}
        }
        if let Some(s) = self.splat(b).filter(|_| self.shape(a) == shape) {
            let limit = self.depth(a);
            let free = self.is_single_use(a) && self.absorbs(a);
            if free || (place.critical && self.can_distribute(a, limit)) {
                return Some(self.distribute(place, a, s, if free { 0 } else { limit }));
            }
        }
        let shrunk = self.shrunk(place, b, a, shape);
        (shrunk != b).then(|| self.emit(place, TensorMul, &[a, shrunk], &Attributes::new(), shape, None))
    }

    fn matmul(&mut self, place: Place, a: Value, b: Value, shape: &[u32]) -> Option<Value> {
        if self.splat(a) == Some(0.0) || self.splat(b) == Some(0.0) {
            return Some(self.constant(place, shape, Elements::Splat(0.0)));
        }
        let transposed = |value: Value| {
            let op = self.op_of(value).filter(|op| op.opcode == TensorTranspose)?;
            let order = permutation(op.ints("axes"), 2).ok()?;
            (order == [1, 0]).then_some(op.operands[0])
        };
        match (self.shape(a).len(), self.shape(b).len()) {
            (2, 1) => {
                if let Some(matrix) = transposed(a) {
                    return Some(self.binary(place, TensorMatmul, b, matrix));
                }
            }
            (1, 2) => {
                if let Some(matrix) = transposed(b) {
                    return Some(self.binary(place, TensorMatmul, matrix, a));
                }
            }
            _ => {}
        }
        if self.is_constant(a) || self.is_constant(b) {
            return None;
        }
        self.product(place, TensorMatmul, a, b, shape)
    }

    /// Sums and changes of shape: scalars go to the front; what changes nothing disappears.
    fn linear(
        &mut self,
        place: Place,
        opcode: Opcode,
        a: Value,
        attributes: &Attributes,
        shape: &[u32],
    ) -> Value {
        if let Some((s, u)) = self.scaled(a) {
            let inner = self.linear(place, opcode, u, attributes, shape);
            return self.times(place, inner, s);
        }
        let own = self.shape(a);
        let ints = |name: &str| match attributes.get(name) {
            Some(Attribute::Ints(values)) => values.as_slice(),
            _ => &[],
        };
        let nothing = match opcode {
            TensorSum => reduced_axes(ints("axes"), own.len()).is_ok_and(|axes| axes.is_empty()),
            TensorTranspose => permutation(ints("axes"), own.len()).is_ok_and(|order| order.is_sorted()),
            _ => own == shape,
        };
        if nothing {
            return a;
        }
        let inner = self.op_of(a).filter(|op| op.opcode == opcode).cloned();
        match (opcode, inner) {
            (TensorTranspose, Some(inner)) => {
                let rank = own.len();
                let first = permutation(inner.ints("axes"), rank).unwrap_or_default();
                let second = permutation(ints("axes"), rank).unwrap_or_default();
                let axes = second.into_iter().map(|axis| first[axis] as i64).collect();
                let attributes = Attributes::from([("axes".to_owned(), Attribute::Ints(axes))]);
                self.linear(place, opcode, inner.operands[0], &attributes, shape)
            }
            (TensorBroadcast, Some(inner)) => {
                let outer = ints("axes").to_vec();
                let axes = inner
                    .ints("axes")
                    .iter()
                    .map(|&axis| outer[axis as usize])
                    .collect();
                let mut attributes = attributes.clone();
                attributes.insert("axes", Attribute::Ints(axes));
                self.emit(place, opcode, &inner.operands, &attributes, shape, None)
            }
            (TensorReshape, Some(inner)) => self.linear(place, opcode, inner.operands[0], attributes, shape),
            _ => self.emit(place, opcode, &[a], attributes, shape, None),
        }
    }

    /// A scalar at the argument goes into the coefficients and the interval; a polynomial of degree 0 is a constant.
    fn polynomial(
        &mut self,
        place: Place,
        opcode: Opcode,
        a: Value,
        attributes: &Attributes,
        shape: &[u32],
    ) -> Option<Value> {
        let op = OpData {
            opcode,
            operands: vec![a],
            results: Vec::new(),
            attributes: attributes.clone(),
            regions: Vec::new(),
            span: place.span,
        };
        let polynomial = Polynomial::of(&op)?;
        if polynomial.degree() == 0 {
            let value = polynomial.coefficients.first().copied().unwrap_or(0.0);
            return Some(self.constant(place, shape, Elements::Splat(value)));
        }
        let (s, u) = self.scaled(a)?;
        let scaled = polynomial.of_scaled_argument(s);
        let mut attributes = attributes.clone();
        if opcode == TensorPoly {
            attributes.insert("coefficients", scaled.coefficients.into());
        } else {
            attributes.extend(scaled.attributes(op.float("error").unwrap_or(0.0)));
        }
        Some(self.make(
            place,
            opcode,
            &[u],
            &attributes,
            &TensorType {
                shape: shape.to_vec(),
                secrecy: crate::ir::Secrecy::Secret,
                range: None,
            },
        ))
    }
}
