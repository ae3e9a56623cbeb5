//! The words of the field, one paragraph each: what `cipherloom explain WORD` prints.

/// Words and their paragraphs; alternatives of a word are separated by `|`.
const GLOSSARY: &[(&str, &str)] = &[
    (
        "ckks",
        "The encryption scheme of Cheon, Kim, Kim and Song (2017). It encrypts vectors of real numbers so that sums, products \
         and rotations can be computed on ciphertexts, with a small error, like fixed-point arithmetic. Comparisons, \
         divisions and jumps that depend on secrets do not exist; non-linear functions are replaced by polynomials.",
    ),
    (
        "ring degree|n",
        "N, a power of two, 2^10 to 2^17: the length of the polynomials that ciphertexts consist of. A ciphertext holds N/2 \
         numbers. A larger N allows a larger modulus at the same security, so a deeper computation; every operation gets \
         a little more than twice as expensive each time that N doubles.",
    ),
    (
        "slot",
        "One of the N/2 places of a ciphertext. A sum or product of ciphertexts acts on all slots at once; a rotation moves \
         numbers between slots. How tensors lie in slots is the plan's layout.",
    ),
    (
        "modulus chain|chain",
        "The primes q_0 … q_L whose product is the modulus of a fresh ciphertext. Every rescale gives up the last prime that \
         is left. When only q_0 is left, no product is possible any more.",
    ),
    (
        "special prime|special primes",
        "Primes p_j that are multiplied to the modulus for the duration of a key switch, to keep its error small. They count \
         for security like the primes of the chain.",
    ),
    (
        "limb",
        "A polynomial modulo one prime. A polynomial modulo q_0 … q_l is stored as l + 1 limbs, each of N machine words, \
         and computed with limb by limb.",
    ),
    (
        "level",
        "How many primes a ciphertext can still give up: limbs less one. A fresh ciphertext starts at the level that the plan \
         wants, a product followed by a rescale goes down by one, and outputs leave at the lowest ones. The depth of a training \
         step, in levels, times the number of steps has to fit the chain.",
    ),
    (
        "scale",
        "Δ, the factor by which numbers are multiplied before they are rounded to integers: fixed-point arithmetic with log2 Δ \
         bits after the point. A product of two values has the product of their scales; a rescale brings it back. Values are \
         added at equal scales only.",
    ),
    (
        "rescale",
        "Division of a ciphertext by the last prime of its modulus, with rounding. It follows a product: it brings the scale \
         back to about Δ and costs one level.",
    ),
    (
        "drop",
        "Leaving out limbs of a ciphertext without dividing: the value and its scale stay, the level falls. Cheap; it makes \
         everything that follows cheaper.",
    ),
    (
        "degree",
        "Polynomials of a ciphertext less one: 1 for a usual ciphertext, 2 for the product of two until it is relinearised. \
         (Of an approximation: the degree of the polynomial.)",
    ),
    (
        "relinearise|relinearize|relinearisation",
        "Turning a ciphertext of degree 2, as a product gives it, into one of degree 1, by a key switch from s² to s. Sums of \
         products are relinearised once, after adding.",
    ),
    (
        "key switch|switching key|evaluation key|evaluation keys",
        "Turning a ciphertext under one key into one of the same value under another, with a public switching key: what \
         rotations and relinearisations consist of, and by far the most expensive operation. evaluation.keys holds the \
         switching keys; they reveal nothing.",
    ),
    (
        "digit|dnum",
        "A group of α limbs. A key switch cuts a polynomial into dnum digits and treats each by itself. Few digits are faster \
         and have smaller keys, but need more special primes.",
    ),
    (
        "mod-up|mod-down|basis",
        "Going from the modulus Q to QP and back. A value is in basis q or qp. mod-up extends the digits of a key switch by the \
         special primes; mod-down divides by P. Sums in basis qp share one mod-down.",
    ),
    (
        "hoisting",
        "Doing the first half of a key switch, the decomposition, once for many rotations of the same ciphertext. The \
         second half can be shared by rotations that are summed.",
    ),
    (
        "automorphism|galois element",
        "The map X → X^g of polynomials, g odd. With g = 5^r it rotates the slots by r, with g = −1 it conjugates them. Each g \
         that a plan uses needs a switching key of its own.",
    ),
    (
        "rotation|conjugation|rotate",
        "A rotation by r moves slot i + r to slot i, cyclically. Sums over slots, broadcasts and matrix products are made of \
         rotations. Conjugation replaces each complex number by its conjugate. Both need a key switch.",
    ),
    (
        "bootstrap|bootstrapping",
        "Refreshing a ciphertext that has no levels left, by decrypting it under encryption. Expensive. A leveled plan has no \
         bootstrap: its chain is long enough for the whole run.",
    ),
    (
        "leveled",
        "Of a plan: the modulus chain is long enough for every training step, so that no bootstrap is needed. The number of \
         steps is fixed when the plan is compiled (--steps).",
    ),
    (
        "layout|tile|block|stride",
        "How a tensor lies in slots: each dimension has a block of indices with a stride between neighbours, and what \
         does not fit one ciphertext continues in further ones, the tiles. The compiler weighs layouts by predicted time; \
         `cipherloom compile --layouts` lists them.",
    ),
    (
        "mask",
        "A public vector of numbers on some slots and zeros on the others. Multiplying by it keeps what is wanted and costs a \
         level, so the compiler folds masks into products that are needed anyway.",
    ),
    (
        "carried value|back edge|state",
        "A state is carried from one training step to the next. At the back edge, where one step ends and the next begins, it has \
         to have the level, scale and layout that the loop expects.",
    ),
    (
        "plan",
        "What the compiler makes of a graph: every ciphertext operation in order, with levels, scales, keys, layouts and \
         places in memory decided. Bytes that are checked once and then read in place; keys and ciphertexts carry its hash.",
    ),
    (
        "arena|scratch",
        "The memory that a run is given: buffers at places that the plan fixed, and scratch in which an instruction works. The \
         executor allocates nothing, so the peak is known before the run.",
    ),
    (
        "reveal",
        "A value that goes to the key holder during the run, such as the score on validation rows. It goes to no one else.",
    ),
    (
        "key holder|client",
        "Who has secret.key: encrypts the data and decrypts the results. The server never sees it.",
    ),
    (
        "server",
        "Who runs the plan, on ciphertexts and with evaluation keys. It learns the plan and the sizes of the data.",
    ),
    (
        "stream|input|output",
        "Ports of a plan. A stream gives one mini-batch per training step, an input is given once, an output is handed out at the \
         end. Each has a shape, a declared range, a layout, and the level and scale of its ciphertexts.",
    ),
    (
        "range",
        "The interval in which a secret value must stay. Encryption has room for it, and polynomials approximate non-linear \
         functions on it alone. The encryptor refuses data outside; `train` warns when a clear run leaves it.",
    ),
    (
        "precision|noise|error",
        "Every operation adds a small random error. The plan predicts its standard deviation for each output; precision is \
         the same in bits after the binary point. A larger scale gives more precision and takes more of the modulus.",
    ),
    (
        "epoch",
        "As many training steps as the data have batches. After each epoch the plan runs the graph's epoch block and hands out its \
         outputs and reveals, encrypted, and the run may end there.",
    ),
    (
        "early stopping|patience",
        "The key holder decrypts the predictions that an epoch reveals, computes the loss on the validation rows, and ends the \
         training when it has not become smaller for so many epochs. The server learns its answer and nothing else; the outputs are \
         those of the best epoch.",
    ),
    (
        "checkpoint",
        "Everything a run needs to go on where it was, in a file: states, results, and the values that are read later, all \
         encrypted. A run that goes on from it gives the same outputs, bit for bit.",
    ),
    (
        "security|toy",
        "128 bits, classical: the modulus stays below the table of Bossuat and others (2024) for its ring degree, with a ternary \
         secret. Toy parameters (--insecure-toy) are for tests, protect nothing, and are stamped into the plan.",
    ),
];

/// The main form of every word.
pub fn words() -> impl Iterator<Item = &'static str> {
    GLOSSARY.iter().filter_map(|(words, _)| words.split('|').next())
}

/// The paragraph of a word, in any of its forms, in capitals or not, in the plural or not.
pub fn explain(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    let singular = word.strip_suffix('s').unwrap_or(&word);
    let stands = |words: &str| words.split('|').any(|form| form == word || form == singular);
    GLOSSARY
        .iter()
        .find(|(words, _)| stands(words))
        .map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_any_form() {
        assert!(explain("Levels").is_some_and(|text| text.contains("give up")));
        assert_eq!(explain("relinearize"), explain("relinearise"));
        assert_eq!(explain("dnum"), explain("digit"));
        assert_eq!(explain("loom"), None);
    }

    #[test]
    fn no_word_is_explained_twice() {
        let mut forms: Vec<&str> = GLOSSARY.iter().flat_map(|(words, _)| words.split('|')).collect();
        forms.sort_unstable();
        assert!(forms.windows(2).all(|pair| pair[0] != pair[1]), "{forms:?}");
    }
}
