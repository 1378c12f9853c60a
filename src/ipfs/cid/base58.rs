//! Base58, the alphabet of CIDv0: digits and letters without those that look alike. And base36,
//! which fits into the names of hosts, because it does not tell upper from lower case.
//!
//! A byte string is one big number written in that base, its leading zero bytes written as leading
//! first characters. Converting takes quadratic time, which the cap on the length of an id keeps
//! small.
//!
//! Source: draft-msporny-base58, sections 3 and 4, with the Bitcoin alphabet; multibase for base36.

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BASE36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

pub(super) fn encode(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let digits = convert::<256, 58>(bytes.iter().skip(zeros).copied());
    let ones = std::iter::repeat_n(b'1', zeros);
    let rest = digits.iter().rev().map(|&digit| BASE58[usize::from(digit)]);
    ones.chain(rest).map(char::from).collect()
}

/// The bytes `text` stands for in base 58; `None` when it holds a foreign character.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    decode_in::<58>(BASE58, text.as_bytes())
}

/// The bytes `text` stands for in base 36, in lower case.
pub(super) fn decode36(text: &[u8]) -> Option<Vec<u8>> {
    decode_in::<36>(BASE36, text)
}

fn decode_in<const BASE: u32>(alphabet: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let digit = |character: u8| alphabet.iter().position(|&known| known == character);
    let first = alphabet.first()?;
    let zeros = text.iter().take_while(|&character| character == first).count();
    let digits: Option<Vec<u8>> =
        text.iter().skip(zeros).map(|&character| u8::try_from(digit(character)?).ok()).collect();
    let bytes = convert::<BASE, 256>(digits?.into_iter());
    Some(std::iter::repeat_n(0, zeros).chain(bytes.into_iter().rev()).collect())
}

/// Turns digits of base `FROM`, most significant first, into digits of base `TO`, least first.
fn convert<const FROM: u32, const TO: u32>(digits: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut number: Vec<u8> = Vec::new();
    for digit in digits {
        let mut carry = u32::from(digit);
        for place in &mut number {
            carry += u32::from(*place) * FROM;
            *place = low::<TO>(carry);
            carry /= TO;
        }
        while carry > 0 {
            number.push(low::<TO>(carry));
            carry /= TO;
        }
    }
    number
}

/// The last digit of `number` in base `TO`, which is at most 256.
fn low<const TO: u32>(number: u32) -> u8 {
    (number % TO).to_le_bytes()[0]
}
