//! A paragraph for each code.

use super::Code;

/// What a code means, why the rule exists and what to do: the text of `cipherloom explain CODE`.
pub fn explain(code: &str) -> Option<&'static str> {
    Code::from_text(code).map(paragraph)
}

fn paragraph(code: Code) -> &'static str {
    match code {
        Code::Syntax => {
            "The text does not follow the grammar of a .loom file. A file holds one `graph name { … }`; \
             statements end with `;`; comments start with `//`. The message says what was expected where. \
             After a mistake the parser continues with the next statement, so several mistakes are reported \
             at once; mend the first one first."
        }
        Code::Name => {
            "A name is not declared, is declared twice, or is used where it has no value. Names are \
             declared before they are used, each once. A stream and the step counter `t` have values only \
             inside `step { … }`; a state has one inside `train { … }` and, once trained, after it. \
             Parameters of a function hide other names in its body."
        }
        Code::Type => {
            "A thing of the wrong kind stands here: a run-time value where a constant must be, an argument \
             that a function does not take, a prediction that does not come from sigmoid or softmax, a \
             statement in a block that does not hold such statements. The message shows how the function or \
             statement is written."
        }
        Code::Shape => {
            "Extents do not fit together. Element-wise operators broadcast like numpy: shapes are aligned \
             at their last dimension, and two extents fit if they are equal or one of them is 1. `a @ b` \
             contracts the last dimension of `a` with the first of `b`. Tensors have at most four \
             dimensions. A loss to be minimised is a scalar, `[]`."
        }
        Code::Secret => {
            "A secret value would decide something that the server does in the clear, or would become \
             public. Under encryption there are sums and products, but no division by a secret, no secret \
             learning rate or shape, and no way from secret to public except `reveal` and `output`, which \
             go to the key holder. Divide with `inverse(z, range: [low, high])`, a polynomial \
             approximation."
        }
        Code::Range => {
            "Every secret value has an interval in which it must stay: encryption has room for it, and \
             non-linear functions are approximated by polynomials that are good on that interval alone. \
             Declare `in [low, high]` for inputs, streams and states, and `range:` for non-linear \
             functions. The error appears if an interval is missing, empty, or provably exceeded. Scale \
             data with `--scale`, or widen the interval at the price of a higher degree."
        }
        Code::Depth => {
            "Each product of ciphertexts consumes a level of the modulus chain, and the longest chain that \
             is secure at the largest ring degree has fewer levels than this graph needs. Train fewer steps \
             (`--steps`), lower the degree of approximations (`degree:`, a larger `error:`, a narrower \
             `range:`), or multiply public factors together first."
        }
        Code::Carry => {
            "A state must return from a training step with the shape, range and layout that it had at its \
             beginning, since the next step runs the same instructions. The message says which state \
             differs and how. Give the update the state's shape, and a range that the step does not leave."
        }
        Code::Unsupported => {
            "The program is correct, but this version cannot compile that operation. It is refused rather \
             than approximated silently. The message names what can be written instead."
        }
        Code::Security => {
            "The parameters would give less than 128 bits of classical security: for each ring degree there \
             is a largest modulus (Bossuat et al., Security Guidelines for Implementing Homomorphic \
             Encryption, 2024). Use a larger ring degree or fewer levels. `--insecure-toy` exists for \
             tests; plans made with it are stamped and refused by default."
        }
        Code::Memory => {
            "The plan needs more memory than the target offers, or the graph holds more than the compiler \
             takes. For a microcontroller (`--target`) the message says what is missing, where the memory \
             goes, and what would fit. Use a smaller ring, smaller batches, fewer steps, or a larger target."
        }
        Code::Option => {
            "An option does not fit the program: `--set` of a name that is no constant, a missing weight \
             file, a value out of bounds. The message names the option and what it accepts."
        }
        Code::Internal => {
            "The compiler has broken one of its own rules: the plan it made does not pass the verifier. \
             That is a mistake of the compiler, never of the program. Please report it with the program and \
             the options."
        }
        Code::RangeLeft => {
            "The clear run that `train` makes beside the encrypted one met arguments outside the range that is \
             declared for a function. There its polynomial grows quickly, and the encrypted result is noise. \
             Widen the range, or train with a smaller rate or fewer steps. Whether a range is proven from \
             those of the inputs or only assumed, `compile` and `inspect` say in their notes."
        }
        Code::Precision => {
            "The predicted error of an output is above what is accepted, or not known: it may be as large as the \
             values. It is an estimate from the declared ranges, three deviations wide; narrower ranges make \
             it smaller. A larger scale (`--log-scale`) costs a longer modulus chain."
        }
        Code::MemoryLarge => {
            "A run takes more memory than the server is said to have (`--memory`): no plan was found whose \
             switching keys, arena, tables and inputs fit it, and this is the smallest. The message says what \
             takes how much, the memory report which values are live at the peak. Smaller batches and fewer \
             steps reduce the arena; fewer distinct rotations, as of power-of-two dimensions, the keys."
        }
        Code::Unused => {
            "Something is declared but has no effect on what leaves the graph. It costs nothing in the \
             plan; the warning is there because it often points at a misspelt name or a forgotten update."
        }
    }
}
